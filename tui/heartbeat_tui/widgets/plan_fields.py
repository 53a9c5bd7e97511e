"""The fields of a plan as text, and back: what is wrong is said field by field."""

from __future__ import annotations

from typing import Any

from heartbeat_core.benchmark.config import BACKENDS, DTYPES, METHODS, PRECISIONS, MatMul, Plan
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.units import parse_duration
from heartbeat_tui.widgets.form_fields import Field

SHAPE = ("batch", "hidden", "intermediate")
CHOICES: dict[str, tuple[str, ...]] = {"backend": BACKENDS, "method": METHODS, "dtype": DTYPES, "precision": PRECISIONS}
FIELDS = tuple(
    Field(name, name.replace("warmup", "warm-up"), hint, CHOICES.get(name, ()))
    for name, hint in (
        ("batch", "rows of the input"),
        ("hidden", "columns of input, rows of weights"),
        ("intermediate", "columns of the weights"),
        ("dtype", "what the numbers are"),
        ("backend", "where it is computed"),
        ("precision", "1, 3 or 6 bfloat16 passes, on a TPU"),
        ("threads", "empty: as torch chooses"),
        ("method", "how the clock is read"),
        ("warmup", "beats before the steady state"),
        ("length", "100, 30s, 2m, or empty: until stopped"),
    )
)

Errors = dict[str, HeartbeatError]


def texts_of(plan: Plan) -> dict[str, str]:
    """Write a plan into its fields."""
    work = plan.workload
    length = str(plan.iterations) if plan.iterations is not None else f"{plan.duration_s:g}s" if plan.duration_s else ""
    return {
        "batch": str(work.batch),
        "hidden": str(work.hidden),
        "intermediate": str(work.intermediate),
        "dtype": work.dtype,
        "backend": plan.backend,
        "precision": plan.precision,
        "threads": str(plan.threads or ""),
        "method": plan.method,
        "warmup": str(plan.warmup),
        "length": length,
    }


def plan_of(texts: dict[str, str], plan: Plan) -> tuple[Plan | None, Errors]:
    """Read the fields into a plan that keeps what else ``plan`` says; without a plan, at least one field has an error."""
    errors: Errors = {}
    values: dict[str, Any] = {}
    for field in FIELDS:
        try:
            values[field.name] = value_of(field.name, texts[field.name].strip())
        except HeartbeatError as error:
            errors[field.name] = error
    if errors:
        return None, errors
    try:
        workload = MatMul(**{name: values.pop(name) for name in (*SHAPE, "dtype")})
        iterations, duration_s = values.pop("length")
        kept = {name: getattr(plan, name) for name in ("window", "repeats", "seed", "calibrate")}
        return Plan(workload=workload, iterations=iterations, duration_s=duration_s, **values, **kept), {}
    except HeartbeatError as error:  # what no field shows alone: the handbook's clock without a number of iterations
        return None, {"length": error}


def value_of(name: str, text: str) -> Any:
    """Read one field; raise HeartbeatError where it makes no sense by itself."""
    if name in CHOICES:
        return text
    if name == "length":
        return length_of(text)
    if name == "threads" and not text:
        return None
    value = number_of(name, text)
    if name in SHAPE:
        MatMul(**{name: value})  # type: ignore[arg-type] # the name is one of SHAPE
    else:
        Plan(**{name: value})  # type: ignore[arg-type] # warmup or threads
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
        Plan(iterations=None, duration_s=seconds)
        return None, seconds
    try:
        iterations = number_of("length", text)
    except HeartbeatError as error:
        raise HeartbeatError(f"length is {text!r}", "It is a number of iterations or a time.", "Type 100, 30s or 2m.") from error
    Plan(iterations=iterations)
    return iterations, None
