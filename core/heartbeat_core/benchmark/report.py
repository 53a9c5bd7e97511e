"""Everything known of a run at one moment, for screens, tables and JSON alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import HandbookClock, Health, Profiled, Proof
from heartbeat_core.benchmark.roofline import Ceiling, Floor, floor, roof_of_ceiling, roof_of_chip
from heartbeat_core.benchmark.series import ChipFigures, Series
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.benchmark.verdict import Verdict, judge
from heartbeat_core.units import format_ns, format_share

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Statistics
    from heartbeat_core.benchmark.steady_state import SteadyState


State = Literal["starting", "beating", "paused", "stopping", "finishing", "ended"]

SAMPLES_SHOWN = 100_000  # more are left out of the JSON, with a note
LAST_STAGES = ("proof", "calibrate", "profile")
SWITCHES_PER_S = 100.0
STEAL_PERCENT = 2.0
NOT_PROVED = Verdict("unknown", "the run ended before its result was proved")


@dataclass(frozen=True)
class Report:
    """Times are nanoseconds per product, except ``stages`` and ``compile_ns``, nanoseconds in all.

    ``split`` holds the median of each part of an iteration; ``share`` is floor / median, 1.0 at the floor.
    """

    config: BenchmarkConfig
    environment: Mapping[str, Any]
    state: State
    stage: str | None
    count: int
    wanted: int | None
    elapsed_s: float
    remaining_s: float | None
    last_ns: float | None
    cold_ns: float | None
    warmup_count: int
    statistics: Statistics | None
    steady: SteadyState | None
    split: Mapping[str, float]
    stages: Mapping[str, int | None]
    compile_ns: int
    compiles: int
    floor: Floor | None
    share: float | None
    verdict: Verdict
    proof: Proof | None
    profiled: Profiled | None
    handbook: HandbookClock | None
    health: Health | None
    chips: ChipFigures | None
    disturbed: str | None
    ending: RunOutcome | None
    labels: tuple[str, ...]

    @property
    def iteration_ns(self) -> float | None:
        """Return the time of one product: the handbook's first reading for its method, the median for the others."""
        if self.handbook is not None:
            return self.handbook.total_ns / self.handbook.products
        return self.statistics.median_ns if self.statistics else None

    @property
    def flops_per_s(self) -> float | None:
        return 1e9 * self.config.workload.flops / self.iteration_ns if self.iteration_ns else None

    @property
    def bytes_per_s(self) -> float | None:
        return 1e9 * self.config.workload.bytes / self.iteration_ns if self.iteration_ns else None

    @property
    def iterations_per_s(self) -> float | None:
        return 1e9 / self.iteration_ns if self.iteration_ns else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """List what a reader should know before trusting the figures."""
        found = list(self.statistics.warnings) if self.statistics else []
        if self.disturbed:
            found.append(self.disturbed)
        if self.steady and self.steady.kind not in ("steady", "undetermined"):
            found.append(self.steady.sentence)
        found += [f"{name} is set: float32 is computed in bfloat16" for name in self.environment if name.startswith("XLA_")]
        return tuple(found)


