"""What the tour's runs show, in sentences made from their reports; nothing is said that was not measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import BenchmarkConfig, MatMul
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
    rows = many.config.workload.batch
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


Reports = Mapping[str, Report]  # by the name of the step that made them

RECORDINGS = Path(__file__).with_name("recordings")
WORK = MatMul()  # the handbook's


@dataclass(frozen=True)
class TourStep:
    """One station: ``section`` of the handbook; ``plan`` is None where nothing is run.

    ``conclude`` says in sentences what the reports so far show; it is asked once the step's own has ended, or at once
    where nothing is run.
    """

    name: str
    title: str
    section: str
    words: str
    look: str
    conclude: Callable[[Reports], tuple[str, ...]]
    plan: BenchmarkConfig | None = None

    @property
    def recording(self) -> Path | None:
        """Name the recording that stands in where the step cannot run, None where there is none."""
        path = RECORDINGS / f"{self.name}.jsonl"
        return path if path.exists() else None


STEPS: tuple[TourStep, ...] = (
    TourStep(
        "cpu",
        "one product, on the CPU",
        "1.1",
        "Text comes out of a language model one matrix product after another. This is one of them: 128 rows of 4,096 numbers, "
        "times 256 MiB of weights. The handbook expects 30 to 50 ms on a laptop.",
        "The first beat, marked cold, touches its memory for the first time. Behind the line the beats are alike: the steady state.",
        after_cpu,
        BenchmarkConfig(WORK, "cpu", "synchronized", warmup=5, iterations=50),
    ),
    TourStep(
        "one-row",
        "why a systolic array",
        "1.3",
        "A CPU fetches weights from memory, uses them, and fetches the next. A TPU's systolic array keeps them in a grid of 128×128 or "
        "256×256 cells and lets the rows flow through, so that one fetch serves every row. "
        "What fetching costs shows with a single row: 1/128 of the arithmetic, but all of the weights.",
        "The time does not fall to 1/128. Look at GB/s: the weights alone fill the way from memory.",
        after_one_row,
        BenchmarkConfig(replace(WORK, batch=1), "cpu", "synchronized", warmup=5, iterations=100),
    ),
    TourStep(
        "cold",
        "XLA, cold",
        "1.6",
        "The handbook's TPU script: 100 products, one mark_step, and the clock is stopped. XLA compiles at the first step, "
        "and the first reading holds that.",
        "The first of the five readings stands far above the rest: it is the only one that compiles.",
        after_cold,
        BenchmarkConfig(WORK, "xla", "handbook", warmup=0, iterations=100),
    ),
    TourStep(
        "warm",
        "the same after a warm-up",
        "1.6",
        "The handbook adds five products before the clock starts, and reads 0.0056 ms an iteration on a v6e-1: what took 30 ms is done in "
        "a fraction of one, it says.",
        "The number, and the verdict beside it.",
        after_warm,
        BenchmarkConfig(WORK, "xla", "handbook", warmup=5, iterations=100),
    ),
    TourStep(
        "honest",
        "what the clock missed",
        "1.6",
        "The same work once more, and every product is waited for: one step an iteration, then a fence that returns when the device is "
        "done.",
        "Where one beat goes: trace and dispatch are all that the handbook's clock saw, wait is the product.",
        after_honest,
        BenchmarkConfig(WORK, "xla", "synchronized", warmup=5, iterations=50),
    ),
    TourStep("end", "the first pulse", "1.7", "Five readings of one product, and what each is worth.", "", summary),
)


def needs(step: TourStep) -> str | None:
    """Name the backend that a step needs beyond what every machine has."""
    return step.plan.backend if step.plan is not None and not BACKENDS[step.plan.backend].host_only else None


Phase = Literal["before", "running", "after"]


@dataclass
class Tour:
    """``running`` tells whether the run of the present step is on its way; ``lacks`` says why it cannot run here, if so."""

    steps: tuple[TourStep, ...] = STEPS
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
        return "after" if self.step.plan is None or self.step.name in self.reports else "before"

    @property
    def first(self) -> bool:
        return self.at == 0

    @property
    def last(self) -> bool:
        return self.at == len(self.steps) - 1

    def go(self, by: int) -> None:
        """Go to another step, as far as there are any."""
        self.at = max(0, min(self.at + by, len(self.steps) - 1))
        self.running = False

    def took(self, report: Report) -> bool:
        """Take in how a run stands; tell whether it is that of the present step."""
        if self.step.plan is None or not same_work(report.config, self.step.plan):
            return False
        self.running = report.ending is None
        if report.ending is not None:
            self.reports[self.step.name] = report
        return True

    def conclusions(self) -> tuple[str, ...]:
        return self.step.conclude(self.reports)


def same_work(one: BenchmarkConfig, other: BenchmarkConfig) -> bool:
    """Tell whether two plans differ at most in the measuring of a ceiling afterwards."""
    return replace(one, calibrate=False) == replace(other, calibrate=False)
