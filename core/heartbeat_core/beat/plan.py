"""What a run is asked to do: the plan the worker reads on its stdin."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from heartbeat_core.beat.workload import MatMul
from heartbeat_core.errors import HeartbeatError

BackendName = Literal["cpu", "xla", "accelerator"]
Method = Literal["synchronized", "pipelined", "handbook"]
Precision = Literal["default", "high", "highest"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)
METHODS: tuple[Method, ...] = get_args(Method)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

LONGEST_READING = 100_000  # products; nothing can be asked of the handbook's loop before it has ended
LONGEST_RUN = 10**12  # iterations; far beyond a year of the quickest product
LARGEST_WINDOW = 16  # torch_xla starts to block between 20 and 50 products in flight


@dataclass(frozen=True)
class Plan:
    """One run: what is multiplied, where, how the clock is read and for how long.

    The run ends after ``iterations`` or after ``duration_s`` seconds, whichever is given; with neither it goes on
    until stopped. ``handbook`` times ``iterations`` products at once and repeats that ``repeats`` times.
    """

    workload: MatMul = MatMul()
    backend: BackendName = "cpu"
    method: Method = "synchronized"
    warmup: int = 5
    iterations: int | None = 100
    duration_s: float | None = None
    precision: Precision = "default"
    threads: int | None = None
    window: int = 10
    repeats: int = 5
    seed: int = 0
    calibrate: bool = False

    def __post_init__(self) -> None:
        """Raise HeartbeatError where the plan cannot be carried out."""
        one_of("backend", self.backend, BACKENDS)
        one_of("method", self.method, METHODS)
        one_of("precision", self.precision, PRECISIONS)
        whole("warmup", self.warmup, 0, LONGEST_RUN)
        whole("window", self.window, 1, LARGEST_WINDOW)
        whole("repeats", self.repeats, 1, 10_000)
        whole("seed", self.seed, 0, 2**63 - 1)
        if self.iterations is not None:
            whole("iterations", self.iterations, 1, LONGEST_RUN)
        if self.threads is not None:
            whole("threads", self.threads, 1, 4096)
        if self.duration_s is not None and not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise HeartbeatError(f"duration is {self.duration_s!r}", "A run lasts more than 0 seconds.", "Try --duration 30s.")
        if self.iterations is not None and self.duration_s is not None:
            raise HeartbeatError(
                "both iterations and duration are given", "A run has one end.", "Give --iterations or --duration, not both."
            )
        if self.method == "handbook" and self.iterations is None:
            raise HeartbeatError(
                "the handbook's clock needs a number of iterations",
                "It is read once before the loop and once after it.",
                "Give --iterations 100.",
            )
        if self.method == "handbook" and self.iterations is not None and self.iterations > LONGEST_READING:
            raise HeartbeatError(
                f"{self.iterations:,} products are too many for the handbook's clock",
                f"Its loop cannot be stopped before all of them have run; {LONGEST_READING:,} is the most taken here.",
                "Give fewer iterations, or --method pipelined, which can be stopped at any time.",
            )

    @property
    def products_per_sample(self) -> int:
        """Count the products between two reads of the clock."""
        if self.method == "handbook":
            return self.iterations or 1
        return self.window if self.method == "pipelined" else 1

    @property
    def samples_wanted(self) -> int | None:
        """Count the samples after the warm-up, None where time or the user ends the run."""
        if self.method == "handbook":
            return self.repeats
        if self.iterations is None:
            return None
        return math.ceil(self.iterations / self.products_per_sample)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def with_iterations(self, iterations: int) -> Plan:
        return replace(self, iterations=iterations, duration_s=None)


def plan_from_json(data: object) -> Plan:
    """Read a plan; raise HeartbeatError where it is empty, of the wrong form or names something unknown."""
    if not isinstance(data, dict) or not data:
        raise HeartbeatError("the plan is empty", "A worker beats only to a plan it was given.", "Start runs with heartbeat-tui bench.")
    known = {field.name for field in fields(Plan)}
    unknown = sorted(set(data) - known)
    if unknown:
        cause = f"Known are {', '.join(sorted(known))}."
        raise HeartbeatError(f"the plan names {', '.join(unknown)}", cause, "Use one version on both sides.")
    workload = data.get("workload", {})
    try:
        return Plan(**{**data, "workload": MatMul(**workload)})
    except (TypeError, OverflowError) as error:
        raise HeartbeatError("the plan is not well formed", str(error), "Use one version on both sides.") from error


def plan_of_recording(data: object) -> tuple[Plan, tuple[str, ...]]:
    """Read the plan of a run that is over; return it with the names in it that this version does not know, and leaves out.

    Raises HeartbeatError where what is left is no plan.
    """
    if not isinstance(data, dict):
        return plan_from_json(data), ()
    known = {field.name for field in fields(Plan)}
    left = {name: value for name, value in data.items() if name in known}
    unknown = [str(name) for name in data if name not in known]
    work = left.get("workload")
    if isinstance(work, dict):
        dimensions = {field.name for field in fields(MatMul)}
        unknown += [f"workload.{name}" for name in work if name not in dimensions]
        left["workload"] = {name: value for name, value in work.items() if name in dimensions}
    return plan_from_json(left), tuple(unknown)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise HeartbeatError(f"{name} is {value!r}", f"It is one of {', '.join(allowed)}.", f"Try --{name} {allowed[0]}.")


def whole(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise HeartbeatError(f"{name} is {value!r}", f"It is a whole number from {least:,} to {most:,}.", f"Try --{name} {least}.")
