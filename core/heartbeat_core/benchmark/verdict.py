"""Whether a measured time can be believed.

"Impossible" is kept for what physics or the device's own counters refute; a ceiling measured here can only make a
number suspicious.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context
from typing import Literal

from heartbeat_core.benchmark.config import MatMul
from heartbeat_core.benchmark.protocol import HandbookClock, Proof
from heartbeat_core.benchmark.roofline import Floor
from heartbeat_core.benchmark.steady_state import SteadyState
from heartbeat_core.units import format_bytes, format_ns, format_share, significant

Kind = Literal["plausible", "suspicious", "impossible", "unknown"]

ROUNDING = 0.01  # published peaks are rounded, v6e's to 918 or 920: nothing is refuted by less than this
HEADROOM = 0.05  # a machine may beat its own measured ceiling by this much


@dataclass(frozen=True)
class Verdict:
    """``reason`` is one sentence without its kind and without a full stop."""

    kind: Kind
    reason: str


def judge(
    *,
    workload: MatMul,
    median_ns: float | None,
    floor: Floor | None,
    proof: Proof | None,
    handbook: HandbookClock | None,
    steady: SteadyState | None,
) -> Verdict:
    """Judge the time of one product by everything known; what refutes comes first, then what casts doubt."""
    found = (
        refuted_by_counters(proof, handbook)
        or refuted_by_physics(workload, median_ns, floor)
        or doubted(workload, median_ns, floor, proof, handbook)
    )
    if found:
        return found
    if median_ns is None:
        return Verdict("unknown", "nothing has been measured yet")
    if floor is not None:
        return Verdict("plausible", share_of_floor(median_ns, floor) + unsteady(steady))
    if proof is not None:
        reason = "every product was waited for and the proof holds; no ceiling measured here yet"
        return Verdict("plausible", reason + unsteady(steady))
    return Verdict("unknown", "no ceiling was measured here and the result is not proved yet")


def refuted_by_counters(proof: Proof | None, handbook: HandbookClock | None) -> Verdict | None:
    """Find products that the device's own counters say were never there."""
    if handbook is not None and handbook.launched < handbook.products:
        return Verdict("impossible", never_launched(handbook))
    if proof is not None and proof.executed is not None and proof.expected is not None and proof.executed < proof.expected:
        return Verdict("impossible", f"the device executed {proof.executed:,} of {proof.expected:,} products by its own count")
    return None


def never_launched(handbook: HandbookClock) -> str:
    if handbook.launched <= 0:
        return f"none of {handbook.products:,} products was ever launched"
    was, it = ("was", "it") if handbook.launched == 1 else ("were", "they")
    unfinished = "" if handbook.finished else f", and {it} had not finished when the clock stopped"
    return f"{handbook.launched:,} of {handbook.products:,} products {was} ever launched{unfinished}"


def refuted_by_physics(workload: MatMul, median_ns: float | None, floor: Floor | None) -> Verdict | None:
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
        must_move = 0 if kept is None else max(0, workload.bytes - kept)
        if median_ns < 1e9 * must_move / roof.bytes_per_s * (1 - ROUNDING):
            needed = rate(must_move, median_ns, 1e9)
            stayed = f"even if {format_bytes(kept or 0)} stayed on the chip"
            return Verdict("impossible", f"would need {needed} GB/s {stayed}, the memory of a {roof.name} gives {peak}")
        return Verdict("suspicious", f"{reason}; only data kept on the chip could be that fast")
    return None


def doubted(
    workload: MatMul, median_ns: float | None, floor: Floor | None, proof: Proof | None, handbook: HandbookClock | None
) -> Verdict | None:
    """Find what casts doubt without refuting."""
    if proof is not None and not proof.passed:
        return Verdict("suspicious", failed_proof(proof))
    if handbook is not None and not handbook.finished:
        return Verdict("suspicious", f"the clock stopped {format_ns(handbook.fence_ns)} before the work did")
    if median_ns is not None and median_ns <= 0:
        return Verdict("suspicious", "no time passed by the clock; the product is too small for it")
    if median_ns is not None and floor is not None and beats_ceiling(uncached_ns(workload, floor), median_ns, floor):
        faster = format_share(floor.ns / median_ns - 1)
        return Verdict("suspicious", f"{faster} faster than the ceiling {floor.roof.source}; measure it again with --calibrate")
    return None


def beats_ceiling(least_ns: float, median_ns: float, floor: Floor) -> bool:
    """Return whether a time is clearly under the least that a ceiling measured here allows."""
    return not floor.roof.hard and least_ns > median_ns * (1 + HEADROOM)


def uncached_ns(workload: MatMul, floor: Floor) -> float:
    """Return the floor of what the machine's caches cannot hold: the ceiling of memory says nothing about the rest."""
    must_move = max(0, workload.bytes - (floor.roof.on_chip_bytes or 0))
    return max(floor.compute_ns, 1e9 * must_move / floor.roof.bytes_per_s)


def failed_proof(proof: Proof) -> str:
    if proof.error is None:
        return f"row {proof.row:,} of the result holds NaN or infinity"
    return f"row {proof.row:,} of the result is off by {significant(100 * proof.error)} % of its largest value, against float64"


def share_of_floor(median_ns: float, floor: Floor) -> str:
    share = format_share(floor.ns / median_ns)
    limit = f"{'its memory' if floor.bound == 'memory' else 'its arithmetic'} sets the limit"
    if beats_ceiling(floor.ns, median_ns, floor):
        limit = "that was of its memory, and the caches hold this product's data"
    if not floor.roof.hard:
        return f"{share} of the ceiling {floor.roof.source}; {limit}"
    part = f", of which a device is one of {floor.roof.devices}" if floor.roof.devices > 1 else ""
    return f"{share} of the best a {floor.roof.name} could do{part}; {limit}"


def unsteady(steady: SteadyState | None) -> str:
    """Add what a median of an unsteady run is worth."""
    if steady is None or steady.kind in ("steady", "undetermined"):
        return ""
    return ", but the run was not steady"


def rate(amount: float, ns: float, unit: float) -> str:
    """Write the rate that would be needed, rounded down to 4 digits: what is held against a number is never overstated."""
    cut = Context(prec=4, rounding=ROUND_DOWN).create_decimal(f"{1e9 * amount / ns / unit:.12g}")
    return significant(float(cut), 4)
