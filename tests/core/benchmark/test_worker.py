"""The worker itself: what it says on its stream, and that it dies when it should."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heartbeat_core.benchmark.backends.base import load_backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.control import ControlChannel
from heartbeat_core.benchmark.host import HealthWatch
from heartbeat_core.benchmark.protocol import (
    ChipReading,
    Chips,
    Ended,
    Environment,
    Failed,
    Health,
    Pause,
    Proof,
    Record,
    Samples,
    Stage,
    Started,
    decode,
)
from heartbeat_core.benchmark.timing import Recorder
from heartbeat_core.benchmark.worker import Output, allocate, send_health

LONG_S = 60.0
COMMAND = [sys.executable, "-m", "heartbeat_core.benchmark.worker"]
Small = Callable[..., BenchmarkConfig]
Watch = Callable[[int], Callable[[], bool]]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel kills with the parent on Linux alone")

# Tells the FIFO that it is being imported, then never comes back, holding the interpreter's lock as libtpu does.
HANG_WITH_THE_LOCK = """
import ctypes, os
with open(os.environ["TEST_FIFO"], "w") as fifo:
    fifo.write(str(os.getpid()))
ctypes.PyDLL(None).sleep(3600)
"""
HANG = HANG_WITH_THE_LOCK.replace("PyDLL", "CDLL")
PARENT = """
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.process import ProcessLauncher
Run(BenchmarkConfig(), ProcessLauncher()).wait()
"""


def tell(order: bytes) -> tuple[list[Record], subprocess.CompletedProcess[bytes]]:
    """Send a worker its order and nothing more; return its output."""
    done = subprocess.run(COMMAND, input=order, capture_output=True, timeout=LONG_S, check=False)
    return [decode(line) for line in done.stdout.splitlines()], done


@contextmanager
def worker(order: dict[str, Any], script: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker with its order, or a script that starts one; stdin is left open, and it has a group of its own."""
    command = [sys.executable, "-c", script] if script else COMMAND
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stdin
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate()


def records(process: subprocess.Popen[bytes]) -> Iterator[Record]:
    assert process.stdout
    for line in process.stdout:
        yield decode(line)


@pytest.mark.parametrize(
    ("order", "title"),
    [
        (b"", "the config is empty"),
        (b"\n", "the order is not JSON"),
        (b"{}\n", "the config is empty"),
        (b"[1]\n", "the config is empty"),
        (b'{"plan": {}}\n', "the config is empty"),
        (b'{"plan": {"speed": 3}}\n', "the config names speed"),
        (b'{"plan": {"iterations": 0}}\n', "iterations is 0"),
        (b"go\n", "the order is not JSON"),
        (b"\xff\n", "the order is not JSON"),
    ],
)
def test_an_order_without_a_sound_plan_is_refused(order: bytes, title: str) -> None:
    told, done = tell(order)
    assert done.returncode == 0
    (failed,) = told
    assert isinstance(failed, Failed)
    assert failed.kind == "plan"
    assert title in failed.title
    assert failed.remedy


@linux
@pytest.mark.parametrize("hang", [HANG_WITH_THE_LOCK, HANG])
def test_it_dies_with_its_parent_even_where_a_library_holds_the_lock(
    hang: str, fake_torch: Callable[..., None], watch_process: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setenv("TEST_FIFO", str(fifo))
    fake_torch(torch=hang)
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.DEVNULL) as parent:
        watched = watch_process(int(fifo.read_text()))
        parent.kill()
    assert watched()


