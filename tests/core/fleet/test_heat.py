from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.fleet import multi_host
from heartbeat_core.fleet.heat import MOST_CELLS, HeatHistory
from heartbeat_core.fleet.model import Fleet, HostSummary


def fleet(second: int, *ns: float) -> Fleet:
    """Return hosts that have run so many seconds, 100 samples in each, of which those of the last second took so long."""
    return Fleet(tuple(HostSummary(str(i), str(i), n=100 * second, mean_ns=one if second else None) for i, one in enumerate(ns)))


def test_a_cell_is_the_second_not_the_mean_of_the_run() -> None:
    heat, hosts = HeatHistory(), fleet(0, 1.0, 1.0, 1.0)
    heat.take(hosts, 0.0)
    for second in range(1, 11):
        slow = 2.0 if second == 10 else 1.0
        mean = (100 * (second - 1) * 1.0 + 100 * slow) / (100 * second)
        heat.take(fleet(second, 1.0, 1.0, mean), float(second))
    assert [round(ratio, 3) for ratio in heat.row("2", 10)] == [1.0] * 9 + [2.0]
    assert [round(ratio, 3) for ratio in heat.row("2", 5)] == [1.0] * 4 + [2.0]
    assert heat.cell_s(5) == 2.0


def test_a_host_that_stands_still_has_empty_cells_and_a_late_one_begins_late() -> None:
    heat = HeatHistory()
    heat.take(fleet(0, 1.0, 1.0), 0.0)
    heat.take(fleet(1, 1.0, 1.0), 1.0)
    heat.take(Fleet((*fleet(1, 1.0).hosts, replace(fleet(2, 1.0).hosts[0], id="late"))), 2.0)
    assert math.isnan(heat.row("0", 10)[1])
    assert math.isnan(heat.row("late", 10)[0])
    assert heat.row("unknown", 10) == ()


@given(st.integers(1, 3000), st.integers(1, 200))
def test_a_long_run_keeps_few_cells_and_fits_every_width(seconds: int, width: int) -> None:
    heat = HeatHistory()
    for second in (0, 1, seconds, seconds + 1):
        heat.take(fleet(second, 1.0), float(second))
    assert heat.count <= MOST_CELLS
    assert 1 <= len(heat.row("0", width)) <= width
    assert heat.count * heat.step_s >= seconds


class Hosts(multi_host.FleetRun):
    """A run of one host, further by a second each time that it is looked at."""

    EVERY_S = 0.0

    def fleet(self) -> Fleet:
        self.version += 1
        return fleet(self.version, 1.0)

    def close(self) -> None:
        pass


def test_a_clock_that_is_set_during_the_run_adds_nothing_to_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(BenchmarkConfig(), ())
    hosts.findings()
    for day in (365, -365):
        monkeypatch.setattr("time.time", lambda day=day: 1.8e9 + 86_400 * day)
        monkeypatch.setattr(multi_host, "time", lambda day=day: 1.8e9 + 86_400 * day)
        before = hosts.version
        hosts.version += 1
        hosts.findings()
        assert hosts.version > before + 1  # looked at anew, though the time went back
    assert len(hosts.heat.cells["0"]) <= 2
