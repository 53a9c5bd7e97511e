from __future__ import annotations

from itertools import count

import pytest

from heartbeat_core.benchmark import timing as module
from heartbeat_core.benchmark.protocol import Pause, Samples
from heartbeat_core.benchmark.timing import CAPACITY, Recorder

NEVER = 2**62


class Told(list[Samples | Pause]):
    """Keeps what a recorder hands on."""

    def recorder(self, *parts: str) -> Recorder:
        """Make a recorder that hands on only what fills it, or what is asked for."""
        clock = count()
        made = Recorder(parts, self.append, lambda: next(clock))
        made.due = NEVER
        return made

    @property
    def samples(self) -> list[Samples]:
        return [record for record in self if isinstance(record, Samples)]


@pytest.fixture(autouse=True)
def _flushed_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_NS", NEVER)


def test_rows_become_columns_in_their_order() -> None:
    told = Told()
    recorder = told.recorder("trace", "wait")
    recorder.add((30, 10, 20))
    recorder.add((31, 11, 20))
    recorder.flush()
    (samples,) = told.samples
    assert {name: list(column) for name, column in samples.columns.items()} == {"total": [30, 31], "trace": [10, 11], "wait": [20, 20]}


def test_no_iteration_makes_no_record() -> None:
    told = Told()
    recorder = told.recorder()
    recorder.begin("warm-up")
    recorder.flush()
    assert told == []


def test_a_phase_hands_on_what_the_last_one_left() -> None:
    told = Told()
    recorder = told.recorder()
    recorder.add((1,))
    recorder.begin("warm-up")
    recorder.add((2,))
    recorder.begin("steady")
    recorder.add((3,))
    recorder.flush()
    assert [(record.phase, record.start, list(record.columns["total"])) for record in told.samples] == [
        ("cold", 0, [1]),
        ("warm-up", 1, [2]),
        ("steady", 2, [3]),
    ]


def test_more_samples_than_the_memory_holds_lose_none() -> None:
    told = Told()
    recorder = told.recorder("wait")
    for i in range(2 * CAPACITY + 5):
        recorder.add((i, -i))
    assert recorder.taken == 2 * CAPACITY + 5
    recorder.flush()
    assert [record.start for record in told.samples] == [0, CAPACITY, 2 * CAPACITY]
    assert [ns for record in told.samples for ns in record.columns["total"]] == list(range(2 * CAPACITY + 5))


def test_what_was_handed_on_is_not_overwritten() -> None:
    told = Told()
    recorder = told.recorder()
    recorder.add((1,))
    recorder.flush()
    recorder.add((2,))
    assert list(told.samples[0].columns["total"]) == [1]


def test_a_batch_is_handed_on_when_it_is_due() -> None:
    told = Told()
    recorder = told.recorder()
    recorder.add((1,))
    assert told == []
    recorder.due = 0
    recorder.add((2,))
    assert [list(record.columns["total"]) for record in told.samples] == [[1, 2]]


def test_the_largest_times_fit() -> None:
    told = Told()
    recorder = told.recorder()
    recorder.add((2**63 - 1,))
    recorder.flush()
    assert list(told.samples[0].columns["total"]) == [2**63 - 1]


def test_a_pause_is_noted_before_the_next_sample() -> None:
    told = Told()
    recorder = told.recorder()
    recorder.add((1,))
    recorder.flush()
    recorder.paused(0)
    (pause,) = [record for record in told if isinstance(record, Pause)]
    assert pause.before == 1
    assert pause.ns > 0
