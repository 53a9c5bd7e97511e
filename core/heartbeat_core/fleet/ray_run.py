"""A run on every host of a Ray cluster: its driver is a child process; summaries come in, and the stream of the host that is opened."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from time import monotonic, time
from typing import Any, Literal

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import keep_stderr, kill_worker, module_command, reap, spawn_piped
from heartbeat_core.benchmark.protocol import decode
from heartbeat_core.benchmark.run import EXIT_LIMIT_S, GRACE_S, STDERR_LINES, Order, Source
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.model import Fleet, HostSummary, summary_from_json
from heartbeat_core.fleet.multi_host import FleetRun
from heartbeat_core.recordings.recording import Recording, read_records
from heartbeat_core.remote.ssh import GivenUp

DRIVER = "heartbeat_core.fleet.ray_driver"
WAIT_S = 60.0  # for a device that is in use
FETCH_S = 30.0  # for the recordings of hosts that were told to stop


@dataclass
class RayCluster:
    """What ``--on ray[:ADDRESS]`` selects: every host with the device of the backend. An empty address is the cluster on this machine.

    ``wait_s`` is how long a host may wait for a device in use; ``serial`` measures one host after the other; ``python`` is the
    interpreter of the workers, empty for that of Ray.
    """

    address: str = ""
    wait_s: float = WAIT_S
    serial: bool = False
    python: str = ""
    several: bool = True
    joining: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Return its name as ``--on`` has it."""
        return f"ray:{self.address}" if self.address else "ray"

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start a driver in a session of its own; raise HeartbeatError without Ray."""
        if find_spec("ray") is None:
            cause = "Only the extra `ray` brings it."
            raise HeartbeatError("Ray is not installed here", cause, "pip install 'heartbeat-tui[ray]'", exit_code=3)
        self.joining = spawn_piped(module_command(sys.executable, DRIVER))
        return self.joining

    def give_up(self) -> None:
        """Make the thread that waits for the hosts, if there is one, raise GivenUp."""
        if self.joining is not None:
            kill_worker(self.joining)


class RayHostRun(Source):
    """One host as a run. Its series is empty until it is opened."""

    def __init__(self, config: BenchmarkConfig, summary: HostSummary, fleet: RayRun) -> None:
        super().__init__(config, (f"on {summary.name}",))
        self.summary, self.fleet_run = summary, fleet
        self.recording: Recording | None = None
        self.opened = False

    def progress(self) -> tuple[str, int, int | None]:
        host = self.summary
        said = host.ending or host.stage or ("measuring" if host.count else host.problem or host.state)
        return said, host.count, self.config.samples_in_all

    def open(self) -> None:
        """Take the samples from now on, and those of its recording if it has one already."""
        with self.changed:
            if not self.opened and self.path is not None:
                try:
                    for record, _line in read_records(self.path):
                        self.apply(record)
                except HeartbeatError as error:
                    self.series = Series(config=self.config)
                    self.fleet_run.notes.append(f"{self.summary.name}: {error.title}: {error.cause}")
            self.opened = True

    def take(self, text: str) -> None:
        """Take lines of its stream; raise HeartbeatError for what is no record."""
        with self.changed:  # it may be opened meanwhile: each line counts once
            for line in text.encode().splitlines(keepends=True):
                if self.opened:
                    self.apply(decode(line))
                if self.recording is not None:
                    self.notes += [note] if (note := self.recording.write(line)) else []

    def conclude(self, summary: HostSummary) -> None:
        """Close its recording; a host that is not lost has a problem where its samples were not kept."""
        self.notes += [summary.problem] if summary.problem and not summary.lost else []
        self.notes += self.recording.close() if self.recording is not None else []
        self.finish(RunOutcome(summary.ending or "lost", summary.problem, "", summary.remedy))  # type: ignore[arg-type]

    def order(self, word: Order) -> None:
        self.fleet_run.order(word)

    def close(self) -> None:
        self.fleet_run.close()


class RayRun(FleetRun):
    """The runs of all hosts of a cluster. ``record`` opens the recording of a host; without it, nothing is kept."""

    def __init__(
        self,
        config: BenchmarkConfig,
        cluster: RayCluster,
        record: Callable[[], Recording] | None = None,
        *,
        watched: bool = False,
    ) -> None:
        """Join the cluster; return when its hosts are known. ``watched``: one host is looked at, and its samples come as they are taken.

        Raise HeartbeatError if it cannot be joined or has no such hosts, GivenUp if it was given up.
        """
        super().__init__(config, (f"on {cluster.label}",))
        self.cluster, self.record, self.watched = cluster, record, watched
        self.runs: dict[str, RayHostRun] = {}
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self.failed: HeartbeatError | None = None
        self.writing = threading.Lock()
        self.process = cluster.spawn()
        keep = watched or record is not None
        self.send(
            address=cluster.address, plan=config.to_json(), wait_s=cluster.wait_s, serial=cluster.serial, keep=keep, python=cluster.python
        )
        self.listener = keep_stderr(self.process, self.stderr)
        threading.Thread(target=self.read, name="driver", daemon=True).start()
        with self.changed:
            self.changed.wait_for(lambda: self.runs or self.ending is not None)
        cluster.joining = None
        if not self.runs:
            if self.process.returncode == -9:
                raise GivenUp
            raise self.failure

    @property
    def failure(self) -> HeartbeatError:
        """Return what the driver said, or that it ended without a word."""
        said = " / ".join(list(self.stderr)[-3:])
        return self.failed or HeartbeatError("the driver of the Ray cluster ended", said, "Run it again; try ray status.", exit_code=3)

    def send(self, **values: Any) -> None:
        assert self.process.stdin is not None
        with self.writing, contextlib.suppress(BrokenPipeError, ValueError):  # it is gone; ``read`` says how
            self.process.stdin.write(json.dumps(values).encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> None:
        """Take the messages of the driver until it ends, then conclude what it left open."""
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                self.take(json.loads(line))
        except (HeartbeatError, ValueError, KeyError) as error:
            self.failed = (
                error if isinstance(error, HeartbeatError) else HeartbeatError("the driver sent rubbish", str(error), "Report it.")
            )
            kill_worker(self.process)
        finally:
            reap(self.process, self.listener, EXIT_LIMIT_S)  # Ray ends the actors of a driver that is gone
            self.conclude()

    def take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "hosts":
            found = [summary_from_json(values) for values in message["hosts"]]
            with self.changed:
                self.runs = {summary.id: RayHostRun(self.config, summary, self) for summary in found}
                self.news()
        elif kind == "summary":
            summary = replace(summary_from_json(message["host"]), at_s=time())
            run = self.runs[summary.id]
            if run.summary.over:
                return
            if summary.over:
                run.conclude(summary)
            with self.changed:
                self.stale = self.stale or summary.state != run.summary.state
                run.summary = replace(summary, recording=str(run.path or ""))
                self.news()
        elif kind == "stream":
            run = self.runs[message["id"]]
            if self.record is None:
                run.opened = True  # there will be no recording to read it from
            elif run.recording is None:
                self.begin_recording(run)
            run.take(message["text"])
            with self.changed:
                self.news()
        elif kind == "over":
            self.notes += message["notes"]
        elif kind == "failed":
            self.failed = HeartbeatError(message["title"], message["cause"], message["remedy"], exit_code=message["exit_code"])

    def begin_recording(self, run: RayHostRun) -> None:
        assert self.record is not None
        try:
            run.recording = self.record()
            run.path = run.recording.path
        except OSError as error:  # the figures are worth more than their recording
            self.record = None
            self.notes.append(f"the runs are not saved: {error}")

    def conclude(self) -> None:
        """End every host that the driver has left, and the run."""
        said = self.failure
        kind = "stopped" if self.stopping else "lost"
        unfetched = sum(bool(run.summary.count) and not run.summary.over for run in self.runs.values())
        if unfetched and self.stopping and self.record is not None:
            self.notes.append(f"recordings that were not fetched: {unfetched}")
        for run in self.runs.values():
            if not run.summary.over:
                problem = "" if self.stopping else f"{said.title}. {said.cause}"
                run.summary = replace(run.summary, state="ended", ending=kind, problem=problem, remedy=said.remedy)
                run.conclude(run.summary)
        self.notes += [f"{run.summary.name}: {note}" for run in self.runs.values() for note in run.notes]
        self.finish(self.worst())

    def fleet(self) -> Fleet:
        with self.changed:
            return Fleet(tuple(run.summary for run in self.runs.values()), "ray")

    def choose(self, index: int) -> None:
        """Open a host: fetch its samples, and show them."""
        id_, run = list(self.runs.items())[index % len(self.runs)]
        run.open()
        self.send(open=id_)
        super().choose(index)

    def order(self, word: Order | Literal["kill"]) -> None:
        with self.changed:
            self.stopping = self.stopping or word in ("stop", "kill")
            for source in (self, *self.runs.values()):
                source.paused, source.stopping = word == "pause", self.stopping
            self.news()
        self.send(word=word)

    def kill(self) -> None:
        self.order("kill")

    def close(self) -> None:
        """End all of them: politely, as long as news come, then surely; nothing stays on the cluster."""
        if self.ending is None:
            self.stop()
        until, version = monotonic() + FETCH_S, -1
        while self.ending is None and monotonic() < until and (newer := self.wait_for_news(version, GRACE_S)) != version:
            version = newer
        for end in (self.kill, lambda: kill_worker(self.process)):
            if self.ending is None:
                end()
                self.wait(GRACE_S)
        self.wait(EXIT_LIMIT_S)
