"""Connections to TPU VMs: gcloud's own ssh in the terminal, and the ssh command that a program can run."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from heartbeat_core.benchmark.process import kill_worker, spawn_piped
from heartbeat_core.cloud.auth import is_loopback
from heartbeat_core.cloud.cancellation import Cancellation, Cancelled
from heartbeat_core.cloud.tpu import CLOSED, Endpoint, Node
from heartbeat_core.diagnosis.diagnose import diagnose_text
from heartbeat_core.emulator.process import command_environ
from heartbeat_core.errors import INTERRUPTED, HeartbeatError

Route = Literal["external", "internal", "iap"]
Way = Literal["auto"] | Route  # auto: the external address
Worker = int | Literal["all"]

# Ours come first, and ssh uses the first value: it asks nothing, gives up soon, and notices a dead connection.
# The key of a new host is accepted, as gcloud does; a host whose key has changed is refused.
OPTIONS = (
    "-T",
    "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3",
    "-o", "StrictHostKeyChecking=accept-new",
)  # fmt: skip
NOTHING = "true"  # the program that does nothing, on every machine


@dataclass(frozen=True)
class Vm:
    """A TPU VM and the way to it: what every gcloud command that connects to it must name."""

    name: str
    zone: str
    project: str
    way: Route = "external"
    flags: tuple[str, ...] = ()  # for ssh; gcloud splits each at blanks

    def gcloud(self, worker: Worker, *more: str) -> tuple[str, ...]:
        """Return gcloud's own ssh command; Google's tunnel is only in its alpha."""
        track = ("alpha",) if self.way == "iap" else ()
        way = {"external": (), "internal": ("--internal-ip",), "iap": ("--tunnel-through-iap",)}[self.way]
        where = (f"--zone={self.zone}", f"--project={self.project}")
        on = () if worker == 0 else (f"--worker={worker}",)
        flags = tuple(f"--ssh-flag={flag}" for flag in self.flags)
        return ("gcloud", *track, "compute", "tpus", "tpu-vm", "ssh", self.name, *where, *on, *way, *flags, *more)


def split_flags(text: str) -> tuple[str, ...]:
    """Return flags split as a shell would; raise HeartbeatError for an open quotation."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise HeartbeatError(f"the ssh flags {text!r} cannot be read", str(error), 'Write them as for ssh: "-p 2222".') from error


