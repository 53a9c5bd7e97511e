"""The records of a run, and how they are written to a stream and read from it.

Every record says when it was made, ``at_ns``: nanoseconds since the worker started, by its own monotonic clock.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args

from heartbeat_core.errors import HeartbeatError, without_controls

Phase = Literal["cold", "warm-up", "steady"]
PHASES: tuple[Phase, ...] = get_args(Phase)

LEFT_PRODUCTS = 3  # more work than this after a fence, in products, and the fence did not wait
LEFT_SLACK_NS = 3_000_000  # what a second fence and a read differ by on an idle device of a busy host


@dataclass(frozen=True)
class Record:
    """One record; a subclass is a kind, which ``type`` names in the stream."""

    type: ClassVar[str]
    at_ns: int


@dataclass(frozen=True)
class Started(Record):
    """The first record: the config as the worker read it."""

    type = "started"
    schema: int
    version: str
    pid: int
    time: str  # ISO 8601, UTC
    plan: dict[str, Any]


@dataclass(frozen=True)
class Stage(Record):
    """A step before or after the iterations: begun where ``ns`` is None, then done in ``ns`` nanoseconds.

    Names: import, device, allocate, transfer, reference, proof, calibrate, profile.
    """

    type = "stage"
    name: str
    ns: int | None = None


@dataclass(frozen=True)
class Environment(Record):
    """Where the run takes place: host, processor, versions, device, precision, threads.

    ``variables`` holds the environment variables that change speed and are set; ``cpu_quota`` the processors that the
    control group grants (None: no limit); ``allowed_cpus`` those this process may run on, "0-3"; ``cpu_flags`` the
    instruction sets that decide the peak, ``clock_max_mhz`` the greatest clock, where the system tells.
    """

    type = "environment"
    values: dict[str, Any]


@dataclass(frozen=True)
class Samples(Record):
    """Consecutive samples of one phase, in nanoseconds, int64.

    ``start`` is the number of the first one in the run, from 0. ``columns`` holds "total" and, where the backend tells
    its steps apart, "trace", "compile", "dispatch", "wait"; where the work has several steps also their names, each timed by
    itself right after the whole. A sample spans the config's ``products_per_sample``.
    """

    type = "samples"
    phase: Phase
    start: int
    columns: dict[str, array[int]]

    def __len__(self) -> int:
        return len(self.columns["total"])


@dataclass(frozen=True)
class HandbookClock(Record):
    """What the counters said about one reading of the handbook's clock, after the fence.

    ``launched`` of the ``products`` traced were ever handed to the device; ``fence_ns`` is how much longer the device
    worked after the clock had stopped, ``idle_fence_ns`` what the same fence costs on an idle device.
    """

    type = "handbook"
    products: int
    total_ns: int
    launched: int
    fence_ns: int
    idle_fence_ns: int

    def __post_init__(self) -> None:
        """Raise ValueError where nothing was to be multiplied."""
        if self.products < 1:
            raise ValueError("a reading of the clock spans at least one product")

    @property
    def finished(self) -> bool:
        """Return whether the work was over when the clock stopped: the fence then costs little more than an idle one.

        Measured on the CPU: 22 to 38 µs against 16 to 20. A v6e needs 170 µs for the handbook's product, and that must show.
        """
        return self.fence_ns <= 3 * self.idle_fence_ns + 50_000


@dataclass(frozen=True)
class Health(Record):
    """What else the machine was doing, since the iterations began: ``switches`` are involuntary context switches.

    ``stops`` counts how often the process was stopped and continued (SIGSTOP), for about ``stopped_ns`` in all.
    ``suspended_ns`` is how long the whole machine slept (a closed laptop). ``throttled_ns`` is how long the control group
    was kept off the processors by its quota, in ``throttles`` periods. ``waited_ns`` is how long the thread that takes the
    times was ready to run while others had the processors. None where the system does not tell.
    """

    type = "health"
    switches: int
    load: float | None  # 1 minute
    steal_percent: float | None
    clock_mhz: float | None
    stops: int | None = None
    stopped_ns: int | None = None
    suspended_ns: int | None = None
    throttles: int | None = None
    throttled_ns: int | None = None
    waited_ns: int | None = None


@dataclass(frozen=True)
class ChipReading:
    """One device of a chip: its memory in bytes and the share of time it was at work, None for what is not known."""

    device: int
    used_bytes: int | None
    total_bytes: int | None
    duty_percent: float | None


@dataclass(frozen=True)
class Chips(Record):
    """Readings of the chips during the run and their source; ``problem`` is why some or all of them are missing."""

    type = "chips"
    source: str
    readings: tuple[ChipReading, ...]
    problem: str | None = None


@dataclass(frozen=True)
class Pause(Record):
    """The run was paused before the sample ``before``, for ``ns`` nanoseconds."""

    type = "pause"
    before: int
    ns: int


@dataclass(frozen=True)
class Proof(Record):
    """The result check: the product of every row with a random vector, on the device and in float64 on the host.

    ``error`` is the greatest of all rows and results, against ``tolerance``; ``row`` is where it was found. ``rows`` were
    checked of each of ``results`` results: the last of each of ``inputs`` inputs, and that of the sample ``iteration``,
    chosen at random while the run was on (None where the run ended before it). ``seed`` gave the vector and the choice.
    A recording without ``rows`` is older: one row of the last result was compared, and ``error`` is
    max|row - reference| / max|reference|.

    ``executed`` of the ``expected`` products were launched by the device's own counter; None where it has none.

    ``left_ns`` is the work that the fence left behind: how much longer a second fence and the first read of the result
    took than a third fence and a second read. It is the lower median of ``fences`` times, of which most follow a burst of
    iterations. More than a few products' time (``work_left``) means that the fence did not wait. None where it was not
    measured.
    """

    type = "proof"
    row: int
    error: float | None  # None where the result holds NaN or infinity
    implies: str
    passed: bool
    executed: int | None = None
    expected: int | None = None
    rows: int | None = None
    results: int | None = None
    inputs: int | None = None
    iteration: int | None = None
    seed: int | None = None
    tolerance: float | None = None
    left_ns: int | None = None
    fences: int | None = None
    step: str | None = None  # of several steps the one with the greatest error
    call_ns: int | None = None  # a 2×2 product and its fence: what a call costs without any work, the median

    def work_left(self, product_ns: float) -> bool:
        """Return whether the fence did not wait, given the median time of one product in nanoseconds."""
        return self.left_ns is not None and self.left_ns > LEFT_PRODUCTS * product_ns + LEFT_SLACK_NS


@dataclass(frozen=True)
class PeaksMeasured(Record):
    """The best this machine was seen to do, by the same backend; ``disturbed`` says what else it did at that time, if anything."""

    type = "ceiling"
    flops_per_s: float
    bytes_per_s: float
    disturbed: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError where it would hold nothing."""
        if not (self.flops_per_s > 0 and self.bytes_per_s > 0):
            raise ValueError("a peak is more than 0")


