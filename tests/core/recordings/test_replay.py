from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Environment, PeaksMeasured, Record, Samples, Started, encode
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.recordings.replay import Replay

LONG_S = 60.0
PLAN = BenchmarkConfig(iterations=60, warmup=1)
STARTED = Started(0, SCHEMA, "0", 1, "2026-11-22T12:00:00+00:00", PLAN.to_json())
SECOND = 10**9


def samples(at_s: float, start: int, *total: int) -> Samples:
    return Samples(int(at_s * SECOND), "steady" if start else "cold", start, {"total": array("q", total)})


QUICK: tuple[Record, ...] = (
    STARTED,
    Environment(0, {"host": "h"}),
    samples(0.001, 0, 900),
    samples(0.002, 1, *range(100, 160)),
    PeaksMeasured(SECOND // 500, 1e12, 1e11),
    Ended(SECOND // 500, "done"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def write(path: Path, records: tuple[Record, ...]) -> Path:
    path.write_bytes(b"".join(encode(record) for record in records))
    return path


@contextmanager
def playing(path: Path, speed: float = 1.0) -> Iterator[Replay]:
    replay = Replay(path, speed=speed).start()
    try:
        yield replay
    finally:
        replay.close()


def test_a_replay_ends_with_the_figures_of_the_run(path: Path, tmp_path: Path) -> None:
    write(path, QUICK)
    with playing(path) as replay:
        assert replay.wait(LONG_S)
        report = replay.report()
    assert report.ending is not None
    assert report.ending.kind == "done"
    recorded = recorded_report(load(path), PeakCache(tmp_path / "none.json"))
    assert (report.statistics, report.steady, report.verdict) == (recorded.statistics, recorded.steady, recorded.verdict)
    assert report.labels == ("REPLAY of a run of 2026-11-22",)
    assert report.config == PLAN


def test_a_recording_cut_off_ends_as_it_did(path: Path) -> None:
    write(path, QUICK[:4])
    with playing(path) as replay:
        assert replay.wait(LONG_S)
        assert replay.ending is not None
        assert replay.ending.kind == "lost"
        assert replay.series.count == 61


def test_a_night_between_two_records_is_not_waited_for(path: Path) -> None:
    write(path, (STARTED, samples(8 * 3600, 0, 900), Ended(8 * 3600 * SECOND, "done")))
    with playing(path) as replay:
        assert replay.wait(LONG_S)


def test_a_paused_replay_stands_still_until_it_goes_on(path: Path) -> None:
    write(path, QUICK)
    replay = Replay(path)
    replay.pause()
    replay.start()
    try:
        assert replay.report().state == "starting"
        assert not replay.wait(0.1)
        assert replay.series.count == 0
        replay.resume()
        assert replay.wait(LONG_S)
        assert replay.series.count == 61
    finally:
        replay.close()


def test_a_stopped_replay_keeps_what_it_has_shown(path: Path) -> None:
    write(path, (STARTED, samples(0, 0, 900), samples(3600, 1, 800), Ended(3600 * SECOND, "done")))
    with playing(path, speed=1e-9) as replay:
        with replay.changed:
            assert replay.changed.wait_for(lambda: replay.series.count == 1, LONG_S)
        replay.stop()
        assert replay.wait(LONG_S)
        assert replay.ending is not None
        assert replay.ending.kind == "stopped"
        assert replay.series.count == 1


def test_a_stop_ends_a_paused_replay(path: Path) -> None:
    write(path, QUICK)
    replay = Replay(path)
    replay.pause()
    replay.start()
    replay.stop()
    assert replay.wait(LONG_S)


def test_a_record_that_cannot_be_ends_the_replay_and_says_so(path: Path) -> None:
    write(path, (STARTED, samples(0, 0, 900), samples(0, 1, 800, 801), samples(0, 1, 800), Ended(0, "done")))
    with playing(path) as replay:
        assert replay.wait(LONG_S)
        assert replay.ending is not None
        assert replay.ending.kind == "rubbish"
        assert replay.series.count == 3


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_that_goes_nowhere_is_refused(path: Path, speed: float) -> None:
    write(path, QUICK)
    with pytest.raises(HeartbeatError, match="the speed is") as refused:
        Replay(path, speed=speed)
    assert "--speed 4" in refused.value.remedy


def test_an_infinite_speed_shows_all_at_once(path: Path) -> None:
    write(path, QUICK)
    with playing(path, speed=float("inf")) as replay:
        assert replay.wait(LONG_S)
        assert replay.series.count == 61


@pytest.mark.parametrize("content", [b"", b"half a line", encode(Ended(0, "done"))])
def test_what_is_no_recording_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(HeartbeatError, match="not a recording"):
        Replay(path)


def test_a_replay_never_started_can_be_closed(path: Path) -> None:
    write(path, QUICK)
    Replay(path).close()
