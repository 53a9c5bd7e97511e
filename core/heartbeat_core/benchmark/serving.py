"""What a device could give a model at most: from the time of one layer, or from peaks alone.

Every figure is an upper bound of matrix products alone: no sampling, scheduling, communication, norms or softmax.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from heartbeat_core.benchmark.dtypes import TABLE
from heartbeat_core.benchmark.hard_peaks import gpus
from heartbeat_core.benchmark.layer import Layer
from heartbeat_core.benchmark.roofline import Roof, floor, roof_of_chip
from heartbeat_core.benchmark.tpu_chips import CHIPS, chip_by_name
from heartbeat_core.units import NOTHING, format_bytes, format_bytes_rate, format_ns, format_share, significant

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report

AT_MOST = "at most, matrix products alone"
AT_LEAST = "at least, matrix products alone"
UNFUSED = "as measured: attention is neither masked nor fused, as servers do it"
HOUR_S = 3600
LEAST_LEFT = 0.5  # of a layer's time, where the cost of its call is taken off


@dataclass(frozen=True)
class StepFigures:
    """One step of a layer, timed by itself: its median, its share of all steps, MFU and MBU, and what bounds it by the peaks."""

    name: str
    ns: float
    share: float
    flops_per_s: float
    bytes_per_s: float
    mfu: float | None
    mbu: float | None
    bound: Literal["compute", "memory"] | None


def step_figures(report: Report) -> tuple[StepFigures, ...]:
    """Return the figures of each step, in order; none where the work has one step or none was timed."""
    work = report.config.workload
    timed = [(step, report.steps[step.name]) for step in work.steps if report.steps.get(step.name)]
    total, found = sum(ns for _, ns in timed), []
    for step, ns in timed:
        least = floor(step, report.floor.roof) if report.floor else None
        judged = least if getattr(step, "dtype", work.dtype) == work.dtype else None  # attention has 16 bits where the weights have 8
        rates = 1e9 * step.flops / ns, 1e9 * step.bytes / ns
        mfu, bound = (judged.compute_ns / ns, judged.bound) if judged else (None, None)
        found.append(StepFigures(step.name, ns, ns / total, *rates, mfu, least.memory_ns / ns if least else None, bound))
    return tuple(found)


@dataclass(frozen=True)
class ServingLimit:
    """What a model gives at most on so many devices: ``pass_ns`` is one pass through all layers and the head.

    A pass makes one token for each sequence (decode), or takes in all prompts (prefill). ``usd_per_million`` is the price of a
    million tokens, where an hour has a known one. ``source`` says where the time comes from.
    """

    layer: Layer
    devices: int
    pass_ns: float
    source: str
    usd_per_million: float | None = None
    measured: bool = False

    @property
    def label(self) -> str:
        """Return what its rate of tokens is: of a prefill that was measured no bound, for servers mask and fuse attention."""
        return UNFUSED if self.measured and self.layer.phase == "prefill" else AT_MOST

    @property
    def label_of_times(self) -> str:
        return AT_LEAST if self.label == AT_MOST else UNFUSED

    @property
    def tokens_per_s(self) -> float:
        return 1e9 * self.layer.tokens / self.pass_ns

    def to_json(self) -> dict[str, Any]:
        values = {name: value for name, value in asdict(self).items() if name != "layer"}
        label = {"label": self.label, "label_of_times": self.label_of_times}
        return {**values, "phase": self.layer.phase, "tokens_per_s": self.tokens_per_s, **label}


def model_bytes(layer: Layer) -> int:
    """Count the bytes of all weights."""
    return layer.model.parameters * TABLE[layer.dtype].bytes


def cache_bytes(layer: Layer) -> int:
    """Count the bytes of the KV cache of all sequences at the full context."""
    return layer.model.layers * sum(step.right_bytes for step in layer.steps if step.per_sequence)


def least_work(layer: Layer) -> tuple[float, float]:
    """Return the FLOP and bytes that one pass of the model needs at least.

    Weights and KV cache are read once; all else can stay on the chip. In a prefill half of the scores are hidden by the mask,
    so a kernel can leave them out.
    """
    masked = 0.5 if layer.phase == "prefill" else 1.0
    flops = sum(step.flops * (masked if step.per_sequence else 1.0) for step in layer.steps)
    moved = sum(step.right_bytes for step in layer.steps)
    return layer.model.layers * flops + layer.head.flops, layer.model.layers * moved + layer.head.right_bytes


def by_peaks(layer: Layer, roof: Roof, devices: int = 1) -> ServingLimit:
    """Return the limit under a roof: max(FLOP / peak, bytes / bandwidth) of so many devices."""
    flops, moved = least_work(layer)
    pass_ns = 1e9 * max(flops / roof.flops_per_s, moved / roof.bytes_per_s) / devices
    return ServingLimit(layer, devices, pass_ns, f"the peak of a {roof.name}, {roof.source}")


def by_measurement(report: Report) -> ServingLimit | None:
    """Return the limit by the time measured: all layers like this one, and the head at the rate of the largest product with weights.

    What a call costs without any work is taken off each layer that was waited for: a model that is compiled whole pays it once.
    None where the work is no layer or nothing was measured.
    """
    layer, ns = report.config.workload, report.iteration_ns
    if not isinstance(layer, Layer) or not ns:
        return None
    call_ns = (report.proof.call_ns or 0) if report.proof and report.config.method == "synchronized" else 0
    layer_ns = max(ns - call_ns, LEAST_LEFT * ns)
    largest = max((step for step in layer.steps if not step.per_sequence), key=lambda step: step.flops)
    taken = report.steps.get(largest.name)
    amount = "bytes" if layer.phase == "decode" else "flops"  # what sets the time
    head_ns = (taken or layer_ns) * getattr(layer.head, amount) / getattr(largest if taken else layer, amount)
    less = f" less {format_ns(ns - layer_ns)} of a call" if call_ns else ""
    rate_of = largest.name if taken else "the layer"
    source = f"{layer.model.layers} layers of {format_ns(ns)}{less} as measured, the head at the rate of {rate_of}"
    return ServingLimit(layer, 1, layer.model.layers * layer_ns + head_ns, source, measured=True)


def priced(limit: ServingLimit, usd_per_hour: float | None) -> ServingLimit:
    """Return the limit with the price of a million tokens, given that of an hour of one device."""
    if usd_per_hour is None:
        return limit
    return replace(limit, usd_per_million=1e6 * limit.devices * usd_per_hour / HOUR_S / limit.tokens_per_s)


def compute_bound_from(layer: Layer, roof: Roof, *, attention: bool = True) -> int | None:
    """Return the least batch at which arithmetic sets the time of a decode; None where none does, for each sequence reads its own KV cache.

    FLOP and the reads of the cache grow with the batch, those of the weights do not. Without ``attention`` the weights alone count.
    """
    one = replace(layer, phase="decode", batch=1) if attention else replace(layer, phase="decode", batch=1, context=1)
    flops, moved = least_work(one)
    kept = cache_bytes(one) if attention else 0
    gain = flops / roof.flops_per_s - kept / roof.bytes_per_s  # seconds of computing less those of moving, a sequence
    return math.ceil((moved - kept) / roof.bytes_per_s / gain) if gain > 0 else None


def turning_points(layer: Layer, roof: Roof) -> dict[str, int | None]:
    """Return from which batch on arithmetic sets the time of a decode, with attention and without, by their names in JSON."""
    without = compute_bound_from(layer, roof, attention=False)
    return {"compute_bound_from": compute_bound_from(layer, roof), "compute_bound_from_without_attention": without}


def turning_words(layer: Layer, roof: Roof) -> str:
    """Write from which batch on arithmetic sets the time of a decode, with attention and without: "none / 241"."""
    return " / ".join(f"{batch:,}" if batch else "none" for batch in turning_points(layer, roof).values())


def devices_needed(layer: Layer, memory_bytes: int) -> int:
    """Return how many devices of so much memory hold the weights and the KV cache."""
    return -(-(model_bytes(layer) + cache_bytes(layer)) // memory_bytes)


@dataclass(frozen=True)
class ChipLimit:
    """What one kind of chip could give a model: ``devices`` is None where its memory is not known here, and one is counted."""

    chip: str
    devices: int | None
    decode: ServingLimit
    prefill: ServingLimit
    roof: Roof

    def to_json(self) -> dict[str, Any]:
        both = {"decode": self.decode.to_json(), "prefill": self.prefill.to_json()}
        return {"chip": self.chip, "devices": self.devices, **both, **turning_points(self.decode.layer, self.roof)}


SHOWN_CHIPS = ("v5e", "v5p", "v6e", "7x")
SHOWN_GPUS = ("L4", "A100", "H100", "H200")
Prices = Callable[[str], float | None]  # US dollars an hour, by the name of a chip


def by_published_peaks(layer: Layer, prices: Prices = lambda _chip: None) -> tuple[ChipLimit, ...]:
    """Return the limits on the chips of today, as many as hold the model: decode of the batch, and prefill of one prompt of the context."""
    decode, prefill = replace(layer, phase="decode"), replace(layer, phase="prefill", batch=1)

    def limit(name: str, roof: Roof, devices: int | None) -> ChipLimit:
        limits = {each.phase: priced(by_peaks(each, roof, devices or 1), prices(name)) for each in (decode, prefill)}
        return ChipLimit(name, devices, limits["decode"], limits["prefill"], roof)

    found = []
    for chip in (chip for chip in CHIPS if chip.name in SHOWN_CHIPS):
        one = roof_of_chip(chip, layer.dtype)
        whole = replace(one, flops_per_s=one.flops_per_s * chip.devices_per_chip, source=chip.source)
        found.append(limit(chip.name, whole, devices_needed(decode, chip.hbm_bytes)))
    for gpu in (gpu for gpu in gpus() if gpu.name in SHOWN_GPUS):
        rate = gpu.flops_of(layer.dtype, tf32=False)
        found.append(limit(gpu.name, Roof(rate, gpu.bytes_per_s, None, gpu.source, hard=True, name=gpu.name), None))
    return tuple(found)


Row = tuple[str, str, str]  # name, figure, what it says


def serving_rows(report: Report, usd_per_hour: float | None = None) -> Iterator[Row]:
    """Return what a layer's run means for the whole model, for people."""
    layer, limit, roof = report.config.workload, by_measurement(report), report.floor.roof if report.floor else None
    if not isinstance(layer, Layer) or limit is None:
        return
    limit = priced(limit, usd_per_hour)
    yield "tokens/s", significant(limit.tokens_per_s), f"{limit.source}; {limit.label}"
    what = f"output token of {layer.batch:,} sequences" if layer.phase == "decode" else "first token"
    yield "a token", format_ns(limit.pass_ns), f"per {what}, {limit.label_of_times}"
    if roof is not None:
        yield "by the peak", f"{significant(by_peaks(layer, roof).tokens_per_s)}/s", f"tokens, {roof.source}; {AT_MOST}"
        prompt = by_peaks(replace(layer, phase="prefill", batch=1), roof)
        yield "first token", format_ns(prompt.pass_ns), f"of a prompt of {layer.context:,} tokens, by the peak, {AT_LEAST}"
        yield "batch", turning_words(layer, roof), "from it on arithmetic sets the time of a decode, by the peak / without attention"
    sets, cache = report.environment.get("weight_sets"), report.environment.get("cold_beyond_bytes")
    if isinstance(sets, int) and isinstance(cache, int):
        why = f"so that none is found in a cache of {format_bytes(cache)}" if layer.weights == "cold" else "used again and again"
        yield layer.weights, f"{sets} set{'s' if sets > 1 else ''}", f"of weights, {why}"
    holds = f"{format_bytes(model_bytes(layer))} of weights and {format_bytes(cache_bytes(layer))} of KV cache"
    chip = chip_by_name(report.environment.get("chip"))
    chips = devices_needed(layer, chip.hbm_bytes) if chip else None
    yield "memory", format_bytes(model_bytes(layer) + cache_bytes(layer)), holds + (f": {chips} × {chip.name}" if chip else "")
    if limit.usd_per_million is not None:
        yield "cost", f"{limit.usd_per_million:.3g} USD", f"per million tokens, {limit.label_of_times}"


