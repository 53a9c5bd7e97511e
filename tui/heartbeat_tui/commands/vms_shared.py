"""What all verbs of ``vms`` share: the session, finding a TPU VM by its name, progress and errors."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from heartbeat_core.checks.context import CheckEnvironment
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.target import Target
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, HeartbeatError, sanitize_line
from heartbeat_core.vms.inventory import Inventory, fetch_inventory
from heartbeat_core.vms.operation import OperationStep, VmError
from heartbeat_core.vms.pricing import Rates, find_rates
from heartbeat_core.vms.vocabulary import Resource, step_text
from heartbeat_tui.commands.console import consequences, folded
from heartbeat_tui.commands.options import add_project_flag, add_where_flags, chosen_project, open_environment

PRICES_LIMIT_S = 60.0  # Google's price list has many pages


def report_errors(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return ``run`` with refusals of Google and failed connections printed as a diagnosis with next steps."""

    @wraps(run)
    def guarded(args: argparse.Namespace) -> int:
        try:
            return run(args)
        except VmError as error:
            print_vm_error(error)
            return error.exit_code
        except CloudError as error:
            if error.kind == "cancelled":  # only Ctrl-C does that here
                raise KeyboardInterrupt from None
            known = {name: value for name in ("project", "zone") if (value := getattr(args, name, None))}
            found = diagnose_exception(error, "call", known)
            print_vm_error(VmError(found.title, found.why, "", outcome="unknown", exit_code=error.exit_code, diagnosis=found))
            return error.exit_code

    return guarded


@dataclass(frozen=True)
class VmScope:
    """A project and a session to ask about it; ``label`` names the emulator, empty for Google."""

    session: CloudSession
    project: str
    environment: CheckEnvironment
    label: str

    @property
    def target(self) -> Target:
        return self.environment.target

    @property
    def chosen_zone(self) -> str | None:
        """Return the zone if one was chosen on the command line."""
        return self.target.zone.value if self.target.zone.source == "--zone" else None


def add_scope_flags(parser: argparse.ArgumentParser, *, as_json: str, zone: str = "its zone; default: search all zones") -> None:
    what = parser.add_argument_group("which")
    add_project_flag(what, "also PROJECT_ID")
    what.add_argument("--zone", metavar="ZONE", help=zone)
    add_where_flags(parser)
    parser.add_argument("--json", action="store_true", help=as_json)


@contextmanager
def open_scope(args: argparse.Namespace) -> Iterator[VmScope]:
    """Open a session as the flags say; raise HeartbeatError without a project or credentials."""
    with open_environment(args) as (environment, label):
        project = chosen_project(environment.target)
        with closing(environment.open_session()) as session:
            yield VmScope(session, project, environment, label)


def find_resource(scope: VmScope, inventory: Inventory, name: str, *, queued: bool = False) -> Resource:
    """Return the TPU VM of that name, or else the queued resource; raise HeartbeatError if there is none, or more than one."""
    zone = scope.chosen_zone
    nodes: Sequence[Resource] = () if queued else inventory.named(name, zone)
    found = nodes or inventory.queue_named(name, zone)
    if len(found) == 1:
        return found[0]
    if found:
        zones = ", ".join(each.zone for each in found)
        raise HeartbeatError(f"there are {len(found)} called {name}", f"They are in {zones}.", "Say which: --zone ZONE.")
    kind = "queued resource" if queued else "TPU VM"
    if doubt := doubt_of(inventory, f"there is a {kind} {name}"):
        raise doubt
    where = f"in {zone}" if zone else "in any zone"
    names = sorted({node.id for node in inventory.nodes if not queued} | {queued.id for queued in inventory.queued})
    remedy = f"There are {', '.join(names[:8])}{' and more' * (len(names) > 8)}." if names else inventory.why_empty()
    raise HeartbeatError(f"there is no {kind} {name} {where}", f"Project {scope.project}.", remedy, exit_code=1)


def doubt_of(inventory: Inventory, what: str) -> HeartbeatError | None:
    """Return why it is not known that there is none: what did not answer may hold it. None if all answered."""
    title = f"it is not known whether {what}"
    if inventory.unreachable:
        why = f"{', '.join(inventory.unreachable)} did not answer."
        return HeartbeatError(title, why, "Try again, or name its zone: --zone.", exit_code=3)
    if inventory.queued_problem is None:
        return None
    found = diagnose_exception(inventory.queued_problem, "call", {"project": inventory.project})
    why = f"Queued resources could not be listed: {found.title}. {found.why}"
    return VmError(title, why, "Fix that, and try again.", outcome="unknown", exit_code=3, diagnosis=found)


