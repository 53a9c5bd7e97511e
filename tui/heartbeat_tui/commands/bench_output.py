"""What ``bench`` prints for people: progress while it runs, then the handbook's own lines and the table of figures."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import written
from heartbeat_core.benchmark.profiling import files_of
from heartbeat_core.benchmark.protocol import Proof
from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.serving import STEP_TITLES, serving_rows, step_cells, step_figures
from heartbeat_core.benchmark.verdict import QUALITY_MARKS, TOO_FEW, checked, failed_proof
from heartbeat_core.errors import sanitize_line
from heartbeat_core.experiments.experiment import TrialResult
from heartbeat_core.experiments.knee import knee_meaning, knee_notes
from heartbeat_core.experiments.repeat import Candidate, Repeat
from heartbeat_core.experiments.sweep import TITLES, Swept, point_cells, titles_of
from heartbeat_core.fleet.multi_host import FleetRun
from heartbeat_core.telemetry.text import chip_rows
from heartbeat_core.units import NOTHING, format_bytes, format_bytes_rate, format_ns, format_rate, format_share, plural, significant

WIDTH = 100
Row = tuple[str, str, str]


def console_of(width: int = WIDTH) -> Console:
    """Return what prints to stdout, without markup: as wide as the terminal, ``width`` where there is none."""
    return Console(width=None if Console().is_terminal else width, highlight=False, markup=False, emoji=False)


def show_progress(runs: Mapping[str, Source], over: Callable[[], bool]) -> None:
    """Draw a bar on stderr for each run, beside its name, until all of it is ``over``."""
    columns = (
        TextColumn("{task.fields[name]}", markup=False),
        TextColumn("{task.description}", markup=False),  # it may be a text of a cluster
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # stdout is left alone: the stream goes there
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        tasks = {progress.add_task("starting", total=None, name=name): run for name, run in runs.items()}
        while not over():
            for task, run in tasks.items():
                said, done, total = run.progress()
                progress.update(task, description=said, completed=done, total=total)


def print_report(report: Report, recording: Path | None, usd_per_hour: float | None = None) -> None:
    """Print the handbook's own lines, then the table of figures, and where the recording is kept."""
    console = console_of()
    config, environment = report.config, report.environment
    threads = f", {plural(count, 'thread')}" if (count := environment.get("threads")) else ""
    console.print(
        f"{config.workload.shape} {config.workload.dtype} · {config.backend}{threads} · {config.method} · warm-up {config.warmup}"
    )
    torch = environment.get("torch")
    quota = environment.get("cpu_quota")
    limit = quota and f"limited to {quota:g} processors by its control group (cpu.max)"
    about = [environment.get("hardware"), environment.get("cpu"), torch and f"torch {torch}", environment.get("precision"), limit]
    console.print(" · ".join(str(part) for part in about if part))
    for label in report.labels:
        console.print(label)
    if report.statistics is None:
        console.print("No steady iteration was measured.")
    else:
        print_handbook_lines(console, report)
    if report.count:
        console.print(two_columns(rows(report)))
    print_steps(console, report, usd_per_hour)
    for warning in report.warnings:
        console.print(f"warning: {warning}")
    if report.profiled and report.profiled.problem:
        console.print(f"profile: not whole: {report.profiled.problem}. The run itself counts.")
    for file in files_of(report.profiled) if report.profiled else ():
        console.print(f"profile: {file.what}, {format_bytes(file.size)}")
        console.print(f"         {file.how}", soft_wrap=True)
    if recording:
        console.print(sanitize_line(f"recording: {recording}"), soft_wrap=True)


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


def table_of(
    titles: Sequence[str], cells: Iterable[Sequence[str]], *, whole: Sequence[str], left: Sequence[str] | None = None, gap: int = 2
) -> Table:
    """Return a table of the columns ``left``, by default the first, to the left, all others to the right; ``whole`` are never folded."""
    table = Table(box=None, padding=(0, gap, 0, 0))
    for title in titles:
        table.add_column(title, justify="left" if title in (titles[:1] if left is None else left) else "right", no_wrap=title in whole)
    for row in cells:
        table.add_row(*row)
    return table


