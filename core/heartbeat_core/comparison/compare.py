"""Two runs, or more, beside one another: by what factor their times differ, how sure that is, and what else differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from heartbeat_core.benchmark.roofline import Floor
from heartbeat_core.comparison.cost import NO_RATES, CostRates
from heartbeat_core.comparison.groups import APART, MeasuredRun, RunGroup, side_of, titles_of, tokens_words, without_far_out
from heartbeat_core.comparison.ratio import LEAST, MOST_NEEDED, SURELY_OTHER, Ratio, of_rounds, processes_needed, ratio_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.units import format_ns, format_share, significant


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


def in_environment(name: str) -> Callable[[MeasuredRun], Any]:
    return lambda run: run.report.environment.get(name)


def in_plan(name: str) -> Callable[[MeasuredRun], Any]:
    return lambda run: getattr(run.report.config, name)


def spell_variables(found: Any) -> str | None:
    """Write the environment variables that change speed; an older recording does not name them."""
    return " ".join(f"{name}={value}" for name, value in sorted(found.items())) or "none" if isinstance(found, dict) else None


def window(run: MeasuredRun) -> int | None:
    return run.report.config.window if run.report.config.method == "pipelined" else None


# What is looked at, whether it makes the work another one, and where it stands.
LOOKED_AT: tuple[tuple[str, bool, Callable[[MeasuredRun], Any]], ...] = (
    ("shape", True, lambda run: run.report.config.workload.shape),
    ("dtype", True, lambda run: run.report.config.workload.dtype),
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
    ("variables", False, lambda run: spell_variables(run.report.environment.get("variables"))),
    ("priority", False, in_environment("nice")),
    ("CPU quota", False, in_environment("cpu_quota")),
    ("CPUs allowed", False, in_environment("allowed_cpus")),
)


def differences(reference: Sequence[MeasuredRun], candidate: Sequence[MeasuredRun]) -> tuple[Difference, ...]:
    """List what differs, that which makes it other work first; a side that did several kinds of work differs from any other."""
    found = []
    for what, work, look in LOOKED_AT:
        left, right = (spell(look, runs) for runs in (reference, candidate))
        if left != right or (work and len(left) > 1):
            found.append(Difference(what, ", ".join(left), ", ".join(right), work))
    return tuple(found)


def mixed(runs: Sequence[MeasuredRun]) -> tuple[str, ...]:
    """Name what the runs of a side did not all do alike, so that their times have no common middle."""
    return tuple(what for what, work, look in LOOKED_AT if work and len(spell(look, runs)) > 1)


def spell(look: Callable[[MeasuredRun], Any], runs: Sequence[MeasuredRun]) -> list[str]:
    """Write what the runs of a side have there, once each, in an order that does not depend on theirs."""
    return sorted({"unknown" if (value := look(run)) is None else str(value) for run in runs})


def doubts(runs: Sequence[MeasuredRun]) -> tuple[str, ...]:
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


Kind = Literal["faster", "slower", "same", "cannot tell"]
REFUTED = {"impossible": "the time of {} is impossible", "wrong result": "the result of {} is wrong"}  # such a time makes no ratio
NOTHING_TO_COMPARE = "there is nothing to compare with", "Both sides hold at least one run.", "Name two runs."
ONE_PROCESS = "one process on each side: what varies from process to process is not in the interval; bench --repeat 5 brings it in"
TIMES_FROM = 1.95  # the factor from which on times are said rather than percent


@dataclass(frozen=True)
class Comparison:
    """``ratio`` is the candidate's time over the reference's, above 1 is slower.

    ``sentence`` says it to people; ``why`` explains in one sentence two devices that differ, empty where there is nothing to explain.
    ``comparable`` is False where the two did not do the same work.
    """

    reference: RunGroup
    candidate: RunGroup
    ratio: Ratio
    kind: Kind
    sentence: str
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    why: str

    @property
    def comparable(self) -> bool:
        return not any(difference.work for difference in self.differences)

    def to_json(self) -> dict[str, Any]:
        """Make the object that ``runs compare --json`` prints for each comparison."""
        return {
            **asdict(self),
            "ratio": {**asdict(self.ratio), "differs": self.ratio.differs},
            "comparable": self.comparable,
            "differences": [{**asdict(difference), "sentence": difference.sentence} for difference in self.differences],
            "apart": [self.apart(name) for name in APART],
        }

    def apart(self, name: str) -> dict[str, Any]:
        """Return what came before the steady state on either side, in nanoseconds, and candidate over reference."""
        reference, candidate = self.reference.apart_ns[name], self.candidate.apart_ns[name]
        ratio = candidate / reference if candidate and reference else None
        return {"name": name, "reference_ns": reference, "candidate_ns": candidate, "ratio": ratio}


def compare_all(sides: Sequence[Sequence[MeasuredRun]], tariff: CostRates = NO_RATES) -> tuple[Comparison, ...]:
    """Compare each side with the first one; raise HeartbeatError as ``compare`` does, or where there is one alone."""
    if len(sides) < 2 or not all(sides):
        raise HeartbeatError(*NOTHING_TO_COMPARE)
    titles = titles_of(sides)
    return tuple(compare(sides[0], side, tariff, (titles[0], title)) for side, title in zip(sides[1:], titles[1:], strict=True))


def figures_of(comparisons: Sequence[Comparison]) -> tuple[RunGroup, ...]:
    """Return the sides of comparisons with one reference, which comes first."""
    return (comparisons[0].reference, *(comparison.candidate for comparison in comparisons))


def compare(
    reference: Sequence[MeasuredRun], candidate: Sequence[MeasuredRun], tariff: CostRates = NO_RATES, titles: tuple[str, ...] = ()
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
        sentence=sentence + tokens_words(left, right),
        differences=differ,
        warnings=(
            *(difference.sentence for difference in differ if difference.work),
            *doubts((*reference, *candidate)),
            *(f"{each}, a process of {side.title}, lies far out and is left out" for side in (left, right) for each in side.left_out),
            *((ONE_PROCESS,) if ratio.unit == "sample" and ratio.differs else ()),
        ),
        why=why(left, right, rehearsed=rehearsed_here(reference[0], candidate[0])) if left.where != right.where else "",
    )


def ratio_between(reference: Sequence[MeasuredRun], candidate: Sequence[MeasuredRun]) -> Ratio:
    """Compare by the rounds in which both took turns, where they did; else by processes, or by the samples of one each.

    Processes that lie far out take no part, nor the rounds they were in.
    """
    reference, candidate = (without_far_out(runs)[0] for runs in (reference, candidate))
    pairs = in_rounds(reference, candidate)
    if len(pairs) > 1:
        return of_rounds(pairs)
    return ratio_of(*([run.timed for run in runs] for runs in (reference, candidate)))


def in_rounds(reference: Sequence[MeasuredRun], candidate: Sequence[MeasuredRun]) -> list[tuple[float, float]]:
    """Pair the times of those that ran in the same round; none where a run belongs to no round, or two of a side to the same."""
    sides = [{run.entry.round: run.timed for run in runs} for runs in (reference, candidate)]
    if any("" in by_round or len(by_round) < len(runs) for by_round, runs in zip(sides, (reference, candidate), strict=True)):
        return []
    return [(one.ns, other.ns) for round_, one in sides[0].items() if (other := sides[1].get(round_))]


def check_sides(reference: Sequence[MeasuredRun], candidate: Sequence[MeasuredRun]) -> None:
    if not (reference and candidate):
        raise HeartbeatError(*NOTHING_TO_COMPARE)
    shared = {run.entry.path.resolve() for run in reference} & {run.entry.path.resolve() for run in candidate}
    if shared:
        name = min(shared).name
        raise HeartbeatError("a run is compared with itself", f"{name} stands on both sides.", "Name two runs.")


def say(reference: RunGroup, candidate: RunGroup, ratio: Ratio) -> tuple[Kind, str]:
    here, there = candidate.title, reference.title
    refuted = [REFUTED[side.quality.kind].format(side.title) for side in (reference, candidate) if side.quality.kind in REFUTED]
    if refuted:
        return "cannot tell", f"{' and '.join(refuted)}, so the ratio of {significant(ratio.value, 4)} means nothing"
    if ratio.low is None or ratio.high is None:
        return "cannot tell", f"these runs cannot tell: {ratio.lacking}; {here} {took(ratio.value)} than {there} here"
    sure = sure_words(ratio)
    if ratio.differs and not ratio.claimed:
        return (
            "cannot tell",
            f"one process on each side cannot tell less than {SURELY_OTHER:g} ×: {here} {took(ratio.value)} than {there} ({sure})",
        )
    if ratio.differs:
        return "slower" if ratio.value > 1 else "faster", f"{here} {took(ratio.value)} than {there} ({sure})"
    return "same", f"no difference that these runs can show: {here} {took(ratio.value)} than {there} here ({sure})"


def took(ratio: float) -> str:
    """State a ratio of times as what stands before "than": "takes 7.9 % more time", "is 3.21 × faster"."""
    return f"is {change(ratio)}" if ratio >= TIMES_FROM or ratio <= 1 / TIMES_FROM else f"takes {change(ratio)} time"


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


def sure_words(ratio: Ratio) -> str:
    """State how sure a ratio with an interval is: "5.1 % to 11 % more, with 95 % confidence; Welch's t, p = 0.0021"."""
    assert ratio.low is not None
    assert ratio.high is not None
    return f"{between(ratio.low, ratio.high)}, with 95 % confidence; {test_words(ratio)}"


def test_words(ratio: Ratio) -> str:
    """Name the test of a ratio, and its p."""
    p = ratio.p_value
    return f"{ratio.test}, {'no p' if p is None else 'p < 0.0001' if p < 1e-4 else f'p = {significant(p, 2)}'}"


def rehearsed_here(reference: MeasuredRun, candidate: MeasuredRun) -> bool:
    """Return whether torch_xla rehearsed on the very processor that the other run had."""
    hosts = {(run.report.environment.get("host"), run.report.environment.get("cpu")) for run in (reference, candidate)}
    return len(hosts) == 1 and {run.entry.rehearsal for run in (reference, candidate)} == {True, False}


def why(reference: RunGroup, candidate: RunGroup, *, rehearsed: bool) -> str:
    """State in one sentence why two devices differ: what limits each, and how near each comes to its limit.

    A machine explains nothing where both had the same one, ``rehearsed``.
    """
    if rehearsed and "cpu" in (reference.device, candidate.device):
        return "both ran on the same processor: what lies between them is torch against torch_xla, and no word on a TPU"
    slow, fast = sorted((reference, candidate), key=lambda side: -side.ns)
    if slow.floor is None or fast.floor is None:
        unknown = slow if slow.floor is None else fast
        return f"no limit of {unknown.where} is known to hold the time against"
    limits = f"{limit(slow, slow.floor)}; {limit(fast, fast.floor)}"
    apart = significant(slow.floor.ns / fast.floor.ns)
    return f"{limits}: of the {significant(slow.ns / fast.ns)} × between the two, the machines themselves make {apart} ×"


def limit(side: RunGroup, floor: Floor) -> str:
    part = "memory" if floor.bound == "memory" else "arithmetic"
    reached = format_share(floor.ns / side.ns)
    return f"{side.where} could do a product in {format_ns(floor.ns)} at best, limited by its {part}, and reaches {reached} of that"


Answer = Literal["regression", "no regression", "cannot tell"]
SURER = 1.06  # times the interval's reach: leaving out a process narrows the interval, and false alarms must stay under 2.5 %
EXIT_CODES: dict[Answer, int] = {"no regression": 0, "regression": 1, "cannot tell": 3}


@dataclass(frozen=True)
class CheckVerdict:
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


def check(
    baseline: Sequence[MeasuredRun], candidate: Sequence[MeasuredRun], allowed: float, *, single_process: bool = False
) -> CheckVerdict:
    """Compare, and answer whether the candidate is slower by more than ``allowed``, surely.

    A regression is where the whole 95 % interval lies above that; none is where the whole interval lies within it. Between the two, and
    where the work differs, no answer is sure. Nor is one where a side is a single process, or its quality is not plausible:
    ``single_process`` takes that risk.
    """
    if not (math.isfinite(allowed) and allowed >= 0):
        raise HeartbeatError(f"a slowdown of {allowed} cannot be allowed", "It is a share of 0 or more.", "Try --max-slowdown 5%.")
    comparison = compare(baseline, candidate)
    answer, sentence = judge(comparison, allowed, single_process=single_process)
    return CheckVerdict(answer, allowed, sentence, comparison)


def judge(comparison: Comparison, allowed: float, *, single_process: bool) -> tuple[Answer, str]:
    ratio, most = comparison.ratio, f"{significant(100 * allowed, 2)} % are allowed"
    other = [difference.sentence for difference in comparison.differences if difference.work]
    if other:
        return "cannot tell", f"the two did not do the same work: {'; '.join(other)}"
    if any(group.quality.kind in REFUTED for group in (comparison.reference, comparison.candidate)):
        return "cannot tell", comparison.sentence
    risk = risks(comparison)
    if risk and not single_process:
        return "cannot tell", f"{'; '.join(risk)}. Repeat both sides in turn with bench --repeat 5, or take the risk with --single-process"
    lacks_claim = ratio.differs and not ratio.claimed
    if ratio.low is None or ratio.high is None or (comparison.kind == "cannot tell" and not lacks_claim):
        return "cannot tell", comparison.sentence.removeprefix("these runs cannot tell: ")  # the answer says it
    at_risk = f". At your risk: {'; '.join(risk)}" if risk else ""
    found = f"{comparison.candidate.title} {took(ratio.value)} than {comparison.reference.title}"
    found = f"{found} ({sure_words(ratio)}); {most}"
    if surely_above(ratio, 1 + allowed):
        return "regression", f"{found}{at_risk}"
    if ratio.high <= 1 + allowed:
        return "no regression", f"{found}{at_risk}"
    above = "no more than that cannot be ruled out" if ratio.value > 1 + allowed else f"{change(ratio.high)} cannot be ruled out"
    return "cannot tell", f"{found}, and {above}: {more(comparison, allowed)}{at_risk}"


def surely_above(ratio: Ratio, limit: float) -> bool:
    """Return whether a ratio is surely above a limit: its whole interval, and a little more."""
    return ratio.low is not None and ratio.value * (ratio.low / ratio.value) ** SURER > limit


def risks(comparison: Comparison) -> list[str]:
    """List why a side is not to be relied on: a single process, a wrong or suspicious one, or one that drifted, was disturbed or noisy."""
    found = []
    for group in (comparison.reference, comparison.candidate):
        if group.processes < LEAST:
            found.append(f"{group.title} is one process, and another of the same may differ")
        if not group.quality.comparable:
            found.append(f"{group.title} is {group.quality.kind}: {group.quality.reasons[0]}")
    return found


def more(comparison: Comparison, allowed: float) -> str:
    """State what would settle it: so many processes, or so many times the samples, by how an interval narrows with these."""
    ratio = comparison.ratio
    assert ratio.high is not None
    if ratio.unit == "process":
        processes = min(comparison.reference.processes, comparison.candidate.processes)
        needed = processes_needed(ratio, 1 + allowed, processes)
        return f"about {needed} processes a side would tell" if needed else f"more than {MOST_NEEDED} processes a side would be needed"
    room = math.log((1 + allowed) / ratio.value)
    if room <= 0:
        return "the slowdown found is too near to what is allowed; take more iterations, or repeat with bench --repeat 5"
    factor = (math.log(ratio.high / ratio.value) / room) ** 2
    return f"about {math.ceil(factor)} × as many iterations would tell" if factor < 100 else "a quieter machine is needed"
