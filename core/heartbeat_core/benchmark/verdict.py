"""Whether a measured time can be believed: the verdict on what is possible, and the quality of the run as a whole.

"Impossible" is kept for what physics, the device's own counters or its fence refute; a peak measured here can only make a
number suspicious. ``quality_of`` makes the one badge that the screen, the lists, the commands and JSON show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context
from typing import TYPE_CHECKING, Any, Literal

from heartbeat_core.benchmark.protocol import Elapsed, HandbookClock, Proof
from heartbeat_core.benchmark.roofline import Floor
from heartbeat_core.benchmark.workload import Workload
from heartbeat_core.units import format_bytes, format_ns, format_share, significant

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Statistics
    from heartbeat_core.benchmark.steady_state import SteadyState

Kind = Literal["plausible", "suspicious", "impossible", "unknown"]
QualityKind = Literal["impossible", "wrong result", "suspicious", "drifting", "disturbed", "noisy", "unknown", "plausible"]
QUALITY_MARKS: dict[str, str] = {  # the glyph of each, the worst first
    "impossible": "✗",
    "wrong result": "✗",
    "suspicious": "!",
    "drifting": "!",
    "disturbed": "!",
    "noisy": "!",
    "unknown": "?",
    "plausible": "✓",
}
PASSING = ("drifting", "disturbed", "noisy")  # what may happen to one process in five
BOUND_FROM = 0.5  # of the peak: from here on memory or arithmetic is said to set the limit
NOISY = 0.10  # interquartile range over median
TOO_FEW = "too few independent samples for an interval"
MODES_APART = 0.05  # two modes nearer than this change the median by less than noise may

ROUNDING = 0.01  # published peaks are rounded, v6e's to 918 or 920: nothing is refuted by less than this
HEADROOM = 0.05  # a machine may exceed its own measured peak by this much


@dataclass(frozen=True)
class Verdict:
    """``reason`` is one sentence without its kind and without a full stop."""

    kind: Kind
    reason: str


@dataclass(frozen=True)
class Quality:
    """The worst that was found about a run, and the reasons for all that was found, the worst first."""

    kind: QualityKind
    reasons: tuple[str, ...] = ()

    @property
    def glyph(self) -> str:
        return QUALITY_MARKS[self.kind]

    @property
    def comparable(self) -> bool:
        """Return whether nothing speaks against holding the run's time against another's."""
        return self.kind in ("plausible", "unknown")

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "reasons": list(self.reasons)}


def quality_of(
    verdict: Verdict,
    *,
    proof: Proof | None = None,
    statistics: Statistics | None = None,
    steady: SteadyState | None = None,
    disturbances: Sequence[str] = (),
) -> Quality:
    """Judge a run as a whole: the worst of what its verdict, its result check, its samples and its machine show."""
    found: list[tuple[QualityKind, str]] = [(verdict.kind, verdict.reason)]
    if proof is not None and not proof.passed:
        wrong = failed_proof(proof)
        found = [("wrong result", wrong), *(each for each in found if each[1] != wrong)]
    if steady is not None and steady.drifting:
        found.append(("drifting", steady.sentence))
    found += [("disturbed", sentence) for sentence in disturbances]
    if statistics is not None and statistics.relative_iqr >= NOISY:
        found.append(("noisy", f"IQR {significant(100 * statistics.relative_iqr, 2)} % of the median"))
    if statistics is not None and statistics.modes_apart >= MODES_APART and statistics.median_low_ns is None:
        factor = 1 + statistics.modes_apart
        apart = format_share(statistics.modes_apart) if factor < 2 else f"{significant(factor, 2)} ×"
        found.append(("noisy", f"the times go to and fro between two modes, {apart} apart"))
    if len(found) > 1 and verdict.kind in ("plausible", "unknown"):
        found.remove((verdict.kind, verdict.reason))  # it is no reason for what is worse
    order = list(QUALITY_MARKS)
    found.sort(key=lambda each: order.index(each[0]))
    return Quality(found[0][0], tuple(reason for _, reason in found))


def judge(
    *,
    workload: Workload,
    median_ns: float | None,
    floor: Floor | None,
    proof: Proof | None,
    handbook: HandbookClock | None,
    mean_ns: float | None = None,
    hard: Floor | None = None,
    elapsed: Elapsed | None = None,
) -> Verdict:
    """Judge the time of one product by everything known; what refutes comes first, then what casts doubt.

    ``hard`` is the floor under the machine's hard peak, where ``floor`` is only that of a peak measured here. Only ``mean_ns``
    makes the share of the peak: it is a rate.
    """
    found = (
        refuted_by_counters(proof, handbook)
        or refuted_by_fence(median_ns, proof, handbook)
        or refuted_by_physics(workload, median_ns, hard)
        or refuted_by_physics(workload, median_ns, floor)
        or doubted_by_clock(elapsed)
        or doubted(workload, median_ns, floor, proof, handbook)
    )
    if found:
        return found
    if median_ns is None:
        return Verdict("unknown", "nothing has been measured yet")
    if floor is not None:
        return Verdict("plausible", share_of_floor(mean_ns or median_ns, floor, proof.call_ns if proof else None))
    if proof is not None:
        unknown = "; no peak measured here yet" if workload.on_device else "; no peak of the way to the device is known"
        return Verdict("plausible", f"every {workload.unit} was waited for, {checked(proof)}{unknown}")
    return Verdict("unknown", "no peak was measured here and the result is not checked yet")


def checked(proof: Proof) -> str:
    """Write what a result check that passed has seen; an older recording holds one row."""
    if proof.rows is None:
        return f"row {proof.row:,} of the last result was checked"
    return f"all {proof.rows:,} rows of {proof.results or 1} result{'s' if (proof.results or 1) > 1 else ''} were checked"


def refuted_by_fence(median_ns: float | None, proof: Proof | None, handbook: HandbookClock | None) -> Verdict | None:
    """Find work that was still under way when the fence returned; the handbook's method has no fence."""
    if handbook is not None or not median_ns or proof is None or proof.left_ns is None or not proof.work_left(median_ns):
        return None
    times = significant(proof.left_ns / median_ns, 2)
    return Verdict("impossible", f"{format_ns(proof.left_ns)} of work, {times} × an iteration, was left when the fence returned")


