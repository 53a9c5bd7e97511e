"""Two runs, or more, beside one another: by what factor their times differ, how sure that is, and what else differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from heartbeat_core.benchmark.roofline import Floor
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.runs.differences import Difference, differences, doubts, mixed
from heartbeat_core.runs.ratio import Ratio, of_rounds, ratio_of
from heartbeat_core.runs.side import APART, Measured, Side, side_of, titles_of
from heartbeat_core.runs.tariff import NO_RATES, Tariff
from heartbeat_core.units import format_ns, format_share, significant

Kind = Literal["faster", "slower", "same", "cannot tell"]
NOTHING_TO_COMPARE = "there is nothing to compare with", "Both sides hold at least one run.", "Name two runs."
TIMES_FROM = 1.95  # the factor from which on times are said rather than percent


@dataclass(frozen=True)
class Apart:
    """What came before the steady state, on either side, in nanoseconds: cold, compile, transfer. ``ratio`` is candidate over reference."""

    name: str
    reference_ns: float | None
    candidate_ns: float | None

    @property
    def ratio(self) -> float | None:
        return self.candidate_ns / self.reference_ns if self.candidate_ns and self.reference_ns else None


@dataclass(frozen=True)
class Comparison:
    """``ratio`` is the candidate's time over the reference's, above 1 is slower.

    ``sentence`` says it to people; ``why`` explains in one sentence two devices that differ, empty where there is nothing to explain.
    ``comparable`` is False where the two did not do the same work.
    """

    reference: Side
    candidate: Side
    ratio: Ratio
    kind: Kind
    sentence: str
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    apart: tuple[Apart, ...]
    why: str

    @property
    def comparable(self) -> bool:
        return not any(difference.work for difference in self.differences)

    def to_json(self) -> dict[str, Any]:
        """Make the object that ``runs compare --json`` prints for each comparison."""
        return {
            "reference": self.reference.to_json(),
            "candidate": self.candidate.to_json(),
            "ratio": {**asdict(self.ratio), "differs": self.ratio.differs},
            "kind": self.kind,
            "sentence": self.sentence,
            "comparable": self.comparable,
            "differences": [{**asdict(difference), "sentence": difference.sentence} for difference in self.differences],
            "warnings": list(self.warnings),
            "apart": [{**asdict(apart), "ratio": apart.ratio} for apart in self.apart],
            "why": self.why,
        }


def compare_all(sides: Sequence[Sequence[Measured]], tariff: Tariff = NO_RATES) -> tuple[Comparison, ...]:
    """Compare each side with the first one; raise HeartbeatError as ``compare`` does, or where there is one alone."""
    if len(sides) < 2 or not all(sides):
        raise HeartbeatError(*NOTHING_TO_COMPARE)
    titles = titles_of(sides)
    return tuple(compare(sides[0], side, tariff, (titles[0], title)) for side, title in zip(sides[1:], titles[1:], strict=True))


def compare(
    reference: Sequence[Measured], candidate: Sequence[Measured], tariff: Tariff = NO_RATES, titles: tuple[str, ...] = ()
) -> Comparison:
    """Compare two sides, each of one run or of several that repeat one another.

    Raises HeartbeatError where a side is empty or both share a run.
    """
    check_sides(reference, candidate)
    left, right = (
        side_of(runs, tariff, title)
        for runs, title in zip((reference, candidate), titles or titles_of((reference, candidate)), strict=True)
    )
    ratio = ratio_between(reference, candidate)
    differ = differences(reference, candidate)
    kind, sentence = say(left, right, ratio)
    for side, parts in ((left, mixed(reference)), (right, mixed(candidate))):
        if parts:
            kind, sentence = (
                "cannot tell",
                f"{side.title} did several kinds of work, which differ in {', '.join(parts)}: compare one of them",
            )
    return Comparison(
        reference=left,
        candidate=right,
        ratio=ratio,
        kind=kind,
        sentence=sentence,
        differences=differ,
        warnings=(*(difference.sentence for difference in differ if difference.work), *doubts((*reference, *candidate)), *of_one(ratio)),
        apart=tuple(Apart(name, left.apart_ns[name], right.apart_ns[name]) for name in APART),
        why=why(left, right, rehearsed=rehearsed_here(reference[0], candidate[0])) if left.where != right.where else "",
    )


def ratio_between(reference: Sequence[Measured], candidate: Sequence[Measured]) -> Ratio:
    """Compare by the rounds in which both took turns, where they did; else by processes, or by the samples of one each."""
    pairs = in_rounds(reference, candidate)
    if len(pairs) > 1:
        return of_rounds(pairs)
    return ratio_of(*([one for run in runs if (one := run.timed)] for runs in (reference, candidate)))


def in_rounds(reference: Sequence[Measured], candidate: Sequence[Measured]) -> list[tuple[float, float]]:
    """Pair the times of those that ran in the same round; none where a run belongs to no round, or two of a side to the same."""
    sides = [{run.entry.round: run.timed for run in runs} for runs in (reference, candidate)]
    if any("" in by_round or len(by_round) < len(runs) for by_round, runs in zip(sides, (reference, candidate), strict=True)):
        return []
    return [(one.ns, other.ns) for round_, one in sides[0].items() if one and (other := sides[1].get(round_))]


def check_sides(reference: Sequence[Measured], candidate: Sequence[Measured]) -> None:
    if not (reference and candidate):
        raise HeartbeatError(*NOTHING_TO_COMPARE)
    shared = {run.entry.path.resolve() for run in reference} & {run.entry.path.resolve() for run in candidate}
    if shared:
        name = min(shared).name
        raise HeartbeatError("a run is compared with itself", f"{name} stands on both sides.", "Name two runs.")


def of_one(ratio: Ratio) -> tuple[str, ...]:
    """Say what samples of one process each cannot show."""
    if ratio.unit == "process" or not ratio.differs:
        return ()
    return ("one process on each side: what varies from process to process is not in the interval; bench --repeat 5 brings it in",)


def say(reference: Side, candidate: Side, ratio: Ratio) -> tuple[Kind, str]:
    """Put the result into one sentence."""
    here, there = candidate.title, reference.title
    impossible = [side.title for side in (reference, candidate) if side.verdict == "impossible"]
    if impossible:
        return "cannot tell", f"the time of {' and of '.join(impossible)} is impossible, so the ratio of {times(ratio.value)} means nothing"
    if ratio.low is None or ratio.high is None:
        return "cannot tell", f"these runs cannot tell: {ratio.lacking}; {here} {took(ratio.value)} than {there} here"
    sure = f"{between(ratio.low, ratio.high)}, with 95 % confidence; {ratio.test}, {p_words(ratio.p_value)}"
    if ratio.differs:
        return "slower" if ratio.value > 1 else "faster", f"{here} {took(ratio.value)} than {there} ({sure})"
    return "same", f"no difference that these runs can show: {here} {took(ratio.value)} than {there} here ({sure})"


def took(ratio: float) -> str:
    """Say a ratio of times as what stands before "than": "takes 7.9 % more time", "is 3.21 × faster"."""
    if ratio >= TIMES_FROM:
        return f"is {significant(ratio)} × slower"
    if ratio <= 1 / TIMES_FROM:
        return f"is {significant(1 / ratio)} × faster"
    return f"takes {change(ratio)} time"


def change(ratio: float) -> str:
    """Write a ratio as people say it: "7.9 % more", "12 % less", "3.21 × slower"."""
    if ratio >= TIMES_FROM or ratio <= 1 / TIMES_FROM:
        return f"{significant(max(ratio, 1 / ratio))} × {'slower' if ratio > 1 else 'faster'}"
    return f"{significant(100 * abs(ratio - 1), 2)} % {'more' if ratio >= 1 else 'less'}"


def between(low: float, high: float) -> str:
    """Write the ends of an interval of ratios: "5.1 % to 11 % more", "0.9 % less to 1.7 % more", "1.68 to 3.30 × slower"."""
    plain = low > 1 / TIMES_FROM and high < TIMES_FROM
    if low < 1 <= high:
        return f"{change(low)} to {change(high)}"
    near, far = (low, high) if low >= 1 else (high, low)
    if plain:
        return f"{change(near).rpartition(' ')[0]} to {change(far)}"
    return f"{significant(max(near, 1 / near))} to {significant(max(far, 1 / far))} × {'slower' if low >= 1 else 'faster'}"


def times(ratio: float) -> str:
    return significant(ratio, 4)


def p_words(p_value: float | None) -> str:
    if p_value is None:
        return "no p"
    return "p < 0.0001" if p_value < 1e-4 else f"p = {significant(p_value, 2)}"


def rehearsed_here(reference: Measured, candidate: Measured) -> bool:
    """Tell whether torch_xla rehearsed on the very processor that the other run had."""
    hosts = {(run.report.environment.get("host"), run.report.environment.get("cpu")) for run in (reference, candidate)}
    return len(hosts) == 1 and {run.entry.rehearsal for run in (reference, candidate)} == {True, False}


def why(reference: Side, candidate: Side, *, rehearsed: bool) -> str:
    """Say in one sentence why two devices differ: what limits each, and how near each comes to its limit.

    A machine explains nothing where both had the same one, ``rehearsed``.
    """
    if rehearsed and "cpu" in (reference.device, candidate.device):
        return "both ran on the same processor: what lies between them is torch against torch_xla, and no word on a TPU"
    slow, fast = sorted((reference, candidate), key=lambda side: -side.ns)
    if slow.floor is None or fast.floor is None:
        unknown = slow if slow.floor is None else fast
        return f"no limit of {unknown.where} is known to hold the time against: bench --calibrate measures one"
    limits = f"{limit(slow, slow.floor)}; {limit(fast, fast.floor)}"
    apart = significant(slow.floor.ns / fast.floor.ns)
    return f"{limits}: of the {significant(slow.ns / fast.ns)} × between the two, the machines themselves make {apart} ×"


def limit(side: Side, floor: Floor) -> str:
    part = "memory" if floor.bound == "memory" else "arithmetic"
    reached = format_share(floor.ns / side.ns)
    return f"{side.where} could do a product in {format_ns(floor.ns)} at best, limited by its {part}, and reaches {reached} of that"
