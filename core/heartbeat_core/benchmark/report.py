"""Everything known of a run at one moment, for screens, tables and JSON alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from heartbeat_core.benchmark.bandwidth import Stream
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.hard_peaks import hard_peak
from heartbeat_core.benchmark.host import interruptions
from heartbeat_core.benchmark.protocol import Elapsed, HandbookClock, Health, Profiled, Proof
from heartbeat_core.benchmark.roofline import Floor, MeasuredPeaks, floor, roof_of_peaks
from heartbeat_core.benchmark.series import ChipFigures, Series
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.benchmark.tpu_chips import chip_by_name
from heartbeat_core.benchmark.verdict import Quality, Verdict, faster_than_peak, judge, quality_of
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.units import format_ns, format_share, significant

if TYPE_CHECKING:
    from heartbeat_core.benchmark.statistics import Statistics
    from heartbeat_core.benchmark.steady_state import SteadyState


State = Literal["starting", "beating", "paused", "stopping", "finishing", "ended"]

SAMPLES_SHOWN = 100_000  # more are left out of the JSON, with a note
LAST_STAGES = ("proof", "calibrate", "profile")
LONG_GAP_S, LONG_GAP = 1.0, 20.0  # an iteration of so many seconds and medians was held up
LEAST_FOR_GAP = 10  # samples
NOT_CHECKED = Verdict("unknown", "the run ended before its result was checked")


@dataclass(frozen=True)
class Report:
    """Times are nanoseconds per product, except ``stages`` and ``compile_ns``, nanoseconds in all.

    ``iteration_ns`` is the median, ``mean_ns`` is Σt/n; by the handbook's method both are its first reading of the clock.
    ``split`` holds the median of each part of an iteration, ``steps`` that of each step of the work timed by itself. Rates are
    n/Σt: ``flops_per_s``, ``bytes_per_s`` and ``iterations_per_s`` come from the mean, and so does ``share`` of the peak,
    floor / mean. ``quality`` is the badge of the run.
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
    iteration_ns: float | None
    mean_ns: float | None
    statistics: Statistics | None
    steady: SteadyState | None
    split: Mapping[str, float]
    steps: Mapping[str, float]
    stages: Mapping[str, int | None]
    compile_ns: int
    compiles: int
    floor: Floor | None
    verdict: Verdict
    proof: Proof | None
    profiled: Profiled | None
    handbook: HandbookClock | None
    health: Health | None
    chips: ChipFigures | None
    disturbed: tuple[str, ...]
    quality: Quality
    ending: RunOutcome | None
    labels: tuple[str, ...]

    @property
    def flops_per_s(self) -> float | None:
        return 1e9 * self.config.workload.flops / self.mean_ns if self.mean_ns else None

    @property
    def bytes_per_s(self) -> float | None:
        return 1e9 * self.config.workload.bytes / self.mean_ns if self.mean_ns else None

    @property
    def iterations_per_s(self) -> float | None:
        return 1e9 / self.mean_ns if self.mean_ns else None

    @property
    def share(self) -> float | None:
        """Return which share of the peak was reached: floor / mean."""
        return self.floor.ns / self.mean_ns if self.floor and self.mean_ns else None

    @property
    def refutes_peak(self) -> bool:
        """Return whether it was faster than the peak that was measured on this machine, so that this must be measured again."""
        if self.floor is None or self.statistics is None or self.handbook is not None:
            return False
        return faster_than_peak(self.config.workload, self.statistics.median_ns, self.floor)

    @property
    def error(self) -> HeartbeatError | None:
        """Return what a run that did not end well says of itself."""
        ending = self.ending
        if ending is None or ending.clean:
            return None
        return HeartbeatError(ending.title, ending.cause, ending.remedy, exit_code=ending.exit_code)

    @property
    def warnings(self) -> tuple[str, ...]:
        """List what a reader should know before trusting the figures."""
        found = list(self.statistics.warnings) if self.statistics else []
        found += [f"disturbed: {sentence}" for sentence in self.disturbed]
        if self.steady and self.steady.drifting:
            found.append(self.steady.sentence)
        found += [f"{name} is set: float32 is computed in bfloat16" for name in self.environment if name.startswith("XLA_")]
        chip, work = chip_by_name(self.environment.get("chip")), self.config.workload
        cache = chip.on_chip_bytes if chip else self.environment.get("cache_bytes")
        if isinstance(work, Stream) and isinstance(cache, int) and (sentence := work.in_cache(cache)):
            found.append(sentence)
        return tuple(found)


