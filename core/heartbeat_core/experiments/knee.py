"""Where a sweep of the batch turns from moving to computing.

Two straight lines in logarithms: latency is bytes / bandwidth while memory sets the limit, and FLOP / rate once arithmetic
does. Both rates are fitted to the measured points, and how sharply one gives way to the other: the p-norm of the two times
has their maximum (full overlap) and their sum (none) as its ends. The knee is the batch where both times are equal.

Sources: Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (2009); Efron, "The Jackknife" (1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from heartbeat_core.benchmark.roofline import Roof
from heartbeat_core.benchmark.workload import Workload
from heartbeat_core.units import format_bytes, format_bytes_rate, format_ns, format_rate, format_share, significant

Kind = Literal["knee", "memory", "compute", "edge", "unclear", "few"]

LEAST_POINTS = 4
LEAST_EACH_SIDE = 2
SHARPNESS = (1.0, 1.5, 2.0, 4.0, 16.0)
STEPS = 30
CLOSE = 0.22  # of the logarithm, typically: points within about a quarter of the line count as following it
CLEARER = 3.0  # times less squared misfit that two lines must have than one
JACKKNIFE = 24  # parts of the points that are left out in turn, at most
SURE = 2.0  # standard errors
LEAST_LEFT = 0.05  # of a point, where a call takes nearly all of its time
SLOWER = 1.1  # times a larger batch: more than noise


@dataclass(frozen=True)
class MeasuredPoint:
    """One point: a product and its latency."""

    workload: Workload
    ns: float

    @property
    def batch(self) -> int:
        return self.workload.batch


@dataclass(frozen=True)
class Fit:
    """Rates per nanosecond, as logarithms; ``misfit`` is the root mean square of the residuals of log latency."""

    log_bandwidth: float
    log_rate: float
    misfit: float


@dataclass(frozen=True)
class Knee:
    """What the points say: ``kind`` "knee" has a batch; the others say why there is none, "edge" that it lies at their end.

    ``low`` and ``high`` are measured batches that hold the knee between them, with two standard errors to spare.
    ``bytes_per_s`` and ``flops_per_s`` are those of the fitted lines. ``roof_batch`` is where a roof alone would put the knee.
    ``padded`` are batches that take longer than a larger one, and so were counted as that one. ``call_ns`` was taken off each point.
    """

    kind: Kind
    batch: float | None = None
    low: int | None = None
    high: int | None = None
    bytes_per_s: float | None = None
    flops_per_s: float | None = None
    misfit: float | None = None
    roof_batch: float | None = None
    roof: Roof | None = None
    points: tuple[MeasuredPoint, ...] = ()
    padded: tuple[int, ...] = ()
    call_ns: float | None = None


def find_knee(points: Sequence[MeasuredPoint], roof: Roof | None = None, call_ns: float | None = None) -> Knee:
    """Find the knee in points that differ in their batch alone.

    ``call_ns`` is what a call costs without any work, measured. It is taken off each point before the lines are fitted: a constant that
    is fitted itself cannot be distinguished from a soft corner.
    """
    ordered = tuple(sorted((point for point in points if point.ns > 0), key=lambda point: point.batch))
    roof_batch = None
    if roof is not None and ordered:
        roof_batch = ordered[0].workload.batch_at(roof.flops_per_s / roof.bytes_per_s)
    if len({point.batch for point in ordered}) < LEAST_POINTS:
        return Knee("few", roof_batch=roof_batch, roof=roof, points=ordered)
    floors = least = envelope(ordered)
    if call_ns:
        least = tuple(replace(point, ns=max(point.ns - call_ns, LEAST_LEFT * point.ns)) for point in floors)
    both, memory, compute = fit(least), one_line(least, memory=True), one_line(least, memory=False)
    kind, used = choose(least, both, memory, compute)
    knee = batch_of(ordered[0].workload, used) if kind == "knee" else None
    low, high = bracket(least, knee) if knee is not None else (None, None)
    return Knee(
        kind=kind,
        batch=knee,
        low=low,
        high=high,
        bytes_per_s=1e9 * math.exp(used.log_bandwidth) if kind in ("knee", "memory") else None,
        flops_per_s=1e9 * math.exp(used.log_rate) if kind in ("knee", "compute") else None,
        misfit=used.misfit,
        roof_batch=roof_batch,
        roof=roof,
        points=ordered,
        padded=tuple(point.batch for point, floor in zip(ordered, floors, strict=True) if point.ns > SLOWER * floor.ns),
        call_ns=call_ns or None,
    )


def envelope(points: Sequence[MeasuredPoint]) -> tuple[MeasuredPoint, ...]:
    """Take the time of a larger batch where that is less: a server would pad to it. Points ascend in their batch."""
    least = [*accumulate((point.ns for point in reversed(points)), min)]
    return tuple(replace(point, ns=ns) for point, ns in zip(points, reversed(least), strict=True))


def choose(points: Sequence[MeasuredPoint], both: Fit, memory: Fit, compute: Fit) -> tuple[Kind, Fit]:
    """Choose what the points follow: two lines where they clearly do better than one and each has points of its own."""
    kind: Kind = "memory" if memory.misfit <= compute.misfit else "compute"
    one = memory if kind == "memory" else compute
    moving = sum(  # memory sets the time of these
        math.log(each.workload.bytes) - both.log_bandwidth > math.log(each.workload.flops) - both.log_rate for each in points
    )
    sided = LEAST_EACH_SIDE <= moving <= len(points) - LEAST_EACH_SIDE
    clearer = CLEARER * both.misfit**2 < one.misfit**2 and one.misfit > CLOSE / 4
    if sided and clearer and both.misfit < CLOSE:
        return "knee", both
    if one.misfit < CLOSE:
        return kind, one
    return ("edge" if clearer and both.misfit < CLOSE else "unclear"), both


def batch_of(workload: Workload, fitted: Fit) -> float | None:
    return workload.batch_at(math.exp(fitted.log_rate - fitted.log_bandwidth))


def bracket(points: Sequence[MeasuredPoint], knee: float) -> tuple[int, int]:
    """Name the measured batches around the knee and two of its standard errors on either side, by the jackknife."""
    parts = min(len(points), JACKKNIFE)
    knees = []
    for part in range(parts):
        kept = [point for index, point in enumerate(points) if index % parts != part]
        found = batch_of(points[0].workload, fit(kept)) if len(kept) > 2 else None
        if found is not None:
            knees.append(math.log(found))
    mean = math.fsum(knees) / len(knees) if knees else 0.0
    error = math.sqrt((parts - 1) / parts * math.fsum((each - mean) ** 2 for each in knees))
    reach = math.exp(SURE * error)
    batches = [point.batch for point in points]
    low = max((batch for batch in batches if batch <= knee / reach), default=batches[0])
    high = min((batch for batch in batches if batch >= knee * reach), default=batches[-1])
    return low, high


# -- fitting


def one_line(points: Sequence[MeasuredPoint], *, memory: bool) -> Fit:
    """Fit one rate to all points: of moving or of computing."""
    works = [math.log(point.workload.bytes if memory else point.workload.flops) for point in points]
    rates = [work - math.log(point.ns) for work, point in zip(works, points, strict=True)]
    mean = math.fsum(rates) / len(rates)
    misfit = math.sqrt(math.fsum((rate - mean) ** 2 for rate in rates) / len(rates))
    return Fit(mean if memory else math.inf, math.inf if memory else mean, misfit)


def fit(points: Sequence[MeasuredPoint]) -> Fit:
    """Fit both rates and the sharpness of the turn, by Gauss and Newton from the best way to split the points in two."""
    rows = [(math.log(point.workload.bytes), math.log(point.workload.flops), math.log(point.ns)) for point in points]
    splits = []
    for split in range(1, len(rows)):
        bandwidth = math.fsum(size - ns for size, _, ns in rows[:split]) / split
        rate = math.fsum(flops - ns for _, flops, ns in rows[split:]) / (len(rows) - split)
        splits.append((squares(rows, bandwidth, rate, SHARPNESS[-1]), bandwidth, rate))
    _, bandwidth, rate = min(splits)
    return min((descend(rows, bandwidth, rate, sharpness) for sharpness in SHARPNESS), key=lambda each: each.misfit)


Rows = Sequence[tuple[float, float, float]]


def times(row: tuple[float, float, float], bandwidth: float, rate: float, sharpness: float) -> tuple[float, float]:
    """Return the logarithm of the modelled latency and the share that memory has in it."""
    moving, computing = row[0] - bandwidth, row[1] - rate
    most = max(moving, computing)
    m, c = math.exp(sharpness * (moving - most)), math.exp(sharpness * (computing - most))
    return most + math.log(m + c) / sharpness, m / (m + c)


def squares(rows: Rows, bandwidth: float, rate: float, sharpness: float) -> float:
    return math.fsum((row[2] - times(row, bandwidth, rate, sharpness)[0]) ** 2 for row in rows)


def descend(rows: Rows, bandwidth: float, rate: float, sharpness: float) -> Fit:
    """Better both rates step by step; a step that makes things worse is halved until it does not."""
    best = squares(rows, bandwidth, rate, sharpness)
    for _ in range(STEPS):
        aa = ab = bb = ra = rb = 0.0
        for row in rows:
            modelled, share = times(row, bandwidth, rate, sharpness)
            residual, da, db = row[2] - modelled, -share, share - 1
            aa, ab, bb = aa + da * da, ab + da * db, bb + db * db
            ra, rb = ra + da * residual, rb + db * residual
        aa, bb = aa + 1e-9, bb + 1e-9  # a line without a point of its own stays where it is
        determinant = aa * bb - ab * ab
        step_a, step_b = (bb * ra - ab * rb) / determinant, (aa * rb - ab * ra) / determinant
        scale = min(1.0, 2.0 / max(abs(step_a), abs(step_b), 1e-12))
        while scale > 1e-6:
            trial = squares(rows, bandwidth + scale * step_a, rate + scale * step_b, sharpness)
            if trial < best:
                break
            scale /= 2
        else:
            break
        bandwidth, rate, gained, best = bandwidth + scale * step_a, rate + scale * step_b, best - trial, trial
        if gained < 1e-12:
            break
    return Fit(bandwidth, rate, math.sqrt(best / len(rows)))


SLOW = 0.25  # of memory's speed: a flat line this far below it is set by something else
FAST = 1.1  # times memory's speed: only caches are faster


def knee_meaning(knee: Knee) -> tuple[str, ...]:
    """State where the knee is, then what that means for serving, where the points tell."""
    return tuple(filter(None, (knee_summary(knee), knee_serving(knee))))


def knee_summary(knee: Knee) -> str:
    """State in a sentence or two where the knee is, or that there is none to be named, and by what it was found."""
    if knee.kind == "few":
        return f"Too few batches to look for a knee: it takes {LEAST_POINTS}, and {len(knee.points)} were measured."
    least, most = knee.points[0].batch, knee.points[-1].batch
    followed = {
        "memory": f"the bytes throughout, {format_bytes_rate(knee.bytes_per_s)} of memory",
        "compute": f"the arithmetic throughout, {format_rate(knee.flops_per_s)}",
    }
    if knee.kind in followed:
        return f"No knee from batch {least:,} to {most:,}: the time follows {followed[knee.kind]}." + by_roof(knee)
    if knee.kind == "edge":
        return (
            f"A knee shows at the end of these points, from batch {least:,} to {most:,}: too few lie beyond it to name it. Sweep further."
        )
    if knee.kind == "unclear" or knee.batch is None:
        off = f" (off by {format_share(knee.misfit)} typically)" if knee.misfit is not None else ""
        return (
            f"No knee can be named: the times follow neither the bytes nor the arithmetic, nor one and then the other{off}. "
            "A busy machine does that, and so do kernels that change with the batch; measure again on a quiet one." + by_roof(knee)
        )
    between = f"between {knee.low:,} and {knee.high:,}" if knee.low != knee.high else "at a measured point"
    below = "the time hardly grows" if far_below_memory(knee) else "memory sets the time"
    return (
        f"The knee is at a batch of about {rounded(knee.batch)}, {between}, by the {len(knee.points)} points measured: "
        f"below it {below} ({format_bytes_rate(knee.bytes_per_s)}), above it arithmetic sets it "
        f"({format_rate(knee.flops_per_s)})." + by_roof(knee)
    )


def far_below_memory(knee: Knee) -> bool:
    """Return whether the bytes move so slowly that something else than memory must hold them up."""
    return knee.roof is not None and knee.bytes_per_s is not None and knee.bytes_per_s < SLOW * knee.roof.bytes_per_s


def knee_serving(knee: Knee) -> str:
    """State what that means for serving a model; "" where the points do not tell."""
    points = knee.points
    if knee.kind == "memory":
        gain, cost = growth(points[0].batch, points[-1].batch, knee)
        return (
            f"For serving: {gain} times the rows took {cost} times the time, so batching more sequences while decoding was nearly free "
            "as far as this was measured."
        )
    if knee.kind == "compute":
        return "For serving: latency grows with the batch from the first point on, as in prefill; a larger batch only makes everyone wait."
    if knee.kind != "knee" or knee.low is None or knee.high is None:
        return ""
    gain, cost = growth(points[0].batch, knee.low, knee)
    more, longer = growth(knee.high, points[-1].batch, knee)
    free = f"up to {knee.low:,} rows a product cost {cost} times the time of {points[0].batch:,}" if knee.low > points[0].batch else ""
    dear = f"from {knee.high:,} on {more} times the rows took {longer} times the time" if knee.high < points[-1].batch else ""
    what = "; ".join(part for part in (free, dear) if part) or "the points stand close around it"
    return (
        f"For serving: {what}. Batching sequences while decoding is nearly free below the knee; above it latency grows with the batch, "
        "as in prefill."
    )


def knee_notes(knee: Knee) -> tuple[str, ...]:
    """List what a reader should know before trusting the lower part of a sweep."""
    notes = []
    if knee.call_ns:
        notes.append(f"A call alone takes {format_ns(knee.call_ns)} (a 2×2 product): taken off each point before the lines are fitted.")
    roof, moved = knee.roof, knee.bytes_per_s
    first = knee.points[0].workload if knee.points else None
    weights = first.weight_bytes if first else 0
    cached = bool(
        roof and not roof.hard and roof.on_chip_bytes and first and first.must_move(roof.on_chip_bytes) < weights <= roof.on_chip_bytes
    )
    if cached and roof and roof.on_chip_bytes:
        sizes = f"The weights, {format_bytes(weights)}, fit into the caches, {format_bytes(roof.on_chip_bytes)}"
        notes.append(f"{sizes}: small batches show these.")
    if roof is not None and moved is not None:
        if far_below_memory(knee):
            share = format_share(moved / roof.bytes_per_s)
            notes.append(f"Small batches move {share} of what memory can: something else, such as starting a product, sets their time.")
        elif not roof.hard and moved > FAST * roof.bytes_per_s and not cached:
            notes.append("Small batches move more than the measured peak of memory: parts of the data stayed in caches.")
    if knee.padded:
        listed = ", ".join(f"{batch:,}" for batch in knee.padded)
        many = "Batches" if len(knee.padded) > 1 else "Batch"
        notes.append(f"{many} {listed} took longer than a larger one, to which one would pad: counted as that.")
    if knee.kind == "knee" and knee.misfit is not None and knee.misfit > 0.1:
        notes.append(f"The points are off the two lines by {format_share(knee.misfit)} typically.")
    return tuple(notes)


def by_roof(knee: Knee) -> str:
    """State where a roof alone would put the knee."""
    if knee.roof is None:
        return ""
    of = f"The peak of a {knee.roof.name}" if knee.roof.hard else f"The peak {knee.roof.source}"
    if knee.roof_batch is None:
        return f" {of} has no knee for this shape: memory would set the limit at every batch."
    return f" {of} alone would put it at {rounded(knee.roof_batch)}."


def rounded(value: float) -> str:
    """Write a batch with two digits: it is known no better."""
    return f"{float(f'{value:.1e}'):,.0f}" if value >= 10 else significant(value, 2)


def growth(first: int, last: int, knee: Knee) -> tuple[str, str]:
    """Return how many times the rows, and how many times the latency, between two measured batches."""
    times = {point.batch: point.ns for point in knee.points}
    return significant(last / first, 2), significant(times[last] / times[first], 2)
