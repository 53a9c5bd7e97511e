"""gcloud's ssh command lines, and the plain ssh that gcloud would run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from heartbeat_core.errors import HeartbeatError

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
