"""How a failed errand is told: its diagnosis and next steps, and what became of the TPU VM."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, plain
from heartbeat_tui.commands.talk import folded

if TYPE_CHECKING:
    from heartbeat_core.errors import HeartbeatError

MOST_REMEDIES = 4


def exit_code(failures: Iterable[HeartbeatError]) -> int:
    """Give the code of what weighs most: interrupted, could not tell, no; 0 for none."""
    codes = {failure.exit_code for failure in failures}
    return next((code for code in (INTERRUPTED, COULD_NOT_TELL) if code in codes), max(codes, default=0))


def complain_of(error: HeartbeatError, name: str = "") -> None:
    """Say on stderr what happened, why, what became of the TPU VM, and what to do next."""
    from heartbeat_core.vms.operation import VmError
    from heartbeat_tui.commands.check_text import consequences

    print(plain(f"heartbeat-tui: {name}{': ' * bool(name)}{error.title}"), file=sys.stderr)
    for part in (error.cause, error.remedy):
        for line in folded(part, "  ", "  "):
            print(line, file=sys.stderr)
    if not isinstance(error, VmError):
        return
    for command in error.commands:
        print(f"    {shlex.join(command)}", file=sys.stderr)
    for remedy in error.diagnosis.remedies[:MOST_REMEDIES] if error.diagnosis and not error.commands else ():
        print(f"  next: {plain(remedy.text)}", file=sys.stderr)
        if remedy.shell or remedy.page:
            print(f"    {plain(remedy.shell or remedy.page or '')}\n    {consequences(remedy)}", file=sys.stderr)
    if error.diagnosis and error.diagnosis.link:
        print(f"  more: {error.diagnosis.link}", file=sys.stderr)


def error_json(error: HeartbeatError) -> dict[str, Any]:
    from heartbeat_core.vms.operation import VmError

    known = {"title": error.title, "cause": error.cause or None, "remedy": error.remedy or None, "exit_code": error.exit_code}
    if not isinstance(error, VmError):
        return {**known, "fate": None, "diagnosis": None, "commands": [], "again": False}
    diagnosis = error.diagnosis.to_json() if error.diagnosis else None
    commands = [list(command) for command in error.commands]
    return {**known, "fate": error.fate, "diagnosis": diagnosis, "commands": commands, "again": error.again}
