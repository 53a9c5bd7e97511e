"""Charts that commands print below their table (``--plot``): of a run, of compared runs and of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from heartbeat_core.charts.spec import ChartSpec
from heartbeat_tui.plotting import render

WITHOUT_TERMINAL, WIDEST, ROWS = 100, 120, 16
# The terminal's own colours, which fit its background: cyan for the accent. Bold and dim would be left by NO_COLOR.
STYLES = {
    "steady": "bright_cyan", "band": "cyan", "levels": "cyan", "cold": "bright_yellow", "compile": "yellow", "knee": "yellow",
    "axis": "bright_black", "boundary": "bright_black", "roof": "bright_black", "warm": "bright_black", "median": "bright_black",
    "greatest": "bright_black", "series-0": "bright_cyan", "series-1": "magenta", "series-2": "blue", "series-3": "green",
}  # fmt: skip


def print_chart(make: Callable[[int, int], ChartSpec | None]) -> None:
    """Print what ``make`` returns for the width of the terminal, after an empty line; without colours in a pipe or with NO_COLOR."""
    from rich.console import Console
    from rich.text import Text

    width = min(WIDEST, shutil.get_terminal_size((WITHOUT_TERMINAL, ROWS)).columns)
    spec = make(width, ROWS)
    lines = render(spec, width, ROWS) if spec else ()
    console = Console(width=width, highlight=False)
    console.print()
    if spec is None or not lines:
        console.print("No chart: nothing was measured, or the terminal is too narrow.")
        return
    for line in (((spec.title, ""),), *lines):
        text = Text.assemble(*((part, STYLES.get(style, "")) for part, style in line))
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ignore", crop=False)
