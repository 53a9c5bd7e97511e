"""Opens a connection for a person: gcloud's own ssh, in the terminal."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from heartbeat_core.benchmark.process import kill_worker
from heartbeat_core.checks.fix_runner import fix_environ
from heartbeat_core.cloud.auth import is_loopback
from heartbeat_core.cloud.cancellation import Cancellation, Cancelled
from heartbeat_core.cloud.tpu import CLOSED, Endpoint, Node
from heartbeat_core.diagnosis.diagnose import diagnose_text
from heartbeat_core.errors import INTERRUPTED, HeartbeatError

Route = Literal["external", "internal", "iap"]
Way = Literal["auto"] | Route  # auto: whichever needs nothing to be set up
Worker = int | Literal["all"]

# Ours come first, and ssh takes the first value it meets: it asks nothing, gives up soon, and notices a dead connection.
# A host that is new is taken at its word, as gcloud does; one whose key has changed is refused.
OPTIONS = (
    "-T",
    "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3",
    "-o", "StrictHostKeyChecking=accept-new",
)  # fmt: skip
NOTHING = "true"  # the program that does nothing, on whichever machine


@dataclass(frozen=True)
class Vm:
    """A TPU VM and the way to it: what every gcloud command that reaches it has to name."""

    name: str
    zone: str
    project: str
    way: Route = "external"
    flags: tuple[str, ...] = ()  # for ssh; gcloud splits each at blanks

    def gcloud(self, worker: Worker, *more: str) -> tuple[str, ...]:
        """Write gcloud's own ssh command; Google's tunnel is in its alpha alone."""
        track = ("alpha",) if self.way == "iap" else ()
        way = {"external": (), "internal": ("--internal-ip",), "iap": ("--tunnel-through-iap",)}[self.way]
        where = (f"--zone={self.zone}", f"--project={self.project}")
        on = () if worker == 0 else (f"--worker={worker}",)
        flags = tuple(f"--ssh-flag={flag}" for flag in self.flags)
        return ("gcloud", *track, "compute", "tpus", "tpu-vm", "ssh", self.name, *where, *on, *way, *flags, *more)


def split_flags(text: str) -> tuple[str, ...]:
    """Split flags as a shell would; raise HeartbeatError where a quotation has no end."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise HeartbeatError(f"the ssh flags {text!r} cannot be read", str(error), 'Write them as for ssh: "-p 2222".') from error


def read_dry_run(line: str, flags: Sequence[str]) -> tuple[str, ...]:
    """Take apart one line of ``gcloud … ssh --dry-run --command true``; raise ValueError where it is none.

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
    """Make of gcloud's ssh command one that a program can run: without a terminal, without questions."""
    program, *rest = argv
    return (program, *OPTIONS, *(word for word in rest if word not in ("-t", "-T")))


# As gcloud sees them: it refuses those in CLOSED, and warns of these.
DOUBTFUL = frozenset({"CREATING", "STARTING", "REPAIRING", "HIDING", "UNHIDING"})
# What helps against each of CLOSED.
OPENED_BY = {
    "STOPPED": "Start it: heartbeat-tui vms start {name} --zone {zone}",
    "STOPPING": "Wait until it is STOPPED, then start it: heartbeat-tui vms start {name} --zone {zone}",
    "PREEMPTED": "It does not come back: delete it and create it again.",
    "TERMINATED": "It does not come back: delete it and create it again.",
}


@dataclass(frozen=True)
class SshConnection:
    """A command that opens a shell on a TPU VM, the environment to run it in, and what to say before."""

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
    """Give the command that connects to one host of ``node``; raise HeartbeatError where nothing can answer there.

    ``endpoint`` is the emulator that is asked in Google's stead, ``flags`` are for ssh.
    """
    check_state(node)
    where = endpoint_of(node, worker)
    vm = Vm(node.id, node.zone, project, choose_way(node, where, way), flags)
    refuse_made_up(node, where, endpoint)
    return SshConnection(vm.gcloud(worker), gcloud_environ(endpoint), warnings_of(node))


def check_state(node: Node) -> None:
    """Raise HeartbeatError for a state in which no host of the node can answer."""
    if node.state in CLOSED:
        remedy = OPENED_BY.get(node.state or "", "See what becomes of it: heartbeat-tui vms watch {name} --zone {zone}")
        raise HeartbeatError(
            f"{node.id} is {node.state}", "No ssh answers in that state.", remedy.format(name=node.id, zone=node.zone), exit_code=1
        )


