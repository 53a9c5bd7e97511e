"""What the charts of a sweep show, as data."""

from __future__ import annotations

import itertools

from heartbeat_core.charts.spec import Axis, fitting
from heartbeat_core.charts.sweep import log_axis


def test_labels_never_run_into_one_another() -> None:
    axis = log_axis([1, 1024], 1)
    kept = fitting(tuple((2.0**power, f"{2**power:,}") for power in range(11)), axis, 40)
    ends = []
    for value, text in kept:
        at = (axis.place(value) - axis.place(axis.low)) / (axis.place(axis.high) - axis.place(axis.low)) * 40
        ends.append((at - len(text) / 2, at + len(text) / 2))
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ends))
    assert 3 <= len(kept) < 11


def test_words_stand_at_even_distances() -> None:
    axis = Axis(0.5, 2.5)
    assert fitting(((1.0, "float32"), (2.0, "bfloat16")), axis, 60) == ((1.0, "float32"), (2.0, "bfloat16"))
