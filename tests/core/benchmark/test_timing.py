"""How the clock is read, on a backend that counts what is asked of it; the real ones are in test_run.py and tests/xla."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from heartbeat_core.benchmark import timing as methods
from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.control import ControlChannel
from heartbeat_core.benchmark.protocol import HandbookClock, Pause, Samples
from heartbeat_core.benchmark.timing import Measurement, Recorder, parts_of
from heartbeat_core.benchmark.verification import Inspector

ITERATION_NS = 1_000_000


class Product:
    """A result, alive as long as somebody holds it."""


class Lazy(Backend):
    """Traces what is called, launches what is still held at the step, as torch_xla does."""

    parts: ClassVar[tuple[str, ...]] = ("trace", "compile", "dispatch", "wait")
    eager = False

    def __init__(self) -> None:
        self.compute = self.trace
        self.inputs, self.weights = [("input 0",), ("input 1",)], [("weights",)]
        self.operands = self.operands_of(0)
        self.rewritten: list[int] = []
        self.asked: Counter[str] = Counter()
        self.alive: weakref.WeakSet[Product] = weakref.WeakSet()
        self.traced: weakref.WeakSet[Product] = weakref.WeakSet()  # and not launched yet
        self.count = 0
        self.compile_next = 0
        self.kept: list[int] = []

    def trace(self, first: object, second: object) -> Product:
        assert (first,) in self.inputs
        assert second == "weights"
        self.asked["traced"] += 1
        product = Product()
        self.alive.add(product)
        self.traced.add(product)
        return product

    def open(self, plan: BenchmarkConfig) -> dict[str, Any]:
        return {}

    def iterate(self) -> tuple[int, ...]:
        self.asked["iterations"] += 1
        compiled = self.read_compiles()
        return ITERATION_NS + compiled, 1, compiled, 2, ITERATION_NS - 3

    def rewrite(self, index: int) -> None:
        self.rewritten.append(index)

    def enqueue(self, inputs: Any, weights: Any) -> Product:
        product = self.trace(inputs, weights)
        self.step()
        return product

    def step(self) -> None:
        self.asked["steps"] += 1
        self.count += len(self.traced)
        self.traced.clear()

    def fence(self) -> None:
        self.asked["fences"] += 1
        self.kept.append(len(self.alive))

    def launched(self) -> int | None:
        return self.count

    def read_compiles(self) -> int:
        compiled, self.compile_next = self.compile_next, 0
        return compiled


class Control(ControlChannel):
    """Whoever started the run, who wants to stop before the sample ``stop_at``."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.attention = stop_at is not None
        self.stop_at = stop_at

    def proceed(self, recorder: Recorder) -> bool:
        return self.stop_at is None or recorder.taken < self.stop_at


class Inspected(Inspector):
    """Notes what is inspected: the sample ``chosen``, and the last."""

    def __init__(self, chosen: int = 7) -> None:
        self.due, self.sample = True, chosen
        self.inputs: list[tuple[int, ...]] = []

    def inspect(self, results: Sequence[tuple[int, Any]]) -> None:
        self.inputs.append(tuple(turn % 2 for turn, _ in results))


class Told:
    """One run of a method, and what it told."""

    def __init__(self, backend: Backend, plan: BenchmarkConfig, control: Control | None = None) -> None:
        self.records: list[Samples | Pause] = []
        self.clocks: list[HandbookClock] = []
        recorder = Recorder(parts_of(backend, plan), self.records.append, lambda: 0)
        self.inspector = Inspected()
        self.complete = Measurement(backend, plan, recorder, control or Control(), self.inspector, self.clocks.append).take()
        recorder.flush()

    @property
    def phases(self) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for record in self.records:
            if isinstance(record, Samples):
                counted[record.phase] += len(record)
        return dict(counted)

    def column(self, name: str) -> list[int]:
        return [ns for record in self.records if isinstance(record, Samples) for ns in record.columns[name]]


@pytest.mark.parametrize(
    ("warmup", "iterations", "phases"),
    [
        (0, 100, {"cold": 1, "steady": 99}),
        (1, 100, {"cold": 1, "steady": 100}),
        (5, 100, {"cold": 1, "warm-up": 4, "steady": 100}),
        (0, 1, {"cold": 1}),
        (1, 1, {"cold": 1, "steady": 1}),
    ],
)
def test_the_phases_hold_what_was_asked_for(warmup: int, iterations: int, phases: dict[str, int]) -> None:
    backend = Lazy()
    told = Told(backend, BenchmarkConfig(warmup=warmup, iterations=iterations))
    assert told.complete
    assert told.phases == phases
    assert backend.asked["iterations"] == sum(phases.values())


