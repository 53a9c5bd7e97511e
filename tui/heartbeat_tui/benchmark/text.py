"""What a report says, in words: no widget, no markup, so that all of it can be tested and copied as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.telemetry.text import chip_rows
from heartbeat_core.units import NOTHING, format_bytes_rate, format_count, format_ns, format_rate, format_share, significant
from heartbeat_tui.widgets.text import sentence

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.report import Report
    from heartbeat_tui.benchmark.snapshot import Snapshot

HOW = {
    "synchronized": "each waited for",
    "pipelined": "waited for {window} at a time",
    "handbook": "timed as the handbook does, {repeats} times over",
}
# verdict -> glyph, ink
MARKS = {"plausible": ("✓", "ok"), "suspicious": ("!", "attention"), "impossible": ("✗", "failed"), "unknown": ("?", "quiet")}
STAGES = {
    "import": "loading torch",
    "device": "opening the device",
    "allocate": "drawing the matrices",
    "transfer": "moving them to the device",
    "proof": "proving the result",
    "calibrate": "measuring what this machine can do",
    "profile": "taking a profile",
}


def device_here(backend: str) -> str:
    """Return the device of a backend on this machine, in words."""
    info = BACKENDS[backend]
    return "this machine's CPU" if info.host_only else info.label


def length_in_words(plan: BenchmarkConfig) -> str:
    if plan.iterations is not None:
        return f"{format_count(plan.iterations)} product{'' if plan.iterations == 1 else 's'}"
    return "products until stopped" if plan.duration_s is None else f"{plan.duration_s:g} seconds of products"


def plan_sentence(plan: BenchmarkConfig, vm: str = "") -> str:
    """Say what a run would do, here or on a TPU VM: "100 products [128×4096]·[4096×16384], float32, on …"."""
    how = HOW[plan.method].format(window=plan.window, repeats=plan.repeats)
    warm = f", after {plan.warmup} warm-up beats" if plan.warmup > 1 else ", after 1 warm-up beat" if plan.warmup else ", without warm-up"
    threads = f" with {plan.threads} thread{'' if plan.threads == 1 else 's'}" if plan.threads else ""
    precision = "" if plan.precision == "default" else f" at {plan.precision} precision"
    work = plan.workload
    where = device_here(plan.backend) if not vm else f"{BACKENDS[plan.backend].label} of {vm}"
    return f"{length_in_words(plan)} {work.shape}, {work.dtype}{precision}, on {where}{threads}, {how}{warm}."


def plan_line(plan: BenchmarkConfig, environment: Mapping[str, Any], width: int) -> str:
    """Name the run in one line, as much of it as fits: backend, threads, dtype, shape, method, warm-up."""
    threads = environment.get("threads") or plan.threads
    parts = [
        f"{plan.backend}, {threads} thread{'' if threads == 1 else 's'}" if threads else plan.backend,
        plan.workload.dtype if plan.precision == "default" else f"{plan.workload.dtype} ({plan.precision})",
        plan.workload.shape,
        plan.method,
        f"warm-up {plan.warmup}",
    ]
    while len(parts) > 1 and len(" · ".join(parts)) > width:
        parts.pop()
    return " · ".join(parts)[:width]


def clock(seconds: float) -> str:
    """Write a time of day's length: "0:04", "1:02:03"."""
    whole = max(0, round(seconds))
    minutes, left = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}" if minutes >= 60 else f"{minutes}:{left:02}"


def split_unit(text: str) -> tuple[str, str]:
    number, _, unit = text.partition(" ")
    return number, unit


def half_interval(report: Report) -> str:
    """Give half the width of the median's 95 % interval, in the unit of the median: "0.04"."""
    statistics = report.statistics
    if statistics is None or statistics.median_low_ns is None or statistics.median_high_ns is None:
        return ""
    half = (statistics.median_high_ns - statistics.median_low_ns) / 2
    number, unit = split_unit(format_ns(statistics.median_ns))
    size = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}.get(unit, 1.0)
    decimals = len(number.partition(".")[2])
    step = 10 ** -max(decimals, 1)
    return f"{half / size:.{max(decimals, 1)}f}" if half / size >= step / 2 else f"<{step:g}"


@dataclass(frozen=True)
class Figures:
    """The figures of the head as text; NOTHING where there is none yet."""

    median: str = NOTHING
    half: str = ""
    last: str = NOTHING
    p95: str = NOTHING
    max: str = NOTHING
    rate: str = NOTHING
    computed: str = NOTHING
    moved: str = NOTHING
    share: str = NOTHING
    share_of: str = "of ceiling"
    source: str = ""
    verdict: str = NOTHING
    verdict_ink: str = "quiet"
    median_name: str = "median"


