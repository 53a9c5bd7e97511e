"""A run: starts a worker, reads its stream, owns its life and death."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic_ns
from typing import Any, Literal, Protocol

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.hard_peaks import hard_peak
from heartbeat_core.benchmark.host import ensure_fits
from heartbeat_core.benchmark.process import ProcessLauncher, keep_stderr, kill_worker, reap
from heartbeat_core.benchmark.protocol import (
    ChipReading,
    Chips,
    Elapsed,
    Ended,
    Environment,
    PeaksMeasured,
    Record,
    Stage,
    decode,
    encode,
    not_ours,
)
from heartbeat_core.benchmark.report import Report, report_of, steady_s
from heartbeat_core.benchmark.roofline import MeasuredPeaks, PeakCache, peaks_key, peaks_of
from heartbeat_core.benchmark.series import ChartData, Series
from heartbeat_core.benchmark.target import LocalTarget, RunOutcome, RunTarget, WorkerExit
from heartbeat_core.errors import HeartbeatError


@dataclass(frozen=True)
class HostLine:
    """One host of several that run at once, and whether it is the one whose charts are shown."""

    name: str
    report: Report
    chart: Callable[[int, bool], ChartData]
    shown: bool = False


Order = Literal["pause", "resume", "stop"]


class Source(ABC):
    """A run as its watchers see it. One thread brings it forward, any other may look or give orders.

    ``version`` rises with all news; ``ending`` stays None until the run is over; ``notes`` say what went wrong beside it.
    ``path`` is where it is recorded, None where nothing is kept.
    """

    def __init__(self, config: BenchmarkConfig, labels: tuple[str, ...] = ()) -> None:
        self.config = config
        self.series = Series(config=config)
        self.labels = labels
        self.version = 0
        self.paused = self.stopping = False
        self.ending: RunOutcome | None = None
        self.peaks: MeasuredPeaks | None = None
        self.notes: list[str] = []
        self.path: Path | None = None
        self.changed = threading.Condition()
        self.watchers: list[Callable[[], None]] = []  # called at each change, with the lock held

    def apply(self, record: Record) -> None:
        """Bring the series forward by one record."""
        with self.changed:
            self.series.apply(record)
            self.on_record(record)
            self.news()

    def on_record(self, record: Record) -> None:
        """Act on a record that means more to this source; the lock is held."""
        del record

    def finish(self, ending: RunOutcome) -> None:
        with self.changed:
            self.ending = ending
            self.news()

    def news(self) -> None:
        self.version += 1
        self.changed.notify_all()
        for watcher in self.watchers:
            watcher()

    def report(self) -> Report:
        """Draw up the report of this moment."""
        with self.changed:
            how = {"paused": self.paused, "stopping": self.stopping}
            return report_of(self.series, peaks=self.peaks, ending=self.ending, labels=self.labels, **how)

    def chart(self, columns: int, steady_only: bool = False) -> ChartData:
        """Draw up what a chart of so many columns shows."""
        with self.changed:
            return self.series.chart(columns, steady_only=steady_only)

    def progress(self) -> tuple[str, int, int | None]:
        """Return the step under way, and how many samples, or seconds, of how many are done."""
        with self.changed:
            said = self.ending.kind if self.ending else self.series.stage or "measuring"
            if self.config.duration_s is not None:
                return said, int(steady_s(self.series)), math.ceil(self.config.duration_s)
            return said, self.series.count, self.config.samples_in_all

    def shown(self) -> Source:
        """Return the run whose samples are looked at: of several at once the chosen one, else this."""
        return self

    def choose(self, index: int) -> None:
        """Show another of several at once."""
        del index

    def hosts(self) -> tuple[HostLine, ...]:
        """Return a line for each of several hosts that run at once, none for a single run."""
        return ()

    @property
    def kept_at(self) -> Path | None:
        """Return the recording of a run that is over; one that wrote nothing has none."""
        return self.path if self.path is not None and self.path.exists() else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return whether it came."""
        with self.changed:
            return self.changed.wait_for(lambda: self.ending is not None, timeout_s)

    def wait_for_news(self, version: int, timeout_s: float) -> int:
        """Wait until there is more than ``version``; return the version there is."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version or self.ending is not None, timeout_s)
            return self.version

    def pause(self) -> None:
        self.order("pause")

    def resume(self) -> None:
        self.order("resume")

    def stop(self) -> None:
        """Ask for the end after the iteration under way, with the result check; what has come stays."""
        self.order("stop")

    def order(self, word: Order) -> None:
        """Note an order and forward it; once the run is over it has no effect."""
        with self.changed:
            if self.ending is not None:
                return
            self.paused, self.stopping = word == "pause", self.stopping or word == "stop"
            self.news()
        self.forward(word)

    def forward(self, word: Order) -> None:
        """Send an order to what computes, if that is another process."""
        del word

    def kill(self) -> None:
        """End it without waiting for the iteration under way; what has come stays."""
        self.stop()

    @abstractmethod
    def close(self) -> None:
        """End it if it goes on, and return when it is over."""


ChipReport = tuple[tuple[ChipReading, ...], str | None]  # the readings, and what is missing


class ChipMonitor(Protocol):
    """Somebody who looks at the chips that a run is on."""

    source: str

    def concerns(self, environment: Mapping[str, Any]) -> bool:
        """Return whether there is anything to see where the run takes place."""

    def reports(self) -> Iterator[ChipReport]:
        """Look, time and again, until ``stop``; the thread that calls this is the one that the looking depends on."""

    def stop(self) -> None:
        """See to it that ``reports`` ends now."""


CLOCK_SLACK_NS, CLOCK_SLACK = 1_000_000_000, 0.1  # by which a clock may seem too slow, for lines may come late


class ClockWatch:
    """Compares the worker's clock, by which all times are taken, with ours. A lag is ours less the worker's when a record comes."""

    def __init__(self) -> None:
        self.first: tuple[int, int] | None = None  # ours and the worker's, when the device was open
        self.lags: deque[int] = deque(maxlen=3)  # the last few, of which the least counts
        self.least: int | None = None  # of all, for lines may come late and never early

    def heard(self, record: Record) -> None:
        now = monotonic_ns()
        if isinstance(record, Environment):
            self.first = now, record.at_ns
        lag = now - record.at_ns
        self.lags.append(lag)
        self.least = lag if self.least is None else min(lag, self.least)

    def worker_ns(self) -> int:
        """Return what the worker's clock shows now."""
        return monotonic_ns() - (self.least or 0)

    def disagreement(self, at_ns: int) -> Elapsed | None:
        """Return what passed by either clock until the worker's said ``at_ns``, None where its is not too slow."""
        if self.first is None or at_ns <= self.first[1]:
            return None
        worker_ns = at_ns - self.first[1]
        here_ns = worker_ns + min(self.lags) - (self.first[0] - self.first[1])
        return Elapsed(at_ns, worker_ns, here_ns) if here_ns - worker_ns > max(CLOCK_SLACK_NS, CLOCK_SLACK * here_ns) else None


