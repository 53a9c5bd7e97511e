"""Recorded runs to export."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label, PeaksMeasured, Record
from heartbeat_core.comparison.groups import MeasuredRun, measure
from heartbeat_core.recordings.index import Index

if TYPE_CHECKING:
    from tests.core.conftest import Write

Records = Callable[..., list[Record]]
Make = Callable[..., MeasuredRun]


@pytest.fixture
def make(index: Index, write: Write, records: Records) -> Make:
    def made(name: str, times: Sequence[int], *, plan: BenchmarkConfig | None = None, group: str = "") -> MeasuredRun:
        path = write([*records(times, plan=plan or BenchmarkConfig(warmup=1)), PeaksMeasured(8, 2e11, 2e10), Label(9, name, group=group)])
        return measure(index.find(str(path)), index.peak_cache)

    return made


def around(centre: int, n: int = 200) -> list[int]:
    chance = random.Random(centre)
    return [centre + chance.randrange(max(1, centre // 100)) for _ in range(n)]
