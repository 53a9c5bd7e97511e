"""What an errand tells while it goes on, how patient it is, and how one ends that does not end well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Diagnosis

What = Literal[
    "looked",  # whether the name is free
    "sent",  # the request; detail says what
    "accepted",  # Google has taken it; detail names the operation
    "state",  # what it is in came to be detail, a word of Google's
    "lost",  # no answer; what was asked goes on meanwhile
    "back",  # answers again
    "settling",  # whether a request arrived whose answer was lost
    "arrived",  # it did
    "absent",  # it did not
    "there",  # one of that name and kind; detail says where and in which state: it is watched, and no other is asked for
    "done",
    "zone",  # detail is the zone that is tried next
    "failed",  # detail is the zone and why
    "dropped",  # the zone detail: it is not asked again
    "waiting",  # until the next round; detail says how long
]
# What became of the TPU VM an errand is about.
Fate = Literal["nothing", "there", "going on", "unknown"]

INTERRUPTED, COULD_NOT_TELL, NO = 130, 3, 1


@dataclass(frozen=True)
class Step:
    """One step of an errand; ``seconds`` is how long it had been in the step before."""

    at: datetime
    what: What
    detail: str
    seconds: float


OnStep = Callable[[Step], None]


def unheard(step: Step) -> None:
    """Take a step nobody wants to hear of."""
    del step


@dataclass(frozen=True)
class Patience:
    """How often and how long is asked, in seconds.

    An operation is polled every ``poll_s`` at first, then ever more rarely until ``longest_poll_s``, for ``total_s`` in all. What is not
    there for ``absent_s`` at a stretch is believed to be absent. Whether a lost request arrived is asked for ``settle_s``, None for ever.
    Between rounds through zones lie ``round_s`` at first, then ever more until ``longest_round_s``.
    """

    poll_s: float = 2.0
    growth: float = 1.4
    longest_poll_s: float = 15.0
    total_s: float | None = 1800.0
    absent_s: float = 90.0
    settle_s: float | None = 600.0
    round_s: float = 30.0
    longest_round_s: float = 300.0


class VmError(HeartbeatError):
    """Say how an errand ended: ``fate`` is what became of the TPU VM, ``commands`` look at it and delete it where there may be one.

    ``again`` says whether the same may well succeed later; ``doubtful`` that a lost request is taken not to have arrived, by its absence
    alone.
    """

    def __init__(  # noqa: PLR0913  # keywords, each told apart by those who meet it
        self,
        title: str,
        cause: str = "",
        remedy: str = "",
        *,
        fate: Fate,
        exit_code: int = NO,
        diagnosis: Diagnosis | None = None,
        commands: tuple[tuple[str, ...], ...] = (),
        again: bool = False,
        doubtful: bool = False,
    ) -> None:
        super().__init__(title, cause, remedy, exit_code=exit_code)
        self.fate: Fate = fate
        self.diagnosis, self.commands = diagnosis, commands
        self.again, self.doubtful = again, doubtful
