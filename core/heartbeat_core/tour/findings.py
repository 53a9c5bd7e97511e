"""What the tour's runs show, in sentences made from their reports; nothing is said that was not measured."""

from __future__ import annotations

from collections.abc import Mapping

from heartbeat_core.benchmark.config import MatMul
from heartbeat_core.benchmark.report import Report, explain_gap
from heartbeat_core.benchmark.roofline import floor, roof_of_chip
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.units import format_bytes_rate, format_ns, format_rate, format_share, significant

NOT_RUN = "It has not been run."
LAPTOP_MS = 30, 50  # the handbook, section 1.1
HANDBOOK_NS = 5_619.0  # per iteration: 0.5619 ms for 100, section 1.6


def after_cpu(reports: Mapping[str, Report]) -> tuple[str, ...]:
    report = reports.get("cpu")
    if report is None or report.iteration_ns is None:
        return (ending_of(report),)
    low, high = LAPTOP_MS
    ms = report.iteration_ns / 1e6
    beside = "as on the handbook's laptop" if low <= ms <= high else f"{'more' if ms > high else 'less'} than on the handbook's laptop"
    colder = (report.cold_ns or 0) / report.iteration_ns
    cold = f" The cold beat took {significant(colder, 2)} times as long." if colder > 1.2 else ""
    return (f"One product takes {format_ns(report.iteration_ns)} here, {beside}: {rates(report)}.{cold}",)


def after_one_row(reports: Mapping[str, Report]) -> tuple[str, ...]:
    one, many = reports.get("one-row"), reports.get("cpu")
    if one is None or one.iteration_ns is None:
        return (ending_of(one),)
    if many is None or many.iteration_ns is None:
        return (f"One row takes {format_ns(one.iteration_ns)}: {rates(one)}.",)
    quicker = many.iteration_ns / one.iteration_ns
    rows = many.plan.workload.batch
    per_row = format_ns(many.iteration_ns / rows)
    fetching = (
        f"{rows} times less arithmetic, but only {significant(quicker, 2)} times quicker: {format_ns(one.iteration_ns)} for one row, "
        f"{per_row} a row in a batch of {rows}. The rest is fetching weights, {rates(one, moved=True)}."
    )
    return (
        fetching,
        "That is the von Neumann bottleneck, and why servers batch requests: below a certain batch, another row costs next to nothing.",
    )


def after_cold(reports: Mapping[str, Report]) -> tuple[str, ...]:
    report = reports.get("cold")
    if report is None or report.handbook is None or report.iteration_ns is None:
        return (ending_of(report),)
    transfer = report.stages.get("transfer")
    apart = f"compiling took {format_ns(report.compile_ns)}" if report.compiles else "the backend does not tell its compilations"
    moved = f", moving the matrices to the device {format_ns(transfer)}" if transfer else ""
    read = f"The handbook's clock reads {format_ns(report.iteration_ns)} an iteration cold."
    return (f"{read} The handbook read 3.83 ms on a v6e-1 and names two reasons; timed apart here, {apart}{moved}.{where(report)}",)


def after_warm(reports: Mapping[str, Report]) -> tuple[str, ...]:
    report, cpu = reports.get("warm"), reports.get("cpu")
    if report is None or report.handbook is None or report.iteration_ns is None:
        return (ending_of(report),)
    than = ""
    if cpu is not None and cpu.iteration_ns:
        than = f", {significant(cpu.iteration_ns / report.iteration_ns, 2)} times less than the CPU's honest {format_ns(cpu.iteration_ns)}"
    needed = f" It would need {format_rate(report.flops_per_s)}." if report.flops_per_s else ""
    return (
        f"The handbook's clock now reads {format_ns(report.iteration_ns)} an iteration{than}.{needed}{where(report)}",
        f"The verdict is {report.verdict.kind}: {report.verdict.reason}.",
    )


def after_honest(reports: Mapping[str, Report]) -> tuple[str, ...]:
    honest, handbook = reports.get("honest"), reports.get("warm")
    if honest is None or honest.iteration_ns is None:
        return (ending_of(honest),)
    said = f"Waited for, one product takes {format_ns(honest.iteration_ns)}: {rates(honest)}.{where(honest)}"
    if handbook is None or handbook.handbook is None or not handbook.iteration_ns:
        return (said,)
    factor = honest.iteration_ns / handbook.iteration_ns
    times = f"The handbook's clock read {significant(factor, 2)} times less. " if factor > 1.1 else ""
    return said, times + explain_gap(handbook, honest)


def summary(reports: Mapping[str, Report]) -> tuple[str, ...]:
    """Set the readings side by side, and the handbook's own beside what its chip could do at best."""
    names = (
        ("cpu", "CPU, each waited for"),
        ("one-row", "CPU, one row"),
        ("cold", "the handbook's clock, cold"),
        ("warm", "the handbook's clock, warm"),
        ("honest", "torch_xla, each waited for"),
    )
    lines = []
    for key, title in names:
        report = reports.get(key)
        read = format_ns(report.iteration_ns) if report and report.iteration_ns else "not run"
        label = f"  ({report.labels[0]})" if report and report.labels else ""
        verdict = report.verdict.kind if report and report.iteration_ns else ""
        lines.append(f"{title:<27} {read:>9}  {verdict:<10}{label}".rstrip())
    return (*lines, handbook_bound())


def handbook_bound() -> str:
    """Hold the handbook's number against the chip it was read on, a v6e-1 by its own words."""
    chip = chip_by_name("v6e")
    assert chip is not None
    least = floor(MatMul(), roof_of_chip(chip, "float32"))
    peak = format_rate(chip.bf16_flops)
    needed = format_rate(1e9 * MatMul().flops / HANDBOOK_NS)
    return (
        f"The handbook's 0.5619 ms for 100 would need {needed} of a chip that peaks at {peak}. Its memory alone sets a floor of "
        f"{format_ns(least.ns)}: a v6e is quick, but not that quick."
    )


def rates(report: Report, *, moved: bool = False) -> str:
    """Give the rate of computing or of moving, and its share of the roof where one is known."""
    rate = report.bytes_per_s if moved else report.flops_per_s
    told = format_bytes_rate(rate or 0) if moved else format_rate(rate or 0)
    if report.share is None or report.floor is None or (report.floor.bound == "memory") != moved:
        return told
    return f"{told}, {format_share(report.share)} of the {'floor' if report.floor.roof.hard else 'ceiling measured here'}"


def where(report: Report) -> str:
    """Say what it ran on where that is not what a reader would take it for."""
    return f" ({'; '.join(report.labels)}.)" if report.labels else ""


def ending_of(report: Report | None) -> str:
    """Say why there is no figure."""
    if report is None or report.ending is None:
        return NOT_RUN
    ending = report.ending
    return " ".join(part for part in (ending.title or f"it was {ending.kind}", ending.cause, ending.remedy) if part)
