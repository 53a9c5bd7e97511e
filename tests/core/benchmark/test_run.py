"""Runs and their ends: with real workers where torch is, with programs that misbehave on purpose everywhere."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark import run as module
from heartbeat_core.benchmark import target as place
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import decode
from heartbeat_core.benchmark.roofline import MeasuredPeaks, PeakCache, peaks_key
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import WorkerExit, explain
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError

LONG_S = 60.0  # far more than any of this takes
Begin = Callable[..., Run]
FakeWorker = Callable[[str], str]
Small = Callable[..., BenchmarkConfig]


def until(run: Run, there: Callable[[], bool]) -> None:
    """Wait for what the stream is to bring."""
    with run.changed:
        assert run.changed.wait_for(there, LONG_S)


class Kept:
    """A sink that keeps what it is given, and complains when told to."""

    def __init__(self, note: str = "") -> None:
        self.lines: list[bytes] = []
        self.closed = 0
        self.note = note

    def write(self, line: bytes) -> str | None:
        self.lines.append(line)
        return self.note or None

    def close(self) -> list[str]:
        self.closed += 1
        return []


@pytest.fixture
def fake_run(begin: Begin, fake_worker: FakeWorker, small: Small) -> Callable[..., Run]:
    """Run a fake worker to its end."""

    def make(body: str, **options: Any) -> Run:
        run = begin(small(), python=fake_worker(body), **options)
        assert run.wait(LONG_S)
        return run

    return make


def test_a_worker_that_says_it_is_done_is_done(fake_run: Callable[..., Run]) -> None:
    run = fake_run("start(); beat(0, 5, phase='cold'); beat(1, 3, 4); tell('ended', reason='done')")
    assert run.ending is not None
    assert (run.ending.kind, run.ending.clean, run.ending.exit_code) == ("done", True, 0)
    assert run.series.count == 3
    assert list(run.series.steady.values()) == [3, 4]


# What goes wrong, what it is called, the exit code, and what the explanation mentions.
ENDS: list[tuple[str, str, int, str]] = [
    ("start(); beat(0, 5); print('Could not find a TPU', flush=True); signal.pause()", "rubbish", 1, "Could not find a TPU"),
    ("start(); beat(0, 5); os.write(1, b'\\xff\\xfe\\n'); signal.pause()", "rubbish", 1, "no record"),
    ("start(); beat(0, 5); tell('stage', name=7); signal.pause()", "rubbish", 1, "no record"),
    ("start(); beat(0, 5); beat(0, 5); signal.pause()", "rubbish", 1, "cannot be"),
    ("start(); beat(0, 5); os.write(1, b'x' * 2**23); signal.pause()", "rubbish", 1, "longer than"),
    ("start(); beat(0, 5); tell('started', schema=9, version='', pid=1, time='', plan={})", "rubbish", 1, "Update heartbeat-tui"),
    ("start(); beat(0, 5); die(signal.SIGSEGV)", "crashed", 1, "SIGSEGV"),
    ("start(); beat(0, 5); print('terminate called', file=sys.stderr); die(signal.SIGABRT)", "crashed", 1, "terminate called"),
    ("start(); beat(0, 5); die(signal.SIGKILL)", "killed", 1, "SIGKILL"),
    ("start(); beat(0, 5); die(signal.SIGTERM)", "killed", 1, "SIGTERM"),
    ("start(); beat(0, 5); print('no such thing', file=sys.stderr); sys.exit(3)", "crashed", 1, "no such thing"),
    ("start(); beat(0, 5)", "lost", 1, "ended early"),
    ('start(); beat(0, 5); os.write(1, b\'{"type":"samp\')', "lost", 1, "ended early"),
    ("start(); beat(0, 5); tell('failed', kind='memory', title='too much', cause='c', remedy='r')", "out of memory", 1, "too much"),
    ("start(); beat(0, 5); tell('failed', kind='plan', title='no such plan', cause='c', remedy='r')", "refused", 2, "no such plan"),
    ("start(); beat(0, 5); tell('failed', kind='backend', title='no device', cause='c', remedy='r')", "unavailable", 3, "no device"),
    ("start(); beat(0, 5); tell('failed', kind='error', title='it broke', cause='c', remedy='r')", "failed", 1, "it broke"),
    ("start(); beat(0, 5); tell('failed', kind='newer', title='it broke', cause='c', remedy='r'); die(11)", "failed", 1, "it broke"),
]


@pytest.mark.parametrize(("body", "kind", "exit_code", "mentions"), ENDS)
def test_every_end_has_its_reason_and_keeps_what_came(
    fake_run: Callable[..., Run], body: str, kind: str, exit_code: int, mentions: str
) -> None:
    run = fake_run(body)
    ending = run.ending
    assert ending is not None
    assert (ending.kind, ending.exit_code, ending.clean) == (kind, exit_code, False)
    assert mentions in f"{ending.title} {ending.cause} {ending.remedy}"
    assert ending.remedy
    assert run.series.count == 1
    assert run.report().state == "ended"
    assert run.process.poll() is not None


def test_a_worker_that_says_nothing_at_all_is_explained(fake_run: Callable[..., Run]) -> None:
    run = fake_run("print('ImportError: libfoo.so', file=sys.stderr); sys.exit(1)")
    assert run.ending is not None
    assert run.ending.kind == "crashed"
    assert "libfoo" in run.ending.cause


def test_a_device_that_never_answers_is_timed_out(fake_run: Callable[..., Run]) -> None:
    run = fake_run("start(); tell('stage', name='device', ns=None); signal.pause()", start_limit_s=0.5)
    assert run.ending is not None
    assert (run.ending.kind, run.ending.exit_code) == ("timed out", 3)
    assert "'device'" in run.ending.cause
    assert "heartbeat-tui devices" in run.ending.remedy
    assert run.process.poll() is not None


def test_a_device_that_answered_is_not_timed_out_afterwards(begin: Begin, fake_worker: FakeWorker, small: Small) -> None:
    # it answers, and then takes until it is told to stop
    body = "start(); tell('environment', values={}); beat(0, 5); sys.stdin.readline(); tell('ended', reason='stopped')"
    run = begin(small(), python=fake_worker(body), start_limit_s=LONG_S)
    until(run, lambda: run.series.count > 0)
    assert run.watchdog.finished.is_set()
    run.stop()
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert run.ending.kind == "stopped"


def test_a_worker_that_closes_its_stream_and_lives_on_is_ended(fake_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXIT_LIMIT_S", 0.5)
    run = fake_run("start(); beat(0, 5); os.close(1); signal.pause()")
    assert run.ending is not None
    assert run.ending.kind == "lost"
    assert run.process.poll() is not None


def test_a_worker_deaf_to_stop_was_still_stopped_by_us(
    begin: Begin, fake_worker: FakeWorker, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.2)
    run = begin(small(), python=fake_worker("start(); beat(0, 5); signal.pause()"))
    until(run, lambda: run.series.count > 0)
    run.close()
    assert run.ending is not None
    assert (run.ending.kind, run.series.count) == ("stopped", 1)


def test_a_script_that_starts_the_real_worker_takes_it_along(
    begin: Begin, fake_worker: FakeWorker, small: Small, tmp_path: Path, watch_process: Callable[[int], Callable[[], bool]]
) -> None:
    wrapper = tmp_path / "wrapper"
    real = fake_worker("start(); beat(0, os.getpid()); signal.pause()")
    wrapper.write_text(f'#!/bin/sh\n"{real}" "$@"\nexit 1\n')
    wrapper.chmod(0o755)
    run = begin(small(), python=str(wrapper))
    until(run, lambda: run.series.count > 0)
    worker = run.series.last_ns
    assert worker is not None
    assert worker != run.process.pid
    watched = watch_process(worker)
    run.kill()
    assert run.wait(LONG_S)
    assert watched()


def test_the_kernels_kill_for_memory_differs_from_any_other(fake_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((3, 4))
    monkeypatch.setattr(place, "kernel_oom_kills", lambda: next(counts))
    run = fake_run("start(); beat(0, 5); die(signal.SIGKILL)")
    assert run.ending is not None
    assert run.ending.kind == "out of memory"
    assert "smaller" in run.ending.remedy


def test_a_kill_for_memory_elsewhere_does_not_explain_a_crash() -> None:
    assert explain(Series(), WorkerExit(-signal.SIGSEGV, kernel_killed=True)).kind == "crashed"


def test_what_libraries_print_cannot_colour_the_screen(fake_run: Callable[..., Run]) -> None:
    run = fake_run(r"os.write(2, b'\x1b[31mred\x07\xff [bold]\n'); sys.exit(1)")
    assert run.ending is not None
    assert "red" in run.ending.cause
    assert all(character.isprintable() for character in run.ending.cause)


def test_sinks_get_every_line_as_it_came(fake_run: Callable[..., Run]) -> None:
    kept = Kept()
    run = fake_run("start(); beat(0, 5); tell('telegram', words=['stop']); tell('ended', reason='done')", sinks=(kept,))
    assert [decode(line).type for line in kept.lines] == ["started", "samples", "unknown", "ended"]
    assert kept.closed == 1
    assert run.notes == []


def test_a_sinks_complaint_is_noted_and_the_run_goes_on(fake_run: Callable[..., Run]) -> None:
    run = fake_run("start(); tell('ended', reason='done')", sinks=(Kept("the disk is full"), Kept()))
    assert run.ending is not None
    assert run.ending.clean
    assert run.notes == ["the disk is full"] * 2


@pytest.mark.parametrize("python", ["/nonexistent/python", "/etc/passwd"])
def test_a_python_that_cannot_be_started_is_an_error_and_closes_the_sinks(begin: Begin, small: Small, python: str) -> None:
    kept = Kept()
    with pytest.raises(HeartbeatError, match="cannot be started") as refused:
        begin(small(), python=python, sinks=(kept,))
    assert refused.value.exit_code == 3
    assert "--python" in refused.value.remedy
    assert kept.closed == 1


def test_a_peak_measured_is_kept_with_its_day(fake_run: Callable[..., Run], tmp_path: Path) -> None:
    cache = PeakCache(tmp_path / "ceilings.json")
    body = "start(); tell('environment', values={'host': 'h'}); tell('ceiling', flops_per_s=2e9, bytes_per_s=1e9)"
    run = fake_run(body + "; tell('ended', reason='done')", peak_cache=cache)
    assert run.peaks is not None
    assert run.peaks.flops_per_s == 2e9
    assert list(cache.read().values()) == [{"flops_per_s": 2e9, "bytes_per_s": 1e9, "measured_on": run.peaks.measured_on}]
    again = fake_run("start(); tell('environment', values={'host': 'h'}); tell('ended', reason='done')", peak_cache=cache)
    assert again.peaks == run.peaks
    for more, peak in ((", disturbed='busy'", 2e9), ("", 1.5e9)):  # measured while disturbed it can be too low
        fake_run(f"{body.replace('2e9', '1.5e9')[:-1]}{more}); tell('ended', reason='done')", peak_cache=cache)
        assert [kept["flops_per_s"] for kept in cache.read().values()] == [peak]
    other = fake_run("start(); tell('environment', values={'host': 'other'}); tell('ended', reason='done')", peak_cache=cache)
    assert other.peaks is None


def test_a_peak_that_cannot_be_kept_is_noted(fake_run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = PeakCache(tmp_path / "file" / "ceilings.json")
    body = "start(); tell('ceiling', flops_per_s=2e9, bytes_per_s=1e9); tell('ended', reason='done')"
    run = fake_run(body, peak_cache=cache)
    assert run.ending is not None
    assert run.ending.clean
    assert "could not be kept" in run.notes[0]


def test_orders_to_a_run_that_is_over_change_nothing(fake_run: Callable[..., Run]) -> None:
    run = fake_run("start(); tell('ended', reason='done')")
    version = run.version
    run.pause()
    run.stop()
    run.kill()
    run.close()
    assert (run.version, run.paused) == (version, False)
    assert run.ending is not None
    assert run.ending.kind == "done"


def test_no_thread_outlives_its_run(fake_run: Callable[..., Run]) -> None:
    before = set(threading.enumerate())
    run = fake_run("start(); tell('ended', reason='done')")
    for thread in set(threading.enumerate()) - before:
        thread.join(LONG_S)
        assert not thread.is_alive()
    assert all(pipe is None or pipe.closed for pipe in (run.process.stdin, run.process.stdout, run.process.stderr))


class TestRealWorkers:
    """Real torch in a real child."""

    pytestmark = pytest.mark.torch

    @pytest.fixture(scope="class")
    def runs(self, process_launcher: Any, small: Small) -> Any:
        """One run of each method, at the same time, over."""
        plans = (
            small(warmup=5, iterations=200),
            small(method="pipelined", window=4, warmup=4, iterations=40),
            small(method="handbook", warmup=5, iterations=100, repeats=3),
        )
        kept = {plan.method: Kept() for plan in plans}
        begun = {plan.method: Run(plan, process_launcher, sinks=(kept[plan.method],)) for plan in plans}
        yield {method: (run, kept[method]) for method, run in begun.items() if run.wait(LONG_S)}
        for run in begun.values():
            run.close()

    @pytest.mark.parametrize("method", ["synchronized", "pipelined", "handbook"])
    def test_a_run_is_done_and_proved(self, runs: Any, method: str) -> None:
        run, _ = runs[method]
        report = run.report()
        assert run.ending.kind == "done"
        assert run.notes == []
        assert report.proof.passed
        assert report.proof.implies == "float32"
        assert report.proof.executed is None  # nothing counts on the CPU
        assert report.verdict.kind == "plausible"
        assert report.environment["threads"] == 1
        assert report.environment["nice"] == os.getpriority(os.PRIO_PROCESS, 0)
        assert report.environment["device"] == "cpu"
        assert list(report.stages) == ["import", "device", "allocate", "transfer", "reference", "proof"]
        assert all(report.stages.values())
        assert report.compiles == 0
        assert run.series.profiled is None  # no folder was given for one

    def test_synchronized_times_each_product(self, runs: Any) -> None:
        run, _ = runs["synchronized"]
        report = run.report()
        assert (report.count, len(run.series.warmup), report.statistics.n) == (205, 4, 200)
        assert report.cold_ns > 0
        assert report.steady.kind != "undetermined"
        assert report.flops_per_s == pytest.approx(1e9 * 200 * 2 * 8 * 64 * 64 / sum(run.series.steady.values()))
        assert report.remaining_s == 0.0

    def test_pipelined_times_windows_and_reports_products(self, runs: Any) -> None:
        run, _ = runs["pipelined"]
        report = run.report()
        assert (report.count, report.statistics.n) == (11, 10)
        assert report.statistics.median_ns < max(run.series.steady.values())  # per product, of four

    def test_the_cpu_computes_all_the_handbook_asks_for(self, runs: Any) -> None:
        run, _ = runs["handbook"]
        report = run.report()
        assert [clock.launched for clock in run.series.clocks] == [100, 100, 100]
        assert report.handbook.products == 100
        assert report.iteration_ns == report.handbook.total_ns / 100

    def test_the_stream_says_what_the_series_holds(self, runs: Any) -> None:
        run, kept = runs["synchronized"]
        again = Series()
        for line in kept.lines:
            again.apply(decode(line))
        assert list(again.steady.values()) == list(run.series.steady.values())
        assert (again.proof, again.ended, again.environment) == (run.series.proof, run.series.ended, run.series.environment)

    def test_a_run_is_stopped_paused_or_not_and_proves_what_it_did(self, begin: Begin, small: Small) -> None:
        run = begin(small(iterations=None))
        until(run, lambda: len(run.series.steady) > 0)
        run.pause()
        assert run.report().state in ("beating", "paused")
        run.stop()
        assert run.wait(LONG_S)
        report = run.report()
        assert run.ending is not None
        assert run.ending.kind == "stopped"
        assert report.proof is not None
        assert report.proof.passed
        assert report.count == run.series.count > 0

    @pytest.fixture(scope="class")
    def brief(self, process_launcher: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
        """A run in bfloat16 that a duration ends, and whose profile cannot be written; over."""
        config = BenchmarkConfig(MatMul(8, 64, 64, "bfloat16"), threads=1, iterations=None, duration_s=0.05)
        with closing(Run(config, process_launcher, profile=tmp_path_factory.mktemp("profile") / "gone" / "away")) as run:
            assert run.wait(LONG_S)
            yield run

    def test_a_duration_ends_a_run(self, brief: Run) -> None:
        assert brief.ending is not None
        assert brief.ending.kind == "done"
        assert brief.report().wanted is None
        assert brief.series.health is not None

    def test_bfloat16_shows_in_the_proof(self, brief: Run) -> None:
        report = brief.report()
        assert report.proof is not None
        assert report.proof.passed
        assert report.proof.implies != "float32"
        assert report.environment["precision"] == "bfloat16"

    def test_a_profile_that_fails_leaves_the_run_whole(self, brief: Run) -> None:
        report = brief.report()
        assert report.verdict.kind == "plausible"
        assert report.profiled is not None
        assert report.profiled.problem

    def test_a_plan_its_backend_cannot_meet_is_refused(self, begin: Begin, small: Small) -> None:
        run = begin(small(precision="highest"))
        assert run.wait(LONG_S)
        assert run.ending is not None
        assert (run.ending.kind, run.ending.exit_code) == ("refused", 2)
        assert run.process.returncode == 0  # and not an abort of the interpreter on its way out

    def test_this_interpreter_is_the_one_used_when_none_is_named(self, runs: Any) -> None:
        run, _ = runs["synchronized"]
        assert run.process.args[0] == sys.executable


REFUTES = """
start(); tell('environment', values={{'host': 'h'}}); beat(0, 9, phase='cold'); beat(1, *[1_000_000] * 30)
tell('stage', name='proof', ns=None)
ordered = sys.stdin.readline()
tell('proof', row=0, error=1e-7, implies='float32', passed=True, rows=8)
if ordered == 'calibrate\\n':
    tell('ceiling', flops_per_s=1e12, bytes_per_s=1e12, disturbed={disturbed!r})