class SideChannel:
    """Listens to a monitor of chips in a thread of its own, from when the run knows where it takes place to its end."""

    def __init__(self, chip_monitor: ChipMonitor, clocks: ClockWatch, take: Callable[[Chips, bytes], None]) -> None:
        self.chip_monitor, self.clocks, self.take = chip_monitor, clocks, take
        self.thread: threading.Thread | None = None

    def begin(self, environment: Mapping[str, Any]) -> None:
        if self.thread is None and self.chip_monitor.concerns(environment):
            self.thread = threading.Thread(target=self.listen, name="chips", daemon=True)
            self.thread.start()

    def listen(self) -> None:
        """Pass on the readings, and each problem once: one that lasts would fill the recording."""
        before: str | None = None
        for readings, problem in self.chip_monitor.reports():
            if readings or problem != before:
                record = Chips(self.clocks.worker_ns(), self.chip_monitor.source, readings, problem)
                self.take(record, encode(record))
            before = problem

    def end(self) -> None:
        """End the looking, and return when nothing more will be taken."""
        if self.thread is not None:
            self.chip_monitor.stop()
            self.thread.join()


EXIT_LIMIT_S = 10.0
GRACE_S = 3.0  # for a stopped run to finish its iteration and its result check
STDERR_LINES = 40
HERE = LocalTarget()
LONGEST_LINE = 2**22  # bytes; the longest of ours, 8,192 samples in five columns, is a tenth of it


