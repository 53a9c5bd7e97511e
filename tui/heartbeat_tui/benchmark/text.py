"""The wording of a run: from a report to figures, findings and sentences, without widget or markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.serving import STEP_TITLES, serving_rows, step_cells, step_figures
from heartbeat_core.benchmark.verdict import TOO_FEW, badge
from heartbeat_core.telemetry.text import chip_rows
from heartbeat_core.units import NOTHING, TIME, format_bytes_rate, format_count, format_ns, format_rate, format_share, plural, significant
from heartbeat_tui.widgets.text import sentence

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report
    from heartbeat_tui.benchmark.session import FleetSnapshot, Snapshot


HOW = {
    "synchronized": "synchronized",
    "pipelined": "pipelined, {window} in flight",
    "handbook": "by the handbook's method, {repeats} times",
}
SHOWN_FINDINGS = 3  # on the screen; the copied text has all
# quality -> what to do, and the key that does it
ADVICE = {
    "plausible": " Press m to compare timing methods.",
    "noisy": " Close other programs, or press e for a longer run.",
    "disturbed": " Close other programs, then press r.",
    "drifting": " Press e for a longer warm-up, or let the machine cool.",
    "unknown": " Let the run end, and the result is checked.",
    "few": " Press e for a longer run.",
    "suspicious": " Press k to measure the peak again.",
}
STAGES = {
    "import": "loading torch",
    "device": "opening the device",
    "allocate": "allocating the matrices",
    "transfer": "copying them to the device",
    "reference": "preparing the result check",
    "proof": "checking the result",
    "calibrate": "measuring the peaks of this machine",
    "profile": "taking a profile",
}


def device_here(backend: str) -> str:
    info = BACKENDS[backend]
    return "this machine's CPU" if info.host_only else info.label


def length_in_words(config: BenchmarkConfig) -> str:
    """Return how long a run takes: "100 iterations", "30 seconds of iterations", "iterations until stopped"."""
    if config.iterations is not None:
        return f"{format_count(config.iterations)} iteration{'' if config.iterations == 1 else 's'}"
    return "iterations until stopped" if config.duration_s is None else f"{config.duration_s:g} seconds of iterations"


def config_sentence(config: BenchmarkConfig, vm: str = "") -> str:
    """Return what a run would do, here or on a TPU VM: "100 iterations of [128×4096]·[4096×16384], float32, on …"."""
    how = HOW[config.method].format(window=config.window, repeats=config.repeats)
    count = config.warmup
    warm = f", after {count} warm-up iteration{'' if count == 1 else 's'}" if count else ", without warm-up"
    threads = f" with {plural(config.threads, 'thread')}" if config.threads else ""
    precision = "" if config.precision == "default" else f" at {config.precision} precision"
    work = config.workload
    where = device_here(config.backend) if not vm else f"{BACKENDS[config.backend].label} of {vm}"
    return f"{length_in_words(config)} of {work.shape}, {work.dtype}{precision}, on {where}{threads}, {how}{warm}."


def config_line(config: BenchmarkConfig, environment: Mapping[str, Any], width: int) -> str:
    """Return the config in one line, as much of it as fits: backend, threads, dtype, shape, method, warm-up."""
    threads = environment.get("threads") or config.threads
    parts = [
        f"{config.backend}, {plural(threads, 'thread')}" if threads else config.backend,
        config.workload.dtype if config.precision == "default" else f"{config.workload.dtype} ({config.precision})",
        config.workload.shape,
        config.method,
        f"warm-up {config.warmup}",
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


def interval_text(report: Report) -> str:
    """Return the 95 % interval of the median in the median's unit, "117–121"; empty where there is none."""
    statistics = report.statistics
    if statistics is None or statistics.interval is None:
        return ""
    unit = split_unit(format_ns(statistics.median_ns))[1]
    size = next(size for size, name in TIME if name == unit)
    spread = (statistics.interval[1] - statistics.interval[0]) / statistics.median_ns
    digits = 3 if spread >= 0.002 else 4
    low, high = (significant(ns / size, digits) for ns in statistics.interval)
    return low if low == high else f"{low}–{high}"


FEW_FLOPS = 4.0  # a byte, under which memory sets the time on every machine


@dataclass(frozen=True)
class Figures:
    """The figures of the header as text; NOTHING where there is none yet."""

    median: str = NOTHING
    interval: str = ""
    iqr: str = ""
    last: str = NOTHING
    p95: str = NOTHING
    max: str = NOTHING
    rate: str = NOTHING
    computed: str = NOTHING
    moved: str = NOTHING
    share: str = NOTHING
    mfu: str = NOTHING
    mbu: str = NOTHING
    source: str = ""
    badge: str = NOTHING
    badge_style: str = "quiet"
    checked: str = ""
    median_name: str = "median"
    by_memory: bool = False  # memory sets the time: bytes/s say more than FLOP/s