@linux
def test_a_device_that_hangs_with_the_lock_is_timed_out(
    begin: Any, small: Small, fake_torch: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setenv("TEST_FIFO", str(fifo))
    fake_torch(torch=HANG_WITH_THE_LOCK)
    run = begin(small(), start_limit_s=1.0)
    assert fifo.read_text() == str(run.process.pid)
    assert run.wait(LONG_S)
    assert run.ending.kind == "timed out"
    assert run.ending.exit_code == 3
    assert "'import'" in run.ending.cause
    assert run.ending.remedy


@linux
def test_a_worker_whose_parent_has_ended_before_it_begins_ends_itself() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    _, done = tell(json.dumps({"plan": BenchmarkConfig().to_json(), "parent": gone.pid}).encode() + b"\n")
    assert done.returncode == -signal.SIGKILL


class Orders:
    """A lifeline in this process, held by the test."""

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        self.file = os.fdopen(reading, "rb")
        self.lifeline = ControlChannel(self.file)
        self.told: list[Samples | Pause] = []
        self.recorder = Recorder((), self.told.append, lambda: 0)

    def give(self, order: bytes, there: Callable[[], bool]) -> None:
        os.write(self.writing, order + b"\n")
        with self.lifeline.changed:
            assert self.lifeline.changed.wait_for(there, LONG_S)

    def proceed(self) -> bool:
        return self.lifeline.proceed(self.recorder)


@pytest.fixture
def orders() -> Iterator[Orders]:
    made = Orders()
    yield made
    made.lifeline.finished.set()  # else the end of its orders would end this process
    os.close(made.writing)
    for thread in threading.enumerate():
        if thread.name == "orders":
            thread.join(LONG_S)
    made.file.close()


def test_a_pause_lasts_until_it_is_resumed_and_is_noted(orders: Orders) -> None:
    lifeline = orders.lifeline
    orders.give(b"pause", lambda: lifeline.paused)
    assert lifeline.attention
    orders.recorder.add((7,))
    went_on: list[bool] = []
    beat = threading.Thread(target=lambda: went_on.append(orders.proceed()))
    beat.start()
    orders.give(b"resume", lambda: not lifeline.paused)
    beat.join(LONG_S)
    assert went_on == [True]
    assert not lifeline.attention
    assert isinstance(orders.told[0], Samples)  # what was taken is shown during the pause


def test_a_stop_ends_a_pause(orders: Orders) -> None:
    lifeline = orders.lifeline
    orders.give(b"pause", lambda: lifeline.paused)
    orders.give(b"stop", lambda: lifeline.stopped)
    assert not orders.proceed()
    assert lifeline.attention  # and stays so


def test_an_unknown_order_changes_nothing_but_is_no_pause(orders: Orders) -> None:
    orders.give(b"sing", lambda: orders.lifeline.attention)
    assert orders.proceed()


@pytest.mark.torch
class TestWithTorch:
    @pytest.fixture(scope="class")
    def short(self, small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], bytes]:
        """Return the records and the stderr of one short run, beside a library that writes to stdout, from C and as it is imported."""
        folder = tmp_path_factory.mktemp("library")
        (folder / "chatter.py").write_text("import os\nimport torch\nos.write(1, b'libtpu says hello')\nprint('and again')\n")
        script = (
            f"import sys; sys.path[:0] = {[str(folder), *sys.path]!r}\n"
            "from heartbeat_core.benchmark import worker\n"
            "load = worker.load_backend\n"
            "worker.load_backend = lambda name: (__import__('chatter'), load(name))[1]\n"
            "worker.main()"
        )
        with worker({"plan": small(warmup=3, iterations=10).to_json()}, script) as process:
            assert process.stderr
            return list(records(process)), process.stderr.read()

    @pytest.fixture(scope="class")
    def told(self, short: tuple[list[Record], bytes]) -> list[Record]:
        return short[0]

    def test_what_libraries_print_does_not_reach_the_stream(self, short: tuple[list[Record], bytes]) -> None:
        assert b"libtpu says hello" in short[1]
        assert b"and again" in short[1]

    def test_it_begins_with_the_plan_and_ends_with_how_it_went(self, told: list[Record], small: Small) -> None:
        started, ended = told[0], told[-1]
        assert isinstance(started, Started)
        assert started.plan == small(warmup=3, iterations=10).to_json()
        assert isinstance(ended, Ended)
        assert ended.reason == "done"

    def test_every_step_is_begun_and_done_in_its_order(self, told: list[Record]) -> None:
        steps = [(record.name, record.ns is None) for record in told if isinstance(record, Stage)]
        names = ("import", "device", "allocate", "transfer", "reference", "proof")
        assert steps == [(name, begun) for name in names for begun in (True, False)]

    def test_it_says_where_it_runs_before_the_first_iteration(self, told: list[Record]) -> None:
        kinds = [type(record) for record in told]
        assert kinds.index(Environment) < kinds.index(Samples) < kinds.index(Proof)
        (environment,) = [record.values for record in told if isinstance(record, Environment)]
        assert set(environment) >= {"backend", "host", "os", "cpu", "cores", "python", "nice", "device", "torch", "threads", "precision"}

    def test_its_samples_are_numbered_without_a_gap(self, told: list[Record]) -> None:
        samples = [record for record in told if isinstance(record, Samples)]
        assert [record.start for record in samples] == [sum(len(before) for before in samples[:i]) for i in range(len(samples))]
        assert sum(len(record) for record in samples) == 13
        assert samples[0].phase == "cold"

    def test_its_records_are_dated_in_their_order(self, told: list[Record]) -> None:
        dates = [record.at_ns for record in told]
        assert dates == sorted(dates)

    def test_an_interrupt_meant_for_the_parent_is_survived_and_the_end_of_orders_stops_it_with_a_proof(self, small: Small) -> None:
        with worker({"plan": small(iterations=None).to_json()}) as process:
            assert process.stdin
            said = records(process)
            next(record for record in said if isinstance(record, Samples))
            os.killpg(process.pid, signal.SIGINT)
            next(record for record in said if isinstance(record, Samples))
            process.stdin.close()
            rest = list(said)
            assert process.wait(LONG_S) == 0
            process.stdin = None
        assert isinstance(rest[-1], Ended)
        assert rest[-1].reason == "stopped"
        assert any(isinstance(record, Proof) and record.passed for record in rest)

    @linux
    def test_it_dies_with_its_parent_during_a_run(self, watch_process: Watch) -> None:
        script = """
import sys
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.workload import MatMul
run = Run(BenchmarkConfig(MatMul(8, 64, 64), threads=1, iterations=None), ProcessLauncher())
with run.changed:
    run.changed.wait_for(lambda: run.series.count)
print(run.process.pid, flush=True)
run.wait()
"""
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
            assert parent.stdout
            watched = watch_process(int(parent.stdout.readline()))
            parent.kill()
        assert watched()

    def test_a_reader_who_has_gone_ends_it(self, small: Small) -> None:
        with worker({"plan": small(iterations=None).to_json()}) as process:
            next(record for record in records(process) if isinstance(record, Samples))
            assert process.stdout
            process.stdout.close()
            assert process.wait(LONG_S) == 1
            process.stdout = None

    def test_the_same_seed_multiplies_the_same_numbers(self, small: Small) -> None:
        made = []
        for seed in (3, 3, 4):
            backend, config = load_backend("cpu"), small(seed=seed)
            backend.open(config)
            allocate(backend, config, Output(io.BytesIO()), seed=1)
            backend.turn()
            made.append([operand.tolist() for operand in backend.operands])
        assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("told", [ChipReading(0, 2, 9, None), None])
def test_where_the_driver_tells_of_the_devices_memory_the_worker_passes_it_on(told: ChipReading | None) -> None:
    file = io.BytesIO()
    backend: Any = SimpleNamespace(chip_reading=lambda: told)
    send_health(backend, HealthWatch(), Output(file))
    records = [decode(line) for line in file.getvalue().splitlines()]
    assert isinstance(records[0], Health)
    assert [(record.source, record.readings) for record in records[1:] if isinstance(record, Chips)] == [("the driver", (told,))] * bool(
        told
    )
