"""The app as a test drives it, and a run that beats when it is told to."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, ClassVar

import pytest
from tests.tui.rest import leave_out_frames, parse_styles_once, replace_idle_waits, settled
from textual.notifications import Notification
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerCancelled, WorkerFailed

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Ended, Environment, HandbookClock, Label, Phase, Proof, Record, Samples, Stage, Started
from heartbeat_core.benchmark.roofline import MeasuredPeaks
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_tui.app import HeartbeatApp

MS = 1_000_000
NO_LABEL = Label(0)
NEVER_S = 3600.0
PATIENCE_S = 30.0
MOST_WORKERS = 100  # far more than lead to one another
KEYS = {
    "-": "minus",
    ".": "full_stop",
    " ": "space",
    "@": "at",
    "/": "slash",
    "=": "equals_sign",
    ",": "comma",
    "_": "underscore",
    ";": "semicolon",
}


class Driven:
    """An app and the pilot that drives it; ``WORKERS`` are the groups of workers that are waited for after each key."""

    WORKERS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, app: HeartbeatApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        for letter in text:
            await self.pilot.press(KEYS.get(letter, letter))
        await self.settle()

    async def settle(self) -> None:
        """Let all workers end, one leading to the next, and everything be drawn."""
        for _ in range(MOST_WORKERS):
            await settled(self.app)
            self.look()
            await settled(self.app)
            workers = [worker for worker in self.app.workers if worker.group in self.WORKERS and not worker.is_finished]
            if not workers:
                return
            with suppress(WorkerFailed, WorkerCancelled):  # an app that is left cancels them
                await asyncio.wait_for(self.app.workers.wait_for_complete(workers), PATIENCE_S)
        pytest.fail(f"One worker leads to the next, {MOST_WORKERS} times: {workers}")

    def still(self) -> None:
        """Let the cursor stand still: a picture is taken at any moment."""
        for box in self.app.screen.query(Input):
            box.cursor_blink = False

    def look(self) -> None:
        """Draw what a timer draws."""

    def text(self) -> str:
        """Return the screen as text, line by line."""
        return "\n".join("".join(segment.text for segment in line) for line in self.app.screen._compositor.render_strips())

    def words(self) -> str:
        return " ".join(self.text().replace("│", " ").split())

    def line(self, word: str) -> str:
        """Return the first line of the screen that has a word."""
        return next(line for line in self.text().splitlines() if word in line)

    def offered(self) -> set[str]:
        """Name what the footer offers."""
        return {active.binding.description for active in self.app.screen.active_bindings.values() if active.binding.show and active.enabled}


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show moments alike everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _by_no_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no idle processor, keep notifications until they are looked at, and draw only what is looked at."""
    replace_idle_waits(monkeypatch)
    parse_styles_once(monkeypatch)
    if request.node.get_closest_marker("frames") is None:
        leave_out_frames(monkeypatch)
    monkeypatch.setattr(Notification, "time_left", NEVER_S)


