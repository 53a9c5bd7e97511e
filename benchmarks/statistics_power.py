"""Coverage of intervals, false alarms and power of the tests, by simulation; the table of docs/statistics.md."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heartbeat_core.benchmark.effective_samples import effective_of, interval_ranks
from heartbeat_core.benchmark.samples import SampleStore
from heartbeat_core.benchmark.steady_state import SteadyState, steady_state
from heartbeat_core.benchmark.verdict import MODES_APART
from heartbeat_core.comparison.ratio import Ratio, far_out, of_processes, of_rounds
from heartbeat_core.fleet.model import Fleet, HostSummary
from heartbeat_core.fleet.slow_hosts import find_slow

RUNS = 1000
MEDIAN = 1e6  # ns
SIGMA = 0.02
NEVER = math.inf

Floats = NDArray[np.float64]
Chance = np.random.Generator
Draw = Callable[[Chance], tuple[Floats, float]]  # the samples of a run, and the true median


def lognormal(n: int, sigma: float) -> Draw:
    return lambda chance: (MEDIAN * chance.lognormal(0, sigma, n), MEDIAN)


def coarse(n: int) -> Draw:
    """Draw times of a product that takes about 50 steps of the clock, give or take half a step."""
    return lambda chance: (MEDIAN / 50 * np.round(50 + 0.5 * chance.standard_normal(n)), MEDIAN)


def resembling(n: int, rho: float) -> Draw:
    """Draw an AR(1) series."""

    def draw(chance: Chance) -> tuple[Floats, float]:
        noise = chance.standard_normal(n)
        for i in range(1, n):
            noise[i] = rho * noise[i - 1] + math.sqrt(1 - rho * rho) * noise[i]
        return MEDIAN * (1 + SIGMA * noise), MEDIAN

    return draw


def dwelling(n: int, slow: float, fast: float, step: float) -> Draw:
    """Draw a machine that stays about ``slow`` samples in its slow mode and about ``fast`` in its fast one, by geometric chance."""
    share = slow / (slow + fast)
    # of a rarer slow mode the median is the quantile 0.5 / (1 - share) of the fast one; of equal modes it lies between them
    middle = 1 + step / 2 if slow == fast else 1 + SIGMA * normal_quantile(0.5 / (1 - share))

    def draw(chance: Chance) -> tuple[Floats, float]:
        state, level = chance.random() < share, np.ones(0)
        while len(level) < n:
            level = np.append(level, np.full(chance.geometric(1 / (slow if state else fast)), 1 + step * state))
            state = not state
        return MEDIAN * level[:n] * (1 + SIGMA * chance.standard_normal(n)), MEDIAN * middle

    return draw


def stepping(n: int, at: float, factor: float) -> Draw:
    def draw(chance: Chance) -> tuple[Floats, float]:
        values = MEDIAN * (1 + SIGMA * chance.standard_normal(n))
        values[round(at * n) :] *= factor
        return values, MEDIAN

    return draw


def normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


@dataclass(frozen=True)
class Row:
    """A line of the table: what was drawn, what was counted, in how many of how many, and what it should be."""

    drawn: str
    counted: str
    found: int
    of: int
    least: float = 0.0
    most: float = NEVER

    @property
    def share(self) -> float:
        return self.found / self.of if self.of else 0.0

    @property
    def text(self) -> str:
        """Return a line of Markdown."""
        target = f"≥ {self.least:.0%}" if self.least else f"≤ {self.most:.1%}" if self.most < 1 else ""
        return f"| {self.drawn} | {self.counted} | {self.share:.1%} | {target} |"

    @property
    def met(self) -> bool:
        """Return whether it is as it should be, with three standard errors of the simulation to spare."""
        p = self.least or min(self.most, 0.5)
        spare = 3 * math.sqrt(p * (1 - p) / max(1, self.of))
        return self.least - spare <= self.share <= self.most + spare


def intervals(drawn: str, draw: Draw, *, most_shown: float = NEVER, runs: int = RUNS) -> list[Row]:
    """Count the runs that have an interval, and of these the intervals that hold the true median."""
    chance, shown, holding = np.random.default_rng(1), 0, 0
    for _ in range(runs):
        values, median = draw(chance)
        worth = effective_of(values)
        ranks = interval_ranks(len(values), worth.estimate) if worth.enough else None
        if ranks:
            ordered = np.sort(values)
            shown += 1
            holding += bool(ordered[ranks[0] - 1] <= median <= ordered[ranks[1] - 1])
    found = [Row(drawn, "an interval is shown", shown, runs, most=most_shown)]
    return found if most_shown < NEVER else [*found, Row(drawn, "the intervals shown hold the median", holding, shown, least=0.9)]


def noise(drawn: str, draw: Draw, *, least: float = 0.0, most: float = NEVER, runs: int = RUNS // 2) -> Row:
    """Count the runs that are called noisy because they go to and fro between two modes."""
    chance, found = np.random.default_rng(4), 0
    for _ in range(runs):
        worth = effective_of(draw(chance)[0])
        found += worth.modes_apart >= MODES_APART and not worth.enough
    return Row(drawn, "noisy: two modes", found, runs, least, most)


def judged(values: Floats) -> SteadyState:
    store = SampleStore()
    store.extend(array("q", values.astype(np.int64).tobytes()))
    return steady_state(store)


def drifts(drawn: str, draw: Draw, *, least: float = 0.0, most: float = NEVER, runs: int = RUNS // 2) -> Row:
    """Count the runs that are said to drift; a warm-up that is cut off counts as seen as well."""
    chance = np.random.default_rng(2)
    found = [judged(draw(chance)[0]) for _ in range(runs)]
    seen = sum(one.drifting or (least > 0 and one.start > 0) for one in found)
    return Row(drawn, "a change of speed is seen", seen, runs, least, most)


def checks(slowdown: float, *, spread: float, paired: bool, disturbed: bool, least: float = 0.0, most: float = NEVER) -> Row:
    """Count the groups of five processes a side of which ``check --max-slowdown 5%`` says that the candidate is slower."""
    chance, found, runs = random.Random(3), 0, 4 * RUNS
    for _ in range(runs):
        sides = [[centre + chance.gauss(0, spread) for _ in range(5)] for centre in (0.0, math.log(1 + slowdown))]
        for side in sides if disturbed else ():
            side[chance.randrange(5)] += math.log(1.5)
        found += regression(compared(sides, paired=paired))
    how = "in rounds" if paired else "in groups"
    drawn = f"5 processes a side {how}, {spread:.0%} between them{', one of each +50 %' if disturbed else ''}, {slowdown:.0%} slower"
    return Row(drawn, "check --max-slowdown 5% exits 1", found, runs, least, most)


def compared(sides: list[list[float]], *, paired: bool) -> Ratio:
    out = [set(far_out(side)) for side in sides]
    if paired:
        return of_rounds(
            [(math.exp(one), math.exp(other)) for i, (one, other) in enumerate(zip(*sides, strict=True)) if i not in out[0] | out[1]]
        )
    return of_processes(*([log for i, log in enumerate(side) if i not in away] for side, away in zip(sides, out, strict=True)))


def regression(ratio: Ratio, allowed: float = 0.05) -> bool:
    from heartbeat_core.comparison.compare import surely_above

    return surely_above(ratio, 1 + allowed)


OWN = 0.001  # the standard deviation of a host's median that its interval shows
TAILS: dict[str, Callable[[Chance, int], Floats]] = {  # of standard deviation 1, by the median absolute deviation
    "normal": lambda chance, n: chance.standard_normal(n),
    "Laplace": lambda chance, n: chance.laplace(size=n) / 1.028,
    "Student's t (5)": lambda chance, n: chance.standard_t(5, n) / 1.077,
}


def fleets(hosts: int, spread: float, tails: str, slower: float = 0.0, *, least: float = 0.0, most: float = NEVER) -> Row:
    """Count the fleets in which a healthy host is called slow; or of the 2 % slow hosts, at least one a fleet, those that are found."""
    chance, found, of = np.random.default_rng(5), 0, 0
    slow = max(1, hosts // 50) if slower else 0
    for _ in range(min(4 * RUNS, 300_000 // hosts)):
        logs = spread * TAILS[tails](chance, hosts) + OWN * chance.standard_normal(hosts)
        logs[:slow] += math.log(1 + slower)
        medians = MEDIAN * np.exp(logs)
        judged_hosts = find_slow(
            Fleet(
                tuple(
                    HostSummary(
                        str(i), str(i), state="ended", n=100, median_ns=ns, low_ns=ns * (1 - 1.96 * OWN), high_ns=ns * (1 + 1.96 * OWN)
                    )
                    for i, ns in enumerate(medians.tolist())
                )
            ),
            0.03 if slower else 0.0,
        ).of("slow")
        found += sum(int(one.host.id) < slow for one in judged_hosts) if slower else bool(judged_hosts)
        of += slow or 1
    drawn = f"{hosts} hosts, {spread:.1%} between them, {tails}{f', {slow} of them {slower:.0%} slower' if slower else ''}"
    return Row(drawn, "the slow hosts found" if slower else "a host is called slow, --max-slow 0%", found, of, least, most)


def fleet_rows() -> list[Row]:
    sizes = (2, 4, 8, 64, 500)
    alarms = [fleets(hosts, 0.01 if hosts < 4 else 0.005, tails, most=0.01) for tails in TAILS for hosts in sizes]
    power = [
        fleets(hosts, spread, "normal", 0.05, least=0.9 if hosts > 4 and spread < 0.005 else 0.0)
        for spread in (0.002, 0.005)
        for hosts in sizes
    ]
    return [*alarms, *power]


TWO_MODES = "two modes of 50 samples, 10 % apart, n ="
BURSTS = "bursts of 10 samples, +50 %, a tenth of the time, n ="


def interval_rows() -> list[Row]:
    rows: list[Row] = []
    for n in (20, 30, 100):
        rows += intervals(f"independent, normal, n = {n}", resembling(n, 0.0))
        rows += intervals(f"independent, lognormal (σ 0.5), n = {n}", lognormal(n, 0.5))
    for n, rho in ((100, 0.6), (300, 0.6), (300, 0.9), (1000, 0.9)):
        rows += intervals(f"AR(1) {rho:g}, n = {n}", resembling(n, rho))
    for n in (300, 1000):
        rows += intervals(f"{BURSTS} {n}", dwelling(n, 10, 90, 0.5))
    rows += intervals(f"{TWO_MODES} 10,000", dwelling(10_000, 50, 50, 0.1), runs=RUNS // 5)
    for n, rho in ((30, 0.9), (100, 0.9)):
        rows += intervals(f"AR(1) {rho:g}, n = {n}", resembling(n, rho), most_shown=0.02)
    for n in (300, 1000):
        rows += intervals(f"{TWO_MODES} {n}", dwelling(n, 50, 50, 0.1), most_shown=0.02)
    return [*rows, *intervals(f"{TWO_MODES} 100", dwelling(100, 50, 50, 0.1), most_shown=1.0)]


def noise_rows() -> list[Row]:
    rows = []
    for n in (20, 100, 300):
        rows.append(noise(f"independent, normal, n = {n}", resembling(n, 0.0), most=0.05))
        rows.append(noise(f"independent, lognormal (σ 0.5), n = {n}", lognormal(n, 0.5), most=0.05))
        rows.append(noise(f"independent, three steps of a coarse clock, n = {n}", coarse(n), most=0.05))
    rows += [noise(f"AR(1) 0.9, n = {n}", resembling(n, 0.9), most=0.05) for n in (100, 300)]
    return [*rows, noise(f"{TWO_MODES} 300", dwelling(300, 50, 50, 0.1), least=0.9)]


def drift_rows() -> list[Row]:
    steps = [
        drifts(f"10 % slower from {at:.0%} of 300 samples on", stepping(300, at, 1.1), least=0.9) for at in (0.2, 0.35, 0.5, 0.65, 0.8)
    ]
    return [
        *steps,
        drifts("10 % faster from 65% of 300 samples on", stepping(300, 0.65, 0.9), least=0.9),
        drifts("10 % slower from 50% of 100 samples on", stepping(100, 0.5, 1.1), least=0.9),
        *(drifts(f"AR(1) 0.9, n = {n}", resembling(n, 0.9), most=0.05) for n in (100, 300, 1000)),
        *(drifts(f"{BURSTS} {n}", dwelling(n, 10, 90, 0.5), most=0.05) for n in (300, 1000)),
        *(drifts(f"{TWO_MODES} {n}", dwelling(n, 50, 50, 0.1), most=0.05) for n in (300, 1000)),
        drifts(f"{TWO_MODES} 100", dwelling(100, 50, 50, 0.1), most=1.0),
    ]


def check_rows() -> list[Row]:
    rows = []
    for paired in (False, True):
        for disturbed in (False, True):
            rows.append(checks(0.0, spread=0.01, paired=paired, disturbed=disturbed, most=0.02))
            rows.append(checks(0.05, spread=0.01, paired=paired, disturbed=disturbed, most=0.025))
            rows.append(checks(0.12, spread=0.01, paired=paired, disturbed=disturbed, least=0.8))
    return rows


def main() -> None:
    rows = [*interval_rows(), *noise_rows(), *drift_rows(), *check_rows(), *fleet_rows()]
    print("| drawn | counted | found | should be |\n|---|---|---:|---:|")
    for row in rows:
        print(row.text)
    missed = [f"{row.drawn}: {row.counted}" for row in rows if not row.met]
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
