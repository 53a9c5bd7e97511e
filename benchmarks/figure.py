"""Figures and their targets, ratios of interleaved runs, and a warning where other programs were busy."""

from __future__ import annotations

import os
import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
STAT = Path("/proc/stat")
BUSY_PERCENT = 3.0  # of all cores, taken by others: enough to show in a figure


@dataclass(frozen=True)
class Figure:
    """A value that should be at most ``most`` and, where given, at least ``least``.

    Values are counts or ratios, so that a target holds on every machine; the absolute figure is in ``note``.
    """

    name: str
    value: float
    most: float
    least: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool:
        return self.value <= self.most and (self.least is None or self.value >= self.least)

    def __str__(self) -> str:
        target = f"<= {self.most:g}" if self.least is None else f"{self.least:g} to {self.most:g}"
        if self.most == float("inf"):
            target = f">= {self.least:g}"
        shown = f"{self.value:.3f}" if self.value < 10 else f"{self.value:,.1f}"
        unit = f" {self.unit}" if self.unit else ""
        note = f"   {self.note}" if self.note else ""
        return f"{'pass' if self.met else 'MISS'}  {self.name:<50} {shown + unit:>9}   target {target + unit:<12}{note}"


@contextmanager
def quiet() -> Iterator[None]:
    """Warn where others took part of the processors: what /proc/stat counts as busy beyond ourselves and our children."""
    start, own, busy = perf_counter(), own_cpu_s(), busy_s()
    yield
    now = busy_s()
    if busy is None or now is None:
        return
    others_s = now - busy - (own_cpu_s() - own)
    percent = 100 * others_s / (perf_counter() - start) / (os.cpu_count() or 1)
    if percent > BUSY_PERCENT:
        print(f"WARNING: others took {percent:.0f} % of the processors meanwhile; run this again on a quiet machine.", flush=True)


def own_cpu_s() -> float:
    """Add up the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def busy_s() -> float | None:
    """Read the processor time that all cores have spent, stolen time included; None where there is no /proc/stat."""
    if not STAT.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(tick) for tick in STAT.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def interleave(rounds: int, runs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Take each measurement once a round, in an order that rotates, so that a drift of the machine meets all alike."""
    names = list(runs)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            taken[name].append(runs[name]())
    return taken


def ratio(name: str, values: Sequence[float], bases: Sequence[float], most: float, least: float | None = None, *, note: str = "") -> Figure:
    """Return the median of the ratios, round by round; ``note`` is the absolute figure."""
    ratios = sorted(value / base for value, base in zip(values, bases, strict=True))
    middle = statistics.quantiles(ratios, n=4)
    spread = f"middle half of {len(ratios)}: {middle[0]:.3f} to {middle[2]:.3f}"
    return Figure(name, statistics.median(ratios), most, least, note=f"{note}; {spread}" if note else spread)


def program() -> list[str]:
    """Return the command that people type: the script beside this Python, or what the script does."""
    script = Path(sys.executable).with_name("heartbeat-tui")
    return [str(script)] if script.exists() else [sys.executable, "-c", "from heartbeat_tui.cli import main; main()"]


def finish(figures: Sequence[Figure]) -> None:
    """Print the figures and exit, 1 where a target was missed."""
    for figure in figures:
        print(figure, flush=True)
    sys.exit(not all(figure.met for figure in figures))
