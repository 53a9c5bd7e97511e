"""Everything a run shows below its figures; imported and mounted with the first run, for the first frame does without."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.report import Report, explain_gap
from heartbeat_core.benchmark.serving import AT_MOST, STEP_TITLES, serving_rows, step_cells, step_figures
from heartbeat_core.charts.latency import TITLE, host_curves, latency_chart, overlay_chart
from heartbeat_core.columns import aligned
from heartbeat_core.telemetry.text import chip_line, memory_of, share
from heartbeat_core.units import format_bytes, format_ns, format_rate
from heartbeat_tui.benchmark.session import MethodComparison, Snapshot
from heartbeat_tui.benchmark.text import SHOWN_FINDINGS, badge_of, check_words, findings, waiting_words
from heartbeat_tui.widgets.chart import Chart, Make
from heartbeat_tui.widgets.histogram import Histogram, bar
from heartbeat_tui.widgets.text import Lines, LiveLines, retitle, styled, styled_line

BEFORE = "The handbook's method runs first, then the same work with every iteration synchronized."


def box(report: Report | None, counted: str) -> list[Content]:
    if report is None:
        return [styled("not measured yet", "quiet")]
    if report.iteration_ns is None:
        return [styled((report.ending.title or "no reading") if report.ending else waiting_words(report), "quiet")]
    rate = format_rate(report.flops_per_s) if report.flops_per_s else ""
    word, style = badge_of(report)
    return [
        Content.assemble(styled(format_ns(report.iteration_ns), "strong"), " per iteration"),
        styled(counted, "quiet"),
        Content.assemble(f"{'would need ' if report.verdict.kind == 'impossible' else ''}{rate}   ", styled(word, style)),
    ]


def handbook_counted(report: Report | None) -> str:
    """Return how many of the handbook's iterations were launched and finished when its clock stopped."""
    clock = report.handbook if report else None
    if clock is None:
        return ""
    finished = f"{clock.launched if clock.finished else 0} finished at the stop"
    asked = "traced" if clock.launched < clock.products else "called"  # what runs eagerly is never traced
    return f"{clock.products} {asked} · {clock.launched} launched · {finished}"


def synchronized_counted(report: Report | None) -> str:
    """Return how many iterations were launched or waited for, and how the result check ended."""
    proof = report.proof if report else None
    if report is None or proof is None:
        return ""
    launched = f"{proof.executed} launched" if proof.executed is not None else f"{report.count} waited for"
    error = f", error {proof.error:.0e}" if proof.error is not None else ""
    return f"{launched} · {check_words(report)}{error}"


