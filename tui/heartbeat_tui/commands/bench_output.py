"""What ``bench`` says to people: progress while it beats, the handbook's own lines and the honest table afterwards."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.profiling import files_of
from heartbeat_core.benchmark.protocol import Profiled
from heartbeat_core.benchmark.report import Report, steady_s, wanted
from heartbeat_core.benchmark.run import Run
from heartbeat_core.experiments.knee import knee_gist, knee_notes, knee_serving
from heartbeat_core.experiments.repeat import Candidate, Repeated
from heartbeat_core.experiments.sweep import TITLES, SweepPoint, Swept, point_cells
from heartbeat_core.recordings.entry import GLYPHS
from heartbeat_core.telemetry.text import chip_rows
from heartbeat_core.units import NOTHING, format_bytes, format_bytes_rate, format_ns, format_rate, format_share, significant

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.run import HostLine
    from heartbeat_core.remote.multi_host import MultiHostRun


WIDTH = 100
Row = tuple[str, str, str]


def console_of(width: int = WIDTH) -> Console:
    """Return what prints to stdout: as wide as the terminal, ``width`` where there is none."""
    return Console(width=None if Console().is_terminal else width, highlight=False)


def show_progress(run: Run, meanwhile: Callable[[], None]) -> None:
    """Draw a bar on stderr until the run is over, and do ``meanwhile`` each time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # stdout is left alone: the stream goes there
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("starting", total=None)
        version = 0
        while run.ending is None:
            version = run.wait_for_news(version, 0.2)
            meanwhile()
            with run.changed:
                stage, count, beaten_s = run.series.stage, run.series.count, steady_s(run.series)
            if run.config.duration_s is not None:
                progress.update(task, description=stage or "beating", completed=int(beaten_s), total=math.ceil(run.config.duration_s))
            else:
                progress.update(task, description=stage or "beating", completed=count, total=wanted(run.config))


