"""The hosts of a TPU VM: found through gcloud, given a key and the engine, and then reached by plain ssh."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import SUPERVISOR, module_command, spawn_piped
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.supervisor import OUT_OF_MEMORY
from heartbeat_core.benchmark.target import START_LIMIT_S, RunOutcome, RunTarget, WorkerExit, explain
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node, list_nodes
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.bundle import NOT_SET_UP, TOO_OLD, pack
from heartbeat_core.remote.ssh import (
    NOTHING,
    GivenUp,
    SshCalls,
    cannot_reach,
    direct,
    explained,
    gcloud_environ,
    last_lines,
    read_dry_run,
    split_flags,
    vm_of,
)
from heartbeat_core.settings import RemoteSettings

ON = re.compile(r"(?P<name>[a-z]([-a-z0-9]*[a-z0-9])?)(?::(?P<worker>\d{1,4}|all))?")
LOST = 255  # ssh's own exit code; a command's is passed on
DENIED = "Permission denied ("
ASK_S, PROPAGATE_S, SHIP_S = 60.0, 180.0, 90.0  # gcloud itself tries ten times, five seconds apart
CONNECT_S = 60.0  # to connect, and to read torch from a cold disk
PULSE_S = 10.0
KEPT = "The samples received until then are kept."
SILENCE_S, GRACE_S = 60.0, 4.0  # of silence, after which the supervisor ends the worker; the worker counts a grace of three seconds itself


@dataclass(frozen=True)
class HostSelector:
    """What ``--on`` selects: a TPU VM, and one of its hosts, all of them, or none in particular."""

    name: str
    worker: int | None = None
    all: bool = False


def parse_on(text: str) -> HostSelector:
    """Return what "NAME", "NAME:WORKER" or "NAME:all" selects; raise HeartbeatError."""
    match = ON.fullmatch(text)
    if match is None:
        raise HeartbeatError(f"{text!r} names no TPU VM", "It is NAME, NAME:WORKER or NAME:all.", "Try --on llm-tpu-vm.")
    worker = match["worker"]
    return HostSelector(match["name"], int(worker) if worker and worker != "all" else None, worker == "all")


@dataclass(frozen=True)
class Host(RunTarget):
    """One machine of a TPU VM; ``ssh`` is the command that connects to it, ``folder`` has our files on it.

    As the place of a run: its worker is started over ssh, supervised; the end of the connection is no end of the worker. The worker
    looks at the memory of its machine before it allocates anything, and the supervisor counts the processes killed for it.
    ``alone``: it is one of several, and uses its own chips only. ``kind`` is what the recording of a run says about the VM.
    ``bring_key`` is the command of gcloud that makes our key known to it and to those that were found with it.
    """

    name: str
    worker: int
    ssh: tuple[str, ...]
    environ: Mapping[str, str]
    folder: str
    python: str
    alone: bool = False
    kind: Mapping[str, str] = field(default_factory=dict)
    bring_key: tuple[str, ...] = ()
    start_limit_s = START_LIMIT_S + CONNECT_S
    pulse_s = PULSE_S

    @property
    def label(self) -> str:
        return f"{self.name}:{self.worker}" if self.alone else self.name

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` there, in the home folder."""
        return [*self.ssh, shlex.join(argv)]

    def worker_command(self) -> list[str]:
        """Return the command that starts a supervised worker there: its order on stdin, its stream on stdout."""
        supervisor = module_command(self.python, SUPERVISOR, pack().package(self.folder))
        return self.command([*supervisor, str(SILENCE_S), str(GRACE_S), *(["alone"] if self.alone else [])])

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", limit_s: float = SHIP_S, calls: SshCalls | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command there to its end; raise HeartbeatError if ssh cannot be started or does not answer in time."""
        try:
            return (calls or SshCalls()).run(self.command(argv), self.environ, limit_s, stdin)
        except subprocess.TimeoutExpired as error:
            raise cannot_reach(self.label, f"no answer within {limit_s:.0f} s") from error
        except OSError as error:
            raise self.cannot_start(None, error) from error

    @property
    def labels(self) -> tuple[str, ...]:
        return (f"on {self.label}",)

    def spawn(self) -> subprocess.Popen[bytes]:
        return spawn_piped(self.worker_command(), self.environ)

    def order(self) -> dict[str, Any]:
        """Return what the worker needs to know about its host; the supervisor adds that it is the parent."""
        return {"place": {"tpu_vm": self.name, "tpu_worker": self.worker, **self.kind}}

    def cannot_start(self, config: BenchmarkConfig | None, error: OSError) -> HeartbeatError:
        del config
        return HeartbeatError("ssh cannot be started", str(error), "Install OpenSSH's client.", exit_code=3)

    def explain(self, series: Series, gone: WorkerExit) -> RunOutcome:
        """Return how a run ended: by our order or the worker's own record, else by ssh's exit code, else by that of the supervisor."""
        code = gone.returncode
        spoke = gone.timed_out_s is not None or gone.ended_by_us or series.failed is not None or series.ended is not None
        if gone.rubbish is not None and series.started is None:
            cause = f"{gone.rubbish.cause} A shell without a terminal must print nothing: check ~/.bashrc on {self.label}."
            return RunOutcome("rubbish", gone.rubbish.title, cause, gone.rubbish.remedy)
        if series.failed is not None and series.failed.kind == "backend":
            ending = explain(series, gone)
            return replace(ending, remedy=f"{ending.remedy} On {self.name}, heartbeat-tui vms setup {self.name} installs both.")
        if spoke or gone.rubbish is not None or code is None:
            return explain(series, gone)
        if code == LOST:
            return self.lost(series, gone)
        if code in (126, 127) and series.started is None:
            title = f"the worker could not be started on {self.label}"
            return RunOutcome("unavailable", title, last_lines("\n".join(gone.stderr)), f"heartbeat-tui vms setup {self.name}")
        if code == OUT_OF_MEMORY:
            return explain(series, replace(gone, returncode=-9, kernel_killed=True))
        return explain(series, replace(gone, returncode=128 - code if 128 < code < 128 + 65 else code))

    def lost(self, series: Series, gone: WorkerExit) -> RunOutcome:
        """Return the outcome of a connection that ended before the run did, or failed."""
        error = cannot_reach(self.label, "\n".join(gone.stderr))
        if series.started is None:
            return RunOutcome("unavailable", error.title, error.cause, error.remedy)
        cause = f"{error.cause} {KEPT} Its worker there has been ended, or will be within {SILENCE_S:.0f} s."
        return RunOutcome("lost", f"the connection to {self.label} was lost", cause, "Check the TPU VM: heartbeat-tui vms list.")


