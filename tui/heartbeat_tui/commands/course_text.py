"""What ``bench --repeat`` and ``bench --sweep`` say to people."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.table import Table
from rich.text import Text

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.experiments.knee import knee_gist, knee_notes, knee_serving
from heartbeat_core.experiments.repeat import Candidate, Repeated
from heartbeat_core.experiments.sweep import TITLES, Point, Swept, point_cells
from heartbeat_core.recordings.entry import GLYPHS
from heartbeat_core.units import NOTHING, format_ns, significant
from heartbeat_tui.commands.bench_text import console_of

HALF = 0.001  # less of a spread is written as this
WIDTH = 110


def print_sweep(swept: Swept) -> None:
    """Print the table of points, then what each curve says."""
    out = console_of(WIDTH)
    if not swept.points:
        out.print("Nothing was measured.")
        return
    out.print(Text(headline(swept.points[0].plan, {axis.name for axis in swept.axes})))
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


def row(point: Point, swept: Swept) -> list[str]:
    values = (point.values[axis.name] for axis in swept.axes)
    *cells, verdict = point_cells(point)
    judged = f"{GLYPHS[verdict]} {verdict}" if verdict in GLYPHS else "not measured"
    return [*(f"{v:,}" if isinstance(v, int) else v for v in values), *cells, judged]


def headline(plan: Plan, varied: set[str]) -> str:
    """Name what all points have in common."""
    work = plan.workload
    sizes = {name: name[0] if name in varied else str(getattr(work, name)) for name in ("batch", "hidden", "intermediate")}
    shape = f"[{sizes['batch']}×{sizes['hidden']}]·[{sizes['hidden']}×{sizes['intermediate']}]"
    parts = [shape, *([] if "dtype" in varied else [work.dtype]), plan.backend, plan.method, f"warm-up {plan.warmup}"]
    return " · ".join(parts)


def print_repeat(repeated: Repeated) -> None:
    """Print both levels of spread for each candidate, then how they compare."""
    out = console_of(WIDTH)
    plan = repeated.reference.plan
    out.print(Text(f"{plan.workload.shape} {plan.workload.dtype} · {plan.backend} · {plan.method} · warm-up {plan.warmup}"))
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
    """Say what its processes show beyond the figures."""
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
