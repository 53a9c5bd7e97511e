"""Where a sweep of the batch turns from moving to computing.

Two straight lines in logarithms: latency is bytes / bandwidth while memory sets the limit, and FLOP / rate once arithmetic
does. Both rates are fitted to the measured points, and how sharply one gives way to the other: the p-norm of the two times
has their maximum (full overlap) and their sum (none) as its ends. The knee is the batch where both times are equal.

Sources: Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (2009); Efron, "The Jackknife" (1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from heartbeat_core.benchmark.config import ITEM_BYTES, MatMul
from heartbeat_core.benchmark.roofline import Roof

Kind = Literal["knee", "memory", "compute", "edge", "unclear", "few"]

LEAST_POINTS = 4
LEAST_EACH_SIDE = 2
SHARPNESS = (1.0, 1.5, 2.0, 4.0, 16.0)
STEPS = 30
CLOSE = 0.22  # of the logarithm, typically: points within about a quarter of the line count as following it
CLEARER = 3.0  # times less squared misfit that two lines must have than one
JACKKNIFE = 24  # parts of the points that are left out in turn, at most
SURE = 2.0  # standard errors
SLOWER = 1.1  # times a larger batch: more than noise


@dataclass(frozen=True)
class Measured:
    """One point: a product and its latency."""

    workload: MatMul
    ns: float

    @property
    def batch(self) -> int:
        return self.workload.batch


@dataclass(frozen=True)
class Fit:
    """Rates per nanosecond, as logarithms; ``misfit`` is the root mean square of the residuals of log latency."""

    log_bandwidth: float
    log_rate: float
    sharpness: float
    misfit: float


@dataclass(frozen=True)
class Knee:
    """What the points say: ``kind`` "knee" has a batch; the others say why there is none, "edge" that it lies at their end.

    ``low`` and ``high`` are measured batches that hold the knee between them, with two standard errors to spare.
    ``bytes_per_s`` and ``flops_per_s`` are those of the fitted lines. ``roof_batch`` is where a roof alone would put the knee.
    ``padded`` are batches that take longer than a larger one, and so were counted as that one.
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
    points: tuple[Measured, ...] = ()
    padded: tuple[int, ...] = ()


def find_knee(points: Sequence[Measured], roof: Roof | None = None) -> Knee:
    """Find the knee in points that differ in their batch alone."""
    ordered = tuple(sorted((point for point in points if point.ns > 0), key=lambda point: point.batch))
    roof_batch = None
    if roof is not None and ordered:
        roof_batch = batch_at(ordered[0].workload, roof.flops_per_s / roof.bytes_per_s)
    if len({point.batch for point in ordered}) < LEAST_POINTS:
        return Knee("few", roof_batch=roof_batch, roof=roof, points=ordered)
    least = envelope(ordered)
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
        padded=tuple(point.batch for point, floor in zip(ordered, least, strict=True) if point.ns > SLOWER * floor.ns),
    )


def envelope(points: Sequence[Measured]) -> tuple[Measured, ...]:
    """Let no batch take longer than a larger one: whoever serves it would pad it to that. Points ascend in their batch."""
    kept: list[Measured] = []
    least = math.inf
    for point in reversed(points):
        least = min(least, point.ns)
        kept.append(Measured(point.workload, least))
    return tuple(reversed(kept))


def choose(points: Sequence[Measured], both: Fit, memory: Fit, compute: Fit) -> tuple[Kind, Fit]:
    """Choose what the points follow: two lines where they clearly do better than one and each has points of its own."""
    one, kind = (memory, "memory") if memory.misfit <= compute.misfit else (compute, "compute")
    moving = sum(memory_bound(point, both) for point in points)
    sided = LEAST_EACH_SIDE <= moving <= len(points) - LEAST_EACH_SIDE
    clearer = CLEARER * both.misfit**2 < one.misfit**2 and one.misfit > CLOSE / 4
    if sided and clearer and both.misfit < CLOSE:
        return "knee", both
    if one.misfit < CLOSE:
        return ("memory", one) if kind == "memory" else ("compute", one)
    return ("edge" if clearer and both.misfit < CLOSE else "unclear"), both


def memory_bound(point: Measured, fitted: Fit) -> bool:
    return math.log(point.workload.bytes) - fitted.log_bandwidth > math.log(point.workload.flops) - fitted.log_rate


def batch_of(workload: MatMul, fitted: Fit) -> float | None:
    return batch_at(workload, math.exp(fitted.log_rate - fitted.log_bandwidth))


def batch_at(workload: MatMul, intensity: float) -> float | None:
    """Give the batch at which a product has this intensity, FLOP per byte; None where no batch reaches it.

    intensity = 2·b·h·i / (s·(b·h + h·i + b·i)), solved for b.
    """
    hidden, intermediate, size = workload.hidden, workload.intermediate, ITEM_BYTES[workload.dtype]
    left = 2 * hidden * intermediate - intensity * size * (hidden + intermediate)
    return intensity * size * hidden * intermediate / left if left > 0 else None


def bracket(points: Sequence[Measured], knee: float) -> tuple[int, int]:
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


def one_line(points: Sequence[Measured], *, memory: bool) -> Fit:
    """Fit one rate to all points: of moving or of computing."""
    works = [math.log(point.workload.bytes if memory else point.workload.flops) for point in points]
    rates = [work - math.log(point.ns) for work, point in zip(works, points, strict=True)]
    mean = math.fsum(rates) / len(rates)
    misfit = math.sqrt(math.fsum((rate - mean) ** 2 for rate in rates) / len(rates))
    return Fit(mean if memory else math.inf, math.inf if memory else mean, 1.0, misfit)


def fit(points: Sequence[Measured]) -> Fit:
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
    """Give the logarithm of the modelled latency and the share that memory has in it."""
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
    return Fit(bandwidth, rate, sharpness, math.sqrt(best / len(rows)))
