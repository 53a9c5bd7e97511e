"""Starting runs as the settings say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core import launcher as launch
from heartbeat_core.benchmark.backends import xla
from heartbeat_core.benchmark.backends.base import BackendUnavailable
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.benchmark.roofline import MeasuredPeaks, peaks_key
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.benchmark.xla_environment import XlaEnvironment
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.ray_run import RayCluster
from heartbeat_core.launcher import Launcher
from heartbeat_core.recordings.recording import load
from heartbeat_core.settings import load_settings

DONE = "start(); beat(0, 5); tell('ended', reason='done')"
LONG_S = 60.0


@pytest.fixture
def launcher(home: Path) -> Iterator[Callable[..., Launcher]]:
    """Make launchers with settings of the test's own."""
    made: list[Launcher] = []

    def make(*, python: str = "", **flags: Any) -> Launcher:
        made.append(Launcher(load_settings({key.replace("__", "."): value for key, value in flags.items()}), python=python))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_default_plan_is_the_handbooks_product_on_the_cpu(launcher: Callable[..., Launcher]) -> None:
    assert launcher().config() == BenchmarkConfig()


def test_a_tpu_on_the_bus_is_what_auto_means(launcher: Callable[..., Launcher], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "scan_tpus", lambda: ("a chip",))
    assert launcher().backend() == "xla"
    assert launcher(beat__backend="cpu").backend() == "cpu"


def test_a_tpu_on_a_hidden_bus_is_no_reason_to_take_the_cpu(launcher: Callable[..., Launcher], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (launch, xla):
        monkeypatch.setattr(module, "hidden_tpus", lambda: (Path("/dev/vfio/0"),))
    assert launcher().backend() == "xla"
    with pytest.raises(BackendUnavailable, match="the PCI bus is hidden"):
        xla.XlaBackend()


def test_the_settings_make_the_plan(launcher: Callable[..., Launcher]) -> None:
    made = launcher(beat__batch=2, beat__dtype="bfloat16", beat__method="handbook", beat__warmup=0, beat__iterations=7, beat__threads=3)
    assert made.config() == BenchmarkConfig(MatMul(2, dtype="bfloat16"), method="handbook", warmup=0, iterations=7, threads=3)


def test_the_python_named_last_is_the_one_used(launcher: Callable[..., Launcher], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XlaEnvironment, "find", lambda self: Path("/managed/python"))
    assert launcher().interpreter("cpu") is None
    assert launcher().interpreter("xla") == "/managed/python"
    assert launcher(backends__xla__python="/set/python").interpreter("xla") == "/set/python"
    assert launcher(backends__xla__python="/set/python").interpreter("cpu") is None
    assert launcher(backends__xla__python="/set/python", python="/named/python").interpreter("xla") == "/named/python"
    assert launcher(python="~/python").interpreter("cpu") == str(Path.home() / "python")


def test_a_run_is_recorded_where_the_settings_say(launcher: Callable[..., Launcher], fake_worker: Any, tmp_path: Path) -> None:
    made = launcher(python=fake_worker(DONE), recordings__folder=str(tmp_path / "kept"))
    with closing(made.start(made.config())) as run:
        assert run.wait(LONG_S)
    (path,) = (tmp_path / "kept").iterdir()
    assert load(path).count == 1


def test_recordings_are_the_users_data(launcher: Callable[..., Launcher], home: Path) -> None:
    assert home in launcher().recordings().parents
    assert launcher(recordings__folder="~/runs").recordings() == Path.home() / "runs"


@pytest.mark.parametrize(("setting", "asked", "kept"), [(True, False, 0), (False, None, 0), (False, True, 1), (True, None, 1)])
def test_what_is_asked_for_a_run_goes_before_the_setting(
    launcher: Callable[..., Launcher], fake_worker: Any, tmp_path: Path, setting: bool, asked: bool | None, kept: int
) -> None:
    folder = tmp_path / "kept"
    made = launcher(python=fake_worker(DONE), recordings__save=setting, recordings__folder=str(folder))
    with closing(made.start(made.config(), save=asked)) as run:
        assert run.wait(LONG_S)
    assert len(list(folder.glob("*"))) == kept


@pytest.mark.parametrize("plan", [BenchmarkConfig(MatMul(2**20, 2**20, 2**20)), BenchmarkConfig()])
def test_a_run_that_cannot_start_leaves_no_recording(launcher: Callable[..., Launcher], tmp_path: Path, plan: BenchmarkConfig) -> None:
    made = launcher(python="/nonexistent/python", recordings__folder=str(tmp_path / "kept"))
    with pytest.raises(HeartbeatError):
        made.start(plan)
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_peak_is_measured_where_there_is_none_yet(launcher: Callable[..., Launcher]) -> None:
    made = launcher()
    plan = made.config()
    assert made.with_peaks(plan) == replace(plan, calibrate=True)
    made.peak_cache().store(peaks_key(plan, {"host": "h"}), MeasuredPeaks(1.0, 1.0, "2026-11-22"))
    assert made.with_peaks(plan) == plan


def test_runs_of_one_launcher_start_at_its_first_priority(launcher: Callable[..., Launcher], fake_worker: Any) -> None:
    made = launcher(python=fake_worker(DONE), recordings__save=False)
    for _ in range(2):
        with closing(made.start(made.config())) as run:
            assert run.wait(LONG_S)
            assert run.ending is not None
            assert run.ending.clean
    assert sys.executable not in str(made.interpreter("cpu"))


def test_a_label_that_is_not_valid_is_refused_before_any_host_starts(launcher: Callable[..., Launcher]) -> None:
    made = launcher()
    made.destination = RayCluster("ray://there-is-none")
    with pytest.raises(HeartbeatError, match="cannot be a tag"):
        made.start_together(BenchmarkConfig(), label=Label(0, tags=("two words",)))
