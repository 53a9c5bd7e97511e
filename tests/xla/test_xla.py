"""Real torch_xla, on the CPU as a rehearsal; the same tests hold on a TPU, but for what is said of the rehearsal."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.devices import probe_device
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.target import LocalTarget

pytestmark = pytest.mark.xla

LONG_S = 180.0
PROGRAM = [sys.executable, "-m", "heartbeat_tui"]
SMALL = ["--batch", "8", "--hidden", "64", "--intermediate", "64", "--backend", "xla"]
Small = Callable[..., BenchmarkConfig]


@pytest.fixture(scope="module")
def runs(xla_python: str, process_launcher: ProcessLauncher, small: Small) -> Iterator[dict[str, Run]]:
    """One run of each method, one after the other."""
    plans = (
        small(backend="xla", warmup=3, iterations=20),
        small(backend="xla", method="pipelined", window=4, warmup=4, iterations=20),
        small(backend="xla", method="handbook", warmup=5, iterations=100, repeats=3),
    )
    begun: dict[str, Run] = {}
    for plan in plans:
        run = begun[plan.method] = Run(plan, process_launcher, place=LocalTarget(xla_python))
        assert run.wait(LONG_S)
        assert run.ending is not None
        assert run.ending.kind == "done", run.ending
    yield begun
    for run in begun.values():
        run.close()


@pytest.fixture(scope="module")
def reports(runs: dict[str, Run]) -> dict[str, Report]:
    return {method: run.report() for method, run in runs.items()}


def test_it_says_what_it_runs_on(reports: dict[str, Report]) -> None:
    environment = reports["synchronized"].environment
    assert environment["torch"].startswith("2.9")
    assert environment["torch_xla"].startswith("2.9")
    assert environment["pjrt_device"] in ("CPU", "TPU")
    assert environment["hardware"] in ("CPU", "TPU")
    assert "float32" in environment["precision"]
    assert not any(name.startswith("XLA_") for name in environment)


def test_a_rehearsal_is_labelled_so(reports: dict[str, Report]) -> None:
    report = reports["synchronized"]
    if report.environment["hardware"] == "TPU":
        pytest.skip("this is a TPU")
    assert report.environment["rehearsal"] is True
    assert report.labels == ("rehearsal on the CPU: not a TPU",)
    assert report.environment["chip"] is None


@pytest.mark.parametrize("method", ["synchronized", "pipelined"])
def test_every_product_asked_for_was_executed_and_is_right(reports: dict[str, Report], method: str) -> None:
    proof = reports[method].proof
    assert proof is not None
    assert proof.passed
    assert proof.executed == proof.expected
    assert proof.expected == {"synchronized": 3 + 20, "pipelined": 4 + 20}[method]
    assert reports[method].verdict.kind == "plausible"


def test_the_first_iteration_compiles_and_is_marked(runs: dict[str, Run]) -> None:
    series = runs["synchronized"].series
    assert series.compiles
    assert series.compiles[0][0] == 0
    assert series.cold_ns is not None
    assert 0 < series.compile_ns <= sum(ns for _, ns in series.compiles)
    assert series.compiles[-1][0] < 3  # and none after the warm-up


def test_the_parts_of_an_iteration_add_up_to_it(runs: dict[str, Run]) -> None:
    series = runs["synchronized"].series
    assert list(series.parts) == ["trace", "compile", "dispatch", "wait"]
    parts = [list(store.values()) for store in series.parts.values()]
    assert [sum(row) for row in zip(*parts, strict=True)] == list(series.steady.values())
    assert all(ns == 0 for ns in series.parts["compile"].values())


def test_the_pipeline_splits_into_what_it_can_tell(runs: dict[str, Run]) -> None:
    series = runs["pipelined"].series
    assert list(series.parts) == ["compile", "dispatch", "wait"]
    assert len(series.steady) == 5


def test_of_the_handbooks_products_one_is_launched(runs: dict[str, Run], reports: dict[str, Report]) -> None:
    assert [clock.launched for clock in runs["handbook"].series.clocks] == [1, 1, 1]
    report = reports["handbook"]
    assert report.verdict.kind == "impossible"
    assert report.verdict.reason.startswith("1 of 100 products was ever launched")
    assert report.proof is not None
    assert report.proof.passed  # the one that was launched is right
    assert report.proof.executed == 4  # one of the warm-up, one of each reading
    assert report.proof.expected == 305


def test_the_bench_calls_the_handbooks_number_impossible(xla_python: str) -> None:
    command = [*PROGRAM, "bench", *SMALL, "--python", xla_python, "--method", "handbook", "--no-save"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 1, done.stderr
    assert "Total time for 100 iterations" in done.stdout
    assert "impossible: 1 of 100 products was ever launched" in " ".join(done.stdout.split())


def test_work_that_outlasts_the_handbooks_clock_is_seen(xla_python: str) -> None:
    shape = ["--batch", "64", "--hidden", "1024", "--intermediate", "2048"]
    arguments = ["--method", "handbook", "--iterations", "100", "--repeats", "2", "--no-save", "--json"]
    command = [*PROGRAM, "bench", *shape, "--backend", "xla", "--python", xla_python, *arguments]
    made = json.loads(subprocess.run(command, capture_output=True, timeout=LONG_S, check=False).stdout)
    assert [clock["launched"] for clock in made["handbook"]] == [1, 1]
    assert all(clock["fence_ns"] > 0 for clock in made["handbook"])


def test_the_settings_variable_names_the_python(xla_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTBEAT_BACKENDS_XLA_PYTHON", xla_python)
    command = [*PROGRAM, "bench", *SMALL, "--iterations", "5", "--json", "--no-save"]
    done = subprocess.run(command, capture_output=True, timeout=LONG_S, check=True)
    assert json.loads(done.stdout)["environment"]["torch_xla"].startswith("2.9")


def test_float32_turned_into_bfloat16_is_shown(xla_python: str, begin: Any, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_USE_BF16", "1")
    run = begin(small(backend="xla", iterations=5), python=xla_python)
    assert run.wait(LONG_S)
    report = run.report()
    assert report.environment["precision"] == "float32 turned into bfloat16 by XLA_USE_BF16"
    assert any("XLA_USE_BF16" in warning for warning in report.warnings)


def test_that_variable_switched_off_is_not_warned_of(xla_python: str, begin: Any, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_USE_BF16", "0")
    run = begin(small(backend="xla", iterations=5), python=xla_python)
    assert run.wait(LONG_S)
    assert not any("XLA_" in warning for warning in run.report().warnings)


@pytest.mark.parametrize(
    ("device", "title"), [("CUDA", "torch_xla cannot use PJRT_DEVICE=CUDA"), ("nonsense", "torch_xla cannot use PJRT_DEVICE=nonsense")]
)
def test_a_device_it_does_not_have_is_unavailable(
    xla_python: str, begin: Any, small: Small, monkeypatch: pytest.MonkeyPatch, device: str, title: str
) -> None:
    monkeypatch.setenv("PJRT_DEVICE", device)
    run = begin(small(backend="xla"), python=xla_python)
    assert run.wait(LONG_S)
    assert (run.ending.kind, run.ending.exit_code, run.ending.title) == ("unavailable", 3, title)


def test_more_passes_than_the_device_has_are_refused(xla_python: str, begin: Any, small: Small, reports: dict[str, Report]) -> None:
    if reports["synchronized"].environment["hardware"] == "TPU":
        pytest.skip("a TPU has them")
    run = begin(small(backend="xla", precision="highest"), python=xla_python)
    assert run.wait(LONG_S)
    assert run.ending.kind == "refused"


def test_the_look_at_the_device_finds_the_pair(xla_python: str) -> None:
    device = probe_device("xla", xla_python, LONG_S)
    assert device.usable, device
    assert device.found["torch"].startswith("2.9")
    assert device.python == xla_python


def test_a_run_is_stopped_and_leaves_nothing(xla_python: str, begin: Any, small: Small) -> None:
    run = begin(small(backend="xla", iterations=None), python=xla_python)
    with run.changed:
        assert run.changed.wait_for(lambda: len(run.series.steady) > 0, LONG_S)
    run.stop()
    assert run.wait(LONG_S)
    report = run.report()
    assert run.ending.kind == "stopped"
    assert report.proof is not None
    assert report.proof.executed == report.proof.expected == run.series.count
    with pytest.raises(ProcessLookupError):
        os.kill(run.process.pid, 0)


def test_a_profile_holds_the_hlo_of_one_iteration_and_a_timeline(
    xla_python: str, process_launcher: ProcessLauncher, small: Small, tmp_path: Path
) -> None:
    run = Run(small(backend="xla", warmup=3), process_launcher, place=LocalTarget(xla_python), profile=tmp_path)
    try:
        assert run.wait(LONG_S)
        report = run.report()
    finally:
        run.close()
    assert report.ending is not None
    assert report.ending.kind == "done", report.ending
    assert report.proof is not None
    assert report.proof.executed == report.proof.expected == 23  # the profiler's beats come after the count
    assert report.profiled is not None
    assert report.profiled.problem == ""
    hlo = (tmp_path / "hlo.txt").read_text()
    assert hlo.startswith("HloModule")
    assert hlo.count(" dot(") == 1
    assert "f32[8,64]" in hlo
    (timeline,) = tmp_path.rglob("*.trace.json.gz")
    events = json.loads(gzip.decompress(timeline.read_bytes()))["traceEvents"]
    assert any("dot" in str(event.get("name", "")).lower() or "execute" in str(event.get("name", "")).lower() for event in events)


def test_both_backends_take_turns_and_are_compared(xla_python: str) -> None:
    command = [*PROGRAM, "bench", *SMALL[:-2], "--python", xla_python, "--repeat", "2", "--vs", "backend=xla", "--json", "--no-save"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * LONG_S, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    cpu, xla = made["candidates"]
    assert [cpu["name"], xla["name"]] == ["cpu", "xla"]
    assert [len([each for each in one["processes"] if each["median_ns"]]) for one in (cpu, xla)] == [2, 2]
    assert xla["labels"] == ["rehearsal on the CPU: not a TPU"] or xla["labels"] == []
    assert made["comparisons"][0]["pairs"] == 2