class MethodsView(Container):
    """Both boxes, and the sentence that explains them."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Lines(classes="panel", id="handbook-clock")
            yield Lines(classes="panel", id="synchronized-clock")
        yield Lines(id="clocks-why")

    def show(self, clocks: MethodComparison) -> None:
        left, right = self.query_one("#handbook-clock", Lines), self.query_one("#synchronized-clock", Lines)
        left.border_title, right.border_title = "handbook's method", "synchronized"
        left.set_lines(box(clocks.handbook, handbook_counted(clocks.handbook)))
        right.set_lines(box(clocks.synchronized, synchronized_counted(clocks.synchronized)))
        read = clocks.handbook is not None and clocks.handbook.handbook is not None
        why = explain_gap(clocks.handbook, clocks.synchronized) if clocks.handbook and read else BEFORE
        self.query_one("#clocks-why", Lines).set_lines([styled(why, "plain")])


ORDER = ("trace", "compile", "dispatch", "wait", "compute")
AFTERWARDS = {"proof": "result check", "calibrate": "peak", "profile": "profile"}  # stages after the last iteration, as shown


def bar_line(name: str, figure: str, filled: float, width: int) -> Content:
    return styled_line([(f"{name[:8]:<9}", "quiet"), (f"{figure:>9}  ", "plain"), (bar(filled, width - 21), "accent")])


def draw(parts: Mapping[str, float], stages: Mapping[str, int | None], width: int) -> list[Content]:
    """Return a bar for each part of an iteration, in nanoseconds, then the setup time and what it consists of."""
    total = sum(parts.values())
    ordered = sorted(parts, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    lines = [bar_line(name, format_ns(parts[name]), parts[name] / total if total else 0, width) for name in ordered]
    known = {name: ns for name, ns in stages.items() if ns is not None}
    if setup := {name: ns for name, ns in known.items() if name not in AFTERWARDS}:
        details = " · ".join(f"{name} {format_ns(ns)}" for name, ns in setup.items())
        lines.append(styled_line([("setup    ", "quiet"), (f"{format_ns(sum(setup.values())):>9}", "plain"), (f"  {details}", "quiet")]))
    if after := [f"{AFTERWARDS[name]} {format_ns(ns)}" for name, ns in known.items() if name in AFTERWARDS]:
        lines.append(styled(f"then     {' · '.join(after)}", "quiet"))
    return lines


def chip_bars(report: Report, width: int) -> list[Content]:
    """Return the duty cycle and the memory of the busiest device as bars; none where no chip was read."""
    device = report.chips.busiest if report.chips else None
    if report.chips is None or device is None:
        return []
    over = report.state == "ended"
    duty = device.median_duty_percent if over else device.duty_percent
    used = device.peak_bytes if over else device.used_bytes
    rows = [("duty", share(duty), duty / 100)] if duty is not None else []
    if used is not None and device.total_bytes:
        rows.append((memory_of(report.chips), format_bytes(used), used / device.total_bytes))
    return [bar_line(*row, width) for row in rows]


class TimeParts(LiveLines):
    """The chip where one is read, the parts of an iteration where the backend tells them apart, and the setup time."""

    BORDER_TITLE = "time per iteration"

    def on_mount(self) -> None:
        self.set_lines([styled("No iteration yet.", "quiet")])

    def show(self, report: Report) -> None:
        named = ("the chip",) * bool(report.chips and report.chips.busiest) + ("time per iteration" if report.split else "setup time",)
        retitle(self, " · ".join(named))
        none = [styled("No iteration yet.", "quiet")]
        self.show_sized(lambda width, _: [*chip_bars(report, width), *draw(report.split, report.stages, width)] or none)


class Findings(LiveLines):
    """The findings about a run, the worst first; one line of them where there is no room for more."""

    def show(self, report: Report) -> None:
        shown = findings(report)[: 1 if self.has_class("-line") else SHOWN_FINDINGS]
        self.set_lines([styled(text, kind) for text, kind in shown])


MARKED = (("median", 0.5), ("p95", 0.95))


def step_lines(report: Report) -> list[Content]:
    rows = [step_cells(step) for step in step_figures(report)]
    if not rows:
        alone = report.config.method == "synchronized"
        return [styled("No step was timed by itself yet." if alone else "Pipelined timing times the whole only.", "quiet")]
    titles, *lines = aligned([STEP_TITLES, *rows])
    return [styled(titles, "quiet"), *(styled(line, "plain") for line in lines)]


def serving_lines(report: Report) -> list[Content]:
    """Return what the time of a layer means for its model: name, figure, and what it says."""
    rows = list(serving_rows(report))
    names, figures = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return [
        styled_line([(f"{name:<{names}}  ", "quiet"), (f"{figure:>{figures}}  ", "strong"), (says, "quiet")]) for name, figure, says in rows
    ]


class Body(Container):
    """What stands below the figures: ``show`` draws a snapshot, ``show_chart`` only what a key for the scale changes."""

    def show(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        raise NotImplementedError

    def show_chart(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        """Draw the chart alone, if its scale can be changed."""

    def take_keys(self) -> None:
        """Let the arrows move through its list, if it has one."""

    @property
    def key(self) -> str | None:
        """Return the key of what is pointed at in its list."""
        return None


class RunBody(Body):
    """Chart and findings at the left, distribution and times at the right; or both timing methods where they are compared.

    Of a layer its steps and what they mean stand below them.
    """

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    RunBody { height: 1fr; }
    #charts { height: 1fr; layout: horizontal; }
    #left { width: 2fr; height: 1fr; }
    #right { width: 1fr; min-width: 34; height: 1fr; }
    #charts .panel { height: 1fr; }
    #charts Histogram { text-wrap: nowrap; }
    #charts #findings { height: 10; scrollbar-size-vertical: 1; }
    #charts TimeParts.panel { height: 10; }  /* as high as the findings beside it */
    #findings Findings { min-height: 100%; }  /* so that it is seldom laid out anew */
    #worst { display: none; height: 2; padding: 0 1; }
    #clocks { display: none; height: auto; }
    #clocks Horizontal { height: auto; }
    #clocks .panel { height: auto; min-height: 5; }
    #clocks-why { padding: 0 2; }
    .-idle RunBody, .-form RunBody, .-sweep RunBody, .-fleet RunBody, .-clocks #findings, .-clocks TimeParts { display: none; }
    .-clocks #clocks { display: block; }
    #layer { display: none; height: 9; layout: horizontal; }
    #layer Lines { height: 7; text-wrap: nowrap; text-overflow: ellipsis; }
    #layer-steps { width: 64; padding: 0 2 0 0; }
    #layer-meaning { width: 1fr; }
    RunBody.-layer #layer { display: block; }

    /* narrow but tall: one below the other */
    .-narrow #charts { layout: vertical; }
    .-narrow #left { width: 100%; height: 2fr; }
    .-narrow #right { width: 100%; height: 1fr; }
    .-narrow TimeParts { display: none; }
    .-narrow #layer { layout: vertical; height: 15; }
    .-narrow #layer Lines { width: 100%; }

    /* low: one thing at a time */
    .-low #charts #findings, .-low TimeParts, .-low.-narrow #right, .-low.-details #left { display: none; }
    .-low #left { height: 1fr; }
    .-low #worst { display: block; }
    .-low.-details #worst, .-low.-clocks #worst { display: none; }
    .-low.-details #right { display: block; width: 100%; height: 1fr; }
    .-low.-details #charts TimeParts.panel { display: block; height: 5; }
    .-low.-details #left { display: block; height: 9; width: 100%; }
    .-low.-details #left Chart { display: none; }
    .-low.-details #charts #findings { display: block; }
    .-low.-details #charts { layout: vertical; }
    .-low RunBody.-layer #layer, .-low.-details RunBody.-layer #charts { display: none; }
    .-low.-details RunBody.-layer #layer { display: block; height: 1fr; }
    .-low.-details RunBody.-layer #worst { display: block; }
    """

    def compose(self) -> ComposeResult:
        with Container(id="charts"):
            with Container(id="left"):
                yield Chart(classes="panel")
                with VerticalScroll(classes="panel", id="findings", can_focus=False) as scroll:
                    scroll.border_title = "findings"
                    yield Findings()
            with Container(id="right"):
                yield Histogram(classes="panel")
                yield TimeParts(classes="panel")
        with VerticalScroll(classes="panel", id="layer", can_focus=False):
            yield LiveLines(id="layer-steps")
            yield LiveLines(id="layer-meaning")
        yield MethodsView(id="clocks")
        yield Findings(classes="-line", id="worst")

    def show(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        """Draw a snapshot; what is hidden keeps its data and draws nothing."""
        report = snapshot.report
        statistics = report.statistics
        self.show_chart(snapshot, log=log, steady_only=steady_only)
        quantiles = dict(statistics.quantiles) if statistics else {}
        self.query_one(Histogram).show(snapshot.histogram, {name: quantiles[q] for name, q in MARKED if q in quantiles})
        self.query_one(TimeParts).show(report)
        for shown in self.query(Findings):
            shown.show(report)
        self.set_class(bool(report.config.workload.parts), "-layer")
        if report.config.workload.parts:
            meaning = serving_lines(report)
            title = f"{report.config.workload.brief}, each step by itself"
            self.query_one("#layer").border_title = f"{title} · {AT_MOST}" if meaning else title
            self.query_one("#layer-steps", LiveLines).set_lines(step_lines(report))
            self.query_one("#layer-meaning", LiveLines).set_lines(meaning)
        if snapshot.clocks is not None:
            self.query_one(MethodsView).show(snapshot.clocks)

    def show_chart(self, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
        draw_chart(self.query_one(Chart), snapshot, log=log, steady_only=steady_only)


def draw_chart(chart: Chart, snapshot: Snapshot, *, log: bool, steady_only: bool) -> None:
    """Draw the samples of a run, or of each host whose samples are here."""
    report, statistics = snapshot.report, snapshot.report.statistics
    wanted, warm = report.wanted if report.state != "ended" else None, warm_count(report.config)
    make: Make
    if len(snapshot.hosts) > 1:
        expected = 1 if wanted is None else wanted - warm * steady_only
        make = partial(overlay_chart, host_curves(snapshot.hosts), log=log, steady_only=steady_only, expected=expected)
    else:
        make = partial(
            latency_chart,
            snapshot.chart,
            log=log,
            steady_only=steady_only,
            expected=None if wanted is None else wanted - warm,
            median_ns=statistics.median_ns if statistics else None,
            p95_ns=statistics.p95_ns if statistics else None,
        )
    empty = waiting_words(report) if report.ending is None else "Nothing was measured."
    chart.draw(make, title=TITLE, subtitle=chip_line(report), empty=empty)


def warm_count(config: BenchmarkConfig) -> int:
    """Count the samples before the steady state: the first is always cold, but for the handbook's own warm-up."""
    if config.method == "handbook":
        return 0 if config.warmup else 1
    return max(1, config.warmup_samples)
