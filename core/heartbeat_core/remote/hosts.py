"""The hosts of a TPU VM as machines to run programs on: found, brought a key and the engine, and then reached by plain ssh."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import SUPERVISOR, module_command
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.supervisor import OUT_OF_MEMORY
from heartbeat_core.benchmark.target import START_LIMIT_S, RunOutcome, WorkerExit, explain
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node, list_nodes
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.bundle import NOT_SET_UP, TOO_OLD, pack
from heartbeat_core.remote.ssh import (
    NOTHING,
    GivenUp,
    SshCalls,
    Vm,
    Worker,
    cannot_reach,
    check_state,
    choose_way,
    direct,
    endpoint_of,
    gcloud_environ,
    gcloud_failed,
    read_dry_run,
    refuse_made_up,
    split_flags,
    told,
)
from heartbeat_core.settings import RemoteSettings

if TYPE_CHECKING:
    from heartbeat_core.cloud.session import CloudSession
    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.settings import RemoteSettings


ON = re.compile(r"(?P<name>[a-z]([-a-z0-9]*[a-z0-9])?)(?::(?P<worker>\d{1,4}|all))?")
LOST = 255  # ssh's own exit code; a command's is passed on
DENIED = "Permission denied ("
ASK_S, PROPAGATE_S, SHIP_S = 60.0, 180.0, 90.0  # gcloud itself tries ten times, five seconds apart
SILENCE_S, GRACE_S = 60.0, 4.0  # how long the guard bears to hear nothing; the worker counts a grace of three seconds itself


@dataclass(frozen=True)
class HostSelector:
    """What ``--on`` names: a TPU VM, and one of its hosts, all of them, or none in particular."""

    name: str
    worker: int | None = None
    all: bool = False


def parse_on(text: str) -> HostSelector:
    """Read "NAME", "NAME:WORKER" or "NAME:all"; raise HeartbeatError."""
    match = ON.fullmatch(text)
    if match is None:
        raise HeartbeatError(f"{text!r} names no TPU VM", "It is NAME, NAME:WORKER or NAME:all.", "Try --on llm-tpu-vm.")
    worker = match["worker"]
    return HostSelector(match["name"], int(worker) if worker and worker != "all" else None, worker == "all")


@dataclass(frozen=True)
class Host:
    """One machine of a TPU VM; ``ssh`` is the command that leads there, ``folder`` where our things are on it.

    ``alone``: it is one of several, and must be content with its own chips. ``kind`` is what the recording of a run says of the VM.
    """

    name: str
    worker: int
    ssh: tuple[str, ...]
    environ: Mapping[str, str]
    folder: str
    python: str
    alone: bool = False
    kind: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.name}:{self.worker}" if self.alone else self.name

    def command(self, argv: Sequence[str]) -> list[str]:
        """Give the command that runs ``argv`` there; it begins in the home folder."""
        return [*self.ssh, shlex.join(argv)]

    def guard_command(self) -> list[str]:
        """Give the command that starts a worker there, guarded: its order on stdin, its stream on stdout."""
        guard = module_command(self.python, SUPERVISOR, pack().package(self.folder))
        return self.command([*guard, str(SILENCE_S), str(GRACE_S), *(["alone"] if self.alone else [])])

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", limit_s: float = SHIP_S, calls: SshCalls | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command there to its end; raise HeartbeatError where ssh cannot be started or nothing comes back in time."""
        try:
            return (calls or SshCalls()).run(self.command(argv), self.environ, limit_s, stdin)
        except subprocess.TimeoutExpired as error:
            raise cannot_reach(self.label, f"no answer within {limit_s:.0f} s") from error
        except OSError as error:
            raise HeartbeatError("ssh cannot be started", str(error), "Install OpenSSH's client.", exit_code=3) from error


def find_node(session: CloudSession, project: str, name: str, zone: str | None = None) -> Node:
    """Find a TPU VM by its name, in ``zone`` or wherever it is; raise HeartbeatError where it is not there, or there twice."""
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


def hosts_of(  # what has to be known, each by its name
    node: Node,
    project: str,
    on: HostSelector,
    *,
    endpoint: str | None,
    remote: RemoteSettings,
    every: bool = False,
    calls: SshCalls | None = None,
) -> tuple[Host, ...]:
    """Ask gcloud how it would reach the hosts that ``on`` names, the first where it names none, or all where ``every``.

    Raise HeartbeatError for a state in which none can answer, a host that is not there, or where gcloud refuses.
    """
    check_state(node)
    everyone = on.all or (every and on.worker is None)
    first = endpoint_of(node, on.worker or 0)
    vm = Vm(node.id, node.zone, project, choose_way(node, first, remote.way), split_flags(remote.ssh_flags))
    refuse_made_up(node, first, endpoint)
    environ = gcloud_environ(endpoint)
    worker = on.worker or 0
    question = vm.gcloud("all" if everyone else worker, "--quiet", f"--command={NOTHING}", "--dry-run")
    said = ask_gcloud(question, environ, ASK_S, calls or SshCalls())
    # beside them stands what ssh-keygen prints where there was no key yet
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
    told = {"tpu_type": node.accelerator_type, "tpu_zone": node.zone, "tpu_provisioning": node.provisioning}
    kind = {name: value for name, value in told.items() if value}
    return tuple(
        Host(node.id, number, way, environ, folder, python, alone=len(node.endpoints) > 1, kind=kind)
        for number, way in zip(workers, ways, strict=True)
    )


