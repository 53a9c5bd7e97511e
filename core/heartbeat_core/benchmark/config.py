"""The config of a run: what is multiplied, where, how it is timed and for how long."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.bandwidth import Stream, Transfer
from heartbeat_core.benchmark.layer import Layer, ModelShape
from heartbeat_core.benchmark.workload import HANDBOOK, MatMul, Workload, field_names
from heartbeat_core.errors import HeartbeatError

INPUT_BYTES = 256 * 2**20  # of all inputs that take turns in a pipelined window

Method = Literal["synchronized", "pipelined", "handbook"]
Precision = Literal["default", "high", "highest"]
METHODS: tuple[Method, ...] = get_args(Method)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

LONGEST_READING = 100_000  # products; the handbook's loop cannot be stopped before it has ended
LONGEST_RUN = 10**12  # iterations; far beyond a year of the quickest product
LARGEST_WINDOW = 16  # torch_xla starts to block between 20 and 50 products in flight


@dataclass(frozen=True)
class BenchmarkConfig:
    """One run: what is multiplied, where, by which timing method and for how long.

    The run ends after ``iterations`` or after ``duration_s`` seconds, whichever is given; with neither it goes on
    until stopped. ``handbook`` times ``iterations`` products at once and repeats that ``repeats`` times.
    """

    workload: Workload = HANDBOOK
    backend: str = "cpu"
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
        """Raise HeartbeatError where a value is out of its range or two exclude one another."""
        one_of("backend", self.backend, tuple(BACKENDS))
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
        if self.method != "synchronized" and self.workload.one_by_one:
            cause = f"A {self.workload.kind} writes its results into the same memory again, so each iteration must be waited for."
            raise HeartbeatError(f"a {self.workload.kind} by the method {self.method}", cause, "Use --method synchronized.")
        if BACKENDS[self.backend].host_only and not self.workload.on_device:
            raise HeartbeatError(
                "the CPU backend has nothing to transfer",
                "Its device is the host itself, with the same memory.",
                "Use --backend xla or accelerator; --workload stream measures the memory of the host.",
            )
        if self.method == "handbook" and self.workload.parts:
            raise HeartbeatError(
                "the handbook's method times one product",
                f"A {self.workload.kind} has {len(self.workload.parts)} steps, and its loop has one.",
                "Use --method synchronized or pipelined.",
            )
        if self.method == "handbook" and self.iterations is None:
            raise HeartbeatError(
                "the handbook's method needs a number of iterations",
                "It reads the clock once before the loop and once after it.",
                "Give --iterations 100.",
            )
        if self.method == "handbook" and self.iterations is not None and self.iterations > LONGEST_READING:
            raise HeartbeatError(
                f"{self.iterations:,} products are too many for the handbook's method",
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
    def inputs(self) -> int:
        """Count the inputs that take turns, so that none is used twice unchanged.

        The handbook's loop has one. A pipelined window has one for each of its products, as far as ``INPUT_BYTES`` holds them.
        """
        if self.method == "handbook":
            return 1
        if self.method == "pipelined":
            return max(2, min(self.window, INPUT_BYTES // self.workload.input_bytes))
        return 2

    @property
    def warmup_samples(self) -> int:
        """Count the samples of the warm-up; none by the handbook's method, whose warm-up is not timed."""
        return 0 if self.method == "handbook" else -(-self.warmup // self.products_per_sample)

    @property
    def samples_in_all(self) -> int | None:
        """Count the samples of the whole run, warm-up included, None where time or the user ends it."""
        return None if self.samples_wanted is None else self.samples_wanted + self.warmup_samples

    @property
    def samples_wanted(self) -> int | None:
        """Count the samples after the warm-up, None where time or the user ends the run."""
        if self.method == "handbook":
            return self.repeats
        if self.iterations is None:
            return None
        return math.ceil(self.iterations / self.products_per_sample)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "workload": self.workload.to_json()}

    def with_iterations(self, iterations: int) -> BenchmarkConfig:
        return replace(self, iterations=iterations, duration_s=None)


def config_from_json(data: object) -> BenchmarkConfig:
    """Read a config; raise HeartbeatError where it is empty, of the wrong form or names something unknown."""
    if not isinstance(data, dict) or not data:
        raise HeartbeatError(
            "the config is empty", "A worker runs only the config that it is given.", "Start runs with heartbeat-tui bench."
        )
    known = field_names(BenchmarkConfig)
    unknown = sorted({*data} - {*known})
    if unknown:
        cause = f"Known are {', '.join(sorted(known))}."
        raise HeartbeatError(f"the config names {', '.join(unknown)}", cause, "Use one version on both sides.")
    try:
        return BenchmarkConfig(**{**data, "workload": workload_from_json(data.get("workload", {}))})
    except (TypeError, KeyError, OverflowError) as error:
        raise HeartbeatError("the config is not well formed", str(error), "Use one version on both sides.") from error


WORKLOADS: dict[str, type[Workload]] = {kind.kind: kind for kind in (MatMul, Layer, Stream, Transfer)}


def workload_from_json(data: object) -> Workload:
    """Read what ``to_json`` of a workload returned; raise HeartbeatError for an unknown kind, TypeError or KeyError for a wrong form."""
    if not isinstance(data, dict):
        raise TypeError(f"the workload is {data!r}")
    values = dict(data)
    kind = values.pop("kind", MatMul.kind)
    if kind not in WORKLOADS:
        cause = f"This version knows {', '.join(WORKLOADS)}."
        raise HeartbeatError(f"the config has a workload {kind!r}", cause, "Use one version on both sides, or update heartbeat-tui.")
    if kind == Layer.kind:
        values["model"] = ModelShape(**values["model"])
    return WORKLOADS[kind](**values)


def config_of_recording(data: object) -> tuple[BenchmarkConfig, tuple[str, ...]]:
    """Read the config of a recorded run; return it and the names that this version does not know and leaves out.

    Raise HeartbeatError where what is left is no config.
    """
    if not isinstance(data, dict):
        return config_from_json(data), ()
    unknown: list[str] = []

    def known(values: dict[str, Any], names: tuple[str, ...], where: str = "") -> dict[str, Any]:
        unknown.extend(f"{where}{name}" for name in values if name not in names)
        return {name: value for name, value in values.items() if name in names}

    left = known(data, field_names(BenchmarkConfig))
    work = left.get("workload")
    if isinstance(work, dict) and (kind := WORKLOADS.get(str(work.get("kind", MatMul.kind)))):
        left["workload"] = work = known(work, ("kind", *field_names(kind)), "workload.")
        if isinstance(work.get("model"), dict):
            work["model"] = known(work["model"], field_names(ModelShape), "workload.model.")
    return config_from_json(left), tuple(unknown)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise HeartbeatError(f"{name} is {value!r}", f"It is one of {', '.join(allowed)}.", f"Try --{name} {allowed[0]}.")


def whole(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise HeartbeatError(f"{name} is {value!r}", f"It is a whole number from {least:,} to {most:,}.", f"Try --{name} {least}.")