def warnings_of(node: Node) -> tuple[str, ...]:
    """Say why a connection may fail all the same."""
    warnings = []
    if node.state in DOUBTFUL:
        warnings.append(f"{node.id} is {node.state}: it may not answer yet.")
    elif node.state != "READY":
        warnings.append(f"{node.id} is {node.state or 'in no state that was told'}: whether it answers is not known.")
    if node.health and node.health != "HEALTHY":
        detail = f": {node.health_description.rstrip('.')}" if node.health_description else ""
        warnings.append(f"Its health is {node.health}{detail}.")
    return tuple(warnings)


def endpoint_of(node: Node, worker: int) -> Endpoint:
    """Find a host by its number; raise HeartbeatError where there is no such host, or none yet."""
    if not node.endpoints:
        raise HeartbeatError(
            f"{node.id} has no address yet",
            f"It is {node.state or 'in no state that was told'}.",
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
    """Choose how to reach a host: as wished, or by its external address; raise HeartbeatError where it has none and nothing is wished."""
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


def refuse_made_up(node: Node, where: Endpoint, endpoint: str | None) -> None:
    """Raise HeartbeatError for an emulated TPU VM without a machine behind it: nobody waits for an address that cannot answer."""
    address = where.external or where.address or ""
    if endpoint is not None and not is_loopback(address):
        raise HeartbeatError(
            f"{node.id} is emulated: there is no machine behind it",
            f"Its address, {address}, is made up.",
            'A scenario can name real ones: addresses = ["127.0.0.1"].',
            exit_code=3,
        )


def gcloud_environ(endpoint: str | None) -> dict[str, str]:
    """Give the environment that gcloud and ssh run in; towards an emulator, with keys of their own too."""
    environ = fix_environ(endpoint)
    if endpoint is not None:
        home = Path(environ["CLOUDSDK_CONFIG"]) / "home"
        home.mkdir(parents=True, exist_ok=True)
        environ["HOME"] = str(home)
    return environ


T = TypeVar("T")


class GivenUp(HeartbeatError):
    """Whoever waited does not want it any longer."""

    def __init__(self) -> None:
        super().__init__("given up before it was connected", "", "", exit_code=INTERRUPTED)


class SshCalls:
    """What one errand has under way; ``end`` ends all of it and lets nothing more begin.

    Each program has a session of its own and is ended with all it has started: gcloud starts an ssh, and ssh a proxy.
    """

    def __init__(self) -> None:
        self.order = Cancellation()
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[bytes]] = set()

    def run(
        self, command: Sequence[str], environ: Mapping[str, str], limit_s: float, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end; raise GivenUp, OSError, or TimeoutExpired, each with the program ended."""
        with self.start(command, environ) as process:
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

    def start(self, command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.lock:
            if self.order.cancelled:
                raise GivenUp
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, env=dict(environ))
            self.running.add(process)
        return process

    def wait_for(self, work: Callable[[], T], limit_s: float) -> T:
        """Carry out what no process does; raise what it raises, GivenUp, or TimeoutError."""
        try:
            return self.order.run(work, limit_s)
        except Cancelled as error:
            raise GivenUp from error

    def end(self) -> None:
        """Have everything under way raise GivenUp; returns at once."""
        with self.lock:
            self.order.cancel()
            for process in self.running:
                kill_worker(process)


# What ssh says beside its errors.
CHATTER = ("Warning: Permanently added", "Pseudo-terminal will not be allocated", "** WARNING: connection is not using")


def told(said: str) -> str:
    """Take out of what was said the lines that tell something, the last ones."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(CHATTER)]
    return " / ".join(lines[-3:])[:400]


def cannot_reach(label: str, said: str) -> HeartbeatError:
    """Explain why a host could not be reached."""
    return explained(f"{label} cannot be reached", "ssh", said)


def gcloud_failed(said: str) -> HeartbeatError:
    """Explain why gcloud refused to name the way, or could not bring the key there."""
    return explained("gcloud does not connect", "gcloud", said)


def explained(title: str, speaker: str, said: str) -> HeartbeatError:
    words = told(said)
    found = diagnose_text(words)
    if found is None:
        return HeartbeatError(title, words or f"{speaker} said nothing.", "Try it by hand: heartbeat-tui vms ssh NAME.", exit_code=3)
    return HeartbeatError(f"{title}: {found.title}", f"{found.cause} {speaker} said: {words}", found.advice, exit_code=3)