def serving_json(report: Report, usd_per_hour: float | None = None) -> dict[str, Any] | None:
    """Return the same for ``bench --json``, None where the work is no layer."""
    layer, limit, roof = report.config.workload, by_measurement(report), report.floor.roof if report.floor else None
    if not isinstance(layer, Layer):
        return None
    chip = chip_by_name(report.environment.get("chip"))
    return {
        "label": AT_MOST,
        "label_of_times": AT_LEAST,
        "measured": priced(limit, usd_per_hour).to_json() if limit else None,
        "by_peak": by_peaks(layer, roof).to_json() if roof else None,
        "first_token_by_peak_ns": by_peaks(replace(layer, phase="prefill", batch=1), roof).pass_ns if roof else None,
        **(turning_points(layer, roof) if roof else {}),
        "weight_bytes": model_bytes(layer),
        "kv_cache_bytes": cache_bytes(layer),
        "chips": devices_needed(layer, chip.hbm_bytes) if chip else None,
    }


STEP_TITLES = ("step", "time", "share", "memory", "MFU", "MBU", "bound by")


def step_cells(step: StepFigures) -> tuple[str, ...]:
    """Write the figures of a step under STEP_TITLES."""
    share, *used = map(format_share, (step.share, step.mfu, step.mbu))
    bound = {"compute": "arithmetic", "memory": "memory", None: NOTHING}[step.bound]
    return (step.name, format_ns(step.ns), share, format_bytes_rate(step.bytes_per_s), *used, bound)