class Sink(Protocol):
    """Takes the stream as it comes: a recording on disk, a pipe."""

    def write(self, line: bytes) -> str | None:
        """Take a line; return a note where it was refused."""

    def close(self) -> list[str]:
        """Take no more; return notes on what went wrong."""


class Run(Source):
    """One worker and its stream; its reader thread brings the series forward, any thread may take a report."""

    def __init__(
        self,
        config: BenchmarkConfig,
        process_launcher: ProcessLauncher,
        *,
        place: RunTarget = HERE,
        sinks: tuple[Sink, ...] = (),
        peak_cache: PeakCache | None = None,
        chip_monitor: ChipMonitor | None = None,
        profile: Path | None = None,
        start_limit_s: float | None = None,
    ) -> None:
        """Start the run; ``profile`` is a folder for a look at a few more iterations.

        Raise HeartbeatError where it cannot fit or its worker cannot be started, the sinks closed.
        """
        super().__init__(config, place.labels)
        self.place, self.sinks, self.peak_cache, self.profile = place, sinks, peak_cache, profile
        self.start_limit_s = start_limit_s or place.start_limit_s
        self.taking = threading.Lock()  # two threads bring records: one line at a time, in the same order everywhere
        self.clocks = ClockWatch()
        self.beside = SideChannel(chip_monitor, self.clocks, self.take) if chip_monitor else None
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self.timed_out = self.ended_by_us = self.refuted = False
        self.oom_kills = place.oom_kills()
        with contextlib.ExitStack() as failed:
            failed.callback(self.close_sinks)
            ensure_fits(config, place.available_bytes())
            try:
                self.process = process_launcher.call(self.spawn)
                self.process_launcher = process_launcher  # the worker ends with the thread that started it
            except OSError as error:
                raise place.cannot_start(config, error) from error
            failed.pop_all()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start worker and readers; the threads made here have the launcher's priority, so the stream is never kept waiting."""
        process = self.place.spawn()
        self.process = process
        profile = {"profile": str(self.profile)} if self.profile else {}
        self.write(json.dumps({"plan": self.config.to_json(), **self.place.order(), **profile}).encode() + b"\n")
        self.watchdog = threading.Timer(self.start_limit_s, self.give_up)
        self.watchdog.daemon = True
        self.watchdog.start()
        self.listener = keep_stderr(process, self.stderr)
        threading.Thread(target=self.read, name="stream", daemon=True).start()
        if self.place.pulse_s is not None:
            threading.Thread(target=self.pulse, args=(self.place.pulse_s,), name="pulse", daemon=True).start()
        return process

    def pulse(self, every_s: float) -> None:
        """Send the supervisor of the worker a sign that this process is still there."""
        while not self.wait(every_s):
            self.write(b"\n")

    def read(self) -> None:
        """Take the stream line by line until it ends, then say how it ended."""
        assert self.process.stdout is not None
        rubbish: HeartbeatError | None = None
        try:
            with contextlib.suppress(ImportError):  # where NumPy is missing, the report says so
                import heartbeat_core.benchmark.statistics  # noqa: F401  # it brings NumPy, while the worker is still importing torch

            while line := self.process.stdout.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise not_ours(line, f"It is longer than {LONGEST_LINE:,} bytes.")
                if not line.endswith(b"\n"):
                    break  # the worker died in the middle of it
                record = decode(line)
                self.clocks.heard(record)
                if isinstance(record, Ended) and (found := self.clocks.disagreement(record.at_ns)):
                    self.take(found, encode(found))
                self.take(record, line)
        except HeartbeatError as error:
            rubbish = error
            kill_worker(self.process)
        finally:  # whatever happens, a wait for the end must end
            self.watchdog.cancel()
            self.conclude(rubbish)

    def take(self, record: Record, line: bytes) -> None:
        with self.taking:
            if isinstance(record, Chips) and (self.paused or self.series.ended or self.series.failed):
                return  # of a run that is not under way
            self.apply(record)
            self.notes += [note for sink in self.sinks if (note := sink.write(line))]

    def on_record(self, record: Record) -> None:
        if isinstance(record, Environment):
            self.watchdog.cancel()
            if self.beside:
                self.beside.begin(record.values)
            if self.peak_cache:
                self.peaks = self.peak_cache.load(peaks_key(self.config, record.values))
        elif isinstance(record, Stage) and record.name == "proof" and record.ns is None:
            self.refuted = self.report().refutes_peak
            if self.refuted:
                self.write(b"calibrate\n")
        elif isinstance(record, PeaksMeasured):
            self.store_peaks(record)

    def conclude(self, rubbish: HeartbeatError | None) -> None:
        """Wait for the worker to be gone, and close the books."""
        if self.beside:
            self.beside.end()
        in_time = reap(self.process, self.listener, EXIT_LIMIT_S)
        oom_kills = self.place.oom_kills()
        gone = WorkerExit(
            returncode=self.process.returncode if in_time else None,
            stderr=tuple(self.stderr),
            rubbish=rubbish,
            timed_out_s=self.start_limit_s if self.timed_out else None,
            ended_by_us=self.ended_by_us,
            kernel_killed=oom_kills is not None and self.oom_kills is not None and oom_kills > self.oom_kills,
        )
        self.close_sinks()
        self.finish(self.place.explain(self.series, gone))

    def close_sinks(self) -> None:
        self.notes += [note for sink in self.sinks for note in sink.close()]

    def give_up(self) -> None:
        self.timed_out = True
        kill_worker(self.process)

    def store_peaks(self, measured: PeaksMeasured) -> None:
        today = datetime.now(timezone.utc).astimezone().date().isoformat()
        hard = hard_peak(self.series.environment, self.config)
        too_fast = hard is not None and measured.flops_per_s > hard.flops_per_s
        if too_fast or self.clocks.disagreement(measured.at_ns):
            self.notes.append(
                f"the measured peak is not kept: {'it is impossible' if too_fast else 'the clock of the worker runs behind ours'}"
            )
            return
        # measured undisturbed it replaces what was known, which may be of another time; else it can only raise that
        peaks = peaks_of(measured, today, self.peaks if self.refuted or measured.disturbed else None)
        if self.refuted:
            peaks = replace(peaks, disturbed=measured.disturbed, again=True)
        self.peaks = peaks
        if self.peak_cache:
            try:
                self.peak_cache.store(peaks_key(self.config, self.series.environment), peaks)
            except OSError as error:
                self.notes.append(f"the measured peak could not be kept: {error}")

    def kill(self) -> None:
        """End the worker immediately; what has come stays."""
        self.ended_by_us = True
        if self.ending is None:
            kill_worker(self.process)

    def forward(self, word: Order) -> None:
        self.write(word.encode() + b"\n")

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # it is gone; read() says how
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def close(self) -> None:
        """End the run if it goes on: politely, then surely."""
        self.stop()
        if not self.wait(GRACE_S):
            self.kill()
            self.wait(EXIT_LIMIT_S)
