"""Replay of a recorded run, at its own pace or faster."""

from __future__ import annotations

import threading
from pathlib import Path

from heartbeat_core.benchmark.config import config_of_recording
from heartbeat_core.benchmark.protocol import Environment, PeaksMeasured, Record, Started
from heartbeat_core.benchmark.roofline import PeakCache, peaks_key, peaks_of
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.recording import ending_of, read_records

LONGEST_GAP_S = 1.0  # what a replay waits at most for the next record


class Replay(Source):
    """A source of records like a run, read from a recording."""

    def __init__(self, path: Path, *, speed: float = 1.0, peak_cache: PeakCache | None = None) -> None:
        """Read the recording; raise HeartbeatError if it cannot be read, or the speed is not above 0."""
        if not speed > 0:
            raise HeartbeatError(f"the speed is {speed}", "A replay runs at more than 0 times its pace.", "Try --speed 4.")
        self.records = [record for record, _line in read_records(path)]
        started = self.records[0] if self.records else None
        if not isinstance(started, Started):
            raise HeartbeatError(f"{path.name} is not a recording", "It has no complete line.", "Choose another file.")
        self.day = started.time[:10]
        super().__init__(config_of_recording(started.plan)[0], (f"REPLAY of a run of {self.day}",))
        self.path, self.speed, self.peak_cache = path, speed, peak_cache
        self.thread = threading.Thread(target=self.play, name="replay", daemon=True)

    def start(self) -> Replay:
        self.thread.start()
        return self

    def play(self) -> None:
        before = self.records[0].at_ns
        for record in self.records:
            gap_s = min(LONGEST_GAP_S, max(0, record.at_ns - before) / 1e9 / self.speed)
            before = record.at_ns
            with self.changed:
                self.changed.wait_for(lambda: self.stopping, gap_s)
                self.changed.wait_for(lambda: self.stopping or not self.paused)
            if self.stopping:
                break
            try:
                self.apply(record)
            except HeartbeatError as error:
                self.finish(RunOutcome("rubbish", error.title, error.cause, error.remedy))
                return
        self.finish(RunOutcome("stopped") if self.stopping else ending_of(self.series))

    def on_record(self, record: Record) -> None:
        if isinstance(record, Environment) and self.peak_cache:
            self.peaks = self.peak_cache.load(peaks_key(self.config, record.values))
        elif isinstance(record, PeaksMeasured):
            self.peaks = peaks_of(record, self.day, self.peaks)

    def close(self) -> None:
        self.stop()
        if self.thread.ident is not None:  # started
            self.thread.join()