def find_node(session: CloudSession, project: str, name: str, zone: str | None = None) -> Node:
    """Return the TPU VM of that name in ``zone``, or in any zone; raise HeartbeatError if there is none, or more than one."""
    found = list_nodes(session, project, zone or "-")
    named = [node for node in found.nodes if node.id == name]
    if len(named) == 1:
        return named[0]
    if named:
        zones = ", ".join(node.zone for node in named)
        raise HeartbeatError(f"there are {len(named)} TPU VMs named {name}", f"They are in {zones}.", "Name one: --zone ZONE.")
    silent = f" {', '.join(found.unreachable)} did not answer." if found.unreachable else ""
    there = ", ".join(sorted(node.id for node in found.nodes)) or "none"
    raise HeartbeatError(
        f"there is no TPU VM {name} in {zone or 'any zone'} of {project}",
        f"There are: {there}.{silent}",
        "heartbeat-tui vms list shows them; --project and --zone name others.",
        exit_code=3 if found.unreachable else 1,
    )


def hosts_of(
    node: Node,
    project: str,
    on: HostSelector,
    *,
    endpoint: str | None,
    remote: RemoteSettings,
    every: bool = False,
    calls: SshCalls | None = None,
) -> tuple[Host, ...]:
    """Ask gcloud how it would connect to the hosts that ``on`` selects: one, all, or if it names none the first, with ``every`` all.

    Raise HeartbeatError for a state without ssh, a host that does not exist, or if gcloud refuses.
    """
    everyone, worker = on.all or (every and on.worker is None), on.worker or 0
    vm = vm_of(node, project, endpoint=endpoint, worker=worker, way=remote.way, flags=split_flags(remote.ssh_flags))
    environ = gcloud_environ(endpoint)
    question = vm.gcloud("all" if everyone else worker, "--quiet", f"--command={NOTHING}", "--dry-run")
    said = ask_gcloud(question, environ, ASK_S, calls or SshCalls())
    # without a key yet, the output of ssh-keygen stands beside them
    lines = [line for line in said.splitlines() if line.rstrip().endswith(f" -- {NOTHING}")]
    try:
        ways = [direct(read_dry_run(line, vm.flags)) for line in lines]
    except ValueError as error:
        raise HeartbeatError("gcloud's ssh command is not understood", str(error), "Update gcloud: gcloud components update.") from error
    workers = range(len(node.endpoints)) if everyone else (worker,)
    if len(ways) != len(workers):
        raise HeartbeatError(f"gcloud names {len(ways)} hosts of {len(workers)}", said[:300], "Update gcloud: gcloud components update.")
    folder = remote.folder.removeprefix("~/")
    python = remote.python.removeprefix("~/") or f"{folder}/venv/bin/python"
    known = {"tpu_type": node.accelerator_type, "tpu_zone": node.zone, "tpu_provisioning": node.provisioning}
    kind = {name: value for name, value in known.items() if value}
    # gcloud's ssh must not ask anything either
    bring_key = vm.gcloud(workers[0] if len(workers) == 1 else "all", "--quiet", "--ssh-flag=-oBatchMode=yes", f"--command={NOTHING}")
    alone = len(node.endpoints) > 1
    return tuple(
        Host(node.id, number, way, environ, folder, python, alone, kind, bring_key) for number, way in zip(workers, ways, strict=True)
    )