def report_of(
    series: Series,
    *,
    ceiling: Ceiling | None = None,
    paused: bool = False,
    stopping: bool = False,
    ending: RunOutcome | None = None,
    labels: tuple[str, ...] = (),
) -> Report:
    """Draw up the report of a series as it stands."""
    config = series.config
    products = config.products_per_sample
    statistics, steady = figures(series)
    handbook = series.clocks[0] if series.clocks else None
    under = find_floor(series, ceiling)
    iteration_ns = handbook.total_ns / handbook.products if handbook else statistics.median_ns if statistics else None
    verdict = judge(workload=config.workload, median_ns=iteration_ns, floor=under, proof=series.proof, handbook=handbook, steady=steady)
    if series.environment.get("rehearsal"):
        labels = ("rehearsal on the CPU: not a TPU", *labels)
    if series.environment.get("tpu_vm") and not any(label.startswith("on ") for label in labels):
        labels = (*labels, f"on {series.environment['tpu_vm']}")
    if series.unknown:
        labels = (*labels, f"recorded by a newer version: what its plan says of {', '.join(series.unknown)} is left out here")
    return Report(
        config=config,
        environment=dict(series.environment),
        state=state_of(series, ending, paused=paused, stopping=stopping),
        stage=series.stage,
        count=series.count,
        wanted=wanted(config),
        elapsed_s=elapsed_s(series),
        remaining_s=remaining_s(series, statistics, ending),
        last_ns=None if series.last_ns is None else series.last_ns / products,
        cold_ns=None if series.cold_ns is None else series.cold_ns / products,
        warmup_count=len(series.warmup),
        statistics=statistics,
        steady=steady,
        split={name: store.quantile(0.5) / products for name, store in series.parts.items() if len(store)},
        stages=dict(series.stages),
        compile_ns=series.compile_ns,
        compiles=series.compile_count,
        floor=under,
        share=under.ns / iteration_ns if under and iteration_ns else None,
        verdict=verdict if ending is None or series.proof or verdict.kind != "plausible" else NOT_PROVED,
        proof=series.proof,
        profiled=series.profiled,
        handbook=handbook,
        health=series.health,
        chips=series.gauges.figures(),
        disturbed=disturbed(series),
        ending=ending,
        labels=labels,
    )


def get_ready() -> None:
    """Import what the figures need: in a thread while the worker starts, for it would hold up the first report."""


def figures(series: Series) -> tuple[Statistics | None, SteadyState | None]:
    if not len(series.steady):
        return None, None
    # NumPy takes 80 ms to import, and nothing needs it before there are samples
    from heartbeat_core.benchmark.statistics import summarize
    from heartbeat_core.benchmark.steady_state import steady_state

    return summarize(series.steady, series.config.products_per_sample), steady_state(series.steady)


def state_of(series: Series, ending: RunOutcome | None, *, paused: bool, stopping: bool) -> State:
    if ending is not None:
        return "ended"
    if series.stage in LAST_STAGES:
        return "finishing"
    if stopping:
        return "stopping"
    if not series.count:
        return "starting"
    return "paused" if paused else "beating"


