"""A second process beside a run: merged into its stream, recorded, played again, and never in the beat's way."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import ChipReading, Chips, Ended, Started, decode
from heartbeat_core.benchmark.report import report_json
from heartbeat_core.benchmark.run import ChipReport
from heartbeat_core.recordings.recording import Recording, load
from heartbeat_core.recordings.replay import Replay

LONG_S = 60.0
GIB = 2**30
HALF = (ChipReading(0, 4 * GIB, 32 * GIB, 50.0),)
MIB = 2**20
# Beats, waits for a word from us, beats again.
WORKER = """
start()
tell('environment', values={'hardware': 'TPU', 'chip': 'v6e'})
beat(0, 5000, 6000)
sys.stdin.readline()
beat(2, 5000)
tell('ended', reason='done')
"""


class Teller(queue.Queue[ChipReport | None]):
    """A chip_monitor that tells what the test puts into it."""

    source = "tpu-info"

    def __init__(self, *, concerned: bool = True) -> None:
        super().__init__()
        self.concerned, self.environment, self.stopped = concerned, {}, False  # type: ignore[var-annotated]

    def concerns(self, environment: Mapping[str, Any]) -> bool:
        self.environment = dict(environment)
        return self.concerned

    def reports(self) -> Iterator[ChipReport]:
        while told := self.get():
            yield told

    def stop(self) -> None:
        self.stopped = True
        self.put(None)


def wait_for(run: Any, so: Callable[[Any], bool]) -> None:
    with run.changed:
        assert run.changed.wait_for(lambda: so(run.series), LONG_S)


def test_readings_are_merged_recorded_and_replayed(
    begin: Any, small: Callable[..., BenchmarkConfig], fake_worker: Callable[[str], str], tmp_path: Path
) -> None:
    plan, chip_monitor = small(backend="xla"), Teller()
    recording = Recording.create(tmp_path / "recordings", plan, MIB)
    run = begin(plan, python=fake_worker(WORKER), chip_monitor=chip_monitor, sinks=(recording,))
    wait_for(run, lambda series: series.count == 2)
    chip_monitor.put((HALF, None))
    wait_for(run, lambda series: series.gauges.readings == 1)
    assert run.report().chips.devices[0].used_bytes == 4 * GIB
    run.write(b"go on\n")
    assert run.wait(LONG_S)
    assert chip_monitor.environment == {"hardware": "TPU", "chip": "v6e"}
    assert chip_monitor.stopped
    records = [decode(line) for line in recording.path.read_bytes().splitlines(keepends=True)]
    assert isinstance(records[0], Started)
    assert isinstance(records[-1], Ended)
    assert [record.readings for record in records if isinstance(record, Chips)] == [HALF]
    loaded = load(recording.path)
    assert loaded.gauges.figures() == run.report().chips
    with_chips = report_json(run.report(), run.series)["chips"]
    assert with_chips["devices"][0]["peak_bytes"] == 4 * GIB
    assert with_chips["devices"][0]["median_duty_percent"] == 50.0
    again = Replay(recording.path, speed=1e6).start()
    assert again.wait(LONG_S)
    assert again.report().chips == run.report().chips
    assert again.chart(100).duty == run.chart(100).duty != ()


def test_a_problem_is_reported_once_and_readings_go_on_after_it(
    begin: Any, small: Callable[..., BenchmarkConfig], fake_worker: Callable[[str], str]
) -> None:
    chip_monitor = Teller()
    lines: list[bytes] = []

    class Kept:
        def write(self, line: bytes) -> str | None:
            lines.append(line)
            return None

        def close(self) -> list[str]:
            return []

    run = begin(small(backend="xla"), python=fake_worker(WORKER), chip_monitor=chip_monitor, sinks=(Kept(),))
    for told in (((), "gone"), ((), "gone"), (HALF, None), ((), "gone")):
        chip_monitor.put(told)
    wait_for(run, lambda series: series.gauges.readings == 1 and series.gauges.problem == "gone")
    run.write(b"go on\n")
    assert run.wait(LONG_S)
    kept = [json.loads(line) for line in lines if b'"chips"' in line and b'"type":"chips"' in line]
    assert [(len(each["readings"]), each["problem"]) for each in kept] == [(0, "gone"), (1, None), (0, "gone")]
    assert run.ending.kind == "done"


def test_without_a_chip_there_is_no_reader(begin: Any, small: Callable[..., BenchmarkConfig], fake_worker: Callable[[str], str]) -> None:
    chip_monitor = Teller(concerned=False)
    chip_monitor.put((HALF, None))
    run = begin(small(), python=fake_worker(WORKER), chip_monitor=chip_monitor)
    run.write(b"go on\n")
    assert run.wait(LONG_S)
    assert run.report().chips is None
    assert report_json(run.report(), run.series)["chips"] is None


def test_a_worker_that_dies_ends_the_chip_monitor(
    begin: Any, small: Callable[..., BenchmarkConfig], fake_worker: Callable[[str], str]
) -> None:
    teller, worker = Teller(), WORKER.replace("sys.stdin.readline()", "die(signal.SIGKILL)")
    run = begin(small(backend="xla"), python=fake_worker(worker), chip_monitor=teller)
    assert run.wait(LONG_S)
    assert teller.stopped
    assert run.ending.kind == "killed"


def test_times_are_brought_near_the_workers_clock(
    begin: Any, small: Callable[..., BenchmarkConfig], fake_worker: Callable[[str], str]
) -> None:
    teller = Teller()
    run = begin(small(backend="xla"), python=fake_worker(WORKER), chip_monitor=teller)
    wait_for(run, lambda series: series.count == 2)
    taken: list[Chips] = []
    take = run.beside.take

    def keep(record: Chips, line: bytes) -> None:
        taken.append(record)
        take(record, line)

    run.beside.take = keep
    teller.put((HALF, None))
    wait_for(run, lambda series: series.gauges.readings == 1)
    assert 0 <= taken[0].at_ns < LONG_S * 1e9  # the fake worker dates everything 0, so this is the time since
    run.write(b"go on\n")
    assert run.wait(LONG_S)
    assert run.series.last_at_ns == 0, "no time of the run's"
