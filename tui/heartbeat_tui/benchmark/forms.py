"""The forms of the Heartbeat pane: a run's config and a sweep, each field checked as it is typed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from textual.content import Content

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.bandwidth import Passes, Stream, Transfer
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.host import gib
from heartbeat_core.benchmark.layer import Layer
from heartbeat_core.benchmark.models import find_model, named_models
from heartbeat_core.benchmark.parameters import OF_WORKLOAD, SWEPT, WORDS, Parameter, grid, parse_axes, varied
from heartbeat_core.benchmark.workload import HANDBOOK, MatMul, Workload, check_dimension, field_names
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.launcher import MachineLimits
from heartbeat_core.units import parse_duration, plural
from heartbeat_tui.benchmark.header import work_in_words
from heartbeat_tui.benchmark.text import clock, config_sentence, device_here
from heartbeat_tui.widgets.form import Field, Form, Note, form_bindings
from heartbeat_tui.widgets.text import styled

PRODUCT = "product"
SHAPE = ("batch", "hidden", "intermediate")
OF_LAYER = ("phase", "context", "weights")
KINDS: dict[str, type[Workload]] = {PRODUCT: MatMul, Stream.kind: Stream, Transfer.kind: Transfer}  # all others are models
CHOICES: dict[str, tuple[str, ...]] = {**WORDS, "work": (*KINDS, *named_models())}
FIELDS = tuple(
    Field(name, name.replace("warmup", "warm-up").replace("_", " "), hint, CHOICES.get(name, ()))
    for name, hint in (
        ("work", "a product, memory, transfers, or a model"),
        ("phase", "a token each, or whole prompts"),
        ("batch", "rows of the input, sequences of a model"),
        ("hidden", "columns of input, rows of weights"),
        ("intermediate", "columns of the weights"),
        ("context", "tokens of each sequence"),
        ("weights", "cold: none is found in a cache"),
        ("mib", "MiB of each array"),
        ("host_memory", "what the host copies from and to"),
        ("dtype", "what the numbers are"),
        ("backend", "where it is computed"),
        ("precision", "1, 3 or 6 bfloat16 passes, on a TPU"),
        ("threads", "empty: as torch chooses"),
        ("method", "how the clock is read"),
        ("warmup", "iterations before the steady state"),
        ("length", "100, 30s, 2m, or empty: until stopped"),
    )
)

Errors = dict[str, HeartbeatError]


def texts_of(config: BenchmarkConfig) -> dict[str, str]:
    work = config.workload
    length = str(config.iterations) if config.iterations is not None else f"{config.duration_s:g}s" if config.duration_s else ""
    return {
        "work": next((name for name, kind in KINDS.items() if isinstance(work, kind)), str(getattr(work, "model", ""))),
        **{name: str(getattr(HANDBOOK if isinstance(work, Passes) else work, name, getattr(HANDBOOK, name))) for name in SHAPE},
        **{name: str(getattr(work, name, getattr(Layer, name))) for name in OF_LAYER},
        **{name: str(getattr(work, name, getattr(Transfer, name))) for name in ("mib", "host_memory")},
        "dtype": work.dtype,
        "backend": config.backend,
        "precision": config.precision,
        "threads": str(config.threads or ""),
        "method": config.method,
        "warmup": str(config.warmup),
        "length": length,
    }


def config_of(texts: dict[str, str], config: BenchmarkConfig) -> tuple[BenchmarkConfig | None, Errors]:
    """Return the config that the fields say, the rest as in ``config``; without one, at least one field has an error."""
    errors: Errors = {}
    values: dict[str, Any] = {}
    for field in (field for field in FIELDS if belongs(field.name, texts["work"])):
        try:
            values[field.name] = value_of(field.name, texts[field.name].strip())
        except HeartbeatError as error:
            errors[field.name] = error
    if errors:
        return None, errors
    try:
        workload = workload_of({name: values.pop(name) for name in ("work", *OF_WORKLOAD) if name in values})
        iterations, duration_s = values.pop("length")
        kept = {name: getattr(config, name) for name in ("window", "repeats", "seed", "calibrate")}
        return BenchmarkConfig(workload=workload, iterations=iterations, duration_s=duration_s, **values, **kept), {}
    except HeartbeatError as error:  # what no field shows alone: the handbook's clock without a number of iterations
        return None, {"work" if issubclass(kind_of(texts["work"]), Passes) else "length": error}


def belongs(name: str, work: str) -> bool:
    """Return whether a field says something of this work: a model has sizes of its own."""
    return name not in OF_WORKLOAD or name in field_names(kind_of(work))


def kind_of(work: str) -> type[Workload]:
    return KINDS.get(work, Layer)


def workload_of(values: dict[str, Any]) -> Workload:
    """Make the work that the fields say; raise HeartbeatError where they make no sense together."""
    work = values.pop("work")
    return KINDS[work](**values) if work in KINDS else Layer(find_model(work), **values)


def value_of(name: str, text: str) -> Any:
    """Read one field; raise HeartbeatError where it makes no sense by itself."""
    if name in CHOICES:
        return text
    if name == "length":
        return length_of(text)
    if name == "threads" and not text:
        return None
    value = number_of(name, text)
    if name == "mib":
        Stream(value)
    elif name in SHAPE or name == "context":
        check_dimension(name, value, "the handbook's shape is 128, 4096, 16384")
    else:
        BenchmarkConfig(**{name: value})  # type: ignore[arg-type] # warmup or threads
    return value


def number_of(name: str, text: str) -> int:
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdecimal():
        raise HeartbeatError(f"{name} is {text!r}" if text else f"{name} is empty", "It is a whole number.", "Type digits only.")
    return int(digits)


def length_of(text: str) -> tuple[int | None, float | None]:
    """Read a length: iterations, seconds, or neither for a run until stopped."""
    if not text:
        return None, None
    seconds = parse_duration(text, plain=False)  # a bare number counts iterations
    if seconds is not None:
        BenchmarkConfig(iterations=None, duration_s=seconds)
        return None, seconds
    try:
        iterations = number_of("length", text)
    except HeartbeatError as error:
        raise HeartbeatError(f"length is {text!r}", "It is a number of iterations or a time.", "Type 100, 30s or 2m.") from error
    BenchmarkConfig(iterations=iterations)
    return iterations, None


NONE = "nothing"
SWEEP_FIELDS = (
    Field("axis", "vary", "what differs from point to point", SWEPT),
    Field("values", "values", "1,2,4,…,512 or 1..512"),
    Field("second", "and also", "a second axis makes a curve of each value", (NONE, *SWEPT)),
    Field("more", "its values", "with commas between them"),
)


def values_for(name: str, config: BenchmarkConfig) -> str:
    """Propose values: on a CPU fewer, for there a large batch takes seconds a product."""
    return {
        "batch": "1..512" if BACKENDS[config.backend].host_only else "1..4096",
        "hidden": "512..8192",
        "intermediate": "1024..32768",
        "context": "256..8192",
        "weights": "cold,hot",
        "dtype": "float32,bfloat16",
        "precision": "default,high,highest",
        "threads": f"1..{os.cpu_count() or 1}",
    }.get(name, "")


class SweepForm(Form):
    """One axis or two; the axes once all fields make sense."""

    DEFAULT_CSS = """
    SweepForm #form-sentence { min-height: 2; }
    SweepForm Input, SweepForm Select { width: 30; }
    """
    FIELDS = SWEEP_FIELDS
    BUTTONS = (("enter", "Sweep", "accept"),)
    BINDINGS = form_bindings("sweep", "Sweep", "measure point after point", "leave the pane as it was")

    def __init__(self, config: BenchmarkConfig, limits: MachineLimits, texts: Mapping[str, str] | None = None) -> None:
        first = {"axis": "batch", "values": values_for("batch", config), "second": NONE, "more": ""}
        super().__init__(texts or first, "sweep", id="sweep-form")
        self.config, self.limits = config, limits
        self.axes: tuple[Parameter, ...] = ()

    def first(self) -> str:
        return "values"

    def changed(self, name: str) -> None:
        if name in ("axis", "second"):
            self.put("values" if name == "axis" else "more", values_for(self.texts[name], self.config))

    def notes(self) -> Mapping[str, Note]:
        typed = [("values", f"{self.texts['axis']}={self.texts['values']}")]
        if self.texts["second"] != NONE:
            typed.append(("more", f"{self.texts['second']}={self.texts['more']}"))
        axes: tuple[Parameter, ...] = ()
        for count, (field, _) in enumerate(typed, 1):
            try:
                axes = parse_axes([text for _, text in typed[:count]])
                for values in grid(axes):
                    varied(self.config, values)
                self.ends()
            except HeartbeatError as error:
                return {field: Note(" ".join(part for part in (f"{error.title}:", error.cause, error.remedy) if part), "failed")}
        self.axes = axes
        return {}

    def ends(self) -> None:
        """Raise HeartbeatError where a point would go on until stopped."""
        if self.config.iterations is None and self.config.duration_s is None:
            raise HeartbeatError("the config has no end", "Each point would go on until stopped.", "Give it a length first: e.")

    def sentences(self) -> Sequence[Content]:
        points = grid(self.axes)
        config, work = self.config, self.config.workload
        names = {axis.name for axis in self.axes}
        rest = ", ".join(f"{name} {getattr(work, name)}" for name in field_names(type(work)) if name not in names)
        length = f"{config.duration_s:g} s" if config.duration_s is not None else "about a second"
        each = config
        if config.method != "handbook":  # whose readings stay as they are
            each = replace(config, duration_s=config.duration_s or 1.0, iterations=None)
        about = sum(self.limits.seconds(varied(each, values)) or 0.0 for values in points)
        return [
            styled(f"{plural(len(points), 'point')} on {device_here(config.backend)}, {rest}.", "strong"),
            styled(f"Each is a process of its own that runs for {length}, at least 12 iterations; too large ones are skipped.", "quiet"),
            styled(f"All take about {clock(about)}.", "quiet"),
        ]


class ConfigForm(Form):
    """The fields that the chosen work has; a config once all of them make sense."""

    DEFAULT_CSS = """
    ConfigForm #form-sentence { min-height: 2; }
    """
    FIELDS = FIELDS
    BUTTONS = (("enter", "Start", "accept"),)
    BINDINGS = form_bindings("plan", "Start", "start with this config", "keep the config as it was")

    def __init__(self, config: BenchmarkConfig, limits: MachineLimits) -> None:
        super().__init__(texts_of(config), "config", id="config-form")
        self.base, self.limits = config, limits
        self.config: BenchmarkConfig | None = config
        self.work = self.texts["work"]

    def first(self) -> str:
        return "batch" if self.shown("batch") else "mib"

    def shown(self, name: str) -> bool:
        return belongs(name, self.texts["work"])

    def changed(self, name: str) -> None:
        """Propose a batch, a dtype and a method where the work has become another: of a product the handbook's."""
        if name != "work":
            return
        before, self.work = self.work, self.texts["work"]
        if kind_of(before) is not (kind := kind_of(self.work)):
            proposed = kind() if self.work in KINDS else Layer(find_model(self.work))
            self.put("batch", str(proposed.batch))
            self.put("dtype", proposed.dtype)
            if proposed.one_by_one:
                self.put("method", "synchronized")

    def notes(self) -> Mapping[str, Note]:
        self.config, errors = config_of(self.texts, self.base)
        if self.config is not None:
            free, needed = self.limits.available.get(self.config.backend), self.limits.needed(self.config)
            if lacking := self.limits.lacking.get(self.config.backend):
                return {"backend": Note(lacking, "failed")}
            if free is not None and needed > free:
                field, what = {PRODUCT: ("intermediate", "shape"), Stream.kind: ("mib", "arrays"), Transfer.kind: ("mib", "arrays")}.get(
                    self.texts["work"], ("work", "model")
                )
                return {field: Note(f"needs {gib(needed)} of {gib(free)} free: make the {what} smaller", "failed")}
            if why := self.limits.refused.get((self.config.backend, self.config.workload.dtype)):
                return {"dtype": Note(f"not on {self.config.backend}, `devices` found: {why}", "attention")}
        return {name: Note(f"{error.title}: {error.cause} {error.remedy}", "failed") for name, error in errors.items()}

    def sentences(self) -> Sequence[Content]:
        assert self.config is not None  # nothing is wrong
        free = self.limits.available.get(self.config.backend)
        needed = f" It needs {gib(self.limits.needed(self.config))} of {gib(free)} free." if free is not None else ""
        seconds = self.limits.seconds(self.config)
        about = f" The run takes about {clock(seconds)}." if seconds is not None else ""
        return [styled(config_sentence(self.config), "strong"), styled(f"{work_in_words(self.config)}{needed}{about}", "quiet")]
