"""The histogram of the steady samples, with the median and p95 marked; bars and progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from heartbeat_core.units import TIME, unit_of
from heartbeat_tui.widgets.text import LiveLines, retitle, styled

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Bin


EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """Return a bar for a share from 0 to 1 of ``width`` cells; more than 0 is always visible."""
    eighths = min(8 * width, round(8 * width * share))
    if share > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (EIGHTHS[rest] if rest else "")


def progress(share: float, width: int) -> tuple[str, str]:
    """Return the progress of a run in half cells: the part done, the rest."""
    halves = min(2 * width, max(0, round(2 * width * share)))
    done = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return done, "─" * (width - len(done))


MARK_CELLS = 14
FEW = 3  # the count is written beside bars this short


def draw(bins: Sequence[Bin], width: int, marks: dict[str, float]) -> list[Content]:
    """Return one bar for each bin; ``marks`` are named values in nanoseconds."""
    most = max((each.count for each in bins), default=0)
    if not most or width < 24:
        return []
    size, _ = unit_of(bins[-1].low_ns, TIME)  # the greatest that is written
    step = (bins[len(bins) // 2].high_ns - bins[len(bins) // 2].low_ns) / size
    decimals = next(digits for digits in range(10) if round(step, digits) >= 0.999 * step and round(step, digits) <= 1.001 * step)
    labels = [f"{each.low_ns / size:,.{decimals}f}" for each in bins]
    if bins[-1].high_ns - bins[-1].low_ns > 1.01 * step * size:
        labels[-1] = f"≥ {labels[-1]}"  # the last bin holds all samples far above
    gutter = max(map(len, labels)) + 1
    room = width - gutter - 2 - MARK_CELLS
    lines = []
    for index, (each, label) in enumerate(zip(bins, labels, strict=True)):
        last = index == len(bins) - 1
        found = [name for name, value in marks.items() if each.low_ns <= value < each.high_ns or (last and value == each.high_ns)]
        few = f" {each.count}" if 0 < each.count <= FEW and most > 10 * FEW else ""
        mark = few + (f" ◂ {', '.join(found)}" if found else "")
        drawn = bar(each.count / most, room)
        lines.append(
            Content.assemble(styled(f"{label:>{gutter}} ▏", "quiet"), styled(drawn, "accent"), styled(mark, "plain" if found else "quiet"))
        )
    return lines


class Histogram(LiveLines):
    """The histogram as a widget; as many bins as it has rows."""

    def show(self, histogram: Callable[[int], tuple[Bin, ...]], marks: dict[str, float]) -> None:
        def write(width: int, height: int) -> list[Content]:
            bins = histogram(height)
            retitle(self, f"steady state, {unit_of(bins[-1].low_ns, TIME)[1]}" if bins else "steady state")
            return draw(bins, width, marks) or [styled("Fills once the warm-up is over.", "quiet")]

        self.show_sized(write)
