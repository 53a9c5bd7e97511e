"""One benchmark over time: its median run after run, and the changes that the test of ``runs check`` finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.comparison.compare import Comparison, between, compare, judge, mixed, risks, took
from heartbeat_core.comparison.cost import NO_RATES
from heartbeat_core.comparison.groups import MeasuredRun, RunGroup, measure_each, side_of
from heartbeat_core.comparison.ratio import Ratio
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry
from heartbeat_core.recordings.query import query_runs

ALLOWED = 0.05  # the difference that is no change, as of ``runs check``
MOST = 50  # of the newest runs


@dataclass(frozen=True)
class TrendPoint:
    """A run, or those that repeat one another, and whether it differs from the runs since the last change.

    ``change`` is empty where no difference of more than is allowed is sure; not ``certain`` is one that ``check`` reports only with
    --single-process. ``ratio`` is the time over that of the runs before, None for the first.
    """

    started: datetime | None
    figures: RunGroup
    ratio: Ratio | None = None
    change: Literal["slower", "faster", ""] = ""
    certain: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class Trend:
    """The points of one benchmark, the oldest first; ``allowed`` is the share by which two may differ without being a change."""

    title: str
    allowed: float
    points: tuple[TrendPoint, ...]
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``runs trend --json`` prints."""
        points = [{**asdict(point), "started": point.started.isoformat() if point.started else None} for point in self.points]
        return {"title": self.title, "allowed": self.allowed, "points": points, "notes": list(self.left_out)}


def named_runs(entries: Sequence[RunEntry], text: str) -> tuple[RunEntry, ...]:
    """Return the runs with this name, group or tag, or those that a query such as "tag:nightly" finds; raise HeartbeatError for none."""
    found = tuple(entry for entry in entries if text and text in (entry.name, entry.group, *entry.tags))
    found = found or (query_runs(entries, text) if ":" in text else ())
    if not found:
        remedy = "Name runs with bench --name NAME, or give one of them: runs trend --config-of RUN."
        raise HeartbeatError(f"there is no run {text!r}", "No run has this name, group or tag.", remedy)
    return found


def like_runs(entries: Sequence[RunEntry], entry: RunEntry) -> tuple[RunEntry, ...]:
    """Return the runs with the config of one, on its device and host."""

    def key(each: RunEntry) -> tuple[object, ...]:
        return each.workload, each.method, each.precision, each.where, each.host

    return tuple(each for each in entries if key(each) == key(entry))


def trend_of(entries: Sequence[RunEntry], peak_cache: PeakCache, title: str, *, allowed: float = ALLOWED, most: int = MOST) -> Trend:
    """Read the newest of these runs and look for changes; raise HeartbeatError where they are not one benchmark, or have no figures."""
    usable = [entry for entry in entries if entry.readable and entry.median_ns and entry.started]
    newest = sorted(usable, key=lambda entry: (entry.started is not None, entry.started), reverse=True)[: max(1, most)]
    runs, left_out = measure_each(newest[::-1], peak_cache)
    differ = mixed(runs) or (("device",) if len({run.entry.where for run in runs}) > 1 else ())
    if not runs:
        raise HeartbeatError(
            f"{title} has no run with figures", "None of its runs measured a steady iteration.", "Make one: heartbeat-tui bench."
        )
    if differ:
        cause = f"Its runs differ in {', '.join(differ)}."
        raise HeartbeatError(f"{title} is not one benchmark", cause, "Choose one of its runs: runs trend --config-of RUN.")
    turns = [list(some) for _, some in groupby(runs, key=lambda run: run.entry.group or run.entry.path.name)]
    return Trend(title, allowed, tuple(points_of(turns, allowed)), left_out)


def points_of(turns: Sequence[Sequence[MeasuredRun]], allowed: float) -> Iterator[TrendPoint]:
    """Compare each with all those since the last change together."""
    before: list[MeasuredRun] = []
    for runs in turns:
        point = TrendPoint(runs[0].entry.started, side_of(runs, NO_RATES))
        if before:
            ratio = compare(before, runs).ratio
            change, certain, sentence = change_between(before, runs, allowed, slower=ratio.value > 1)
            point = replace(point, ratio=ratio, change=change, certain=certain, sentence=sentence)
        before = [*runs] if point.change else [*before, *runs]
        yield point


def change_between(
    before: Sequence[MeasuredRun], runs: Sequence[MeasuredRun], allowed: float, *, slower: bool
) -> tuple[Literal["slower", "faster", ""], bool, str]:
    """Return whether one side is slower by more than is allowed, whether that is certain, and a sentence."""
    comparison = compare(before, runs) if slower else compare(runs, before)
    for single_process in (False, True):
        if judge(comparison, allowed, single_process=single_process)[0] == "regression":
            doubt = f". Not certain: {'; '.join(risks(comparison))}" if single_process else ""
            return "slower" if slower else "faster", not single_process, change_words(comparison, slower=slower) + doubt
    return "", False, ""


def change_words(comparison: Comparison, *, slower: bool) -> str:
    """State by how much the later runs differ from those before."""
    ratio, before = comparison.ratio, comparison.reference if slower else comparison.candidate
    value, low, high = (ratio.value, ratio.low, ratio.high) if slower else (1 / ratio.value, 1 / (ratio.high or 1), 1 / (ratio.low or 1))
    count = "run" if before.processes == 1 else f"{before.processes} runs"
    sure = f" ({between(low, high)}, with 95 % confidence)" if low and high else ""
    return f"{took(value)} than the {count} before{sure}"