def refuted_by_counters(proof: Proof | None, handbook: HandbookClock | None) -> Verdict | None:
    """Find products that the device's own counters say were never there."""
    if handbook is not None and handbook.launched < handbook.products:
        return Verdict("impossible", never_launched(handbook))
    if proof is not None and proof.executed is not None and proof.expected is not None and proof.executed < proof.expected:
        return Verdict("impossible", f"the device launched {proof.executed:,} of {proof.expected:,} products by its own count")
    return None


def never_launched(handbook: HandbookClock) -> str:
    if handbook.launched <= 0:
        return f"none of {handbook.products:,} products was ever launched"
    was, it = ("was", "it") if handbook.launched == 1 else ("were", "they")
    unfinished = "" if handbook.finished else f", and {it} had not finished when the clock stopped"
    return f"{handbook.launched:,} of {handbook.products:,} products {was} ever launched{unfinished}"


def refuted_by_physics(workload: Workload, median_ns: float | None, floor: Floor | None) -> Verdict | None:
    """Find a time under a hard floor.

    The chip may hold back as much of the data as it has room for from one product to the next; only the rest must move
    each time, so only the time of the rest refutes. Under the floor of all the data a time is suspicious.
    """
    if not median_ns or floor is None or not floor.roof.hard:
        return None
    roof = floor.roof
    if median_ns < floor.compute_ns * (1 - ROUNDING):
        needed, peak = rate(workload.flops, median_ns, 1e12), significant(roof.flops_per_s / 1e12)
        return Verdict("impossible", f"would need {needed} TFLOP/s, a {roof.name} peaks at {peak}")
    if median_ns < floor.memory_ns * (1 - ROUNDING):
        needed, peak = rate(workload.bytes, median_ns, 1e9), significant(roof.bytes_per_s / 1e9)
        reason = f"would need {needed} GB/s, the memory of a {roof.name} gives {peak}"
        kept = roof.on_chip_bytes
        must_move = 0 if kept is None else workload.must_move(kept)
        if median_ns < 1e9 * must_move / roof.bytes_per_s * (1 - ROUNDING):
            needed = rate(must_move, median_ns, 1e9)
            stayed = f"even if {format_bytes(kept or 0)} stayed on the chip"
            return Verdict("impossible", f"would need {needed} GB/s {stayed}, the memory of a {roof.name} gives {peak}")
        return Verdict("suspicious", f"{reason}; only data kept on the chip could be that fast")
    return None