def read_dry_run(line: str, flags: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments in a line of ``gcloud … ssh --dry-run --command true``; raise ValueError if it is none.

    gcloud joins the arguments with blanks and quotes nothing, so it is read from both ends: at the right stand the flags that
    we gave, the destination and the command; the rest is -i and -o with values that may hold blanks, a path or a proxy.
    """
    words = line.strip().split(" ")
    count = len(" ".join(flags).split()) + 1
    if words[-2:] != ["--", NOTHING] or len(words) < count + 3:
        raise ValueError(f"gcloud's dry run is not understood: {line.strip()[:200]}")
    left, right = words[: -2 - count], words[-2 - count : -2]
    marks = [index for index, word in enumerate(left) if word in ("-T", "-t", "-i", "-o")]
    if not marks or marks[0] == 0:
        raise ValueError(f"gcloud's dry run is not understood: {line.strip()[:200]}")
    argv = [" ".join(left[: marks[0]])]
    for mark, end in zip(marks, [*marks[1:], len(left)], strict=True):
        value = " ".join(left[mark + 1 : end])
        argv += [left[mark], value] if value else [left[mark]]
    return (*argv, *right)


def direct(argv: Sequence[str]) -> tuple[str, ...]:
    """Return gcloud's ssh command without a terminal and without questions, for a program to run."""
    program, *rest = argv
    return (program, *OPTIONS, *(word for word in rest if word not in ("-t", "-T")))


# As gcloud sees them: it refuses those in CLOSED, and warns of these.
DOUBTFUL = frozenset({"CREATING", "STARTING", "REPAIRING", "HIDING", "UNHIDING"})
# The remedy for each of CLOSED.
OPENED_BY = {
    "STOPPED": "Start it: heartbeat-tui vms start {name} --zone {zone}",
    "STOPPING": "Wait until it is STOPPED, then start it: heartbeat-tui vms start {name} --zone {zone}",
    "PREEMPTED": "It does not come back: delete it and create another.",
    "TERMINATED": "It does not come back: delete it and create another.",
}


@dataclass(frozen=True)
class SshConnection:
    """A command that opens a shell on a TPU VM, its environment, and warnings to print before."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def connect(
    node: Node,
    project: str,
    *,
    endpoint: str | None = None,
    worker: int = 0,
    way: Way = "auto",
    flags: tuple[str, ...] = (),
) -> SshConnection:
    """Return the command that connects to one host of ``node``; raise HeartbeatError if it cannot answer.

    ``endpoint`` is the emulator that is asked in place of Google, ``flags`` are for ssh.
    """
    vm = vm_of(node, project, endpoint=endpoint, worker=worker, way=way, flags=flags)
    return SshConnection(vm.gcloud(worker), gcloud_environ(endpoint), warnings_of(node))


def vm_of(node: Node, project: str, *, endpoint: str | None, worker: int, way: Way, flags: tuple[str, ...]) -> Vm:
    """Return ``node`` with the way to one of its hosts; raise HeartbeatError if it cannot answer."""
    check_state(node)
    where = endpoint_of(node, worker)
    route = choose_way(node, where, way)
    refuse_fictitious(node, where, endpoint)
    return Vm(node.id, node.zone, project, route, flags)


def check_state(node: Node) -> None:
    """Raise HeartbeatError for a state without ssh."""
    if node.state in CLOSED:
        remedy = OPENED_BY.get(node.state or "", "Watch it: heartbeat-tui vms watch {name} --zone {zone}")
        raise HeartbeatError(
            f"{node.id} is {node.state}", "No ssh answers in that state.", remedy.format(name=node.id, zone=node.zone), exit_code=1
        )


def warnings_of(node: Node) -> tuple[str, ...]:
    """Return why a connection may fail all the same."""
    warnings = []
    if node.state in DOUBTFUL:
        warnings.append(f"{node.id} is {node.state}: it may not answer yet.")
    elif node.state != "READY":
        warnings.append(f"{node.id} is {node.state or 'in an unknown state'}: whether it answers is not known.")
    if node.health and node.health != "HEALTHY":
        detail = f": {node.health_description.rstrip('.')}" if node.health_description else ""
        warnings.append(f"Its health is {node.health}{detail}.")
    return tuple(warnings)


def endpoint_of(node: Node, worker: int) -> Endpoint:
    """Return a host by its number; raise HeartbeatError if there is no such host, or none yet."""
    if not node.endpoints:
        raise HeartbeatError(
            f"{node.id} has no address yet",
            f"It is {node.state or 'in an unknown state'}.",
            f"Wait until it is READY: heartbeat-tui vms watch {node.id} --zone {node.zone} --until READY",
            exit_code=1,
        )
    if not 0 <= worker < len(node.endpoints):
        last = len(node.endpoints) - 1
        raise HeartbeatError(
            f"{node.id} has no worker {worker}",
            f"It has {len(node.endpoints)} host{'s' if last else ''}, counted from 0.",
            f"Name one from 0 to {last}, or all." if last else "Leave the number out.",
        )
    return node.endpoints[worker]


def choose_way(node: Node, where: Endpoint, way: Way) -> Route:
    """Return how to connect to a host: as chosen, or by its external address; raise HeartbeatError without either."""
    if way != "auto":
        return way
    if where.external:
        return "external"
    raise HeartbeatError(
        f"{node.id} has no external address",
        "It can be reached from its own network, or through Google's tunnel (IAP), which needs gcloud's alpha commands and a "
        "firewall rule that lets 35.235.240.0/20 in.",
        "Say which: --way internal or --way iap, or set remote.way.",
    )


def refuse_fictitious(node: Node, where: Endpoint, endpoint: str | None) -> None:
    """Raise HeartbeatError for an emulated TPU VM without a machine behind it, whose address cannot answer."""
    address = where.external or where.address or ""
    if endpoint is not None and not is_loopback(address):
        raise HeartbeatError(
            f"{node.id} is emulated: there is no machine behind it",
            f"Its address, {address}, is fictitious.",
            'A scenario can name real ones: addresses = ["127.0.0.1"].',
            exit_code=3,
        )


def gcloud_environ(endpoint: str | None) -> dict[str, str]:
    """Return the environment of gcloud and ssh; for an emulator with keys of its own."""
    environ = command_environ(endpoint)
    if endpoint is not None:
        home = Path(environ["CLOUDSDK_CONFIG"]) / "home"
        home.mkdir(parents=True, exist_ok=True)
        environ["HOME"] = str(home)
    return environ


T = TypeVar("T")


class GivenUp(HeartbeatError):
    """The connection was given up before it was made."""

    def __init__(self) -> None:
        super().__init__("the connection was cancelled", "It was stopped before it was made.", "Run it again.", exit_code=INTERRUPTED)


class SshCalls:
    """The programs of one connection; ``end`` ends all of them and lets no more begin.

    Each program has a process group of its own and is ended with all it has started: gcloud starts an ssh, and ssh a proxy.
    """

    def __init__(self) -> None:
        self.order = Cancellation()
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[bytes]] = set()

    def run(
        self, command: Sequence[str], environ: Mapping[str, str], limit_s: float, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end; raise GivenUp, OSError, or TimeoutExpired, each with the program ended."""
        with self.lock:
            if self.order.cancelled:
                raise GivenUp
            process = spawn_piped(command, environ)
            self.running.add(process)
        with process:
            try:
                output, errors = process.communicate(stdin, limit_s)
            finally:
                with self.lock:
                    self.running.discard(process)
                if process.returncode is None:
                    kill_worker(process)
        if self.order.cancelled:
            raise GivenUp
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def wait_for(self, work: Callable[[], T], limit_s: float) -> T:
        """Run work that needs no process; raise what it raises, GivenUp, or TimeoutError."""
        try:
            return self.order.run(work, limit_s)
        except Cancelled as error:
            raise GivenUp from error

    def end(self) -> None:
        """Make everything under way raise GivenUp; return immediately."""
        with self.lock:
            self.order.cancel()
            for process in self.running:
                kill_worker(process)


# What ssh prints beside its errors.
CHATTER = ("Warning: Permanently added", "Pseudo-terminal will not be allocated", "** WARNING: connection is not using")


def last_lines(said: str) -> str:
    """Return the last lines of an output that are worth showing."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(CHATTER)]
    return " / ".join(lines[-3:])[:400]


def cannot_reach(label: str, said: str) -> HeartbeatError:
    return explained(f"{label} cannot be reached", "ssh", said)


def explained(title: str, speaker: str, said: str) -> HeartbeatError:
    """Return the error for what ssh or gcloud said, with its diagnosis."""
    words = last_lines(said)
    found = diagnose_text(words)
    if found is None:
        return HeartbeatError(title, words or f"{speaker} said nothing.", "Try it by hand: heartbeat-tui vms ssh NAME.", exit_code=3)
    return HeartbeatError(f"{title}: {found.title}", f"{found.cause} {speaker} said: {words}", found.advice, exit_code=3)
