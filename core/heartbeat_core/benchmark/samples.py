"""The samples of a run: exact up to a million, then counted in a histogram, in bounded memory for ever.

NumPy is imported where it is first needed: its 0.1 s must not delay the first frame.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

BATCHES = 400
LONGEST = 2**63 - 1  # ns
CHUNK = 65_536  # samples that are turned into floats at a time

# A log-linear histogram, as HdrHistogram has it: values below 2 * STEPS are exact, each power of two above has STEPS
# buckets, so the middle of a bucket is within 1 / (2 * STEPS) = 0.098 % of every value in it.
STEPS = 512
PRECISION = 1 / (2 * STEPS)
STEP_BITS = STEPS.bit_length()
BUCKETS = (63 - STEP_BITS) * STEPS + 2 * STEPS  # up to 2**63 - 1 ns


class OrderStatistics(ABC):
    """Samples by rank: the first is the smallest."""

    n: int

    @abstractmethod
    def at(self, rank: int) -> int:
        """Return the sample of this rank, from 1; ranks outside 1..n mean the nearest."""

    @abstractmethod
    def within(self, low: float, high: float) -> int:
        """Count the samples from low to high, both included."""

    @abstractmethod
    def deviation(self, centre: int) -> int:
        """Return the median absolute deviation from ``centre``, of an even number of samples the lower one."""

    def place(self, ranks: Iterable[int]) -> None:  # noqa: B027 - nothing to do where all ranks cost the same
        """Prepare for these ranks at once, where that is cheaper than one after the other."""

    def quantile(self, q: float) -> float:
        """Interpolate between the two nearest samples (Hyndman and Fan's type 7, NumPy's default)."""
        position = q * (self.n - 1)
        low, high = (self.at(rank) for rank in self.ranks(q))
        return low + (high - low) * (position - math.floor(position))

    def ranks(self, q: float) -> tuple[int, int]:
        """Name the two samples a quantile lies between."""
        below = math.floor(q * (self.n - 1)) + 1
        return below, min(below + 1, self.n)


class ExactSamples(OrderStatistics):
    """Exact samples, of which only the ranks asked for are put in place: a full sort costs three times as much."""

    def __init__(self, values: Integers) -> None:
        self.values = values  # our own copy
        self.n = len(values)
        self._placed: set[int] = set()  # indices where the sorted samples would stand

    def at(self, rank: int) -> int:
        self.place([rank])
        return int(self.values[min(max(rank, 1), self.n) - 1])

    def place(self, ranks: Iterable[int]) -> None:
        indices = {min(max(rank, 1), self.n) - 1 for rank in ranks}
        if not indices <= self._placed:
            self._placed |= indices
            self.values.partition(sorted(self._placed))  # all of them: partitioning anew may move those placed before

    def within(self, low: float, high: float) -> int:
        least, most = max(0, math.ceil(low)), min(LONGEST, math.floor(high))  # whole numbers: floats would have it copy the samples
        return self.n - int((self.values < least).sum()) - int((self.values > most).sum())

    def deviation(self, centre: int) -> int:
        import numpy as np

        deviations = self.values - centre
        np.absolute(deviations, out=deviations)
        middle = (self.n - 1) // 2
        deviations.partition(middle)
        return int(deviations[middle])


class CountedSamples(OrderStatistics):
    """The histogram's samples: ``up_to[i]`` of them are at most ``values[i]``, ascending."""

    def __init__(self, values: Integers, up_to: Integers) -> None:
        self.values = values
        self.up_to = up_to
        self.n = int(up_to[-1])

    def at(self, rank: int) -> int:
        return int(self.values[self.up_to.searchsorted(min(max(rank, 1), self.n))])

    def within(self, low: float, high: float) -> int:
        counts = self.counts()
        return int(counts[(self.values >= low) & (self.values <= high)].sum())

    def deviation(self, centre: int) -> int:
        deviations = abs(self.values - centre)
        order = deviations.argsort()
        middle = self.counts()[order].cumsum().searchsorted((self.n + 1) // 2)
        return int(deviations[order[middle]])

    def counts(self) -> Integers:
        counts: Integers = self.up_to.copy()
        counts[1:] -= self.up_to[:-1]
        return counts


class SampleStore:
    """Samples in nanoseconds, in the order they came.

    Exact up to ``limit`` samples; beyond, quantiles are within 0.1 % and count, minimum, maximum and total stay exact.
    Not locked: a reader holds the lock of the thread that extends.
    """

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.minimum: int | None = None
        self.maximum: int | None = None
        self.total = 0
        self._count = 0
        self._buffer = array("q", bytes(8 * min(limit, 4096)))  # grown ahead, so that views of it stay valid
        self._histogram: SampleHistogram | None = None
        self._batches: SampleBatches | None = None
        self._autocorrelation: float | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def exact(self) -> bool:
        return self._histogram is None

    def extend(self, samples: array[int]) -> None:
        """Add samples; raise ValueError, and add none, where one is negative."""
        if not samples:
            return
        least, most = min(samples), max(samples)
        if least < 0:
            raise ValueError(f"a sample of {least:,} ns: time does not run backwards")
        if self._histogram is None and self._count + len(samples) > self.limit:
            self._give_up_exactness()
        if self._histogram is None:
            self._append(samples)
        else:
            self._histogram.add(samples)
            self._batches.add(samples)  # type: ignore[union-attr]  # made together with the histogram
        self._count += len(samples)
        self.minimum = least if self.minimum is None else min(least, self.minimum)
        self.maximum = most if self.maximum is None else max(most, self.maximum)
        self.total += sum(samples)

    def values(self) -> memoryview:
        """View the samples, int64; it stays as it is while more come. Raise ValueError past the limit."""
        if not self.exact:
            raise ValueError(f"past {self.limit:,} samples only their histogram is kept")
        return memoryview(self._buffer)[: self._count].toreadonly()

    def ordered(self) -> OrderStatistics:
        """Return the samples by rank, a copy; raise ValueError where there are none."""
        if not self._count:
            raise ValueError("no samples")
        if self._histogram is not None:
            return self._histogram.ordered(self.minimum, self.maximum)
        return ExactSamples(as_array(self.values()).copy())

    def quantile(self, q: float) -> float:
        """Return a quantile in ns; take several from ``ordered``, which costs less."""
        return self.ordered().quantile(q)

    def autocorrelation(self) -> float | None:
        """Return the correlation of each sample with the next, past the limit that of the exact part; None under 3 samples."""
        return autocorrelation(as_array(self.values())) if self.exact else self._autocorrelation

    def batches(self) -> tuple[Integers | NDArray[np.float64], int]:
        """Return the medians of at most 400 equal batches and how many samples each spans; a last part of one is left out.

        Past the limit a batch is the mean of the medians of its smaller batches: they merge in pairs, never the samples.
        """
        if self._batches is not None:
            return self._batches.medians()
        size = max(1, math.ceil(self._count / BATCHES))
        return batch_medians(as_array(self.values()), size), size

    def _append(self, samples: array[int]) -> None:
        end = self._count + len(samples)
        if end > len(self._buffer):
            grown = array("q", bytes(8 * min(self.limit, max(end, 2 * len(self._buffer)))))
            memoryview(grown)[: self._count] = memoryview(self._buffer)[: self._count]
            self._buffer = grown
        memoryview(self._buffer)[self._count : end] = memoryview(samples)

    def _give_up_exactness(self) -> None:
        """Count what was kept and let it go."""
        kept = self.values()
        self._autocorrelation = self.autocorrelation()
        self._batches = SampleBatches(max(1, math.ceil(self.limit / BATCHES)))
        self._batches.add(kept)
        self._histogram = SampleHistogram()
        for start in range(0, len(kept), CHUNK):
            self._histogram.add(kept[start : start + CHUNK])
        self._buffer = array("q")


class SampleHistogram:
    """Counts of samples in log-linear buckets."""

    def __init__(self) -> None:
        import numpy as np

        self.counts: Integers = np.zeros(BUCKETS, np.int64)

    def add(self, samples: array[int] | memoryview) -> None:
        import numpy as np

        values = as_array(samples)
        # frexp gives the bit length; where a float rounds up to a power of two, both octaves name the same bucket
        shift = np.maximum(np.frexp(values.astype(np.float64))[1].astype(np.int64) - STEP_BITS, 0)
        np.add.at(self.counts, shift * STEPS + (values >> shift), 1)

    def ordered(self, minimum: int | None, maximum: int | None) -> CountedSamples:
        """Take the middle of each bucket for its samples, but never outside minimum..maximum."""
        used = self.counts.nonzero()[0]
        shift = (used // STEPS - 1).clip(0)
        middles = ((used - shift * STEPS) << shift) + ((1 << shift) >> 1)
        return CountedSamples(middles.clip(minimum, maximum), self.counts[used].cumsum())


class SampleBatches:
    """At most 400 equal batches over any number of samples: when there are more, neighbours merge and the size doubles."""

    def __init__(self, size: int) -> None:
        self._size = size  # samples of the smallest batch, whose median is exact
        self._merged = 1  # how many of those make a batch now
        self._rest = array("q")  # samples of the next smallest batch
        self._sum, self._summed = 0.0, 0  # medians of the next batch
        self._done: list[float] = []

    def add(self, samples: array[int] | memoryview) -> None:
        for start in range(0, len(samples), CHUNK):
            self._rest.frombytes(memoryview(samples)[start : start + CHUNK].cast("B"))
            whole = len(self._rest) // self._size * self._size
            for median in batch_medians(as_array(self._rest[:whole]), self._size).tolist():
                self._close(median)
            del self._rest[:whole]

    def _close(self, median: float) -> None:
        self._sum, self._summed = self._sum + median, self._summed + 1
        if self._summed < self._merged:
            return
        self._done.append(self._sum / self._summed)
        self._sum, self._summed = 0.0, 0
        if len(self._done) == BATCHES:
            self._done = [(left + right) / 2 for left, right in zip(self._done[::2], self._done[1::2], strict=True)]
            self._merged *= 2

    def medians(self) -> tuple[NDArray[np.float64], int]:
        import numpy as np

        return np.array(self._done, np.float64), self._size * self._merged


def as_array(samples: Any) -> Integers:
    """See samples as NumPy does, without a copy."""
    import numpy as np

    return np.frombuffer(samples, np.int64) if len(samples) else np.zeros(0, np.int64)


def batch_medians(values: Integers, size: int) -> Integers | NDArray[np.float64]:
    """Return the median of each ``size`` consecutive values; an incomplete last batch is left out."""
    if size == 1:
        return values
    batches = values[: len(values) // size * size].reshape(-1, size).copy()
    low, high = (size - 1) // 2, size // 2
    batches.partition(sorted({low, high}), axis=1)
    medians: NDArray[np.float64] = batches[:, low] / 2 + batches[:, high] / 2
    return medians


def autocorrelation(values: Integers) -> float | None:
    """Return the correlation at lag 1; None where there are fewer than 3 values, or all are alike."""
    if len(values) < 3 or (values == values[0]).all():
        return None
    import numpy as np

    mean = values.mean()
    square = product = 0.0
    for start in range(0, len(values), CHUNK):
        part: NDArray[np.float64] = values[start : start + CHUNK + 1] - mean
        # einsum, not @: the threads of BLAS would spin on the cores that the product is timed on
        square += float(np.einsum("i,i->", part[:CHUNK], part[:CHUNK]))
        product += float(np.einsum("i,i->", part[:-1], part[1:]))
    return product / square