def read_inventory(scope: VmScope) -> Inventory:
    """Return the inventory of the zone on the command line, or of all; raise CloudError."""
    return fetch_inventory(scope.session, scope.project, scope.chosen_zone or "-")


def try_rates(session: CloudSession) -> tuple[Rates | None, str]:
    """Return the prices, or None and why there are none."""
    try:
        return find_rates(session.child_session(cancellation=session.cancellation, seconds=PRICES_LIMIT_S)), ""
    except CloudError as error:
        if error.kind == "cancelled":
            raise
        return None, f"{error.title}: {error.message}"


TIMED = ("state", "done", "accepted", "back", "failed", "absent", "arrived")
NAMED = ("looked", "sent", "accepted", "lost", "settling", "arrived", "absent", "there", "done")  # steps whose detail says more


def short(name: str) -> str:
    """Return the name of a resource in short: projects/p/locations/z/nodes/n is "n in z"."""
    parts = name.split("/")
    return f"{parts[-1]} in {parts[3]}" if len(parts) == 6 and parts[0] == "projects" else name


class Progress:
    """Prints each step on stderr, and keeps it for --json; ``name`` is the resource, if there are several."""

    def __init__(self, name: str = "") -> None:
        self.lead = f"{name}: " if name else ""
        self.steps: list[OperationStep] = []

    def __call__(self, step: OperationStep) -> None:
        self.steps.append(step)
        took = f"  after {step.seconds:.1f} s" if step.what in TIMED and step.seconds >= 0.05 else ""
        text, _ = step_text(step.what, short(step.detail))
        detail = f": {short(step.detail)}" if step.what in NAMED and step.detail else ""
        print(sanitize_line(f"{step.at.astimezone():%H:%M:%S} {self.lead}{text}{detail}{took}"), file=sys.stderr, flush=True)

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {"at": step.at.isoformat(timespec="milliseconds"), "what": step.what, "detail": step.detail, "seconds": round(step.seconds, 3)}
            for step in self.steps
        ]


MOST_REMEDIES = 4


def exit_code(failures: Iterable[HeartbeatError]) -> int:
    """Return the code that weighs most: interrupted, could not tell, no; 0 for none."""
    codes = {failure.exit_code for failure in failures}
    return next((code for code in (INTERRUPTED, COULD_NOT_TELL) if code in codes), max(codes, default=0))


def print_vm_error(error: HeartbeatError, name: str = "") -> None:
    """Print on stderr what happened, why, what became of the TPU VM, and what to do next."""
    print(sanitize_line(f"heartbeat-tui: {name}{': ' * bool(name)}{error.title}"), file=sys.stderr)
    for part in (error.cause, error.remedy):
        for line in folded(part, "  ", "  "):
            print(line, file=sys.stderr)
    if not isinstance(error, VmError):
        return
    for command in error.commands:
        print(f"    {shlex.join(command)}", file=sys.stderr)
    for remedy in error.diagnosis.remedies[:MOST_REMEDIES] if error.diagnosis and not error.commands else ():
        print(f"  next: {sanitize_line(remedy.text)}", file=sys.stderr)
        if remedy.shell or remedy.page:
            print(f"    {sanitize_line(remedy.shell or remedy.page or '')}\n    {consequences(remedy)}", file=sys.stderr)
    if error.diagnosis and error.diagnosis.link:
        print(f"  more: {error.diagnosis.link}", file=sys.stderr)


def error_json(error: HeartbeatError) -> dict[str, Any]:
    known = {"title": error.title, "cause": error.cause or None, "remedy": error.remedy or None, "exit_code": error.exit_code}
    if not isinstance(error, VmError):
        return {**known, "fate": None, "diagnosis": None, "commands": [], "again": False}
    diagnosis = error.diagnosis.to_json() if error.diagnosis else None
    commands = [list(command) for command in error.commands]
    return {**known, "fate": error.outcome, "diagnosis": diagnosis, "commands": commands, "again": error.again}