tell('ended', reason='done')
"""


@pytest.mark.parametrize("disturbed", ["", "300 involuntary context switches/s"])
def test_a_verified_run_that_is_faster_than_the_peak_has_it_measured_again(
    fake_run: Callable[..., Run], small: Small, tmp_path: Path, disturbed: str
) -> None:
    cache, key = PeakCache(tmp_path / "ceilings.json"), peaks_key(small(), {"host": "h"})
    cache.store(key, MeasuredPeaks(1e6, 1e12, "2026-11-22"))  # of a busy machine: this run does 65.5 times as much
    run = fake_run(REFUTES.format(disturbed=disturbed), peak_cache=cache)
    kept = cache.load(key)
    assert kept is not None
    assert (kept.flops_per_s, kept.disturbed) == (1e12, disturbed)
    assert run.report().verdict.kind == "plausible"
    assert "again after this run" in run.report().verdict.reason


def test_a_peak_above_what_the_processor_can_do_is_not_kept(fake_run: Callable[..., Run], tmp_path: Path) -> None:
    cache, known = PeakCache(tmp_path / "ceilings.json"), "{'host': 'h', 'cores': 2, 'cpu_flags': ['avx2']}"
    body = f"start(); tell('environment', values={known}); beat(0, 9, phase='cold'); beat(1, *[10**6] * 30)"
    run = fake_run(f"{body}; tell('ceiling', flops_per_s=1e15, bytes_per_s=1e10); tell('ended', reason='done')", peak_cache=cache)
    assert cache.read() == {}
    assert run.notes == ["the measured peak is not kept: it is impossible"]


def test_a_peak_that_holds_is_not_measured_again(fake_run: Callable[..., Run], small: Small, tmp_path: Path) -> None:
    cache, key = PeakCache(tmp_path / "ceilings.json"), peaks_key(small(), {"host": "h"})
    cache.store(key, MeasuredPeaks(1e9, 1e12, "2026-11-22"))
    body = REFUTES.format(disturbed="").replace("ordered = sys.stdin.readline()", "ordered = ''")
    assert fake_run(body, peak_cache=cache).series.peaks is None
    assert not fake_run(body, peak_cache=cache).refuted


def test_a_worker_whose_clock_is_slow_is_suspicious(fake_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    kept, ours = Kept(), iter(range(0, 10**12, 2 * 10**9))  # two seconds pass here from record to record
    monkeypatch.setattr(module, "monotonic_ns", lambda: next(ours))
    rest = "beat(0, 9, phase='cold'); beat(1, *[9] * 30); tell('ended', at_ns=10**8, reason='done')"
    run = fake_run(f"start(); tell('environment', at_ns=1, values={{}}); {rest}", sinks=(kept,))
    assert run.report().verdict.kind == run.report().quality.kind == "suspicious"
    assert "2.10 s passed here, and 100 ms by the worker's clock" in run.report().verdict.reason
    assert [decode(line).type for line in kept.lines[-2:]] == ["elapsed", "ended"]
