"""The steps of the tour, in the handbook's order: what each is about, what it runs, and what to look at meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from heartbeat_core.benchmark.config import BackendName, MatMul, Plan
from heartbeat_core.benchmark.report import Report
from heartbeat_core.tour.findings import after_cold, after_cpu, after_honest, after_one_row, after_warm, summary

Reports = Mapping[str, Report]  # by the name of the step that made them

RECORDINGS = Path(__file__).with_name("recordings")
WORK = MatMul()  # the handbook's


@dataclass(frozen=True)
class Step:
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
    plan: Plan | None = None

    @property
    def recording(self) -> Path | None:
        """Name the recording that stands in where the step cannot run, None where there is none."""
        path = RECORDINGS / f"{self.name}.jsonl"
        return path if path.exists() else None


STEPS: tuple[Step, ...] = (
    Step(
        "cpu",
        "one product, on the CPU",
        "1.1",
        "Text comes out of a language model one matrix product after another. This is one of them: 128 rows of 4,096 numbers, "
        "times 256 MiB of weights. The handbook expects 30 to 50 ms on a laptop.",
        "The first beat, marked cold, touches its memory for the first time. Behind the line the beats are alike: the steady state.",
        after_cpu,
        Plan(WORK, "cpu", "synchronized", warmup=5, iterations=50),
    ),
    Step(
        "one-row",
        "why a systolic array",
        "1.3",
        "A CPU fetches weights from memory, uses them, and fetches the next. A TPU's systolic array keeps them in a grid of 128×128 or "
        "256×256 cells and lets the rows flow through, so that one fetch serves every row. "
        "What fetching costs shows with a single row: 1/128 of the arithmetic, but all of the weights.",
        "The time does not fall to 1/128. Look at GB/s: the weights alone fill the way from memory.",
        after_one_row,
        Plan(replace(WORK, batch=1), "cpu", "synchronized", warmup=5, iterations=100),
    ),
    Step(
        "cold",
        "XLA, cold",
        "1.6",
        "The handbook's TPU script: 100 products, one mark_step, and the clock is stopped. XLA compiles at the first step, "
        "and the first reading holds that.",
        "The first of the five readings stands far above the rest: it is the only one that compiles.",
        after_cold,
        Plan(WORK, "xla", "handbook", warmup=0, iterations=100),
    ),
    Step(
        "warm",
        "the same after a warm-up",
        "1.6",
        "The handbook adds five products before the clock starts, and reads 0.0056 ms an iteration on a v6e-1: what took 30 ms is done in "
        "a fraction of one, it says.",
        "The number, and the verdict beside it.",
        after_warm,
        Plan(WORK, "xla", "handbook", warmup=5, iterations=100),
    ),
    Step(
        "honest",
        "what the clock missed",
        "1.6",
        "The same work once more, and every product is waited for: one step an iteration, then a fence that returns when the device is "
        "done.",
        "Where one beat goes: trace and dispatch are all that the handbook's clock saw, wait is the product.",
        after_honest,
        Plan(WORK, "xla", "synchronized", warmup=5, iterations=50),
    ),
    Step("end", "the first pulse", "1.7", "Five readings of one product, and what each is worth.", "", summary),
)


def needs(step: Step) -> BackendName | None:
    """Name the backend that a step needs beyond what every machine has."""
    return step.plan.backend if step.plan is not None and step.plan.backend != "cpu" else None
