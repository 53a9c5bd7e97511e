"""The hosts of a TPU VM as machines to run programs on: found, brought a key and the engine, and then reached by plain ssh."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

from heartbeat_core.benchmark.process import GUARD, module_command
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node, list_nodes
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.calls import Calls
from heartbeat_core.remote.connect import check_state, choose_way, endpoint_of, gcloud_environ, refuse_made_up
from heartbeat_core.remote.shipping import NOT_SET_UP, TOO_OLD, pack
from heartbeat_core.remote.ssh import NOTHING, Vm, Worker, direct, read_dry_run, split_flags
from heartbeat_core.remote.troubles import cannot_reach, gcloud_failed
from heartbeat_core.settings import RemoteSettings

ON = re.compile(r"(?P<name>[a-z]([-a-z0-9]*[a-z0-9])?)(?::(?P<worker>\d{1,4}|all))?")
LOST = 255  # ssh's own exit code; a command's is passed on
DENIED = "Permission denied ("
ASK_S, PROPAGATE_S, SHIP_S = 60.0, 180.0, 90.0  # gcloud itself tries ten times, five seconds apart
SILENCE_S, GRACE_S = 60.0, 4.0  # how long the guard bears to hear nothing; the worker counts a grace of three seconds itself


@dataclass(frozen=True)
class On:
    """What ``--on`` names: a TPU VM, and one of its hosts, all of them, or none in particular."""

    name: str
    worker: int | None = None
    all: bool = False


def parse_on(text: str) -> On:
    """Read "NAME", "NAME:WORKER" or "NAME:all"; raise HeartbeatError."""
    match = ON.fullmatch(text)
    if match is None:
        raise HeartbeatError(f"{text!r} names no TPU VM", "It is NAME, NAME:WORKER or NAME:all.", "Try --on llm-tpu-vm.")
    worker = match["worker"]
    return On(match["name"], int(worker) if worker and worker != "all" else None, worker == "all")


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
        guard = module_command(self.python, GUARD, pack().package(self.folder))
        return self.command([*guard, str(SILENCE_S), str(GRACE_S), *(["alone"] if self.alone else [])])

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", limit_s: float = SHIP_S, calls: Calls | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command there to its end; raise HeartbeatError where ssh cannot be started or nothing comes back in time."""
        try:
            return (calls or Calls()).run(self.command(argv), self.environ, limit_s, stdin)
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
    on: On,
    *,
    endpoint: str | None,
    remote: RemoteSettings,
    every: bool = False,
    calls: Calls | None = None,
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
    said = ask_gcloud(question, environ, ASK_S, calls or Calls())
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


def ask_gcloud(command: Sequence[str], environ: Mapping[str, str], limit_s: float, calls: Calls) -> str:
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


Arrive = Callable[[Host, Calls], tuple[int, str]]  # what is done at a host first; gives its exit code, and what was said


def reach(  # what has to be known, each by its name
    hosts: tuple[Host, ...], node: Node, project: str, remote: RemoteSettings, arrive: Arrive | None = None, *, calls: Calls | None = None
) -> None:
    """Bring the engine to every host; where one does not know our key, have gcloud propagate it, once, and try again.

    ``arrive`` is what is done there instead. Raise HeartbeatError for the first that cannot be used.
    """
    calls, arrive = calls or Calls(), arrive or bring_engine
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


def bring_engine(host: Host, calls: Calls, *, set_up: bool = True) -> tuple[int, str]:
    """Bring the engine to a host; where ``set_up``, its interpreter must be there already."""
    engine = pack()
    done = host.run(engine.command(host.folder, host.python if set_up else ""), engine.data, calls=calls)
    return done.returncode, (done.stderr or done.stdout).decode("utf-8", "replace")


def bring_nothing(host: Host, calls: Calls, *, set_up: bool = True) -> tuple[int, str]:
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