@dataclass(frozen=True)
class Elapsed(Record):
    """Where the worker's clock ran too slowly: how long the run took by it, and by the clock of the program that read the stream."""

    type = "elapsed"
    worker_ns: int
    here_ns: int


@dataclass(frozen=True)
class Failed(Record):
    """The worker could not go on. ``kind``: plan, backend, memory, error."""

    type = "failed"
    kind: str
    title: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Ended(Record):
    """The last record. ``reason``: done, stopped."""

    type = "ended"
    reason: str


@dataclass(frozen=True)
class Profiled(Record):
    """A profile was taken after the run: ``files`` are paths within ``folder`` and their bytes; ``problem`` says what it lacks."""

    type = "profile"
    folder: str
    files: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class Label(Record):
    """The name, note and tags of a run. Appended to its recording, so that it travels with the file; the last one counts, whole.

    ``group`` holds together runs that repeat one another, ``round`` those of them that took turns; ``reference`` marks the
    config given first.
    """

    type = "label"
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    group: str = ""
    round: str = ""
    reference: bool = False


@dataclass(frozen=True)
class Unknown(Record):
    """A record of a kind that this version does not know: kept, not understood."""

    type = "unknown"
    values: dict[str, Any] = field(default_factory=dict)


SCHEMA = 1
KINDS: dict[str, type[Any]] = {kind.type: kind for kind in Record.__subclasses__() if kind is not Unknown}

# Each field by name, annotation and whether it must be given: looked up once, for a long run has a record every 33 ms.
FIELDS: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {
    kind: tuple((f.name, str(f.type), f.default is MISSING) for f in fields(kind)) for kind in (*KINDS.values(), ChipReading)
}

JSON_TYPES: dict[str, type[Any] | tuple[type[Any], ...]] = {
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
    "dict[str, Any]": dict,
    "dict[str, array[int]]": dict,
    "tuple[str, ...]": list,
    "tuple[ChipReading, ...]": list,
}