def ask_gcloud(command: Sequence[str], environ: Mapping[str, str], limit_s: float, calls: SshCalls) -> str:
    """Run gcloud and give what it prints; raise HeartbeatError."""
    try:
        done = calls.run(command, environ, limit_s)
    except FileNotFoundError as error:
        raise HeartbeatError(
            "gcloud is not installed", "TPU VMs are reached through it.", "https://cloud.google.com/sdk/docs/install", exit_code=3
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HeartbeatError("gcloud does not answer", str(error), "Try it by hand: gcloud info.", exit_code=3) from error
    if done.returncode:
        raise gcloud_failed(done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "replace")


Arrive = Callable[[Host, SshCalls], tuple[int, str]]  # what is done at a host first; gives its exit code, and what was said


def reach(  # what has to be known, each by its name
    hosts: tuple[Host, ...],
    node: Node,
    project: str,
    remote: RemoteSettings,
    arrive: Arrive | None = None,
    *,
    calls: SshCalls | None = None,
) -> None:
    """Bring the engine to every host; where one does not know our key, have gcloud propagate it, once, and try again.

    ``arrive`` is what is done there instead. Raise HeartbeatError for the first that cannot be used.
    """
    calls, arrive = calls or SshCalls(), arrive or bring_engine
    with ThreadPoolExecutor(max_workers=min(16, len(hosts))) as pool:
        try:
            answers = list(pool.map(arrive, hosts, repeat(calls)))
            if any(DENIED in said for _, said in answers):
                vm = Vm(node.id, node.zone, project, choose_way(node, endpoint_of(node, 0), remote.way), split_flags(remote.ssh_flags))
                worker: Worker = hosts[0].worker if len(hosts) == 1 else "all"
                # gcloud's ssh asks nothing either: nobody is there to answer
                command = vm.gcloud(worker, "--quiet", "--ssh-flag=-oBatchMode=yes", f"--command={NOTHING}")
                ask_gcloud(command, hosts[0].environ, PROPAGATE_S, calls)
                answers = list(pool.map(arrive, hosts, repeat(calls)))
        except BaseException:
            calls.end()  # Ctrl-C, or a host that failed: nobody waits for the others
            raise
    for host, (code, said) in zip(hosts, answers, strict=True):
        check_arrived(host, code, said)


def bring_engine(host: Host, calls: SshCalls, *, set_up: bool = True) -> tuple[int, str]:
    """Bring the engine to a host; where ``set_up``, its interpreter must be there already."""
    engine = pack()
    done = host.run(engine.command(host.folder, host.python if set_up else ""), engine.data, calls=calls)
    return done.returncode, (done.stderr or done.stdout).decode("utf-8", "replace")


def bring_nothing(host: Host, calls: SshCalls, *, set_up: bool = True) -> tuple[int, str]:
    """Only see whether a host can be reached, and where ``set_up``, whether its interpreter is there."""
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
            f"the engine could not be brought to {host.label}", " / ".join(said.split("\n")[-4:]), "Look at its disk.", exit_code=3
        )


FIND_S = 120.0  # far more than a list of nodes may take


@dataclass(frozen=True)
class ResolvedVm:
    """A TPU VM, and its hosts as they were found."""

    node: Node
    hosts: tuple[Host, ...]