def figures(report: Report | None) -> Figures:
    """Write the figures of a report."""
    if report is None:
        return Figures()
    statistics, verdict, rate = report.statistics, report.verdict, report.iterations_per_s
    roof = report.floor.roof if report.floor else None
    glyph, ink = MARKS[verdict.kind]
    return Figures(
        median=known(format_ns, report.iteration_ns),
        half="" if report.handbook else half_interval(report),
        last=known(format_ns, report.last_ns),
        p95=known(format_ns, dict(statistics.quantiles).get(0.95) if statistics else None),
        max=known(format_ns, statistics.max_ns if statistics else None),
        rate=f"{rate_number(rate)} it/s" if rate else NOTHING,
        computed=known(format_rate, report.flops_per_s),
        moved=known(format_bytes_rate, report.bytes_per_s),
        share=known(format_share, report.share),
        share_of="of the chip" if roof and roof.hard else "of ceiling",
        source="no ceiling yet" if roof is None else roof.name if roof.hard else f"measured {roof.measured_on}",
        verdict=f"{glyph} {verdict.kind}",
        verdict_ink=ink,
        median_name="reading" if report.handbook else "median",
    )


def known(write: Callable[[float], str], value: float | None) -> str:
    return NOTHING if value is None else write(value)


def rate_number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 99.95 else f"{rate:.3g}"


def meaning(report: Report) -> list[tuple[str, str]]:
    """List what the numbers mean as (text, ink), the most important first."""
    lines: list[tuple[str, str]] = []
    ending, verdict, steady = report.ending, report.verdict, report.steady
    if ending is not None and not ending.clean:
        lines.append((f"✗ {sentence(ending.title)}", "failed"))
        lines += [(sentence(part), "plain") for part in (ending.cause, ending.remedy) if part]
    if report.state in ("starting", "finishing"):
        lines.append((f"{sentence(doing(report))[:-1]} …", "quiet"))
    if report.state == "stopping":
        under_way = "the handbook's loop" if report.config.method == "handbook" else "the beat under way"
        lines.append((f"Stopping when {under_way} is over. Pressed again, s waits neither for that nor for the proof.", "quiet"))
    if ending is not None and ending.clean and not report.count:
        lines.append(("It ended before its first beat did: nothing was measured.", "plain"))
    if report.iteration_ns is not None:
        glyph, ink = MARKS[verdict.kind]
        lines.append((f"{glyph} {verdict.kind.capitalize()}: {verdict.reason.rstrip('.')}.", ink))
    lines += [(f"! {sentence(warning)}", "attention") for warning in report.warnings]
    if steady is not None and steady.kind in ("steady", "undetermined"):
        lines.append((sentence(steady.sentence), "plain"))
    cold = cold_sentence(report)
    if cold:
        lines.append((cold, "plain"))
    computed = precision_sentence(report)
    if computed:
        lines.append((computed, "plain"))
    if report.chips and report.chips.problem:
        lines.append((f"! Chip metrics: {report.chips.problem.rstrip('.')}.", "attention"))
    if report.config.method == "synchronized" and ending is not None and ending.clean and report.statistics:
        lines.append(("The handbook's clock on the same work: press m to see the difference.", "quiet"))
    return lines


def doing(report: Report) -> str:
    """Say what a run does before its first beat is over, or after its last."""
    if report.stage is not None:
        return STAGES.get(report.stage, report.stage)
    if report.stages.get("transfer") is None:
        return "starting the worker"
    if report.config.method == "handbook":
        return f"the handbook's loop over {length_in_words(report.config)}, which says nothing before its end"
    return "the first beat"


def cold_sentence(report: Report) -> str:
    """Compare the first beat with the steady ones."""
    if report.cold_ns is None or report.statistics is None or not report.statistics.median_ns or report.config.method == "handbook":
        return ""
    factor = report.cold_ns / report.statistics.median_ns
    if factor < 1.2:
        return "The first beat took no longer than the others."
    why = "it was compiled first" if report.compiles else "memory and caches were touched first"
    return f"The first beat took {significant(factor)}× as long: {why}."


def precision_sentence(report: Report) -> str:
    """Say how the product was computed, and once it is proved what its error implies."""
    precision, proof = report.environment.get("precision"), report.proof
    parts = [f"precision: {precision}"] if precision else []
    if proof is not None and proof.error is not None:
        found = "holds" if proof.passed else "fails"
        parts.append(f"the proof {found}: row {proof.row} errs by {proof.error:.1e}, which implies {proof.implies}")
    return sentence("; ".join(parts)) if parts else ""


def snapshot_text(snapshot: Snapshot) -> str:
    """Write what the pane shows as plain text, for the clipboard: a sweep as its table, a run as its figures."""
    if snapshot.swept is None:
        return figures_text(snapshot.report)
    from heartbeat_core.experiments.sweep import sweep_markdown

    return sweep_markdown(snapshot.swept)


def figures_text(report: Report) -> str:
    """Write the figures as plain text, for the clipboard."""
    shown = figures(report)
    rows = [
        ("plan", plan_sentence(report.config)),
        (shown.median_name, f"{shown.median} ±{shown.half}" if shown.half else shown.median),
        ("last", shown.last),
        ("p95", shown.p95),
        ("max", shown.max),
        ("throughput", f"{shown.rate}, {shown.computed}, {shown.moved}"),
        ("share", f"{shown.share} {shown.share_of}, {shown.source}" if report.share else shown.source),
    ]
    rows += [(name, f"{value}, {detail}" if value else detail) for name, value, detail in chip_rows(report.chips)]
    lines = [f"{name:<13}  {value}" for name, value in rows]
    return "\n".join([*lines, "", *(text for text, _ in meaning(report)), *report.labels]) + "\n"