# What recordings made before 2026-12 call a precision: the same thing must not look like a difference.
FORMER_PRECISIONS = {"float32 as it is": "full float32", "bfloat16 as it is": "bfloat16"}


class StreamError(HeartbeatError):
    """A line that is no record of ours."""


class NewerSchema(StreamError):
    """A stream that only a newer version can read."""


def encode(record: Record) -> bytes:
    """Make one line of JSON, with its line feed."""
    values = record.values if isinstance(record, Unknown) else {"type": record.type, **vars(record)}
    if isinstance(record, Samples):
        values["columns"] = {name: pack(column) for name, column in record.columns.items()}
    return json.dumps(values, separators=(",", ":"), allow_nan=False, default=vars).encode() + b"\n"


def decode(line: bytes) -> Record:
    """Read one line; raise StreamError where it is no record, ignore what a newer version has added."""
    try:
        text = line.decode()
        values = JSON.decode(text)
        if "\\" in text or not text.isascii():  # never in a line of samples
            values = without_controls(values)
        kind, at_ns = values["type"], values["at_ns"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise not_ours(line, error) from error
    if not fits(at_ns, "int"):
        raise not_ours(line, "at_ns is not a whole number")
    record = KINDS.get(kind) if isinstance(kind, str) else None
    if record is None:
        return Unknown(at_ns, values)
    try:
        known = known_values(record, values)
        if record is Samples:
            known["columns"] = unpack_columns(known["columns"])
        elif record is Environment and (precision := known["values"].get("precision")) in FORMER_PRECISIONS:
            known["values"] = {**known["values"], "precision": FORMER_PRECISIONS[precision]}
        elif record is Label:
            known["tags"] = texts(known.get("tags", ()))
        elif record is Chips:
            known["readings"] = tuple(ChipReading(**known_values(ChipReading, each)) for each in known["readings"])
        made: Record = record(**known)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise not_ours(line, error) from error
    if isinstance(made, Started) and made.schema > SCHEMA:
        raise NewerSchema(f"the stream has schema {made.schema!r}", f"This version reads schema {SCHEMA}.", "Update heartbeat-tui.")
    return made


def known_values(record: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """Pick what the fields of a kind of record take; raise KeyError where one is missing, TypeError where one is of another type."""
    known: dict[str, Any] = {}
    for name, annotation, needed in FIELDS[record]:
        if needed or name in values:
            known[name] = values[name]
            if not fits(known[name], annotation):
                raise TypeError(f"{name} is not of the type {annotation}")
    return known


def fits(value: object, annotation: str) -> bool:
    """Return whether a value out of JSON is what the field of a record is annotated with."""
    if value is None:
        return annotation.endswith(" | None")
    base = annotation.removesuffix(" | None")
    if isinstance(value, bool) and base != "bool":  # True is an int to Python
        return False
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return False
    return value in PHASES if base == "Phase" else isinstance(value, JSON_TYPES[base])


def finite(text: str) -> float:
    """Read a number; raise ValueError for NaN and infinity, which are no JSON and break every sum."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


JSON = json.JSONDecoder(parse_float=finite, parse_constant=finite)  # made once: it costs more than to read a line with it


def pack(column: array[int]) -> str:
    if sys.byteorder == "big":
        column = array("q", column)
        column.byteswap()
    return base64.b64encode(column).decode()


def unpack(text: str) -> array[int]:
    column = array("q")
    column.frombytes(base64.b64decode(text, validate=True))
    if sys.byteorder == "big":
        column.byteswap()
    return column


def unpack_columns(packed: dict[str, str]) -> dict[str, array[int]]:
    columns = {name: unpack(text) for name, text in packed.items()}
    if len({len(column) for column in columns.values()}) != 1 or "total" not in columns:
        raise ValueError("the columns of a samples record differ in length, or lack the total")
    return columns


def texts(values: Iterable[Any]) -> tuple[str, ...]:
    found = tuple(values)
    if not all(isinstance(value, str) for value in found):
        raise TypeError("a tag is not a text")
    return found


def not_ours(line: bytes, why: object) -> StreamError:
    shown = line[:80].decode("utf-8", "backslashreplace").strip()
    detail = "not base64" if isinstance(why, binascii.Error) else f"{why.args[0]} is missing" if isinstance(why, KeyError) else str(why)
    return StreamError(f"the stream holds a line that is no record: {shown!r}", detail, "Something else writes to the worker's output.")
