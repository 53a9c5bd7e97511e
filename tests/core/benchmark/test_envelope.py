from __future__ import annotations

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.envelope import MOST_BUCKETS, Envelope, EnvelopeColumn

PARTS = st.lists(
    st.tuples(st.integers(0, 40) | st.just(0), st.lists(st.integers(0, 10**12), min_size=1, max_size=60)), min_size=1, max_size=20
)


@given(PARTS, st.integers(0, 10**9), st.integers(1, 300))
def test_columns_hold_exactly_the_extremes_of_their_samples(parts: list[tuple[int, list[int]]], start: int, most: int) -> None:
    """Each part is so many numbers skipped, then its samples."""
    envelope = Envelope()
    samples: dict[int, int] = {}
    number = start
    for skipped, values in parts:
        number += skipped
        envelope.extend(array("q", values), number)
        samples.update(enumerate(values, number))
        number += len(values)
    check(envelope.columns(most), samples, most)


@pytest.mark.parametrize(
    ("n", "step"),
    [
        (MOST_BUCKETS, 1),
        (MOST_BUCKETS + 1, 1),
        (3 * MOST_BUCKETS, 1),
        (MOST_BUCKETS, 997),
        (MOST_BUCKETS + 1, 997),
        (100_003, 997),
        (100_003, 200_000),
    ],
)
def test_columns_are_exact_however_many_samples(n: int, step: int) -> None:
    values = array("q", [(i * 7919) % 100_003 for i in range(n)])
    envelope = Envelope()
    for start in range(0, n, step):
        envelope.extend(values[start : start + step], start)
    assert len(envelope) <= MOST_BUCKETS
    for most in (1, 78, 156, 5000):
        check(envelope.columns(most), dict(enumerate(values)), most)


def check(columns: tuple[EnvelopeColumn, ...], samples: dict[int, int], most: int) -> None:
    assert 1 <= len(columns) <= most
    covered = 0
    for column in columns:
        held = [samples[number] for number in range(column.first, column.last + 1) if number in samples]
        assert (column.low_ns, column.high_ns) == (min(held), max(held))
        covered += len(held)
    assert columns[-1].last == max(samples)
    assert covered == len(samples)  # so each sample is in exactly one column,
    assert all(left.last < right.first for left, right in pairwise(columns))  # for they do not overlap


def test_a_column_for_each_sample_where_there_is_room() -> None:
    envelope = Envelope()
    envelope.extend(array("q", [5, 3, 4]), 10)
    assert envelope.columns(80) == tuple(EnvelopeColumn(n, n, ns, ns, ns, ns, ns) for n, ns in ((10, 5), (11, 3), (12, 4)))


def test_columns_stay_put_while_samples_come_in() -> None:
    envelope = Envelope()
    envelope.extend(array("q", range(1401)), 0)
    before = envelope.columns(100)
    for number in range(1401, 1500):
        envelope.extend(array("q", [1]), number)
        assert envelope.columns(100)[: len(before) - 1] == before[:-1]


def test_a_spike_is_never_averaged_away() -> None:
    envelope = Envelope()
    values = array("q", [100]) * 300_000
    values[123_456] = 99_999
    envelope.extend(values, 0)
    spiked = [column for column in envelope.columns(80) if column.high_ns == 99_999]
    assert len(spiked) == 1
    assert spiked[0].first <= 123_456 <= spiked[0].last


def test_a_far_jump_costs_no_memory() -> None:
    envelope = Envelope()
    envelope.extend(array("q", [1]), 0)
    envelope.extend(array("q", [2]), 10**12)
    assert len(envelope) <= MOST_BUCKETS
    assert [(column.low_ns, column.high_ns) for column in envelope.columns(80)] == [(1, 1), (2, 2)]


def test_nothing_gives_no_columns() -> None:
    envelope = Envelope()
    envelope.extend(array("q"), 0)
    assert envelope.columns(80) == ()


def test_samples_that_go_back_are_refused() -> None:
    envelope = Envelope()
    envelope.extend(array("q", [1, 2, 3]), 0)
    with pytest.raises(ValueError, match="sample 2 comes after sample 2"):
        envelope.extend(array("q", [1]), 2)


def test_no_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="0 columns"):
        Envelope().columns(0)