def two_columns(rows_: Iterable[Row]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows_:
        table.add_row(*row)
    return table


def print_steps(console: Console, report: Report, usd_per_hour: float | None) -> None:
    """Print the steps of a layer, each timed by itself, and what the layer means for its model; nothing for one product."""
    if found := step_figures(report):
        console.print(table_of(STEP_TITLES, map(step_cells, found), whole=STEP_TITLES))
    if meant := list(serving_rows(report, usd_per_hour)):
        console.print(two_columns(meant))


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
        yield "synchronize", format_ns(clock.fence_ns), f"longer until the device was done; idle it takes {format_ns(clock.idle_fence_ns)}"
    yield from chip_rows(report.chips)
    if report.proof:
        yield "result check", "no number" if report.proof.error is None else f"{report.proof.error:.1e}", check_words(report.proof)
    again = "; measure it again with --calibrate" if report.verdict.kind == "suspicious" and report.refutes_peak else ""
    yield "verdict", "", f"{report.verdict.kind}: {report.verdict.reason}{again}"
    yield "quality", "", f"{report.quality.glyph} {report.quality.kind}: {'; '.join(report.quality.reasons)}"


def check_words(proof: Proof) -> str:
    """Write what the result check looked at, and how it ended."""
    counted_by_device = "" if proof.executed is None else f"; {proof.executed} of {proof.expected} products launched"
    what = f"result verified: {checked(proof)}" if proof.passed else failed_proof(proof)
    left = "" if proof.left_ns is None else f"; {format_ns(proof.left_ns)} of work left after the last synchronize"
    return f"{what}, error implies {proof.implies}{counted_by_device}{left}"


def statistics_rows(report: Report) -> Iterator[Row]:
    stats = report.statistics
    if stats is None:
        return
    interval = f"95 % CI {' to '.join(map(format_ns, stats.interval))}" if stats.interval else TOO_FEW
    yield "median", format_ns(stats.median_ns), f"{interval}; n = {stats.n:,}, {significant(stats.effective_n, 3)} effective samples"
    yield "IQR", format_ns(stats.iqr_ns), f"{format_share(stats.relative_iqr)} of the median"
    for q, ns in stats.quantiles:
        if q != 0.5:
            yield f"p{100 * q:g}", format_ns(ns), ""
    yield "min", format_ns(stats.min_ns), ""
    yield "max", format_ns(stats.max_ns), plural(stats.outliers, "outlier") if stats.outliers else ""
    for name, ns in report.split.items():
        yield name, format_ns(ns), format_share(ns / stats.median_ns) + " of the median" if stats.median_ns else ""


def throughput_rows(report: Report) -> Iterator[Row]:
    if not (report.bytes_per_s and report.iterations_per_s):
        return
    by = "by the first reading" if report.handbook else "over all iterations"
    per_s = f"{significant(report.iterations_per_s)} iterations/s, {by}"
    if not report.config.workload.on_device:
        yield "throughput", format_bytes_rate(report.bytes_per_s), per_s
        return
    yield "throughput", format_rate(report.flops_per_s or 0.0), per_s
    yield "memory", format_bytes_rate(report.bytes_per_s), f"{report.config.workload.intensity:.1f} FLOP per byte"
    if report.floor and report.share:
        bound = "memory" if report.floor.bound == "memory" else "arithmetic"
        yield "of peak", format_share(report.share), f"{format_ns(report.floor.ns)} at best, by {bound}; {report.floor.roof.source}"


def start_rows(report: Report) -> Iterator[Row]:
    """Return the rows of what came before the steady state, each timed apart."""
    if report.cold_ns:
        times = f"{report.cold_ns / report.statistics.median_ns:.1f} × the median" if report.statistics else ""
        yield "cold", format_ns(report.cold_ns), times
    if report.compiles:
        yield "compile", format_ns(report.compile_ns), plural(report.compiles, "compilation")
    for name, detail in (("allocate", "drawing both operands"), ("transfer", "to the device")):
        ns = report.stages.get(name)
        if ns is not None:
            yield name, format_ns(ns), detail


def print_hosts(run: FleetRun) -> None:
    """Print a line a host, which are slow, and the recordings."""
    from heartbeat_core.fleet.columns import fleet_lines

    console, config, fleet = console_of(), run.config, run.fleet()
    console.print(f"{config.workload.shape} {config.workload.dtype} · {config.backend} · {config.method} · {run.labels[0]}")
    for line in fleet_lines(run.findings()):
        console.print(line, soft_wrap=True)
    for label in dict.fromkeys(label for host in fleet.hosts for label in host.labels if not label.startswith("on ")):
        console.print(label)
    for host in fleet.hosts:
        if host.recording:
            console.print(sanitize_line(f"recording: {host.recording}"), soft_wrap=True)


def print_comparison(handbook: Report, synchronized: Report, why: str) -> None:
    """Print both timing methods side by side, and why they differ where they do."""
    console = console_of()
    table = Table("", "handbook's method", "synchronized", box=None, padding=(0, 2))
    pairs = [("per iteration", *(format_ns(r.iteration_ns or 0) for r in (handbook, synchronized)))]
    pairs += [("throughput", *(format_rate(r.flops_per_s or 0) for r in (handbook, synchronized)))]
    clock = handbook.handbook
    if clock:
        finished = clock.launched if clock.finished else 0
        counted = f"{clock.launched} launched, {finished} finished at the stop"
        launched = synchronized.proof.executed if synchronized.proof and synchronized.proof.executed is not None else synchronized.count
        pairs += [(f"of {clock.products}", counted, f"{launched} launched, warm-up included")]
    pairs += [("quality", *(f"{r.quality.glyph} {r.quality.kind}" for r in (handbook, synchronized)))]
    for pair in pairs:
        table.add_row(*pair)
    console.print(table)
    for report in (handbook, synchronized):
        console.print(f"{report.config.method}: {report.quality.kind}: {report.quality.reasons[0]}")
    console.print(why)


HALF = 0.001  # less of a spread is written as this
EXPERIMENT_WIDTH = 110


def print_sweep(swept: Swept) -> None:
    """Print the table of points, then what each curve says."""
    out = console_of(EXPERIMENT_WIDTH)
    if not swept.points:
        out.print("Nothing was measured.")
        return
    out.print(headline(swept.points[0].config, {axis.name for axis in swept.axes}))
    for label in dict.fromkeys(label for point in swept.measured if point.report for label in point.report.labels):
        out.print(label)
    axes, figures = [axis.name for axis in swept.axes], titles_of(swept)
    left = [axis.name for axis in swept.axes if not axis.numeric] + [TITLES[-1]]
    whole = [title for title in figures[:-1] if title != "95 % CI"]
    out.print(table_of((*axes, *figures), (row(point, swept) for point in swept.points), whole=whole, left=left))
    if swept.limit:
        out.print(f"Tokens/s: {swept.limit.label}.")
    for point in swept.missing:
        why = f"{point.error.title}. {point.error.cause}".strip() if point.error else "it has no figures"
        out.print(f"{point.trial.name}: not measured: {why}")
    if len(swept.points) < swept.total:
        out.print(f"{len(swept.points)} of {swept.total} points were measured.")
    for curve in swept.curves:
        for sentence in (*knee_meaning(curve.knee), *knee_notes(curve.knee)) if curve.knee else ():
            out.print(f"{curve.name}: {sentence}" if curve.name else sentence)
    print_group(swept.group, any(point.path for point in swept.points), "export {} -o sweep.png")


def row(point: TrialResult, swept: Swept) -> list[str]:
    values = (written(point.values[axis.name]) for axis in swept.axes)
    *cells, quality = point_cells(point)
    judged = f"{QUALITY_MARKS.get(quality, '!')} {quality}" if point.ns else "not measured"
    return [*values, *cells, judged]


def headline(config: BenchmarkConfig, varied: set[str]) -> str:
    """Name what all points have in common."""
    work = config.workload
    dtype = "" if "dtype" in varied else f" · {work.dtype}"
    return f"{work.named(varied)}{dtype} · {config.backend} · {config.method} · warm-up {config.warmup}"


def print_repeat(repeated: Repeat) -> None:
    """Print both levels of spread for each candidate, then how they compare."""
    out = console_of(EXPERIMENT_WIDTH)
    config = repeated.candidates[0].config
    out.print(f"{config.workload.shape} {config.workload.dtype} · {config.backend} · {config.method} · warm-up {config.warmup}")
    order = f"; order shuffled in each round, seed {repeated.seed}" if len(repeated.candidates) > 1 else ""
    out.print(f"{repeated.repeat} processes{' each' if len(repeated.candidates) > 1 else ''}{order}")
    titles = ("mean of medians", "95 % CI over processes", "between processes", "within one", "processes")
    out.print(table_of(("", *titles), map(cells, repeated.candidates), whole=("", *titles[:2])))
    for one in repeated.candidates:
        for sentence in sentences(one):
            out.print(f"{one.name}: {sentence}")
    for ratio in repeated.ratios():
        work = "" if ratio.same_work else "; they compute different products"
        out.print(f"{ratio.candidate} against {ratio.reference}: {ratio.sentence}{work}", style="bold")
    kept = any(process.path for one in repeated.candidates for process in one.processes)
    print_group(repeated.group, kept, "compare {}" if len(repeated.candidates) > 1 else "list {}")


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
    qualities = [process.report.quality for process in one.measured if process.report]
    for kind in (kind for kind in QUALITY_MARKS if kind != "plausible"):
        like = [quality for quality in qualities if quality.kind == kind]
        if like:
            found.append(f"{QUALITY_MARKS[kind]} {kind} in {len(like)} of {len(qualities)} processes: {like[0].reasons[0]}")
    labels = dict.fromkeys(label for process in one.measured if process.report for label in process.report.labels)
    return [*labels, *found]


def print_group(group: str, kept: bool, example: str) -> None:
    """Name the group that the recordings make, and what can be done with it."""
    if kept:
        console_of(EXPERIMENT_WIDTH).print(
            f"recordings: group {group}; heartbeat-tui runs {example.format(shlex.quote(group))}", soft_wrap=True
        )
