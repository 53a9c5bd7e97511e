"""What a knee means, in sentences for people: the same on the screen, in text and in JSON."""

from __future__ import annotations

from heartbeat_core.runs.knee import LEAST_POINTS, Knee
from heartbeat_core.units import format_bytes, format_bytes_rate, format_rate, format_share, significant

SLOW = 0.25  # of memory's speed: a flat line this far below it is set by something else
FAST = 1.1  # times memory's speed: only caches are faster


def knee_gist(knee: Knee) -> str:
    """Say in a sentence or two where the knee is, or that there is none to be named, and by what it was found."""
    if knee.kind == "few":
        return f"Too few batches to look for a knee: it takes {LEAST_POINTS}, and {len(knee.points)} were measured."
    least, most = knee.points[0].batch, knee.points[-1].batch
    if knee.kind == "memory":
        return f"No knee from batch {least:,} to {most:,}: the time follows the bytes throughout, {rate(knee)}." + by_roof(knee)
    if knee.kind == "compute":
        return f"No knee from batch {least:,} to {most:,}: the time follows the arithmetic throughout, {rate(knee)}." + by_roof(knee)
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
        f"below it {below} ({format_bytes_rate(knee.bytes_per_s or 0)}), above it arithmetic sets it "
        f"({format_rate(knee.flops_per_s or 0)})." + by_roof(knee)
    )


def far_below_memory(knee: Knee) -> bool:
    """Tell whether the bytes move so slowly that something else than memory must hold them up."""
    return knee.roof is not None and knee.bytes_per_s is not None and knee.bytes_per_s < SLOW * knee.roof.bytes_per_s


def knee_serving(knee: Knee) -> str:
    """Say what that means for serving a model; "" where the points do not tell."""
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
    roof, moved = knee.roof, knee.bytes_per_s
    weights = knee.points[0].workload.weight_bytes if knee.points else 0
    cached = roof is not None and not roof.hard and roof.on_chip_bytes is not None and weights <= roof.on_chip_bytes
    if cached and roof and roof.on_chip_bytes:
        sizes = f"The weights, {format_bytes(weights)}, fit into the caches, {format_bytes(roof.on_chip_bytes)}"
        notes.append(f"{sizes}: small batches show these.")
    if roof is not None and moved is not None:
        if far_below_memory(knee):
            share = format_share(moved / roof.bytes_per_s)
            notes.append(f"Small batches move {share} of what memory can: something else, such as starting a product, sets their time.")
        elif not roof.hard and moved > FAST * roof.bytes_per_s and not cached:
            notes.append("Small batches move more than the ceiling of memory: parts of the data stayed in caches.")
    if knee.padded:
        listed = ", ".join(f"{batch:,}" for batch in knee.padded)
        many = "Batches" if len(knee.padded) > 1 else "Batch"
        notes.append(f"{many} {listed} took longer than a larger one, to which one would pad: counted as that.")
    if knee.kind == "knee" and knee.misfit is not None and knee.misfit > 0.1:
        notes.append(f"The points are off the two lines by {format_share(knee.misfit)} typically.")
    return tuple(notes)


def by_roof(knee: Knee) -> str:
    """Say where a roof alone would put the knee."""
    if knee.roof is None:
        return ""
    of = f"The roof of a {knee.roof.name}" if knee.roof.hard else f"The ceiling {knee.roof.source}"
    if knee.roof_batch is None:
        return f" {of} has no knee for this shape: memory would set the limit at every batch."
    return f" {of} alone would put it at {rounded(knee.roof_batch)}."


def rate(knee: Knee) -> str:
    if knee.kind == "memory":
        return f"{format_bytes_rate(knee.bytes_per_s or 0)} of memory"
    return format_rate(knee.flops_per_s or 0)


def rounded(value: float) -> str:
    """Write a batch with two digits: it is known no better."""
    return f"{float(f'{value:.1e}'):,.0f}" if value >= 10 else significant(value, 2)


def growth(first: int, last: int, knee: Knee) -> tuple[str, str]:
    """Give how many times the rows, and how many times the latency, between two measured batches."""
    times = {point.batch: point.ns for point in knee.points}
    return significant(last / first, 2), significant(times[last] / times[first], 2)