def show_progress_of_hosts(runs: MultiHostRun, meanwhile: Callable[[], None]) -> None:
    """Draw a bar a host on stderr until all are over, and do ``meanwhile`` each time."""
    columns = (TextColumn("{task.fields[host]}"), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        tasks = [progress.add_task("starting", total=None, host=name) for name in runs.names]
        while not runs.wait(0.2):
            meanwhile()
            for run, task in zip(runs.runs, tasks, strict=True):
                with run.changed:
                    said = run.ending.kind if run.ending else run.series.stage or "beating"
                    progress.update(task, description=said, completed=run.series.count, total=wanted(run.config))


def print_report(report: Report, recording: Path | None) -> None:
    """Print the handbook's own lines, then the honest table, and where the recording lies."""
    console = console_of()
    config, environment = report.config, report.environment
    count = environment.get("threads")
    threads = f", {count} thread{'s' if count != 1 else ''}" if count else ""
    console.print(
        Text(f"{config.workload.shape} {config.workload.dtype} · {config.backend}{threads} · {config.method} · warm-up {config.warmup}")
    )
    torch = environment.get("torch")
    about = [environment.get("hardware"), environment.get("cpu"), torch and f"torch {torch}", environment.get("precision")]
    console.print(Text(" · ".join(str(part) for part in about if part)))
    for label in report.labels:
        console.print(Text(label))
    if report.statistics is None:
        console.print("No steady iteration was measured.")
    else:
        print_handbook_lines(console, report)
    if report.count:
        console.print(two_columns(list(rows(report))))
    for warning in report.warnings:
        console.print(Text(f"warning: {warning}"))
    if report.profiled:
        print_profile(console, report.profiled)
    if recording:
        console.print(Text(f"recording: {recording}"), soft_wrap=True)


def print_profile(console: Console, profiled: Profiled) -> None:
    """State what a profile holds and what opens it, or what it lacks."""
    if profiled.problem:
        console.print(Text(f"profile: not whole: {profiled.problem}. The run itself counts."))
    for file in files_of(profiled):
        console.print(Text(f"profile: {file.what}, {format_bytes(file.size)}"))
        console.print(Text(f"         {file.how}"), soft_wrap=True)


def print_handbook_lines(console: Console, report: Report) -> None:
    """Print the two lines that end the handbook's script, in its words and digits."""
    if report.handbook:
        products, total_ms = report.handbook.products, report.handbook.total_ns / 1e6
    else:
        assert report.statistics is not None
        products = report.statistics.n * report.config.products_per_sample
        total_ms = report.statistics.mean_ns * products / 1e6
    console.print(f"\nTotal time for {products} iterations: {total_ms:.4f} ms")
    console.print(f"Average time per iteration: {total_ms / products:.4f} ms\n")


def two_columns(rows_: list[Row]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value, detail in rows_:
        table.add_row(Text(name), Text(value), Text(detail))
    return table


def rows(report: Report) -> Iterator[Row]:
    """Return the table row by row: name, value, what there is to say about it."""
    yield from statistics_rows(report)
    yield from throughput_rows(report)
    yield from start_rows(report)
    if report.steady:
        yield "steady state", "", report.steady.sentence
    if report.handbook:
        clock = report.handbook
        yield "launched", f"{clock.launched}", f"of {clock.products} products"
        yield "fence", format_ns(clock.fence_ns), "longer until the device was done; an idle one takes " + format_ns(clock.idle_fence_ns)
    yield from chip_rows(report.chips)
    if report.proof:
        proof = report.proof
        error = "no number" if proof.error is None else f"{proof.error:.1e}"
        counted = "" if proof.executed is None else f"; {proof.executed} of {proof.expected} products executed"
        yield "proof", error, f"row {proof.row} against float64 {'holds' if proof.passed else 'FAILS'}: {proof.implies}{counted}"
    yield "verdict", "", f"{GLYPHS[report.verdict.kind]} {report.verdict.kind}: {report.verdict.reason}"


def statistics_rows(report: Report) -> Iterator[Row]:
    stats = report.statistics
    if stats is None:
        return
    interval = ""
    if stats.median_low_ns is not None and stats.median_high_ns is not None:
        interval = f"{format_ns(stats.median_low_ns)} to {format_ns(stats.median_high_ns)} with 95 % confidence, n = {stats.n:,}"
    yield "median", format_ns(stats.median_ns), interval
    for q, ns in stats.quantiles:
        if q != 0.5:
            yield f"p{100 * q:g}", format_ns(ns), ""
    yield "min", format_ns(stats.min_ns), ""
    yield "max", format_ns(stats.max_ns), counted(stats.outliers, "outlier") if stats.outliers else ""
    for name, ns in report.split.items():
        yield name, format_ns(ns), format_share(ns / stats.median_ns) + " of the median" if stats.median_ns else ""


def throughput_rows(report: Report) -> Iterator[Row]:
    if not (report.flops_per_s and report.bytes_per_s and report.iterations_per_s):
        return
    first = ", by the first reading" if report.handbook else ""  # the handbook's number; the median is of all readings
    yield "throughput", format_rate(report.flops_per_s), f"{significant(report.iterations_per_s)} iterations/s{first}"
    yield "memory", format_bytes_rate(report.bytes_per_s), f"{report.config.workload.intensity:.1f} FLOP per byte"
    if report.floor and report.share:
        name = "of the floor" if report.floor.roof.hard else "of the ceiling"
        yield name, format_share(report.share), f"{format_ns(report.floor.ns)} by {report.floor.bound}; {report.floor.roof.source}"


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def start_rows(report: Report) -> Iterator[Row]:
    """State what came before the steady state: the handbook's two reasons, each timed apart."""
    if report.cold_ns:
        times = f"{report.cold_ns / report.statistics.median_ns:.1f} × the median" if report.statistics else ""
        yield "cold", format_ns(report.cold_ns), times
    if report.compiles:
        yield "compile", format_ns(report.compile_ns), counted(report.compiles, "compilation")
    for name, detail in (("allocate", "drawing both operands"), ("transfer", "to the device")):
        ns = report.stages.get(name)
        if ns is not None:
            yield name, format_ns(ns), detail


def print_hosts(config: BenchmarkConfig, runs: MultiHostRun) -> None:
    """Print a line a host, the recordings, and how far the hosts lie apart."""
    console = console_of()
    console.print(Text(f"{config.workload.shape} {config.workload.dtype} · {config.backend} · {config.method} · {runs.labels[0]}"))
    table = Table("host", "median", "95 % interval", "p95", "verdict", box=None, padding=(0, 2, 0, 0))
    for line in runs.hosts():
        table.add_row(*(Text(cell) for cell in host_cells(line)))
    console.print(table)
    for label in dict.fromkeys(label for run in runs.runs for label in run.report().labels if not label.startswith("on ")):
        console.print(Text(label))
    if runs.spread():
        console.print(Text(runs.spread()))
    for run in runs.runs:
        if run.path:
            console.print(Text(f"recording: {run.path}"), soft_wrap=True)


def host_cells(line: HostLine) -> tuple[str, str, str, str, str]:
    """Write one host: name, median, its interval, p95, verdict or how it ended."""
    report = line.report
    stats, ending = report.statistics, report.ending
    judged = f"{GLYPHS[report.verdict.kind]} {report.verdict.kind}"
    said = judged if ending is None or ending.clean else f"✗ {ending.kind}"
    if stats is None:
        return line.name, "–", "", "–", said
    interval = ""
    if stats.median_low_ns is not None and stats.median_high_ns is not None:
        interval = f"{format_ns(stats.median_low_ns)} to {format_ns(stats.median_high_ns)}, n = {stats.n:,}"
    p95 = dict(stats.quantiles).get(0.95)
    return line.name, format_ns(stats.median_ns), interval, format_ns(p95) if p95 is not None else "–", said


def print_comparison(handbook: Report, honest: Report, why: str) -> None:
    """Print both clocks side by side and why they differ."""
    console = console_of()
    table = Table("", "the handbook's clock", "the fenced clock", box=None, padding=(0, 2))
    pairs = [("per iteration", *(format_ns(r.iteration_ns or 0) for r in (handbook, honest)))]
    pairs += [("throughput", *(format_rate(r.flops_per_s or 0) for r in (handbook, honest)))]
    clock = handbook.handbook
    if clock:
        finished = clock.launched if clock.finished else 0
        counted = f"{clock.launched} launched, {finished} finished at the stop"
        executed = honest.proof.executed if honest.proof and honest.proof.executed is not None else honest.count
        pairs += [(f"of {clock.products}", counted, f"{executed} executed, warm-up included")]
    pairs += [("verdict", *(f"{GLYPHS[r.verdict.kind]} {r.verdict.kind}" for r in (handbook, honest)))]
    for name, left, right in pairs:
        table.add_row(Text(name), Text(left), Text(right))
    console.print(table)
    for report in (handbook, honest):
        console.print(Text(f"{report.config.method}: {report.verdict.kind}: {report.verdict.reason}"))
    console.print(Text(why))


HALF = 0.001  # less of a spread is written as this
EXPERIMENT_WIDTH = 110


def print_sweep(swept: Swept) -> None:
    """Print the table of points, then what each curve says."""
    out = console_of(EXPERIMENT_WIDTH)
    if not swept.points:
        out.print("Nothing was measured.")
        return
    out.print(Text(headline(swept.points[0].config, {axis.name for axis in swept.axes})))
    for label in dict.fromkeys(label for point in swept.measured if point.report for label in point.report.labels):
        out.print(Text(label))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for axis in swept.axes:
        table.add_column(axis.name, justify="right" if axis.numeric else "left")
    for title in TITLES[:-1]:
        table.add_column(title, justify="right", no_wrap=title != "95 % interval")
    table.add_column(TITLES[-1])
    for point in swept.points:
        table.add_row(*(Text(cell) for cell in row(point, swept)))
    out.print(table)
    for point in swept.missing:
        why = f"{point.error.title}. {point.error.cause}".strip() if point.error else "it has no figures"
        out.print(Text(f"{point.name}: not measured: {why}"))
    if len(swept.points) < swept.total:
        out.print(f"{len(swept.points)} of {swept.total} points were measured.")
    for curve in swept.curves():
        knee = curve.knee()
        for sentence in filter(None, (knee_gist(knee), knee_serving(knee), *knee_notes(knee)) if knee else ()):
            out.print(Text(f"{curve.name}: {sentence}" if curve.name else sentence))
    print_group(out, swept.group, any(point.path for point in swept.points), "export {} -o sweep.svg")


def row(point: SweepPoint, swept: Swept) -> list[str]:
    values = (point.values[axis.name] for axis in swept.axes)
    *cells, verdict = point_cells(point)
    judged = f"{GLYPHS[verdict]} {verdict}" if verdict in GLYPHS else "not measured"
    return [*(f"{v:,}" if isinstance(v, int) else v for v in values), *cells, judged]


def headline(config: BenchmarkConfig, varied: set[str]) -> str:
    """Name what all points have in common."""
    work = config.workload
    sizes = {name: name[0] if name in varied else str(getattr(work, name)) for name in ("batch", "hidden", "intermediate")}
    shape = f"[{sizes['batch']}×{sizes['hidden']}]·[{sizes['hidden']}×{sizes['intermediate']}]"
    parts = [shape, *([] if "dtype" in varied else [work.dtype]), config.backend, config.method, f"warm-up {config.warmup}"]
    return " · ".join(parts)


def print_repeat(repeated: Repeated) -> None:
    """Print both levels of spread for each candidate, then how they compare."""
    out = console_of(EXPERIMENT_WIDTH)
    config = repeated.reference.config
    out.print(Text(f"{config.workload.shape} {config.workload.dtype} · {config.backend} · {config.method} · warm-up {config.warmup}"))
    order = f"; order shuffled in each round, seed {repeated.seed}" if len(repeated.candidates) > 1 else ""
    out.print(Text(f"{repeated.repeat} processes{' each' if len(repeated.candidates) > 1 else ''}{order}"))
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in ("typical", "95 % over processes", "between processes", "within one", "processes"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in repeated.candidates:
        table.add_row(*(Text(cell) for cell in cells(one)))
    out.print(table)
    for one in repeated.candidates:
        for sentence in sentences(one):
            out.print(Text(f"{one.name}: {sentence}"))
    for ratio in repeated.ratios():
        work = "" if ratio.same_work else "; they compute different products"
        out.print(Text(f"{ratio.candidate} against {ratio.reference}: {ratio.sentence}{work}"), style="bold")
    kept = any(process.path for one in repeated.candidates for process in one.processes)
    print_group(out, repeated.group, kept, "compare {}" if len(repeated.candidates) > 1 else "list {}")


def cells(one: Candidate) -> tuple[str, ...]:
    typical = one.typical
    if typical is None:
        alone = format_ns(one.measured[0].ns or 0) if one.measured else NOTHING
        return one.name, alone, NOTHING, NOTHING, spread(one.within), str(len(one.measured))
    interval = f"{format_ns(typical.low)} to {format_ns(typical.high)}"
    return one.name, format_ns(typical.value), interval, spread(one.between), spread(one.within), str(len(one.measured))


def spread(share: float | None) -> str:
    if share is None:
        return NOTHING
    return f"±{significant(100 * share, 2)} %" if share >= HALF else f"<{100 * HALF:g} %"


def sentences(one: Candidate) -> list[str]:
    """State what its processes show beyond the figures."""
    found = []
    if one.error:
        found.append("not measured: " + " ".join(part for part in (f"{one.error.title}.", one.error.cause, one.error.remedy) if part))
    if one.too_narrow is not None and one.too_narrow > 1.5:
        found.append(
            f"the interval of a single process would have to be {one.too_narrow:.2g} times as wide to cover the next one; "
            "only several processes tell"
        )
    verdicts = [process.report.verdict for process in one.measured if process.report]
    found += [
        f"{GLYPHS[verdict.kind]} {verdict.kind} in {verdicts.count(verdict)} of {len(verdicts)} processes: {verdict.reason}"
        for verdict in dict.fromkeys(verdicts)
        if verdict.kind != "plausible"
    ]
    labels = dict.fromkeys(label for process in one.measured if process.report for label in process.report.labels)
    return [*labels, *found]


def print_group(out: Console, group: str, kept: bool, example: str) -> None:
    """Name the group that the recordings make, and what can be done with it."""
    if kept:
        out.print(Text(f"recordings: group {group}; heartbeat-tui runs {example.format(shlex.quote(group))}"), soft_wrap=True)