def test_every_part_of_an_iteration_is_recorded_and_a_compilation_marked() -> None:
    backend = Lazy()
    backend.compile_next = 7_000
    told = Told(backend, BenchmarkConfig(warmup=1, iterations=2))
    assert told.column("compile") == [7_000, 0, 0]
    assert told.column("total") == [ITERATION_NS + 7_000, ITERATION_NS, ITERATION_NS]
    assert [sum(parts) for parts in zip(*(told.column(name) for name in backend.parts), strict=True)] == told.column("total")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace the clock of the methods by one that the test moves."""
    now = [0]
    monkeypatch.setattr(methods, "perf_counter_ns", lambda: now[0])
    return now


class Timed(Lazy):
    """Takes a millisecond of the test's clock for each iteration."""

    def __init__(self, clock: list[int]) -> None:
        super().__init__()
        self.clock = clock

    def iterate(self) -> tuple[int, ...]:
        self.clock[0] += ITERATION_NS
        return super().iterate()


def test_a_duration_is_that_of_the_steady_phase(clock: list[int]) -> None:
    told = Told(Timed(clock), BenchmarkConfig(warmup=5, iterations=None, duration_s=0.02))
    assert told.complete
    assert told.phases == {"cold": 1, "warm-up": 4, "steady": 20}


def test_a_pause_is_no_part_of_the_duration(clock: list[int]) -> None:
    class Pauses(Control):
        def proceed(self, recorder: Recorder) -> bool:
            if recorder.taken == 3:
                clock[0] += 3_600 * 10**9
            return True

    told = Told(Timed(clock), BenchmarkConfig(warmup=1, iterations=None, duration_s=0.02), Pauses(stop_at=10**9))
    assert told.phases == {"cold": 1, "steady": 20}


@pytest.mark.parametrize("stop_at", [1, 3, 40])
def test_a_stop_ends_any_phase_after_the_iteration_under_way(stop_at: int) -> None:
    told = Told(Lazy(), BenchmarkConfig(warmup=5, iterations=None), Control(stop_at))
    assert not told.complete
    assert sum(told.phases.values()) == stop_at


def test_the_inputs_take_turns_and_are_rewritten_before_each_iteration() -> None:
    backend = Lazy()
    told = Told(backend, BenchmarkConfig(warmup=5, iterations=20))
    assert backend.rewritten == [1, 0] * 12 + [1]  # before each of the 25, the warm-up included
    assert told.inspector.inputs == [(0,), (1,)]  # the sample chosen and the last, each with its own input


def test_a_pipeline_rewrites_all_inputs_before_each_window() -> None:
    backend = Lazy()
    told = Told(backend, BenchmarkConfig(method="pipelined", window=4, warmup=0, iterations=32))
    assert backend.rewritten == [0, 1] * 8
    assert told.inspector.inputs == [(0, 1, 0, 1), (0, 1, 0, 1)]


def test_a_pipeline_keeps_its_window_alive_and_waits_once() -> None:
    backend = Lazy()
    plan = BenchmarkConfig(method="pipelined", window=4, warmup=5, iterations=10)
    told = Told(backend, plan)
    assert told.phases == {"cold": 1, "warm-up": 1, "steady": 3}  # in windows: 5 products of warm-up take two of them
    assert backend.asked["traced"] == 5 * 4
    assert backend.asked["fences"] == 5
    assert min(backend.kept) >= plan.window  # what is dropped before the fence need never be computed
    assert backend.count == 5 * 4
    assert parts_of(backend, plan) == ("compile", "dispatch", "wait")


def test_the_handbooks_loop_is_the_handbooks() -> None:
    backend = Lazy()
    told = Told(backend, BenchmarkConfig(method="handbook", warmup=5, iterations=100, repeats=3))
    assert backend.asked == {"traced": 5 + 3 * 100, "steps": 1 + 3, "fences": 1 + 3 * 2}
    assert told.phases == {"steady": 3}
    assert [clock.products for clock in told.clocks] == [100, 100, 100]
    assert told.column("total") == [clock.total_ns for clock in told.clocks]


def test_the_counters_say_what_the_handbooks_clock_dropped() -> None:
    told = Told(Lazy(), BenchmarkConfig(method="handbook", warmup=5, iterations=100, repeats=2))
    # the loop overwrites its result: when the step comes, the last one is all there is
    assert [clock.launched for clock in told.clocks] == [1, 1]


def test_without_a_warm_up_it_is_the_handbooks_first_listing() -> None:
    backend = Lazy()
    told = Told(backend, BenchmarkConfig(method="handbook", warmup=0, iterations=100, repeats=2))
    assert told.phases == {"cold": 1, "steady": 1}
    assert backend.asked["traced"] == 200


def test_an_eager_device_without_a_counter_launches_every_product() -> None:
    class Eager(Lazy):
        parts: ClassVar[tuple[str, ...]] = ()
        eager = True

        def launched(self) -> int | None:
            return None

    told = Told(Eager(), BenchmarkConfig(method="handbook", iterations=100, repeats=1))
    assert [clock.launched for clock in told.clocks] == [100]


def test_a_stop_ends_the_handbooks_repeats() -> None:
    told = Told(Lazy(), BenchmarkConfig(method="handbook", iterations=10, repeats=50), Control(stop_at=2))
    assert not told.complete
    assert len(told.clocks) == 2
