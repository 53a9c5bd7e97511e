"""What the Readiness pane asks of the app, and what is told of the checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from heartbeat_core.checks.check import Check
    from heartbeat_core.checks.result import CheckReport, Result


@dataclass(frozen=True)
class Watch:
    """A check that is looked at until it turns: how often it was, and how long until the next look."""

    check_id: str
    tries: int
    wait_s: float


@dataclass(frozen=True)
class Checklist:
    """The checks at one moment: all there are, the answers so far, and those being asked."""

    report: CheckReport
    checks: tuple[Check, ...]
    asking: frozenset[str] = frozenset()
    busy: bool = False
    watch: Watch | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class TargetOffers:
    """What there is to choose from; empty for what could not be told, and ``problem`` says why."""

    projects: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    accelerator_types: tuple[str, ...] = ()
    runtime_versions: tuple[str, ...] = ()
    problem: str = ""


class Offered(Message):
    """What there is to choose from in this project and zone."""

    def __init__(self, project: str, zone: str, offers: TargetOffers) -> None:
        super().__init__()
        self.project, self.zone, self.offers = project, zone, offers


class ChecksChanged(Message):
    """Something is known that was not; many of these are as good as the last one."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ChecksChanged)


class AskChecks(Message):
    """Ask these checks or groups again, all of them where ``names`` is None."""

    def __init__(self, names: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.names = names


class StopChecks(Message):
    """Ask no further, and watch nothing."""


class Mend(Message):
    """Show what mends this check, and run it where that is wished."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class Aim(Message):
    """Choose another target."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        super().__init__()
        self.choices = dict(choices)


class Mended(Message):
    """A remedy has ended with this code."""

    def __init__(self, check_id: str, code: int) -> None:
        super().__init__()
        self.check_id, self.code = check_id, code


class InTerminal(Message):
    """Run a command that talks to people: the screen steps aside for it."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str], check_id: str) -> None:
        super().__init__()
        self.command, self.environ, self.check_id = command, dict(environ), check_id
