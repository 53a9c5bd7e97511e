"""A second process beside a run: what it tells of the chips is merged into the run's own stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from time import monotonic_ns
from typing import Any, Protocol

from heartbeat_core.beat.records import ChipReading, Chips
from heartbeat_core.beat.stream import encode

Told = tuple[tuple[ChipReading, ...], str | None]  # the readings, and what is missing


class Witness(Protocol):
    """Somebody who looks at the chips that a run is on."""

    source: str

    def concerns(self, environment: Mapping[str, Any]) -> bool:
        """Tell whether there is anything to see where the run takes place."""

    def tell(self) -> Iterator[Told]:
        """Look, time and again, until ``stop``; the thread that calls this is the one that the looking depends on."""

    def stop(self) -> None:
        """See to it that ``tell`` ends now."""


class Beside:
    """Listens to a witness in a thread of its own, from when the run knows where it takes place to its end."""

    def __init__(self, witness: Witness, take: Callable[[Chips, bytes], None]) -> None:
        self.witness, self.take = witness, take
        self.lag_ns: int | None = None  # our clock less the worker's: the least seen, for lines may come late and never early
        self.thread: threading.Thread | None = None

    def heard(self, at_ns: int) -> None:
        """Note that the worker told something now that it dated so."""
        lag_ns = monotonic_ns() - at_ns
        self.lag_ns = lag_ns if self.lag_ns is None else min(lag_ns, self.lag_ns)

    def begin(self, environment: Mapping[str, Any]) -> None:
        if self.thread is None and self.witness.concerns(environment):
            self.thread = threading.Thread(target=self.listen, name="chips", daemon=True)
            self.thread.start()

    def listen(self) -> None:
        """Pass on the readings, and each problem once: one that lasts would fill the recording."""
        before: str | None = None
        for readings, problem in self.witness.tell():
            if readings or problem != before:
                record = Chips(monotonic_ns() - (self.lag_ns or 0), self.witness.source, readings, problem)
                self.take(record, encode(record))
            before = problem

    def end(self) -> None:
        """End the looking, and return when nothing more will be taken."""
        if self.thread is not None:
            self.witness.stop()
            self.thread.join()
