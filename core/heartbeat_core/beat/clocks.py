"""Why the handbook's clock and the fenced one differ on the same work, or that they agree."""

from __future__ import annotations

from heartbeat_core.beat.report import Report
from heartbeat_core.beat.units import format_ns, format_share

AGREE_WITHIN = 0.1


def explain_gap(handbook: Report, honest: Report | None) -> str:
    """Say in a sentence or two what the handbook's clock missed, by what the counters and the fence showed."""
    clock = handbook.handbook
    if clock is None:
        return "The handbook's clock has not been read yet."
    dropped = clock.launched < clock.products
    if dropped and not clock.finished:
        return (
            "The loop overwrites its result, so all but the last product are dropped before they run, "
            "and mark_step does not wait for the device."
        )
    if dropped:
        return "The loop overwrites its result, so all but the last product are dropped before they run."
    if not clock.finished:
        return f"The clock stops once the work is handed over: the device went on for another {format_ns(clock.fence_ns)}."
    if honest is None or not honest.iteration_ns or not handbook.iteration_ns:
        return "All products were launched and finished before the clock stopped."
    gap = abs(handbook.iteration_ns / honest.iteration_ns - 1)
    near = f"The two agree within {format_share(gap)}" if gap < AGREE_WITHIN else f"The two differ by {format_share(gap)}"
    return f"{near}: here every product is computed before the call returns. On a TPU the handbook's loop waits for nothing."