def report_of(
    series: Series,
    *,
    peaks: MeasuredPeaks | None = None,
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
    under = find_floor(series, peaks)
    median_ns, mean_ns = (statistics.median_ns, statistics.mean_ns) if statistics else (None, None)
    if handbook:
        median_ns = mean_ns = handbook.total_ns / handbook.products
    verdict = judge(
        workload=config.workload,
        median_ns=median_ns,
        mean_ns=mean_ns,
        floor=under,
        hard=hard_floor(series),
        proof=series.proof,
        handbook=handbook,
        elapsed=series.elapsed,
    )
    if not series.proof and verdict.kind == "plausible":
        verdict = NOT_CHECKED if ending else Verdict("unknown", f"the result is not checked yet; {verdict.reason}")
    disturbed = tuple(disturbances(series, statistics))
    medians = {name: store.quantile(0.5) / products for name, store in series.parts.items() if len(store)}
    if series.environment.get("rehearsal"):
        labels = ("rehearsal on the CPU: not a TPU", *labels)
    machine = series.environment.get("tpu_vm") or series.environment.get("ray_node")
    if machine and not any(label.startswith("on ") for label in labels):
        labels = (*labels, f"on {machine}")
    if series.unknown:
        labels = (*labels, f"recorded by a newer version: what its config says of {', '.join(series.unknown)} is left out here")
    return Report(
        config=config,
        environment=dict(series.environment),
        state=state_of(series, ending, paused=paused, stopping=stopping),
        stage=series.stage,
        count=series.count,
        wanted=config.samples_in_all,
        elapsed_s=passed_s(series, series.first_beat_at_ns),
        remaining_s=remaining_s(series, statistics, ending),
        last_ns=None if series.last_ns is None else series.last_ns / products,
        cold_ns=None if series.cold_ns is None else series.cold_ns / products,
        iteration_ns=median_ns,
        mean_ns=mean_ns,
        statistics=statistics,
        steady=steady,
        split={name: ns for name, ns in medians.items() if name not in config.workload.parts},
        steps={name: ns for name, ns in medians.items() if name in config.workload.parts},
        stages=dict(series.stages),
        compile_ns=series.compile_ns,
        compiles=series.compile_count,
        floor=under,
        verdict=verdict,
        proof=series.proof,
        profiled=series.profiled,
        handbook=handbook,
        health=series.health,
        chips=series.gauges.figures(),
        disturbed=disturbed,
        quality=quality_of(verdict, proof=series.proof, statistics=statistics, steady=steady, disturbances=disturbed),
        ending=ending,
        labels=labels,
    )


def figures(series: Series) -> tuple[Statistics | None, SteadyState | None]:
    if not len(series.steady):
        return None, None
    # these bring NumPy, which takes 80 ms to import, and nothing needs them before there are samples
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


def passed_s(series: Series, since_ns: int | None, until_ns: int | None = None) -> float:
    """Return the seconds from one moment of a run to another, or to the last record; pauses left out. 0 where it has not come so far."""
    if since_ns is None:
        return 0.0
    return max(0, (series.last_at_ns if until_ns is None else until_ns) - since_ns - series.paused_ns) / 1e9


def steady_s(series: Series) -> float:
    """Return the seconds since the warm-up was over, from when a duration counts."""
    return passed_s(series, series.steady_from_ns)


def remaining_s(series: Series, statistics: Statistics | None, ending: RunOutcome | None) -> float | None:
    if ending is not None or series.stage in LAST_STAGES:
        return 0.0
    if series.config.duration_s is not None:
        return max(0.0, series.config.duration_s - steady_s(series))
    total = series.config.samples_in_all
    if total is None or statistics is None:
        return None
    apart_ns = sum(store.quantile(0.5) for name, store in series.parts.items() if name in series.config.workload.parts)
    return max(0, total - series.count) * (statistics.mean_ns * series.config.products_per_sample + apart_ns) / 1e9


def find_floor(series: Series, peaks: MeasuredPeaks | None) -> Floor | None:
    """Set the work under the roof of its chip, else under the peak measured on this machine."""
    work, environment, hard = series.config.workload, series.environment, hard_floor(series)
    if not work.on_device:
        return None
    if chip_by_name(environment.get("chip")):
        return hard
    if peaks is None or (hard is not None and peaks.flops_per_s > hard.roof.flops_per_s):  # a peak that cannot be is none
        return hard if hard and math.isfinite(hard.roof.bytes_per_s) else None  # of a GPU; of a processor the memory is not known
    cache = environment.get("cache_bytes")  # from the stream, so anything
    return floor(work, roof_of_peaks(peaks, cache if isinstance(cache, int) else None))


def hard_floor(series: Series) -> Floor | None:
    """Set the work under the hard peak of its device, where that is known: what is faster is impossible."""
    roof = hard_peak(series.environment, series.config)
    return None if roof is None or not series.config.workload.on_device else floor(series.config.workload, roof)


def disturbances(series: Series, statistics: Statistics | None) -> Iterator[str]:
    """List what else the machine was doing, where it was enough to show in the figures."""
    health = series.health
    yield from stops(health, statistics)
    if health is None:
        return
    seconds = passed_s(series, series.first_beat_at_ns, health.at_ns)  # what came after the last iteration is not in its counts
    if seconds > 0:
        yield from interruptions(health, seconds)
        if series.clock_change is not None:
            before, after = series.clock_change
            yield f"the processor's clock went from {before:,.0f} to {after:,.0f} MHz"


def stops(health: Health | None, statistics: Statistics | None) -> Iterator[str]:
    """Name the gaps in a run: by what the system tells, else by an iteration that took much too long."""
    stopped_ns, suspended_ns = (health.stopped_ns or 0, health.suspended_ns or 0) if health else (0, 0)
    if suspended_ns:
        yield f"the machine was suspended for {format_ns(suspended_ns)}"
    if stopped_ns and health:
        times = f" {health.stops} times" if health.stops and health.stops > 1 else ""
        yield f"the process was stopped{times} for {format_ns(stopped_ns)}"
    if statistics is None or stopped_ns or suspended_ns:
        return
    if statistics.n >= LEAST_FOR_GAP and statistics.max_ns > max(1e9 * LONG_GAP_S, LONG_GAP * statistics.median_ns):
        times = significant(statistics.max_ns / statistics.median_ns, 2)
        yield f"one iteration took {format_ns(statistics.max_ns)}, {times} × the median: the process was held up"


def report_json(report: Report, series: Series, usd_per_hour: float | None = None) -> dict[str, Any]:
    """Make the one object that ``bench --json`` prints: schema 1; with the price of an hour tokens have one too."""
    from heartbeat_core.benchmark.serving import serving_json, step_figures  # which need reports

    made: dict[str, Any] = {
        "schema": 1,
        "plan": report.config.to_json(),
        "environment": dict(report.environment),
        "samples_ns": samples_json(series),
        "products_per_sample": report.config.products_per_sample,
        "statistics": asdict(report.statistics) if report.statistics else None,
        "steady_state": asdict(report.steady) if report.steady else None,
        "split_ns": dict(report.split),
        "steps": [asdict(step) for step in step_figures(report)],
        "serving": serving_json(report, usd_per_hour),
        "stages_ns": dict(report.stages),
        "compile_ns": report.compile_ns,
        "compiles": report.compiles,
        "iterations_per_s": report.iterations_per_s,
        "flops_per_s": report.flops_per_s,
        "bytes_per_s": report.bytes_per_s,
        "at_the_median": at_the_median(report),
        "floor": asdict(report.floor) if report.floor else None,
        "share_of_floor": report.share,
        "verdict": asdict(report.verdict),
        "quality": report.quality.to_json(),
        "proof": values(report.proof),
        "handbook": [values(clock) for clock in series.clocks] or None,
        "health": values(report.health),
        "elapsed": values(series.elapsed),
        "profile": profile_json(report.profiled),
        "chips": asdict(report.chips) if report.chips else None,
        "warnings": list(report.warnings),
        "labels": list(report.labels),
        "ending": asdict(report.ending) if report.ending else None,
    }
    if made["statistics"]:
        made["statistics"]["quantiles"] = {f"{q:g}": ns for q, ns in made["statistics"]["quantiles"]}
    return made


def at_the_median(report: Report) -> dict[str, float] | None:
    """Return the rates of a run that took the median each time; above those of the run where a few iterations took long."""
    ns, work = report.iteration_ns, report.config.workload
    if not ns:
        return None
    rates = {"iterations_per_s": 1e9 / ns, "flops_per_s": 1e9 * work.flops / ns, "bytes_per_s": 1e9 * work.bytes / ns}
    return {**rates, "share_of_floor": report.floor.ns / ns} if report.floor else rates


def profile_json(profiled: Profiled | None) -> dict[str, Any] | None:
    from heartbeat_core.benchmark.profiling import files_of

    if profiled is None:
        return None
    files = [{"path": str(file.path), "bytes": file.size, "what": file.what, "open": file.how} for file in files_of(profiled)]
    return {"folder": profiled.folder, "files": files, "problem": profiled.problem or None}


def values(record: Proof | HandbookClock | Health | Elapsed | None) -> dict[str, Any] | None:
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


SAME_WITHIN = 0.1  # of one another, where neither has an interval


def explain_gap(handbook: Report, synchronized: Report | None) -> str:
    """Explain in a sentence or two what the handbook's method missed: by the counters and the fence, and only what the samples show."""
    clock = handbook.handbook
    if clock is None:
        return "The handbook's method has not been measured yet."
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
    if synchronized is None or not synchronized.mean_ns or not handbook.mean_ns:
        return "All products were launched and finished before the clock stopped."
    here = "On this backend every product is computed before the call returns, so no difference is expected"
    gap = handbook.mean_ns / synchronized.mean_ns - 1
    if not differ(handbook.mean_ns, synchronized):
        if abs(gap) > SAME_WITHIN:
            return f"{here}. The two differ by {format_share(abs(gap))}, which is within the spread of the samples."
        return f"{here}, and none is seen: the two agree within {format_share(abs(gap))}."
    word = "more" if gap > 0 else "less"
    return (
        f"{here}. The handbook's loop took {format_share(abs(gap))} {word} time an iteration: the two ran one after the other, once each."
    )


def differ(mean_ns: float, other: Report) -> bool:
    """Return whether the samples of the other run rule out that both took the same time: most of them lie on one side of it."""
    stats = other.statistics
    if stats is None or not other.mean_ns:
        return False
    return abs(mean_ns / other.mean_ns - 1) > max(SAME_WITHIN, 2 * stats.relative_iqr)
