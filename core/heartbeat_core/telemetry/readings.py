"""One reading of the chips of a machine, and what is wrong if something is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.benchmark.tpu_chips import Holder, chip_by_name, hidden_bus
from heartbeat_core.errors import HeartbeatError, without_controls

# told: every value of every chip; partial: some; idle: no program uses the chip, so none serves its metrics; silent: a program
# uses it and serves none; refused, timeout: a server that answers otherwise; the rest: there is nothing to ask, or to ask with.
State = Literal["told", "partial", "idle", "silent", "refused", "timeout", "no tpu", "hidden", "no library", "broken"]


@dataclass(frozen=True)
class Answer:
    """The answer of the server on one port; ``outcome`` is "told", "nobody", "timeout" or "refused"."""

    port: int
    outcome: str
    detail: str
    chips: tuple[ChipReading, ...]


@dataclass(frozen=True)
class ChipReadings:
    """One reading. ``tpus`` are (address on the bus, generation or None); ``library`` is the release of tpu-info.

    ``bus_hidden``: the chips' files are there and the PCI bus is not; ``contained``: other containers' processes are not seen.
    ``failure`` is why there is no reading at all. Times are UTC, ISO 8601, by the clock of that machine.
    """

    time: str = ""
    tpus: tuple[tuple[str, str | None], ...] = ()
    files: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    unreadable: int = 0
    bus_hidden: bool = False
    contained: bool = False
    library: str | None = None
    library_problem: str = ""
    answers: tuple[Answer, ...] = ()
    failure: str = ""

    @property
    def chips(self) -> tuple[ChipReading, ...]:
        return tuple(chip for answer in self.answers for chip in answer.chips)

    @property
    def state(self) -> State:
        if self.failure:
            return "broken"
        if self.library_problem:
            return "no library"
        if not self.answers:
            return "hidden" if self.bus_hidden else "no tpu"
        outcomes = {answer.outcome for answer in self.answers}
        if "told" in outcomes:
            whole = outcomes == {"told"} and not any(answer.detail for answer in self.answers) and all(map(complete, self.chips))
            return "told" if whole else "partial"
        if outcomes == {"nobody"}:
            return "silent" if self.holders else "idle"
        return "timeout" if "timeout" in outcomes else "refused"

    @property
    def title(self) -> str:
        """Return the generation and how many chips the bus shows."""
        slots = {address.partition(".")[0] for address, _ in self.tpus}
        names = sorted({title_of(chip) for _, chip in self.tpus})
        return f"{len(slots)} × {', '.join(names)}" if slots else "no TPU on the PCI bus"

    @property
    def problem(self) -> HeartbeatError | None:
        """Return what is missing, None if nothing is."""
        ports = " and ".join(f"localhost:{answer.port}" for answer in self.answers)
        named = len(self.answers) > 1
        details = "; ".join(f"localhost:{each.port}: {each.detail}" if named else each.detail for each in self.answers if each.detail)
        silent = any(answer.outcome != "told" for answer in self.answers)
        contained = " One in another container cannot be seen from this one." if self.contained else ""
        problems: dict[State, tuple[str, str, str]] = {
            "broken": ("the chips could not be read", self.failure, "Try again; name the Python with --python."),
            "no tpu": (
                "there is no TPU on this machine", "Its PCI bus shows no TPU chip.",
                "Run this on a TPU VM. A metrics server elsewhere: --port.",
            ),
            "hidden": hidden_bus(self.files),
            "no library": (
                "the package tpu-info is missing", f"The Python that reads the chips has none: {self.library_problem}.",
                "Install it beside torch_xla: heartbeat-tui backend install xla. Or name a Python that has it: --python.",
            ),
            "idle": (
                "no workload yet",
                f"No server answers on {ports}: libtpu serves its metrics from within the program that uses the chip.{contained}",
                "Start one, such as heartbeat-tui bench --backend xla, and try again.",
            ),
            "silent": (
                "the program on the chip serves no metrics",
                f"Held by {'; '.join(map(str, self.holders))}. No server answers on {ports}.",
                "It may serve another port, which --port names (libtpu's TPU_RUNTIME_METRICS_PORTS), or run in a container of its own.",
            ),
            "timeout": (f"{ports} does not answer", details, "The program on the chip may hang; check it, and try again."),
            "refused": (
                f"{ports} refuses the metrics", details, "Something else may serve that port, or libtpu is too old for them."
            ),
            "partial": (
                "some values are missing", details or "The server did not report every value of each chip.",
                "Check whether the program behind that port still runs." if silent else "A newer release of libtpu may report more.",
            ),
        }  # fmt: skip
        found = problems.get(self.state)
        return HeartbeatError(*found, exit_code=1 if self.state == "idle" else 3) if found else None


def complete(chip: ChipReading) -> bool:
    return None not in (chip.used_bytes, chip.total_bytes, chip.duty_percent)


def title_of(name: str | None) -> str:
    chip = chip_by_name(name)
    return chip.title if chip else "TPU of an unknown generation"


def reading_from_json(line: bytes) -> ChipReadings:
    """Return the reading in a line of the reader; raise HeartbeatError if it is none."""
    try:
        said = without_controls(json.loads(line))
        return ChipReadings(
            time=str(said["time"]),
            tpus=tuple((str(tpu["address"]), tpu["chip"]) for tpu in said["tpus"]),
            files=tuple(map(str, said.get("files", ()))),
            holders=tuple(Holder(**each) for each in said.get("holders", ())),
            unreadable=int(said.get("unreadable", 0)),
            bus_hidden=bool(said.get("bus_hidden", False)),
            contained=bool(said.get("contained", False)),
            library=said.get("library"),
            library_problem=str(said.get("library_problem", "")),
            answers=tuple(map(answer_from_json, said["answers"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        shown = line[:80].decode("utf-8", "backslashreplace").strip()
        raise HeartbeatError(f"the reader printed an unreadable line: {shown!r}", str(error), "Name another Python: --python.") from error


def answer_from_json(said: Mapping[str, Any]) -> Answer:
    return Answer(int(said["port"]), str(said["outcome"]), str(said["detail"]), tuple(ChipReading(**chip) for chip in said["chips"]))