@dataclass
class Destination:
    """The hosts that ``on`` names; ``find`` looks the node up, and may raise HeartbeatError."""

    on: HostSelector
    project: str
    endpoint: str | None
    remote: RemoteSettings
    find: Callable[[], Node]
    found: ResolvedVm | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    calls: SshCalls = field(default_factory=SshCalls, repr=False)  # of the last time the hosts were asked for

    @property
    def label(self) -> str:
        """Name it as ``--on`` does."""
        number = "" if self.on.worker is None else f":{self.on.worker}"
        return f"{self.on.name}{':all' if self.on.all else number}"

    def hosts(self) -> tuple[Host, ...]:
        """Give the hosts, each reached just now; one that moved since the last run is found anew. Raise HeartbeatError."""
        with self.lock:
            self.calls = calls = SshCalls()
            if self.found is not None:
                try:
                    reach(self.found.hosts, self.found.node, self.project, self.remote, calls=calls)
                except GivenUp:
                    raise
                except HeartbeatError:
                    self.found = None  # it may have been created again, at another address
                    self.calls = calls = SshCalls()  # a try that failed has ended its own
                else:
                    return self.found.hosts
            node = calls.wait_for(self.find, FIND_S)
            hosts = hosts_of(node, self.project, self.on, endpoint=self.endpoint, remote=self.remote, calls=calls)
            reach(hosts, node, self.project, self.remote, calls=calls)
            self.found = ResolvedVm(node, hosts)
            return hosts

    def give_up(self) -> None:
        """Have whoever waits for the hosts raise GivenUp; from any thread, harmless where nobody does."""
        self.calls.end()


def destination_of(
    node: Node,
    project: str,
    worker: int | None,
    open_session: Callable[[], CloudSession],
    endpoint: str | None,
    remote: RemoteSettings,
) -> Destination:
    """Make the destination for a node that is at hand, all its hosts where ``worker`` is None; looked up again when it is gone to."""
    several = len(node.endpoints) > 1
    on = HostSelector(node.id, worker if several else None, all=several and worker is None)

    def find() -> Node:
        session = open_session()
        try:
            return find_node(session, project, node.id, node.zone)
        finally:
            session.close()

    return Destination(on, project, endpoint, remote, find)


KEPT = "The samples received until then are kept."
CONNECT_S = 60.0  # to connect, and to read torch from a disk that has not been read yet
PULSE_S = 10.0


@dataclass(frozen=True)
class RemoteTarget:
    """One host: its worker is started over ssh, under a guard, and what ends the connection is told from what ends the worker."""

    host: Host
    start_limit_s: float = START_LIMIT_S + CONNECT_S
    pulse_s: float | None = PULSE_S

    @property
    def labels(self) -> tuple[str, ...]:
        return (f"on {self.host.label}",)

    def spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.host.guard_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=dict(self.host.environ),
        )

    def order(self) -> dict[str, Any]:
        """Tell the worker where it is; its parent is the guard, who says so itself."""
        return {"place": {"tpu_vm": self.host.name, "tpu_worker": self.host.worker, **self.host.kind}}

    def available_bytes(self) -> int | None:
        return None  # the worker looks at its own machine before it allocates anything

    def oom_kills(self) -> int | None:
        return None  # the guard counts

    def cannot_start(self, plan: BenchmarkConfig, error: OSError) -> HeartbeatError:
        del plan
        return HeartbeatError("ssh cannot be started", str(error), "Install OpenSSH's client.", exit_code=3)

    def explain(self, series: Series, gone: WorkerExit) -> RunOutcome:
        """Tell the endings apart: ours and the worker's own words first, then ssh's, then how the guard saw the worker end."""
        code = gone.returncode
        spoke = gone.timed_out_s is not None or gone.ended_by_us or series.failed is not None or series.ended is not None
        if gone.rubbish is not None and series.started is None:
            cause = f"{gone.rubbish.cause} A shell that is no terminal's must print nothing: look at ~/.bashrc on {self.host.label}."
            return RunOutcome("rubbish", gone.rubbish.title, cause, gone.rubbish.remedy)
        if series.failed is not None and series.failed.kind == "backend":
            ending = explain(series, gone)
            return replace(ending, remedy=f"{ending.remedy} On {self.host.name}, heartbeat-tui vms setup {self.host.name} brings the pair.")
        if spoke or gone.rubbish is not None or code is None:
            return explain(series, gone)
        if code == LOST:
            return self.lost(series, gone)
        if code in (126, 127) and series.started is None:
            title = f"the worker could not be started on {self.host.label}"
            return RunOutcome("unavailable", title, told("\n".join(gone.stderr)), f"heartbeat-tui vms setup {self.host.name}")
        if code == OUT_OF_MEMORY:
            return explain(series, replace(gone, returncode=-9, kernel_killed=True))
        return explain(series, replace(gone, returncode=128 - code if 128 < code < 128 + 65 else code))

    def lost(self, series: Series, gone: WorkerExit) -> RunOutcome:
        """Explain a connection that ended before the run did, or never came about."""
        error = cannot_reach(self.host.label, "\n".join(gone.stderr))
        if series.started is None:
            return RunOutcome("unavailable", error.title, error.cause, error.remedy)
        cause = f"{error.cause} {KEPT} Its worker there has been ended, or will be within {SILENCE_S:.0f} s."
        return RunOutcome("lost", f"the connection to {self.host.label} was lost", cause, "See what became of it: heartbeat-tui vms list.")
