"""Recordings made by hand, and the index of a folder of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Environment, Proof, Record, Samples, Started, encode
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.recordings.index import Index

PLAN = BenchmarkConfig(iterations=30, warmup=1)
Write = Callable[..., Path]


def make_records(
    steady: Sequence[int] = range(1_000_000, 1_000_030),
    *,
    plan: BenchmarkConfig = PLAN,
    time: str = "2026-11-22T12:00:00+00:00",
    **environment: Any,
) -> list[Record]:
    """Make the records of a run that went well, of these steady samples."""
    return [
        Started(0, SCHEMA, "0", 1, time, plan.to_json()),
        Environment(1, {"host": "h", "device": "cpu", "threads": 2, **environment}),
        Samples(2, "cold", 0, {"total": array("q", [9_000_000])}),
        Samples(3, "steady", 1, {"total": array("q", steady)}),
        Proof(4, 3, 1e-7, "float32", passed=True),
        Ended(5, "done"),
    ]


@pytest.fixture
def records() -> Callable[..., list[Record]]:
    return make_records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings"
    made.mkdir()
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a recording of these records, or of bytes, under a name like ours."""
    count = 0

    def make(content: Sequence[Record] | bytes | None = None, *, name: str = "") -> Path:
        nonlocal count
        count += 1
        path = folder / (name or f"202611{count:02}T120000Z-cpu-synchronized-{count:06x}.jsonl")
        path.write_bytes(content if isinstance(content, bytes) else b"".join(encode(record) for record in content or make_records()))
        return path

    return make


@pytest.fixture
def open_index(folder: Path, tmp_path: Path) -> Callable[[], Index]:
    """Open the folder's index as another program would: it knows only what the last one kept."""
    return lambda: Index(folder, tmp_path / "cache", PeakCache(tmp_path / "ceilings.json"))


@pytest.fixture
def index(open_index: Callable[[], Index]) -> Index:
    return open_index()
