"""Charts as widgets: a chart's spec is drawn by plotext at the widget's size, and shown in the colours of the theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from heartbeat_core.charts.latency import TITLE
from heartbeat_core.charts.spec import COLOURS, ChartSpec
from heartbeat_tui.plotting import Lines, render
from heartbeat_tui.widgets.text import refresh_rows, retitle

STYLES = (
    "axis", "steady", "cold", "warm", "compile", "median", "boundary", "band", "greatest", "caption", "levels", "roof", "knee",
    *(f"series-{number}" for number in range(COLOURS)),
)  # fmt: skip
Make = Callable[[int, int], "ChartSpec | None"]


class Chart(Widget):
    """Shows what ``make`` returns for its size in cells; ``empty`` stands there where that is nothing."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Chart { border-subtitle-color: $text; }
    Chart .chart--axis, Chart .chart--boundary, Chart .chart--roof { color: $text-muted; }
    Chart .chart--warm, Chart .chart--median, Chart .chart--greatest { color: $text-muted; }
    Chart .chart--caption { color: $foreground; }
    Chart .chart--steady { color: $accent; }
    Chart .chart--band { color: $accent 45%; }
    Chart .chart--levels { color: $secondary; }
    Chart .chart--cold { text-style: bold; }
    Chart .chart--compile, Chart .chart--knee { color: $warning; text-style: bold; }
    Chart .chart--series-0 { color: $series-a; }
    Chart .chart--series-1 { color: $series-b; }
    Chart .chart--series-2 { color: $series-c; }
    Chart .chart--series-3 { color: $series-d; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{style}" for style in STYLES}

    make: Make | None = None
    spec: ChartSpec | None = None
    lines: Lines = ()
    base: Style | None = None  # of the cells without a style of their own
    title, subtitle, empty = "", "", ""

    def draw(self, make: Make, *, title: str = "", subtitle: str = "", empty: str = "") -> None:
        """Draw at this size, and again at every other size the widget takes; ``title`` stands there until there is a chart."""
        self.make, self.title, self.subtitle, self.empty = make, title, subtitle, empty
        self.on_resize()

    def on_resize(self) -> None:
        width, height = self.size
        if self.make is None or not width or not height:
            return
        before, self.base = self.lines, None
        self.spec = self.make(width, height)
        self.lines = render(self.spec, width, height) if self.spec else ()
        if not self.lines and self.empty:
            self.lines = (((" " + self.empty, "axis"),),)
        title = self.spec.title if self.spec else self.title
        retitle(self, title if len(title) <= width - 2 else title.replace(TITLE, "latency"), self.subtitle)
        refresh_rows(self, before, self.lines)

    def notify_style_update(self) -> None:
        self.base = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self.base is None:  # asked for in each line, it costs a sixth of a frame
            self.base = self.rich_style
        if y >= len(self.lines):
            return Strip.blank(width, self.base)
        segments = [Segment(text, self.get_component_rich_style(f"chart--{style}")) for text, style in self.lines[y]]
        return Strip(segments).adjust_cell_length(width, self.base)
