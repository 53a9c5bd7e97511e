"""A folder of recordings, and the app that shows it."""

from __future__ import annotations

import random
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tui.conftest import AppDriver, FakeRuns
from tests.tui.rest import settled
from tests.waiting import until

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Environment, Label, Proof, Record, Samples, Stage, Started, encode
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.replay import Replay
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.runs.library import RunLibrary
from heartbeat_tui.widgets.dialogs import Confirm

MS = 1_000_000


def records(
    plan: BenchmarkConfig, time: str, *, ns: int = 9_600_000, n: int = 100, label: Label | None = None, cold: int = 6, **environment: Any
) -> list[Record]:
    """Make the records of a run whose samples lie around ``ns``, its first beat ``cold`` times as long."""
    noise = random.Random(time)
    steady = [max(1, round(noise.gauss(ns, ns / 90))) for _ in range(n)]
    return [
        Started(0, SCHEMA, "0", 1, time, plan.to_json()),
        *([label] if label else []),
        Stage(1, "transfer", 3 * MS),
        Environment(2, {"backend": plan.backend, "host": "h", "device": plan.backend, "threads": 2, **environment}),
        Samples(3, "cold", 0, {"total": array("q", [cold * ns])}),
        Samples(4, "warm-up", 1, {"total": array("q", [2 * ns, ns])}),
        Samples(5, "steady", 3, {"total": array("q", steady)}),
        Proof(6, 3, 1e-7, "float32 products", passed=True),
        Ended(sum(steady), "done"),
    ]


class Folder:
    """Recordings of made-up runs: they are files, and the index reads them as it reads all others."""

    def __init__(self, home: Path) -> None:
        self.path = home / "recordings"
        self.path.mkdir()
        self.peak_cache = PeakCache(home / "ceilings.json")
        self.count = 0

    def add(
        self, *, backend: Any = "cpu", dtype: Any = "float32", batch: int = 128, day: int = 22, year: int = 2025, **values: Any
    ) -> Path:
        self.count += 1
        plan = BenchmarkConfig(workload=MatMul(batch, 4096, 16384, dtype), backend=backend)
        lines = [encode(record) for record in records(plan, f"2025-11-{day:02}T12:00:{self.count:02}+00:00", **values)]
        path = self.path / f"202511{day:02}T1200{self.count:02}Z-{backend}-synchronized-{self.count:06x}.jsonl"
        path.write_bytes(b"".join(lines))
        return path

    def archive(self, **options: Any) -> RunLibrary:
        def index() -> Index:
            return Index(self.path, self.path.parent / "index", self.peak_cache)

        return RunLibrary(index, lambda: self.peak_cache, lambda path: Replay(path, speed=float("inf")).start(), **options)


class RunsDriver(AppDriver):
    """The app on a folder of recordings."""

    WORKERS = ("runs", "run")

    async def open(self) -> None:
        """Wait for what is being opened over the list."""
        await self.settle()
        await self.app.workers.wait_for_complete([worker for worker in self.app.workers if worker.group == "open"])
        await self.settle()

    async def asked(self) -> None:
        """Wait for a question."""
        await until(lambda: isinstance(self.app.screen, Confirm), "a question")
        await settled(self.app)

    def lines(self) -> list[str]:
        return [line.strip("│ ").strip() for line in self.text().splitlines()]

    def line(self, word: str) -> str:
        """Return the first line that has the word."""
        return next(line for line in self.lines() if word in line)


OpenRuns = Callable[..., AbstractAsyncContextManager[RunsDriver]]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def open_runs(folder: Folder) -> OpenRuns:
    """Open the app on the folder: ``async with open_runs(size=(120, 40)) as driver``."""

    @asynccontextmanager
    async def opened(
        *, size: tuple[int, int] = (120, 40), mode: str = "runs", archive: RunLibrary | None = None, **options: Any
    ) -> AsyncIterator[RunsDriver]:
        fakes = FakeRuns()
        app = HeartbeatApp(
            BenchmarkConfig(), fakes, run_library=lambda: archive or folder.archive(), mode=mode, reduced_motion=True, **options
        )
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = RunsDriver(app, fakes, pilot)
            await driver.settle()
            yield driver

    return opened
