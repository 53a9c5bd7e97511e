"""What else differs between two runs than their times, and what casts doubt on either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heartbeat_core.runs.side import Measured


@dataclass(frozen=True)
class Difference:
    """``work`` differs where the two did not do the same, so that their times say little of either's speed."""

    what: str
    reference: str
    candidate: str
    work: bool

    @property
    def sentence(self) -> str:
        return f"{self.what}: {self.reference} against {self.candidate}" + (", which is other work" if self.work else "")


def in_environment(name: str) -> Callable[[Measured], Any]:
    return lambda run: run.report.environment.get(name)


def in_plan(name: str) -> Callable[[Measured], Any]:
    return lambda run: getattr(run.report.plan, name)


def window(run: Measured) -> int | None:
    return run.report.plan.window if run.report.plan.method == "pipelined" else None


# What is looked at, whether it makes the work another one, and where it stands.
LOOKED_AT: tuple[tuple[str, bool, Callable[[Measured], Any]], ...] = (
    ("shape", True, lambda run: run.report.plan.workload.shape),
    ("dtype", True, lambda run: run.report.plan.workload.dtype),
    ("method", True, in_plan("method")),
    ("products in flight", True, window),
    ("precision asked for", True, in_plan("precision")),
    ("float32 forced into bfloat16", True, lambda run: any(name.startswith("XLA_") for name in run.report.environment) or None),
    ("device", False, lambda run: run.entry.where),
    ("computed in", False, in_environment("precision")),
    ("threads", False, in_environment("threads")),
    ("host", False, in_environment("host")),
    ("processor", False, in_environment("cpu")),
    ("cores", False, in_environment("cores")),
    ("torch", False, in_environment("torch")),
    ("torch_xla", False, in_environment("torch_xla")),
    ("libtpu", False, in_environment("libtpu")),
    ("Python", False, in_environment("python")),
    ("warm-up", False, in_plan("warmup")),
)


def differences(reference: Sequence[Measured], candidate: Sequence[Measured]) -> tuple[Difference, ...]:
    """List what differs, that which makes it other work first; a side that did several kinds of work differs from any other."""
    found = []
    for what, work, look in LOOKED_AT:
        left, right = (spell(look, runs) for runs in (reference, candidate))
        if left != right or (work and len(left) > 1):
            found.append(Difference(what, ", ".join(left), ", ".join(right), work))
    return tuple(found)


def mixed(runs: Sequence[Measured]) -> tuple[str, ...]:
    """Name what the runs of a side did not all do alike, so that their times have no common middle."""
    return tuple(what for what, work, look in LOOKED_AT if work and len(spell(look, runs)) > 1)


def spell(look: Callable[[Measured], Any], runs: Sequence[Measured]) -> list[str]:
    """Write what the runs of a side have there, once each, in an order that does not depend on theirs."""
    return sorted({"unknown" if (value := look(run)) is None else str(value) for run in runs})


def doubts(runs: Sequence[Measured]) -> tuple[str, ...]:
    """List what a reader should know of each run before trusting the comparison."""
    found: list[str] = []
    for run in runs:
        report, title = run.report, run.entry.title
        if report.verdict.kind in ("impossible", "suspicious"):
            found.append(f"{title} is {report.verdict.kind}: {report.verdict.reason}")
        if run.entry.rehearsal:
            found.append(f"{title} is a rehearsal on the CPU: not a TPU")
        if run.entry.status == "cut off":
            found.append(f"{title} was cut off")
        found += [f"{title}: {warning}" for warning in report.warnings]
    return tuple(dict.fromkeys(found))
