"""The header of the Heartbeat pane: the figures of a run, its config and progress, the heart."""

from __future__ import annotations

import math

from textual.app import ComposeResult
from textual.containers import Center, Container, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Digits

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.report import Report
from heartbeat_core.units import NOTHING, format_bytes, scaled
from heartbeat_tui.benchmark.session import FleetSnapshot
from heartbeat_tui.benchmark.text import Figures, config_line, config_sentence, figures, fleet_figures, how_far, split_unit
from heartbeat_tui.widgets.header_footer import KeyButton
from heartbeat_tui.widgets.histogram import progress
from heartbeat_tui.widgets.text import Lines, LiveLines, styled

Cell = tuple[str, str]  # text, style
GAP = 2  # cells between two columns
# the columns beside the large median: width, and how long each stays when the screen is narrow
COLUMNS = ((8, 9), (19, 4), (13, 8), (14, 7), (14, 5), (18, 10))


def cells(shown: Figures) -> tuple[tuple[Cell, Cell, Cell], ...]:
    """Return the figures as columns of three rows."""
    share = f"{shown.share} of peak" if shown.share != NOTHING else ""
    mfu, mbu = (value if value != NOTHING else "" for value in (shown.mfu, shown.mbu))
    return (
        ((split_unit(shown.median)[1], "accent"), (shown.median_name, "quiet"), ("", "quiet")),
        (
            (f"95 % CI {shown.interval}" if shown.interval else "", "plain"),
            (f"IQR {shown.iqr}" if shown.iqr else "", "quiet"),
            (f"last {shown.last}" if shown.last else "", "quiet"),
        ),
        (named("p95", shown.p95, 13), named("max", shown.max, 13), ("", "quiet")),
        (right(shown.rate, 14), right(shown.computed, 14), right(shown.moved, 14)),
        ((share.rjust(14), "strong"), (f"MFU {mfu}".rjust(14) if mfu else "", "quiet"), (f"MBU {mbu}".rjust(14) if mbu else "", "quiet")),
        ((shown.badge, shown.badge_style), (shown.checked, "quiet"), (shown.source, "quiet")),
    )


def right(value: str, width: int) -> Cell:
    return value.rjust(width), "quiet" if value == NOTHING else "strong"


def named(name: str, value: str, width: int) -> Cell:
    return name + value.rjust(width - len(name)) if value else "", "quiet" if value == NOTHING else "plain"


def block(shown: Figures, width: int) -> list[Content]:
    """Return the figures in three lines, in columns that keep their width; what is worth least goes first where it is narrow."""
    columns = list(zip(cells(shown), COLUMNS, strict=True))
    while len(columns) > 1 and sum(size + GAP for _, (size, _) in columns) > width + GAP + 4:
        columns.remove(min(columns, key=lambda column: column[1][1]))
    lines = []
    for row in range(3):
        pieces = [styled(f"{column[row][0]:<{size}}" + " " * GAP, column[row][1]) for column, (size, _) in columns]
        lines.append(Content("").join(pieces).rstrip())  # blanks that have no room are no text that is cut
    return lines


def line(shown: Figures, width: int) -> Content:
    rates = [(styled(*right(shown.computed, 14)), 14), (styled(*right(shown.moved, 12)), 12)]
    parts = [
        (styled(f"{shown.median:>8}", "quiet" if shown.median == NOTHING else "accent"), 8),
        (styled(*right(shown.rate, 13)), 13),
        *([(styled("  p95 ", "quiet") + styled(*right(shown.p95, 7)), 13)] if shown.p95 else []),
        (styled(f"  CI {shown.interval}".ljust(15) if shown.interval else " " * 15, "quiet"), 15),
        *(rates[::-1] if shown.by_memory else rates),
        *([(styled("  max ", "quiet") + styled(*right(shown.max, 7)), 13)] if shown.max else []),
        *([(styled("  last ", "quiet") + styled(*right(shown.last, 7)), 14)] if shown.last else []),
    ]
    left = width - 16  # the badge and the space before it
    kept = []
    for content, used in parts:
        if used > left:
            break
        left -= used
        kept.append(content)
    return Content("").join([*kept, Content("  "), styled(shown.badge, shown.badge_style)])


