"""The archive of the Runs pane: what several threads ask of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.waiting import wait_until

from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.files import try_lock
from heartbeat_tui.runs.library import RunLibrary

if TYPE_CHECKING:
    from tests.tui.runs.conftest import Folder

LONG_S = 30.0


class Gate:
    """An index whose first reading fails once it is told to."""

    folder, notes = Path("recordings"), ()

    def __init__(self) -> None:
        self.begun, self.fail = threading.Event(), threading.Event()
        self.read = 0

    def entries(self, on_progress: object) -> tuple[Any, ...]:
        self.read += 1
        if self.read == 1:
            self.begun.set()
            assert self.fail.wait(LONG_S)
            raise HeartbeatError("the folder cannot be read", "", "")
        return ()


def test_who_asks_while_a_reading_fails_is_answered_all_the_same(tmp_path: Path) -> None:
    gate = Gate()
    archive = RunLibrary(lambda: gate, lambda: PeakCache(tmp_path / "c.json"), lambda path: None)  # type: ignore[arg-type, return-value]
    first, second = threading.Thread(target=archive.read), threading.Thread(target=archive.read)
    first.start()
    assert gate.begun.wait(LONG_S)
    second.start()
    wait_until(lambda: archive.asked == 2, "the second reader to wait")
    gate.fail.set()
    for thread in (first, second):
        thread.join(LONG_S)
        assert not thread.is_alive()
    assert (gate.read, archive.listing.entries, archive.listing.problem) == (2, (), None)


def test_what_cannot_be_deleted_is_named_and_the_rest_goes(folder: Folder) -> None:
    paths = [folder.add() for _ in range(4)]
    archive = folder.archive()
    archive.read()
    with paths[0].open("rb") as one, paths[2].open("rb") as other:
        assert try_lock(one)
        assert try_lock(other)
        with pytest.raises(HeartbeatError) as refused:
            archive.delete(archive.listing.entries or ())
    assert refused.value.title == "2 of 4 recordings could not be deleted"
    assert all(name in refused.value.cause for name in ("000001", "000003"))
    assert [path.exists() for path in paths] == [True, False, True, False]
    assert len(archive.listing.entries or ()) == 2


def test_a_group_is_compared_without_its_run_that_failed_and_that_is_said(folder: Folder) -> None:
    labels = [Label(0, group="g", round=f"x-{number // 2}", reference=bool(number % 2)) for number in range(6)]
    paths = [folder.add(dtype=("bfloat16", "float32")[number % 2], label=label) for number, label in enumerate(labels)]
    lines = paths[4].read_bytes().splitlines(keepends=True)
    paths[4].write_bytes(b"".join(lines[:4]))
    archive = folder.archive()
    archive.read()
    compared = archive.compare(archive.listing.entries or ())
    assert [side.processes for side in compared.groups] == [2, 3] or [side.processes for side in compared.groups] == [3, 2]
    (left_out,) = [doubt for doubt in compared.warnings if doubt.startswith("left out: ")]
    assert "000005" in left_out
    assert left_out in archive.compare(archive.listing.entries or ()).swapped().warnings


def test_a_sweep_with_a_broken_point_says_what_is_broken(folder: Folder) -> None:
    paths = [folder.add(batch=batch, label=Label(0, group="s")) for batch in (1, 2, 4)]
    archive = folder.archive()
    archive.read()
    entries = archive.listing.entries or ()
    paths[1].write_bytes(paths[1].read_bytes().splitlines(keepends=True)[0] + b"rubbish\n")
    with pytest.raises(HeartbeatError, match=f"{paths[1].name}, line 2"):
        archive.open_sweep(entries)