def ask_gcloud(command: Sequence[str], environ: Mapping[str, str], limit_s: float, calls: SshCalls) -> str:
    """Run gcloud and return its output; raise HeartbeatError."""
    try:
        done = calls.run(command, environ, limit_s)
    except FileNotFoundError as error:
        raise HeartbeatError(
            "gcloud is not installed", "TPU VMs are reached through it.", "https://cloud.google.com/sdk/docs/install", exit_code=3
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HeartbeatError("gcloud does not answer", str(error), "Try it by hand: gcloud info.", exit_code=3) from error
    if done.returncode:
        raise explained("gcloud does not connect", "gcloud", done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "replace")


Arrive = Callable[[Host, SshCalls], tuple[int, str]]  # done at a host first; returns its exit code and output


def reach(hosts: tuple[Host, ...], arrive: Arrive | None = None, *, calls: SshCalls | None = None) -> None:
    """Send the engine to every host; if one does not know our key, have gcloud propagate it, once, and try again.

    ``arrive`` is done there instead. Raise HeartbeatError for the first host that cannot be used.
    """
    calls, arrive = calls or SshCalls(), arrive or bring_engine
    with ThreadPoolExecutor(max_workers=min(16, len(hosts))) as pool:
        try:
            answers = list(pool.map(arrive, hosts, repeat(calls)))
            if any(DENIED in said for _, said in answers):
                ask_gcloud(hosts[0].bring_key, hosts[0].environ, PROPAGATE_S, calls)
                answers = list(pool.map(arrive, hosts, repeat(calls)))
        except BaseException:
            calls.end()  # Ctrl-C, or a host that failed: the others are given up
            raise
    for host, (code, said) in zip(hosts, answers, strict=True):
        check_arrived(host, code, said)


def bring_engine(host: Host, calls: SshCalls, *, set_up: bool = True) -> tuple[int, str]:
    """Send the engine to a host; with ``set_up`` its interpreter must exist already."""
    engine = pack()
    done = host.run(engine.command(host.folder, host.python if set_up else ""), engine.data, calls=calls)
    return done.returncode, (done.stderr or done.stdout).decode("utf-8", "replace")


def bring_nothing(host: Host, calls: SshCalls, *, set_up: bool = True) -> tuple[int, str]:
    """Check that a host can be reached, and with ``set_up`` that its interpreter exists."""
    done = host.run(("test", "-x", host.python) if set_up else (NOTHING,), calls=calls)
    return NOT_SET_UP if done.returncode == 1 else done.returncode, done.stderr.decode("utf-8", "replace")


def check_arrived(host: Host, code: int, said: str) -> None:
    if code == NOT_SET_UP:
        raise HeartbeatError(
            f"{host.label} is not set up", f"There is no {host.python} on it.", f"heartbeat-tui vms setup {host.name}", exit_code=3
        )
    if code == TOO_OLD:
        why = f"{host.python} is older than 3.10."
        raise HeartbeatError(f"the Python of {host.label} is too old", why, "Name a newer one in remote.python.", exit_code=3)
    if code == LOST:
        raise cannot_reach(host.label, said)
    if code:
        raise HeartbeatError(
            f"the engine could not be sent to {host.label}", " / ".join(said.split("\n")[-4:]), "Check its disk.", exit_code=3
        )


FIND_S = 120.0  # far more than a list of nodes may take


@dataclass
class Destination:
    """The hosts that ``on`` selects; ``find`` returns the node, and may raise HeartbeatError."""

    on: HostSelector
    project: str
    endpoint: str | None
    remote: RemoteSettings
    find: Callable[[], Node]
    found: tuple[Host, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    calls: SshCalls = field(default_factory=SshCalls, repr=False)  # of the newest connection

    @property
    def several(self) -> bool:
        """Return whether a run goes to all of its hosts."""
        return self.on.all

    @property
    def label(self) -> str:
        """Return its name as ``--on`` has it."""
        number = "" if self.on.worker is None else f":{self.on.worker}"
        return f"{self.on.name}{':all' if self.on.all else number}"

    def hosts(self) -> tuple[Host, ...]:
        """Return the hosts, each reached just now; those that moved since the last run are found anew. Raise HeartbeatError."""
        with self.lock:
            self.calls = calls = SshCalls()
            if self.found:
                try:
                    reach(self.found, calls=calls)
                except GivenUp:
                    raise
                except HeartbeatError:
                    self.found = ()  # it may have been created again, with another address
                    self.calls = calls = SshCalls()  # the failed try has ended its own
                else:
                    return self.found
            node = calls.wait_for(self.find, FIND_S)
            hosts = hosts_of(node, self.project, self.on, endpoint=self.endpoint, remote=self.remote, calls=calls)
            reach(hosts, calls=calls)
            self.found = hosts
            return hosts

    def give_up(self) -> None:
        """Make the thread that waits for the hosts, if there is one, raise GivenUp."""
        self.calls.end()


def destination_of(
    node: Node,
    project: str,
    worker: int | None,
    open_session: Callable[[], CloudSession],
    endpoint: str | None,
    remote: RemoteSettings,
) -> Destination:
    """Return the destination for a known node, all its hosts if ``worker`` is None; the node is looked up again before a run."""
    several = len(node.endpoints) > 1
    on = HostSelector(node.id, worker if several else None, all=several and worker is None)

    def find() -> Node:
        with closing(open_session()) as session:
            return find_node(session, project, node.id, node.zone)

    return Destination(on, project, endpoint, remote, find)