class Head(Horizontal):
    """The median drawn large and the other figures in three lines; on a low screen all of them in one."""

    def compose(self) -> ComposeResult:
        yield Digits("", id="median")
        yield LiveLines(id="figures")
        yield LiveLines(id="figures-line")

    def show(self, shown: Figures) -> None:
        number = "" if shown.median == NOTHING else split_unit(shown.median)[0]
        median = self.query_one(Digits)
        if median.value != number:
            median.update(number)
        self.query_one("#figures", LiveLines).show_sized(lambda width, _: block(shown, width))
        self.query_one("#figures-line", LiveLines).show_sized(lambda width, _: [line(shown, width)])


SHORTEST, LONGEST = 8, 24  # cells of the bar


class ConfigLine(LiveLines):
    """The config of the run, and its progress."""

    def show(self, config: BenchmarkConfig, report: Report | None, waiting: str = "") -> None:
        """Show the config; ``waiting`` says what a run waits for that has not begun yet."""

        def drawn(width: int, _: int) -> list[Content]:
            if report is None and not waiting:
                return [styled(" " + config_line(config, {}, width - 2), "quiet")]
            share, words = (None, waiting) if waiting or report is None else how_far(report)
            environment = report.environment if report is not None else {}
            left = " " + config_line(config, environment, width - len(words) - 4 - (SHORTEST + 2 if share is not None else 0))
            length = min(LONGEST, width - len(left) - len(words) - 5) if share is not None else 0
            done, rest = progress(share or 0.0, length)
            space = " " * (width - len(left) - length - len(words) - 3)
            bar = Content.assemble(space, styled(done, "accent"), styled(rest, "quiet"))
            return [Content.assemble(styled(left, "quiet"), bar, "  ", styled(words, "plain"))]

        self.show_sized(drawn)


FASTEST = 2.0  # beats a second: one half of a beat for each of the 4 frames
SYSTOLE = 0.35  # the share of a beat for which the heart is full
DRAWN = ("  ▄█▄█▄", "  ▀███▀", "    ▀  ")


def pace(iterations_per_s: float) -> float:
    """Return visible beats per second for iterations per second: the same up to 1, then a third more for each factor of 10."""
    if iterations_per_s <= 1:
        return max(0.1, iterations_per_s)
    return min(FASTEST, 1 + math.log10(iterations_per_s) / 3)


class Heart(Widget):
    """Full and hollow in turn while beating; still when the run is, or where motion is reduced."""

    ALLOW_SELECT = False
    full = True
    alive = False
    beats_per_s = 1.0
    due = 0.0  # when the other half of the beat is to be seen

    def show(self, *, beating: bool, iterations_per_s: float | None) -> None:
        self.beats_per_s = pace(iterations_per_s) if iterations_per_s else 1.0
        if beating == self.alive:
            return
        self.alive, self.full, self.due = beating, True, 0.0
        self.refresh()

    def turn(self, now: float) -> None:
        """Show the other half of the beat where it is time; called once a frame, with seconds."""
        if not self.alive or self.app.animation_level == "none":
            return
        if not self.due:
            self.due = now + SYSTOLE / self.beats_per_s
        elif now >= self.due:
            self.full = not self.full
            share = SYSTOLE if self.full else 1 - SYSTOLE
            self.due = max(now, self.due + share / self.beats_per_s)
            self.refresh()

    def render(self) -> Content:
        style = "accent" if self.alive and self.full else "quiet"
        if self.size.height < len(DRAWN):
            return styled(" ♥" if self.full else " ♡", style)
        return Content("\n").join(styled(row, style) for row in DRAWN)