def figures(report: Report | None) -> Figures:
    if report is None:
        return Figures()
    statistics, rate = report.statistics, report.iterations_per_s
    roof = report.floor.roof if report.floor else None
    word, style = badge_of(report)
    return Figures(
        median=format_ns(report.iteration_ns),
        interval="" if report.handbook else interval_text(report),
        iqr=format_share(statistics.relative_iqr) if statistics and not report.handbook else "",
        last=format_ns(report.last_ns),
        p95=format_ns(statistics.p95_ns if statistics else None),
        max=format_ns(statistics.max_ns if statistics else None),
        rate=f"{rate_number(rate)} it/s" if rate else NOTHING,
        computed=format_rate(report.flops_per_s),
        moved=format_bytes_rate(report.bytes_per_s),
        share=format_share(report.share),
        mfu=format_share(report.flops_per_s / roof.flops_per_s if roof and report.flops_per_s else None),
        mbu=format_share(report.bytes_per_s / roof.bytes_per_s if roof and report.bytes_per_s else None),
        source="peak: not measured" if roof is None else f"peak of a {roof.name}" if roof.hard else f"peak of {roof.measured_on}",
        badge=word,
        badge_style=style,
        checked=check_words(report),
        median_name="reading" if report.handbook else "median",
        by_memory=report.floor.bound == "memory" if report.floor else report.config.workload.intensity < FEW_FLOPS,
    )


def fleet_figures(fleet: FleetSnapshot) -> Figures:
    """Return the figures of all hosts together: the median of their medians, and their rates added up."""
    found = fleet.findings
    hosts, config = found.fleet.measured, fleet.config
    rate = sum(1e9 / host.mean_ns for host in hosts if host.mean_ns)
    counted = f"{len(found.hosts)} hosts"
    lost = sum(one.host.lost for one in found.hosts)
    slow, unsure = len(found.of("slow", "wrong")), len(found.of("unsure"))
    if slow:
        word, style = f"✗ {slow} slow", "failed"
    elif unsure:
        word, style = (f"? {unsure} not judged", "attention") if fleet.state == "ended" else ("… measuring", "quiet")
    else:
        word, style = "✓ none slow", "ok"
    return Figures(
        median=format_ns(found.fleet.median_ns),
        median_name="of the hosts",
        last="",
        p95="",
        max="",
        rate=f"{rate_number(rate)} it/s" if rate else NOTHING,
        computed=format_rate(rate * config.workload.flops) if rate else NOTHING,
        moved=format_bytes_rate(rate * config.workload.bytes) if rate else NOTHING,
        badge=word,
        badge_style=style,
        checked=counted,
        source=f"{lost} lost" if lost else "",
    )


def badge_of(report: Report) -> tuple[str, str]:
    """Return the badge of a run and its style; a run that is under way is not certified before its result is checked."""
    if report.ending is None and report.quality.kind == "unknown":
        return ("… checking" if report.count else NOTHING), "quiet"
    return badge(report.quality.kind)


def check_words(report: Report) -> str:
    proof = report.proof
    return "" if proof is None else "result verified" if proof.passed else "result wrong"


def rate_number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 99.95 else f"{rate:.3g}"


def findings(report: Report) -> list[tuple[str, str]]:
    """Return what the numbers mean as (text, style), the worst first, each with what to do about it."""
    lines: list[tuple[str, str]] = []
    ending, steady = report.ending, report.steady
    longer = "" if is_recorded(report) else ADVICE["few"]
    if ending is not None and not ending.clean:
        lines.append((f"✗ {' '.join(sentence(part) for part in (ending.title, ending.cause, ending.remedy) if part)}", "failed"))
    if report.state in ("starting", "finishing"):
        lines.append((waiting_words(report), "quiet"))
    if report.state == "stopping":
        under_way = "the handbook's loop" if report.config.method == "handbook" else "this iteration"
        lines.append((f"Stopping after {under_way}. Press s again to stop now, without the result check.", "quiet"))
    if ending is not None and ending.clean and not report.count:
        lines.append(("It ended before its first iteration: nothing was measured.", "plain"))
    if report.iteration_ns is not None:
        lines += judged(report)
    lines += [(f"! {name} is set: float32 is computed in bfloat16.", "attention") for name in report.environment if name.startswith("XLA_")]
    if report.chips and report.chips.problem:
        lines.append((f"! Chip metrics: {report.chips.problem.rstrip('.')}.", "attention"))
    if ending is not None and ending.clean and report.statistics and not report.handbook and not interval_text(report):
        lines.append((sentence(TOO_FEW) + longer, "plain"))
    elif steady is not None and steady.kind == "undetermined":
        lines.append((sentence(steady.sentence) + longer, "plain"))
    lines += [(text, "plain") for text in (precision_sentence(report), cold_sentence(report)) if text]
    if steady is not None and steady.kind == "steady":
        lines.append((sentence(steady.sentence), "plain"))
    return lines


def is_recorded(report: Report) -> bool:
    """Return whether it is a recording, on which the keys of a new run do not act."""
    return any(label.startswith("recorded") for label in report.labels)


