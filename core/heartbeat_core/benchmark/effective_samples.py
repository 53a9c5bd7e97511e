"""How many independent samples a run is worth, for its median: neighbouring samples resemble one another.

Sources: Geyer, "Practical Markov Chain Monte Carlo", Statistical Science 7 (1992), for the sum of autocorrelations; Madras and
Sokal, "The pivot algorithm", Journal of Statistical Physics 50 (1988), for its error; Otsu, "A threshold selection method from
gray-level histograms", IEEE Transactions on Systems, Man, and Cybernetics 9 (1979), for two modes.
The figures of this method stand in docs/statistics.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heartbeat_core.benchmark.samples import SampleStore, as_array

Values = NDArray[Any]

ENOUGH = 10.0  # independent samples that an interval takes, surely
UPPER = 1.645  # standard errors: the upper 95 % bound, one-sided
MOST_TIMES = 8192  # samples that are looked at one by one
BLOCKS = 4096  # blocks of more samples
LEAST_OF_MODES = 20  # times in which two modes are looked for
APART = 3.2  # distance of two modes, in their standard deviations; the halves of one normal distribution are 2.65 apart
APART_FEW = 3.5  # and this over the root of the number of times: few samples fall apart by chance
MODE_SCALES = (1, 5)  # samples that are averaged before modes are looked for: noise must not hide them
STAYS = -3.0  # z of the runs test
SURELY_RARER = 0.992  # the probability that the rarer of two modes is so in truth; on either side the rest is an error
DWELL_TIMES = 10  # in one of two modes that are as frequent as each other, worth one independent sample


@dataclass(frozen=True)
class EffectiveSamples:
    """What samples are worth: ``estimate`` is the best guess, ``low`` what they are surely worth (95 %, one-sided).

    ``modes_apart`` is the distance, relative, of two modes in each of which the run stays for many samples on end; 0 without modes.
    """

    estimate: float
    low: float
    modes_apart: float = 0.0

    @property
    def enough(self) -> bool:
        """Return whether they are surely enough for an interval."""
        return self.low >= ENOUGH


def effective_samples(samples: SampleStore) -> EffectiveSamples:
    """Count the independent samples whose median would be as sure as that of these; past the limit of a store, those among its batches."""
    if not samples.exact:
        return effective_of(samples.batches()[0])
    values = as_array(samples.values())
    return effective_of(values) if len(values) <= MOST_TIMES else effective_of_many(values, samples.batches()[0])


def effective_of(values: Values) -> EffectiveSamples:
    """Count the independent ones among these times, in the order they were measured."""
    n = len(values)
    if n < 3 or (values == values[0]).all():
        return EffectiveSamples(float(n), float(n))
    tau, tau_high = correlation_times(np.sign(values - np.median(values)).astype(np.float64))
    rho = rank_correlation(values)  # of a short run its neighbours tell more than the sum
    rho_high = min(0.999, max(0.0, rho + UPPER * math.sqrt(max(0.0, 1 - rho * rho) / n)))
    rho = max(0.0, rho)
    estimate, low = n / max(tau, (1 + rho) / (1 - rho)), n / max(tau_high, (1 + rho_high) / (1 - rho_high))
    return limited_by_modes(estimate, low, worth_of_modes(values, n))


def effective_of_many(values: Values, medians: Values) -> EffectiveSamples:
    """Count the same among very many: how far a block of them is from half above the median takes the place of each sign."""
    n = len(values)
    signs = np.sign(values - np.median(values))
    size = math.ceil(n / BLOCKS)
    blocks = signs[: n // size * size].reshape(-1, size).mean(axis=1)
    variance = float(signs.var())
    if variance == 0:
        return EffectiveSamples(float(n), float(n))
    widened = size * float(blocks.var()) / variance
    tau, tau_high = (max(1.0, widened * each) for each in correlation_times(blocks))
    return limited_by_modes(n / tau, n / tau_high, worth_of_modes(medians, n))


def limited_by_modes(estimate: float, low: float, modes: EffectiveSamples | None) -> EffectiveSamples:
    if modes is None:
        return EffectiveSamples(max(1.0, estimate), low)
    return EffectiveSamples(max(1.0, min(estimate, modes.estimate)), min(low, modes.low), modes.modes_apart)


def correlation_times(signs: Values) -> tuple[float, float]:
    """Return how many signs in a row are worth one independent sign, estimated and at most (95 %); at least 1."""
    tau, lags = correlation_time(signs)
    tau = max(1.0, tau)
    return tau, tau * (1 + UPPER * math.sqrt(2 * (2 * lags + 1) / len(signs)))


def correlation_time(signs: Values) -> tuple[float, int]:
    """Return 1 + 2 sum of the autocorrelations, and how many of these were summed.

    They are summed in pairs while a pair is above 0, and no pair counts more than the one before (Geyer). Signs, because the
    error of a median depends on nothing else but on whether samples lie above or below it.
    """
    n = len(signs)
    centred = signs - signs.mean()
    variance = float(np.mean(centred * centred))
    if variance == 0:
        return 1.0, 0
    spectrum = np.fft.rfft(centred, 2 * n)
    correlations = np.fft.irfft(spectrum * np.conj(spectrum))[:n] / n / variance
    pairs = correlations[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    positive = int(np.argmax(np.append(pairs, -1) <= 0))
    return -1 + 2 * float(np.minimum.accumulate(pairs[:positive]).sum()), max(0, 2 * positive - 1)


def rank_correlation(values: Values) -> float:
    """Return the correlation of neighbours at lag 1, by their ranks: one outlier does not hide it. The bias of short runs is taken out."""
    n = len(values)
    ranks = np.empty(n)
    ranks[np.argsort(values, kind="stable")] = np.arange(n) - (n - 1) / 2
    square = float((ranks * ranks).sum())
    rho = float((ranks[:-1] * ranks[1:]).sum()) / square if square else 0.0
    return min(0.999, (rho * n + 1) / (n - 3)) if n > 3 else rho


def worth_of_modes(values: Values, n: int) -> EffectiveSamples | None:
    """Return what n samples are worth whose times stay in one of two modes; None where they do not.

    Where one mode is surely rarer, the median lies in the other, and what is unsure is how rare: its share varies from run to run by
    2 p² q² / cycles. Where neither is surely rarer the median may lie in either, and it takes a hundred dwell times to tell.
    """
    modes = find_modes(values)
    if modes is None:
        return None
    cycles = max(1, modes.dwells // 2)
    ratio = modes.rarer / (len(modes.slow) - modes.rarer) * dwell_ratio_bound(cycles)
    if ratio >= 1:
        return EffectiveSamples(float(modes.dwells), modes.dwells / DWELL_TIMES, modes.apart)
    share = ratio / (1 + ratio)
    worth = n / (1 + 2 * share * share * n / cycles)
    return EffectiveSamples(worth, worth, modes.apart)


@dataclass(frozen=True)
class Modes:
    """Which times lie in the slower of two modes, each the mean of ``scale`` samples; ``dwells`` counts the stays in either.

    ``apart`` is by how much the slower one takes longer, relative.
    """

    slow: Values
    scale: int
    dwells: int
    apart: float

    @property
    def rarer(self) -> int:
        count = int(self.slow.sum())
        return min(count, len(self.slow) - count)


def find_modes(values: Values) -> Modes | None:
    """Find two modes between which the run goes to and fro, staying for many samples; None where there are none."""
    for scale in MODE_SCALES:
        count = len(values) // scale
        if count < LEAST_OF_MODES:
            return None
        times = values if scale == 1 else values[: count * scale].reshape(count, scale).mean(axis=1)
        modes = two_modes(times, scale)
        if modes is not None:
            return modes
    return None


def two_modes(times: Values, scale: int) -> Modes | None:
    """Split times in two modes; None where they are no two.

    The split is the one that explains most of the variance (Otsu). There are modes where the parts lie further apart than parts of
    one normal distribution do, and where the run changes between them less often than independent samples would (Wald and Wolfowitz).
    """
    n = len(times)
    logs = np.log(np.maximum(times, 1))
    ordered = np.sort(logs)
    margin = n // 100
    clipped = np.clip(ordered, ordered[margin], ordered[n - 1 - margin])
    sums, sizes = np.cumsum(clipped), np.arange(1, n)
    low, high = sums[:-1] / sizes, (sums[-1] - sums[:-1]) / (n - sizes)
    at = int(np.argmax(sizes * (n - sizes) * (high - low) ** 2))
    within = math.sqrt((clipped[: at + 1].var() * (at + 1) + clipped[at + 1 :].var() * (n - at - 1)) / n)
    if high[at] - low[at] <= (APART + APART_FEW / math.sqrt(n)) * within:
        return None
    slow = (logs > (ordered[at] + ordered[at + 1]) / 2).astype(np.int64)
    if z_of_runs(slow) > STAYS:
        return None
    slow[1:-1] = slow[:-2] + slow[1:-1] + slow[2:] >= 2  # a single sample is no dwell time
    count = int(slow.sum())
    return Modes(slow, scale, 1 + int(np.count_nonzero(np.diff(slow))), math.expm1(high[at] - low[at])) if 0 < count < n else None


def z_of_runs(slow: Values) -> float:
    """Return z of the runs test: far below 0 where a sequence of two values changes less often than one in random order."""
    n, ones = len(slow), int(slow.sum())
    both = 2 * ones * (n - ones)
    variance = both * (both - n) / (n * n * (n - 1))
    runs = 1 + int(np.count_nonzero(np.diff(slow)))
    return (runs - 1 - both / n) / math.sqrt(variance) if variance > 0 else 0.0


@lru_cache(maxsize=512)
def dwell_ratio_bound(cycles: int) -> float:
    """Return by what factor the ratio of two mean dwell times may be wrong, of so many each: the quantile of F with 2 cycles each."""
    if cycles > 50:
        return math.exp(2.576 * math.sqrt(2 / cycles))
    low, high = 0.5, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        trials = 2 * cycles - 1  # the beta distribution as a binomial sum
        below = math.fsum(math.comb(trials, k) * middle**k * (1 - middle) ** (trials - k) for k in range(cycles, trials + 1))
        low, high = (middle, high) if below < SURELY_RARER else (low, middle)
    return low / (1 - low)


@lru_cache(maxsize=2048)
def lower_rank(count: int) -> int:
    """Return the greatest rank r that leaves the median of ``count`` independent samples between r and count + 1 - r with 95 %; 0: none.

    Exact by the binomial distribution up to 1,000 samples, above by its normal approximation.
    """
    if count > 1000:
        return math.floor(count / 2 - 0.98 * math.sqrt(count))
    below, term, rank = 0, 1, 0
    while 40 * (below + term) <= 2**count:  # 2 P <= 5 %
        below += term
        rank += 1
        term = term * (count - rank + 1) // rank
    return rank


def interval_ranks(n: int, worth: float) -> tuple[int, int] | None:
    """Name the two of n samples that hold the median between them with 95 % confidence, whatever the distribution.

    n samples that are worth fewer leave the middle where it is and widen the interval. None where they are worth too few for any.
    """
    count = min(n, math.floor(worth))
    rank = lower_rank(count)
    if rank < 1:
        return None
    low = max(1, math.floor(n * (rank - 0.5) / count + 0.5))
    return low, n + 1 - low