def work_in_words(config: BenchmarkConfig) -> str:
    work = config.workload
    flop = scaled(work.flops, ((1.0, "FLOP"), (1e6, "MFLOP"), (1e9, "GFLOP"), (1e12, "TFLOP")))
    return f"One iteration is {flop} and moves {format_bytes(work.bytes)}."


WAYS_IN = (  # key, what it does, action
    ("space", "Start a run here, with nothing to set up", "begin"),
    ("g", "Take the tour of the handbook's first part", "tour"),
    ("1", "Get ready for a TPU: what is missing, and its fix", "app.switch_mode('readiness')"),
)
WELCOME = "Nothing is set up yet, and nothing has to be. Three ways in; none costs money or changes a project."


class Idle(Container):
    """The config, and one obvious key; a newcomer sees the three ways in."""

    def __init__(self, *, newcomer: bool = False) -> None:
        super().__init__()
        self.newcomer = newcomer

    def compose(self) -> ComposeResult:
        yield Lines(id="idle-config")
        if self.newcomer:
            yield Lines(id="idle-welcome").with_text(styled(WELCOME, "plain"))
            with Center(), Vertical(id="idle-ways"):
                for key, what, action in WAYS_IN:
                    yield KeyButton(f"{key:^5}", what, action)
            return
        with Center(id="idle-keys"):
            yield KeyButton("space", "Start", "begin")
            yield KeyButton("e", "Change the config", "edit")
            yield KeyButton("g", "Take the tour", "tour")

    def show(self, config: BenchmarkConfig, vm: str = "") -> None:
        self.query_one("#idle-config", Lines).set_lines(
            [styled(config_sentence(config, vm), "strong"), styled(work_in_words(config), "quiet")]
        )


class Front(Container):
    """What is there with and without a run."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    Front { height: auto; }
    #head { height: 3; margin: 1 0 1 0; }
    Heart { width: 8; height: 3; }
    Head { width: 1fr; height: 3; }
    #median { width: 14; color: $accent; text-style: bold; text-align: right; margin-right: 1; }
    #figures { height: 3; text-wrap: nowrap; text-overflow: ellipsis; }
    #figures-line { display: none; height: 1; width: 1fr; }
    ConfigLine { height: 1; width: 1fr; }
    Idle { display: none; height: 1fr; align: center middle; }
    #idle-config { width: 100%; text-align: center; padding: 0 4; }
    #idle-welcome { width: 100%; text-align: center; padding: 0 4; margin-top: 1; }
    #idle-ways { width: 64; max-width: 100%; height: auto; margin-top: 1; }
    #idle-keys { height: 1; width: 100%; margin-top: 2; layout: horizontal; align: center middle; }
    .-idle Front { height: 1fr; }
    .-idle Idle { display: block; }
    .-form Front { height: auto; }
    .-form Idle { display: none; }
    .-low #head { height: 1; margin: 0; }
    .-low Heart, .-low Head { height: 1; }
    .-low Heart { width: 3; }
    .-low #median, .-low #figures { display: none; }
    .-low #figures-line { display: block; }
    """

    def __init__(self, *, newcomer: bool = False) -> None:
        super().__init__()
        self.newcomer = newcomer
        self.heart = Heart()

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield self.heart
            yield Head()
        yield ConfigLine()
        yield Idle(newcomer=self.newcomer)

    def show(
        self, config: BenchmarkConfig, report: Report | None, waiting: str = "", vm: str = "", fleet: FleetSnapshot | None = None
    ) -> None:
        """Show a run; ``fleet`` has the figures of several hosts together."""
        self.query_one(Head).show(fleet_figures(fleet) if fleet is not None else figures(report))
        self.query_one(ConfigLine).show(report.config if report else config, report, waiting)
        if report is None:
            self.query_one(Idle).show(config, vm)