class FakeRun(Source):
    """Its records come from the test; orders are noted in ``orders``."""

    def __init__(self, plan: BenchmarkConfig, labels: tuple[str, ...] = ()) -> None:
        super().__init__(plan, labels)
        self.orders: list[str] = []
        self.label = Label(0)
        self.random = random.Random(7)
        self.now = 0

    def tell(self, record: Record) -> None:
        self.apply(record)

    def open(self, **environment: Any) -> FakeRun:
        """Go through the steps before the beats."""
        self.tell(Started(0, 1, "0", 1, "2026-11-22T12:00:00+00:00", self.config.to_json()))
        for name, ns in (("import", 1300 * MS), ("device", MS), ("allocate", 812 * MS), ("transfer", 1000)):
            self.tell(Stage(self.now, name))
            self.now += ns
            self.tell(Stage(self.now, name, ns))
        self.tell(Environment(self.now, {"backend": self.config.backend, "threads": 2, **environment}))
        return self

    def beat(self, count: int, ns: int = 9_600_000, *, phase: Phase = "steady", compiling: bool = False) -> FakeRun:
        total = [max(1, round(self.random.gauss(ns, ns / 90))) for _ in range(count)]
        if phase == "steady":
            total = [ns + 5 * MS if self.random.random() < 0.02 else ns for ns in total]
        columns = {
            "total": array("q", total),
            "trace": array("q", [4_000] * count),
            "compile": array("q", [total[0] // 2 if compiling else 0] * count),
            "dispatch": array("q", [41_000] * count),
            "wait": array("q", [ns - 45_000 for ns in total]),
        }
        if not compiling:
            del columns["compile"]
        self.now += sum(total)
        self.tell(Samples(self.now, phase, self.series.count, columns))
        return self

    def warm_up(self) -> FakeRun:
        self.beat(1, 61 * MS, phase="cold")
        for ns in (22, 14, 12, 11)[: max(0, self.config.warmup - 1)]:
            self.beat(1, ns * MS, phase="warm-up")
        return self

    def prove(self) -> FakeRun:
        self.tell(Stage(self.now, "proof"))
        self.tell(Proof(self.now, 17, 4.2e-7, "float32 products", True))
        self.tell(Stage(self.now, "proof", 310 * MS))
        return self

    def done(self) -> FakeRun:
        self.prove()
        self.tell(Ended(self.now, "done"))
        self.finish(RunOutcome("done"))
        return self

    def handbook(self, launched: int = 1) -> FakeRun:
        products = self.config.iterations or 100
        for _ in range(self.config.repeats):
            self.tell(Samples(self.now, "steady", self.series.count, {"total": array("q", [8_400 * products])}))
            self.tell(HandbookClock(self.now, products, 8_400 * products, launched, 121 * MS, 3_000))
        return self

    def kill(self) -> None:
        self.orders.append("kill")
        self.finish(RunOutcome("stopped"))

    def forward(self, word: str) -> None:
        self.orders.append(word)

    def close(self) -> None:
        self.orders.append("close")
        if self.ending is None:
            self.finish(RunOutcome("stopped"))


class FakeRuns:
    """Begins fake runs and keeps them; ``play`` is what each does at once."""

    def __init__(self, play: Callable[[FakeRun], object] = lambda run: None, peaks: bool = True) -> None:
        self.play, self.peaks = play, peaks
        self.runs: list[FakeRun] = []

    def __call__(self, plan: BenchmarkConfig, label: Label = NO_LABEL, /) -> FakeRun:
        run = FakeRun(plan)
        run.label = label
        if self.peaks:
            run.peaks = MeasuredPeaks(2.5e12, 41e9, "2026-11-22")
        self.runs.append(run)
        self.play(run)
        return run

    @property
    def run(self) -> FakeRun:
        return self.runs[-1]


class AppDriver(Driven):
    """An app on fake runs."""

    WORKERS: ClassVar[tuple[str, ...]] = ("run",)

    def __init__(self, app: HeartbeatApp, fakes: FakeRuns, pilot: Pilot[None]) -> None:
        super().__init__(app, pilot)
        self.fakes = fakes

    @property
    def run(self) -> FakeRun:
        return self.fakes.runs[-1]

    def look(self) -> None:
        self.app.benchmark.session.not_before = 0.0
        self.app.benchmark.look()


Play = Callable[[FakeRun], object]
Open = Callable[..., AbstractAsyncContextManager[AppDriver]]


@pytest.fixture
def open_app() -> Open:
    """Open an app on fake runs: ``async with open_app(play, size=(120, 40)) as driver``."""

    @asynccontextmanager
    async def opened(
        play: Play = lambda run: None, *, size: tuple[int, int] = (120, 40), plan: BenchmarkConfig = BenchmarkConfig(), **options: Any
    ) -> AsyncIterator[AppDriver]:
        fakes = FakeRuns(play)
        app = HeartbeatApp(plan, fakes, reduced_motion=True, **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = AppDriver(app, fakes, pilot)
            await driver.settle()
            yield driver

    return opened


@pytest.fixture
def fake_run() -> Callable[[BenchmarkConfig], FakeRun]:
    """Make a run that beats when it is told to."""
    return FakeRun


@pytest.fixture
def fake_runs() -> type[FakeRuns]:
    return FakeRuns


@pytest.fixture
def make_replay() -> FakeRun:
    """Make what stands where a replay stands."""
    return FakeRun(BenchmarkConfig(), ("REPLAY of a run of 2026-11-22",)).open().warm_up().beat(30)
