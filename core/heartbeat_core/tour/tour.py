"""The tour: its steps, and the sentences that sum up what their runs measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from heartbeat_core.benchmark.config import BenchmarkConfig, config_from_json
from heartbeat_core.benchmark.report import Report, explain_gap
from heartbeat_core.benchmark.roofline import floor, roof_of_chip
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.benchmark.workload import MatMul
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
    cold = f" The cold iteration took {significant(colder, 2)} times as long." if colder > 1.2 else ""
    return (f"One iteration takes {format_ns(report.iteration_ns)} here, {beside}: {rates(report)}.{cold}",)


def after_one_row(reports: Mapping[str, Report]) -> tuple[str, ...]:
    one, many = reports.get("one-row"), reports.get("cpu")
    if one is None or one.iteration_ns is None:
        return (ending_of(one),)
    if many is None or many.iteration_ns is None:
        return (f"An iteration with one row takes {format_ns(one.iteration_ns)}: {rates(one)}.",)
    quicker = many.iteration_ns / one.iteration_ns
    rows = many.config.workload.batch
    per_row = format_ns(many.iteration_ns / rows)
    fetching = (
        f"{rows} times less arithmetic, but only {significant(quicker, 2)} times faster: {format_ns(one.iteration_ns)} for one row, "
        f"{per_row} per row in a batch of {rows}. The rest of the time reads weights, {rates(one, moved=True)}."
    )
    return (
        fetching,
        "This is the von Neumann bottleneck. It is why servers batch requests: up to a certain batch, another row costs almost nothing.",
    )


def after_cold(reports: Mapping[str, Report]) -> tuple[str, ...]:
    report = reports.get("cold")
    if report is None or report.handbook is None or report.iteration_ns is None:
        return (ending_of(report),)
    transfer = report.stages.get("transfer")
    apart = f"compilation took {format_ns(report.compile_ns)}" if report.compiles else "this backend does not report compilations"
    moved = f", the transfer of the matrices to the device {format_ns(transfer)}" if transfer else ""
    read = f"The handbook's method reads {format_ns(report.iteration_ns)} per iteration, cold."
    return (f"{read} The handbook read 3.83 ms on a v6e-1 and names two reasons. Measured here: {apart}{moved}.{where(report)}",)


def after_warm(reports: Mapping[str, Report]) -> tuple[str, ...]:
    report, cpu = reports.get("warm"), reports.get("cpu")
    if report is None or report.handbook is None or report.iteration_ns is None:
        return (ending_of(report),)
    than = ""
    if cpu is not None and cpu.iteration_ns:
        times = significant(cpu.iteration_ns / report.iteration_ns, 2)
        than = f", {times} times less than the {format_ns(cpu.iteration_ns)} of the CPU"
    needed = f" It would need {format_rate(report.flops_per_s)}." if report.flops_per_s else ""
    return (
        f"The handbook's method now reads {format_ns(report.iteration_ns)} per iteration{than}.{needed}{where(report)}",
        f"The verdict is {report.verdict.kind}: {report.verdict.reason}.",
    )


def after_honest(reports: Mapping[str, Report]) -> tuple[str, ...]:
    honest, handbook = reports.get("honest"), reports.get("warm")
    if honest is None or honest.iteration_ns is None:
        return (ending_of(honest),)
    measured = f"With synchronized timing an iteration takes {format_ns(honest.iteration_ns)}: {rates(honest)}.{where(honest)}"
    if handbook is None or handbook.handbook is None or not handbook.iteration_ns:
        return (measured,)
    factor = honest.iteration_ns / handbook.iteration_ns
    times = f"The handbook's method reads {significant(factor, 2)} times less. " if factor > 1.1 else ""
    return measured, times + explain_gap(handbook, honest)


def summary(reports: Mapping[str, Report]) -> tuple[str, ...]:
    """Return a line for each reading, then the handbook's own number against the peak of its chip."""
    names = (
        ("cpu", "CPU, synchronized"),
        ("one-row", "CPU, one row, synchronized"),
        ("cold", "handbook's method, cold"),
        ("warm", "handbook's method, warm"),
        ("honest", "torch_xla, synchronized"),
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
    """Compare the handbook's number with the peak of the chip that it names, a v6e."""
    chip = chip_by_name("v6e")
    assert chip is not None
    least = floor(MatMul(), roof_of_chip(chip, "float32"))
    peak = format_rate(chip.bf16_flops)
    needed = format_rate(1e9 * MatMul().flops / HANDBOOK_NS)
    return (
        f"The handbook's 0.5619 ms for 100 iterations would need {needed}; the chip peaks at {peak}. Reading the weights from its "
        f"memory alone takes {format_ns(least.ns)} per iteration, so the number is impossible."
    )


def rates(report: Report, *, moved: bool = False) -> str:
    """Return the rate of arithmetic or of memory, and its share of the peak where one is known."""
    rate = report.bytes_per_s if moved else report.flops_per_s
    text = format_bytes_rate(rate) if moved else format_rate(rate)
    if report.share is None or report.floor is None or (report.floor.bound == "memory") != moved:
        return text
    peak = "the chip's peak" if report.floor.roof.hard else "the measured peak"
    return f"{text}, {format_share(report.share)} of {peak}"


def where(report: Report) -> str:
    """Return the labels of a run in brackets, such as that it is a rehearsal."""
    return f" ({'; '.join(report.labels)}.)" if report.labels else ""


def ending_of(report: Report | None) -> str:
    """Return why there is no figure."""
    if report is None or report.ending is None:
        return NOT_RUN
    ending = report.ending
    return " ".join(part for part in (ending.title or f"it was {ending.kind}", ending.cause, ending.remedy) if part)


Reports = Mapping[str, Report]  # by the name of the step that made them

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class TourStep:
    """One step: ``section`` is the handbook's; ``config`` is None if nothing runs.

    ``{key}`` in ``look`` stands for the key that shows it where the screen has no room for it.
    ``conclude`` returns in sentences what the reports so far show, once the run of the step has ended.
    """

    name: str
    title: str
    section: str
    words: str
    look: str
    conclude: Callable[[Reports], tuple[str, ...]]
    config: BenchmarkConfig | None = None

    @property
    def recording(self) -> Path | None:
        """Return the recording that is replayed if the step cannot run here, None if there is none."""
        path = FOLDER / "recordings" / f"{self.name}.jsonl"
        return path if path.exists() else None


CONCLUSIONS: dict[str, Callable[[Reports], tuple[str, ...]]] = {
    "cpu": after_cpu,
    "one-row": after_one_row,
    "cold": after_cold,
    "warm": after_warm,
    "honest": after_honest,
    "end": summary,
}


@cache
def steps() -> tuple[TourStep, ...]:
    """Return the steps in their order: each is a section of ``steps.ini``."""
    parser = ConfigParser(delimiters=("=",), interpolation=None)
    parser.read_string(FOLDER.joinpath("steps.ini").read_text(encoding="utf-8"))
    return tuple(step_of(name, parser[name]) for name in parser.sections())


def step_of(name: str, section: Mapping[str, str]) -> TourStep:
    values = {key: " ".join(text.split()) for key, text in section.items()}
    config = values.pop("config", None)
    return TourStep(name, **values, conclude=CONCLUSIONS[name], config=config_from_json(json.loads(config)) if config else None)


Phase = Literal["before", "running", "after"]


@dataclass
class Tour:
    """Where a reader stands in the tour.

    ``running``: the run of this step is active; ``lacks``: why it cannot run here, empty if it can.
    """

    steps: tuple[TourStep, ...] = field(default_factory=steps)
    at: int = 0
    running: bool = False
    lacks: str = ""
    reports: dict[str, Report] = field(default_factory=dict)

    @property
    def step(self) -> TourStep:
        return self.steps[self.at]

    @property
    def phase(self) -> Phase:
        if self.running:
            return "running"
        return "after" if self.step.config is None or self.step.name in self.reports else "before"

    @property
    def last(self) -> bool:
        return self.at == len(self.steps) - 1

    def go(self, by: int) -> None:
        """Move by so many steps, at most to the first or the last."""
        self.at = max(0, min(self.at + by, len(self.steps) - 1))
        self.running = False

    def apply(self, report: Report) -> bool:
        """Keep the report of a run; return whether it belongs to this step."""
        if self.step.config is None or not same_work(report.config, self.step.config):
            return False
        self.running = report.ending is None
        if report.ending is not None:
            self.reports[self.step.name] = report
        return True


def same_work(one: BenchmarkConfig, other: BenchmarkConfig) -> bool:
    """Return whether two configs differ at most in whether the peak is measured afterwards."""
    return replace(one, calibrate=False) == replace(other, calibrate=False)
