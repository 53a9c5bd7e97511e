"""Whether a candidate is slower than its baseline by more than is allowed: a question with three answers, for CI."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.compare import Comparison, change, compare
from heartbeat_core.runs.side import Measured
from heartbeat_core.units import significant

Answer = Literal["regression", "no regression", "cannot tell"]
EXIT_CODES: dict[Answer, int] = {"no regression": 0, "regression": 1, "cannot tell": 3}


@dataclass(frozen=True)
class Checked:
    """``allowed`` is the greatest slowdown that passes, 0.05 for 5 %; ``sentence`` says the answer and its evidence."""

    answer: Answer
    allowed: float
    sentence: str
    comparison: Comparison

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.answer]

    def to_json(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "max_slowdown": self.allowed,
            "sentence": self.sentence,
            "comparison": self.comparison.to_json(),
        }


def check(baseline: Sequence[Measured], candidate: Sequence[Measured], allowed: float) -> Checked:
    """Compare, and judge.

    A regression is a slowdown that is sure (interval and test agree that there is one) and of which the best estimate exceeds
    what is allowed. None is where the whole interval stays within that. Between the two, and where the work differs, nobody can tell.
    """
    if not (math.isfinite(allowed) and allowed >= 0):
        raise HeartbeatError(f"a slowdown of {allowed} cannot be allowed", "It is a share of 0 or more.", "Try --max-slowdown 5%.")
    comparison = compare(baseline, candidate)
    answer, sentence = judge(comparison, allowed)
    return Checked(answer, allowed, sentence, comparison)


def judge(comparison: Comparison, allowed: float) -> tuple[Answer, str]:
    ratio, most = comparison.ratio, f"{significant(100 * allowed, 2)} % are allowed"
    other = [difference.sentence for difference in comparison.differences if difference.work]
    if other:
        return "cannot tell", f"the two did not do the same work: {'; '.join(other)}"
    if comparison.kind == "cannot tell" or ratio.low is None or ratio.high is None:
        return "cannot tell", comparison.sentence
    if comparison.kind == "slower" and ratio.value > 1 + allowed:
        return "regression", f"{comparison.sentence}; {most}"
    if ratio.high <= 1 + allowed:
        return "no regression", f"{comparison.sentence}; {most}"
    return "cannot tell", f"{comparison.sentence}; {most}, and {change(ratio.high)} cannot be ruled out: {more(comparison, allowed)}"


def more(comparison: Comparison, allowed: float) -> str:
    """Say what would settle it: so many times the samples, by the square root that an interval narrows with."""
    ratio = comparison.ratio
    assert ratio.high is not None
    room = math.log((1 + allowed) / ratio.value)
    if ratio.unit == "process":
        return "repeat more often"
    if room <= 0:
        return "the slowdown found is too near to what is allowed; take more iterations, or repeat with bench --repeat 5"
    factor = (math.log(ratio.high / ratio.value) / room) ** 2
    return f"about {math.ceil(factor)} × as many iterations would tell" if factor < 100 else "a quieter machine is needed"
