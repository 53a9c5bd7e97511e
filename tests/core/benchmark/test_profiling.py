"""A look inside a few beats, taken after the timed ones."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.profiling import ITERATIONS, files_of, prepare_folder, take_profile
from heartbeat_core.benchmark.protocol import Profiled, decode, encode
from heartbeat_core.benchmark.report import report_json
from heartbeat_core.benchmark.run import Run
from heartbeat_core.errors import HeartbeatError

Begin = Callable[..., Run]
LONG_S = 60.0


class Profiling:
    """A backend that does with the folder what a test says."""

    def __init__(self, write: Callable[[Path], object]) -> None:
        self.write = write

    def profile(self, folder: Path, beats: int) -> None:
        assert beats == ITERATIONS
        self.write(folder)


def taken(write: Callable[[Path], object], folder: Path) -> Profiled:
    return take_profile(cast("Backend", Profiling(write)), folder, 7)


def full(folder: Path) -> None:
    (folder / "trace.json").write_text("{")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_new_folder_is_made_and_an_empty_one_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = prepare_folder(Path("deep/down"))
    assert made == tmp_path / "deep" / "down"
    assert prepare_folder(made) == made


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(HeartbeatError, match="is not empty") as caught:
        prepare_folder(tmp_path)
    assert "thesis.tex" in caught.value.cause
    with pytest.raises(HeartbeatError, match="cannot hold a profile"):
        prepare_folder(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (full, "No space left on device"),
        (lambda folder: (folder / "trace.json").touch(), "is the disk full?"),
        (lambda folder: None, "wrote nothing"),
        (lambda folder: folder.rmdir(), "wrote nothing"),
        (lambda folder: exec("raise ImportError('no profiler here')"), "ImportError: no profiler here"),
    ],
)
def test_what_goes_wrong_is_said_and_no_more(write: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    folder = tmp_path / "profile"
    folder.mkdir()
    assert says in taken(write, folder).problem


def test_every_file_is_named_once_with_what_opens_it(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "plugins").mkdir()
        for name in ("plugins/vm.xplane.pb", "plugins/vm.trace.json.gz", "hlo.txt", "trace.json", "operators.txt"):
            (folder / name).write_text("x")

    profiled = taken(write, tmp_path)
    assert profiled.problem == ""
    assert decode(encode(profiled)) == profiled
    files = files_of(profiled)
    assert len(files) == len({file.path for file in files}) == 5
    assert all(str(file.path) in file.how or str(tmp_path) in file.how for file in files)
    assert [file.path.name for file in files if "perfetto" in file.how] == ["vm.trace.json.gz", "trace.json"]


@pytest.mark.torch
def test_torchs_trace_shows_the_products_and_the_run_is_as_without(
    begin: Begin, small: Callable[..., BenchmarkConfig], tmp_path: Path
) -> None:
    run = begin(small(), profile=tmp_path)
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert run.ending.kind == "done", run.ending
    assert len(run.series.steady) == 20  # the beats of the profiler are none of them
    assert run.series.stages["profile"]
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert sum(event.get("name") == "aten::mm" for event in trace["traceEvents"]) == ITERATIONS
    assert "aten::mm" in (tmp_path / "operators.txt").read_text()
    made = report_json(run.report(), run.series)["profile"]
    assert made["problem"] is None
    assert {Path(file["path"]).name for file in made["files"]} == {"trace.json", "operators.txt"}