def judged(report: Report) -> list[tuple[str, str]]:
    """Return the reasons for the badge, the worst first, and what to do about the worst."""
    kind, (worst, *others) = report.quality.kind, report.quality.reasons or ("",)
    word, style = badge_of(report)
    glyph = word.partition(" ")[0]
    if glyph == "…":
        return [(f"… {sentence(worst)}", style)]
    advice = ADVICE.get(kind, "") if kind != "suspicious" or report.refutes_peak else ""
    comparable = report.ending is not None and report.config.method == "synchronized" and not report.config.workload.parts
    if is_recorded(report) or (kind == "plausible" and not comparable):
        advice = ""
    lines = [(f"{glyph} {kind.capitalize()}: {worst.rstrip('.')}.{advice}", style)]
    return lines + [(f"{'!' if kind != 'plausible' else glyph} {sentence(reason)}", style) for reason in others]


def waiting_words(report: Report) -> str:
    return f"{sentence(doing(report))[:-1]} …"


def doing(report: Report) -> str:
    """Return what a run does before its first iteration is over, or after its last."""
    if report.stage is not None:
        return STAGES.get(report.stage, report.stage)
    if report.stages.get("transfer") is None:
        return "starting the worker"
    if report.config.method == "handbook":
        return f"the handbook's loop over {length_in_words(report.config)}, which says nothing before its end"
    return "the first iteration"


def cold_sentence(report: Report) -> str:
    if report.cold_ns is None or report.statistics is None or not report.statistics.median_ns or report.config.method == "handbook":
        return ""
    factor = report.cold_ns / report.statistics.median_ns
    if factor < 1.2:
        return "The first iteration took no longer than the others."
    why = "it was compiled first" if report.compiles else "memory and caches were touched first"
    return f"The first iteration took {significant(factor)}× as long: {why}."


def precision_sentence(report: Report) -> str:
    """Return how the product was computed, and what the error of the result check implies."""
    precision, proof = report.environment.get("precision"), report.proof
    parts = [f"precision: {precision}"] if precision else []
    if proof is not None and proof.error is not None:
        parts.append(f"{check_words(report)}: error {proof.error:.1e}, which implies {proof.implies}")
    return sentence("; ".join(parts)) if parts else ""


def snapshot_text(snapshot: Snapshot) -> str:
    """Write what the pane shows as plain text, for the clipboard: a sweep as its table, a run as its figures."""
    if snapshot.fleet is not None and not snapshot.fleet.opened:
        from heartbeat_core.fleet.columns import fleet_lines

        return "\n".join(fleet_lines(snapshot.fleet.findings)) + "\n"
    if snapshot.swept is None:
        return figures_text(snapshot.report)
    from heartbeat_core.experiments.sweep import sweep_markdown

    return sweep_markdown(snapshot.swept)


def figures_text(report: Report) -> str:
    """Write the figures as plain text, for the clipboard."""
    shown = figures(report)
    rows = [
        ("config", config_sentence(report.config)),
        (shown.median_name, f"{shown.median}, 95 % CI {shown.interval}" if shown.interval else shown.median),
        ("IQR", f"{shown.iqr} of the median" if shown.iqr else ""),
        ("last", shown.last),
        ("p95", shown.p95),
        ("max", shown.max),
        ("throughput", f"{shown.rate}, {shown.computed}, {shown.moved}"),
        ("peak", f"{shown.share} of peak, MFU {shown.mfu}, MBU {shown.mbu}; {shown.source}" if report.share else shown.source),
    ]
    more = (*chip_rows(report.chips), *serving_rows(report))
    rows += [(name, f"{value}, {detail}" if value else detail) for name, value, detail in more]
    for name, *cells in map(step_cells, step_figures(report)):
        rows.append((name, ", ".join(f"{title} {cell}" for title, cell in zip(STEP_TITLES[1:], cells, strict=True))))
    lines = [f"{name:<13}  {value}" for name, value in rows if value]
    return "\n".join([*lines, "", *(text for text, _ in findings(report)), *report.labels]) + "\n"


def how_far(report: Report) -> tuple[float | None, str]:
    """Return the share done, None where the end is not known, and its words with the time left."""
    if report.state == "starting":
        begun = report.stages.get("transfer") is not None
        return 0.0, "starting …" if not begun else "in the loop …" if report.config.method == "handbook" else "first iteration …"
    if report.state == "ended":
        kind = report.ending.kind if report.ending else "done"
        return None, f"{kind} · {format_count(report.count)} in {clock(report.elapsed_s)}"
    left = clock(report.remaining_s) if report.remaining_s is not None else clock(report.elapsed_s)
    if report.state in ("paused", "stopping", "finishing"):
        left = report.state
    if report.wanted:
        return report.count / report.wanted, f"{format_count(report.count)}/{format_count(report.wanted)}  {left}"
    if report.remaining_s is not None and report.elapsed_s + report.remaining_s > 0:
        return report.elapsed_s / (report.elapsed_s + report.remaining_s), f"{format_count(report.count)}  {left}"
    return None, f"{format_count(report.count)} so far  {left}"