def doubted_by_clock(elapsed: Elapsed | None) -> Verdict | None:
    """Find a clock that is too slow, by which every time is too short."""
    if elapsed is None:
        return None
    return Verdict("suspicious", f"{format_ns(elapsed.here_ns)} passed here, and {format_ns(elapsed.worker_ns)} by the worker's clock")


def doubted(
    workload: Workload, median_ns: float | None, floor: Floor | None, proof: Proof | None, handbook: HandbookClock | None
) -> Verdict | None:
    """Find what casts doubt without refuting."""
    if proof is not None and not proof.passed:
        return Verdict("suspicious", failed_proof(proof))
    if handbook is not None and not handbook.finished:
        return Verdict("suspicious", f"the clock stopped {format_ns(handbook.fence_ns)} before the work did")
    if median_ns is not None and median_ns <= 0:
        return Verdict("suspicious", "no time passed by the clock; the product is too small for it")
    if median_ns is not None and floor is not None and not floor.roof.disturbed and faster_than_peak(workload, median_ns, floor):
        return Verdict("suspicious", f"{format_share(floor.ns / median_ns - 1)} faster than the peak {floor.roof.source}")
    return None


def faster_than_peak(workload: Workload, median_ns: float, floor: Floor) -> bool:
    """Return whether a time is clearly under the least that a peak measured here allows.

    Only what the machine's caches cannot hold counts: the peak of memory says nothing about the rest.
    """
    must_move = workload.must_move(floor.roof.on_chip_bytes or 0)
    least_ns = max(floor.compute_ns, 1e9 * must_move / floor.roof.bytes_per_s)
    return not floor.roof.hard and least_ns > median_ns * (1 + HEADROOM)


def failed_proof(proof: Proof) -> str:
    of = f" of {proof.step}" if proof.step else ""
    if proof.error is None:
        return f"wrong result: row {proof.row:,}{of} holds NaN or infinity"
    return f"wrong result: row {proof.row:,}{of} is off by {significant(100 * proof.error)} % of its largest value, against float64"


def share_of_floor(ns: float, floor: Floor, call_ns: float | None = None) -> str:
    """Write the share of the peak, and what sets the limit: below half of the peak something else does, such as the cost of a call."""
    share = format_share(floor.ns / ns)
    limit = f"{'its memory' if floor.bound == 'memory' else 'its arithmetic'} sets the limit"
    if floor.ns * floor.roof.devices < BOUND_FROM * ns:
        limit = "less than half, so neither memory nor arithmetic sets the time"
        if call_ns:  # a product this small may take less than the 2×2 product did
            most = call_ns > ns / 2
            limit = f"a call alone, a 2×2 product, takes {format_ns(call_ns)}{': it sets the time' if most else f'; {limit}'}"
    if not floor.roof.hard and not floor.roof.disturbed and floor.ns > ns * (1 + HEADROOM):
        limit = "that was of its memory, and the caches hold this product's data"
    if not floor.roof.hard:
        return f"{share} of the peak {floor.roof.source}; {limit}"
    part = f", of which a device is one of {floor.roof.devices}" if floor.roof.devices > 1 else ""
    return f"{share} of the best a {floor.roof.name} could do{part}; {limit}"


def rate(amount: float, ns: float, unit: float) -> str:
    """Write the rate that would be needed, rounded down to 4 digits: what is held against a number is never overstated."""
    cut = Context(prec=4, rounding=ROUND_DOWN).create_decimal(f"{1e9 * amount / ns / unit:.12g}")
    return significant(float(cut), 4)


GLYPH_STYLES = {"✓": "ok", "!": "attention", "✗": "failed", "?": "quiet"}


def badge(quality: str) -> tuple[str, str]:
    """Return the quality of a run with its glyph, and the style of both."""
    glyph = QUALITY_MARKS[quality]
    return f"{glyph} {quality}", GLYPH_STYLES[glyph]