def wanted(config: BenchmarkConfig) -> int | None:
    """Count the samples of the whole run, warm-up included, None where time or the user ends it."""
    if config.samples_wanted is None or config.method == "handbook":
        return config.samples_wanted
    return config.samples_wanted - (-config.warmup // config.products_per_sample)


def elapsed_s(series: Series) -> float:
    """Return the seconds since the iterations began, pauses left out."""
    if series.first_beat_at_ns is None:
        return 0.0
    return max(0, series.last_at_ns - series.first_beat_at_ns - series.paused_ns) / 1e9


def steady_s(series: Series) -> float:
    """Return the seconds since the warm-up was over, from when a duration counts; pauses left out."""
    if series.steady_from_ns is None:
        return 0.0
    return max(0, series.last_at_ns - series.steady_from_ns - series.paused_ns) / 1e9


def remaining_s(series: Series, statistics: Statistics | None, ending: RunOutcome | None) -> float | None:
    if ending is not None or series.stage in LAST_STAGES:
        return 0.0
    if series.config.duration_s is not None:
        return max(0.0, series.config.duration_s - steady_s(series))
    total = wanted(series.config)
    if total is None or statistics is None:
        return None
    return max(0, total - series.count) * statistics.mean_ns * series.config.products_per_sample / 1e9


def find_floor(series: Series, ceiling: Ceiling | None) -> Floor | None:
    """Set the work under the roof of its chip, else under the ceiling measured on this machine."""
    config, environment = series.config, series.environment
    chip = chip_by_name(str(environment["chip"])) if environment.get("chip") else None
    if chip is not None:
        in_bfloat16 = any(name.startswith("XLA_") for name in environment)
        return floor(config.workload, roof_of_chip(chip, "bfloat16" if in_bfloat16 else config.workload.dtype, config.precision))
    if ceiling is None:
        return None
    cache = environment.get("cache_bytes")  # from the stream, so anything
    roof = roof_of_ceiling(ceiling.flops_per_s, ceiling.bytes_per_s, ceiling.measured_on, cache if isinstance(cache, int) else None)
    return floor(config.workload, roof)


def disturbed(series: Series) -> str | None:
    """State what else the machine was doing, where it was enough to show in the figures."""
    health, elapsed = series.health, elapsed_s(series)
    if health is None or elapsed < 1:
        return None
    if health.steal_percent is not None and health.steal_percent > STEAL_PERCENT:
        return f"disturbed: the hypervisor took {health.steal_percent:.1f} % of the processor for others"
    rate = health.switches / elapsed
    if rate > SWITCHES_PER_S:
        return f"disturbed: the beat was put off the processor {rate:.0f} times a second; other programs are busy"
    return None


def report_json(report: Report, series: Series) -> dict[str, Any]:
    """Make the one object that ``bench --json`` prints: schema 1."""
    made: dict[str, Any] = {
        "schema": 1,
        "plan": report.config.to_json(),
        "environment": dict(report.environment),
        "samples_ns": samples_json(series),
        "products_per_sample": report.config.products_per_sample,
        "statistics": asdict(report.statistics) if report.statistics else None,
        "steady_state": asdict(report.steady) if report.steady else None,
        "split_ns": dict(report.split),
        "stages_ns": dict(report.stages),
        "compile_ns": report.compile_ns,
        "compiles": report.compiles,
        "flops_per_s": report.flops_per_s,
        "bytes_per_s": report.bytes_per_s,
        "floor": asdict(report.floor) if report.floor else None,
        "share_of_floor": report.share,
        "verdict": asdict(report.verdict),
        "proof": values(report.proof),
        "handbook": [values(clock) for clock in series.clocks] or None,
        "health": values(report.health),
        "profile": profile_json(report.profiled),
        "chips": asdict(report.chips) if report.chips else None,
        "warnings": list(report.warnings),
        "labels": list(report.labels),
        "ending": asdict(report.ending) if report.ending else None,
    }
    if made["statistics"]:
        made["statistics"]["quantiles"] = {f"{q:g}": ns for q, ns in made["statistics"]["quantiles"]}
    return made


def profile_json(profiled: Profiled | None) -> dict[str, Any] | None:
    from heartbeat_core.benchmark.profiling import files_of

    if profiled is None:
        return None
    files = [{"path": str(file.path), "bytes": file.size, "what": file.what, "open": file.how} for file in files_of(profiled)]
    return {"folder": profiled.folder, "files": files, "problem": profiled.problem or None}


def values(record: Proof | HandbookClock | Health | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {name: value for name, value in vars(record).items() if name != "at_ns"}


def samples_json(series: Series) -> dict[str, Any]:
    cold = [] if series.cold_ns is None else [series.cold_ns]
    made: dict[str, Any] = {"cold": cold}
    for name, store in (("warmup", series.warmup), ("steady", series.steady)):
        if store.exact and len(store) <= SAMPLES_SHOWN:
            made[name] = [int(value) for value in store.values()]
        else:
            made[name] = None
            made["note"] = f"phases of more than {SAMPLES_SHOWN:,} samples are left out; --stream and the recording have them"
    return made


AGREE_WITHIN = 0.1


def explain_gap(handbook: Report, honest: Report | None) -> str:
    """State in a sentence or two what the handbook's clock missed, by what the counters and the fence showed."""
    clock = handbook.handbook
    if clock is None:
        return "The handbook's clock has not been read yet."
    dropped = clock.launched < clock.products
    if dropped and not clock.finished:
        return (
            "The loop overwrites its result, so all but the last product are dropped before they run, "
            "and mark_step does not wait for the device."
        )
    if dropped:
        return "The loop overwrites its result, so all but the last product are dropped before they run."
    if not clock.finished:
        return f"The clock stops once the work is handed over: the device went on for another {format_ns(clock.fence_ns)}."
    if honest is None or not honest.iteration_ns or not handbook.iteration_ns:
        return "All products were launched and finished before the clock stopped."
    gap = abs(handbook.iteration_ns / honest.iteration_ns - 1)
    near = f"The two agree within {format_share(gap)}" if gap < AGREE_WITHIN else f"The two differ by {format_share(gap)}"
    return f"{near}: here every product is computed before the call returns. On a TPU the handbook's loop waits for nothing."
