from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.verdict import QualityKind
from heartbeat_core.fleet.model import Fleet, HostSummary
from heartbeat_core.fleet.slow_hosts import LIMITS, FleetFindings, find_slow, z_limit


def host(number: int, ratio: float = 1.0, own: float = 0.001, slice_: str = "") -> HostSummary:
    ns = 1e6 * ratio * (1 + 0.0005 * random.Random(number).uniform(-1, 1))
    return HostSummary(
        f"n{number}", f"h{number}", slice=slice_, state="ended", count=120, n=100, ending="done", quality="plausible",
        median_ns=ns, low_ns=ns * (1 - own), high_ns=ns * (1 + own),
    )  # fmt: skip


def judged(*hosts: HostSummary) -> FleetFindings:
    return find_slow(Fleet(hosts))


def names(found: FleetFindings, verdict: str) -> list[str]:
    return [one.host.name for one in found.hosts if one.verdict == verdict]


def test_slow_hosts_come_first_the_slowest_before_the_others() -> None:
    found = judged(*(host(i) for i in range(14)), host(14, 1.08), host(15, 1.2))
    assert [one.host.name for one in found.hosts[:2]] == ["h15", "h14"]
    assert (names(found, "slow"), found.exit_code, found.to_json()["cordon"]) == (["h15", "h14"], 1, ["h15", "h14"])
    assert found.sentence == "h15 (1.20 ×), h14 (1.08 ×) are slow."


def test_a_slice_whose_hosts_are_all_slow_is_named_as_a_slice() -> None:
    hosts = [host(4 * i + j, 1.1 if i == 2 else 1.0, slice_="abcde"[i]) for i in range(5) for j in range(4)]
    assert judged(*hosts).slices == ("c",)
    assert judged(*hosts).sentence == "The slice c is slow: all its hosts."
    hosts[8] = replace(hosts[8], median_ns=1e6, low_ns=0.999e6, high_ns=1.001e6)
    assert judged(*hosts).slices == ()
    assert set(names(judged(*hosts), "slow")) == {"h9", "h10", "h11"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ending": "lost", "problem": "the node died"}, "the node died"),
        ({"low_ns": None, "high_ns": None}, "no interval of its median: too few independent samples"),
        ({"median_ns": 1.1e6, "low_ns": 1.099e6, "high_ns": 1.101e6, "quality": "disturbed", "reasons": ("steal",)}, "disturbed: steal"),
        ({"low_ns": 0.9e6, "high_ns": 1.1e6}, "known to"),
        ({"quality": "impossible", "reasons": ("too fast",)}, "impossible: too fast"),
        ({"median_ns": None, "count": 0, "state": "waiting", "problem": "the TPU is taken"}, "the TPU is taken"),
    ],
)
def test_what_cannot_be_judged_is_no_pass(changes: dict[str, object], reason: str) -> None:
    found = judged(replace(host(0), **changes), *(host(i) for i in range(1, 12)))  # type: ignore[arg-type]
    assert (names(found, "unsure"), found.exit_code) == (["h0"], 3)
    assert reason in found.hosts[0].reason


def test_a_host_that_computes_wrongly_is_to_be_cordoned_however_fast_it_is() -> None:
    found = judged(replace(host(0), quality="wrong result", reasons=("element 3 is off",)), *(host(i) for i in range(1, 8)))
    assert (found.exit_code, found.to_json()["cordon"], found.hosts[0].reason) == (1, ["h0"], "element 3 is off")


def test_hosts_with_another_chip_are_another_fleet() -> None:
    older = [replace(host(i, 2.0), device="v5e") for i in range(8)]
    newer = [replace(host(i, 1.2 if i == 9 else 1.0), device="v6e") for i in range(8, 16)]
    assert names(judged(*older, *newer), "slow") == ["h9"]
    assert len(names(judged(*older, *newer), "fine")) == 15
    found = judged(*older, newer[0])
    assert (names(found, "unsure"), found.hosts[0].reason, found.exit_code) == (
        ["h8"], "there is no other host with its device to compare it with", 3,
    )  # fmt: skip


@pytest.mark.parametrize("quality", ["wrong result", "impossible", "suspicious"])
def test_a_host_that_is_not_to_be_relied_on_is_no_measure_of_the_others(quality: QualityKind) -> None:
    unreliable = [replace(host(i, 0.5), quality=quality, reasons=("too fast",)) for i in range(3)]
    assert names(judged(*unreliable, host(3), host(4)), "fine") == ["h3", "h4"]
    assert "h3" in names(judged(*unreliable, host(3)), "unsure")


def test_half_a_fleet_far_from_the_other_half_is_not_passed() -> None:
    found = judged(host(0), host(1), host(2, 1.2), host(3, 1.2))
    assert (set(names(found, "unsure")), found.exit_code) == ({"h2", "h3"}, 3)


def test_a_fleet_most_of_which_is_slow_is_not_passed() -> None:
    found = judged(*(host(i, 1.2 if i < 7 else 1.0) for i in range(10)))
    assert (names(found, "fine"), len(names(found, "unsure")), found.exit_code) == (["h7", "h8", "h9"], 7, 3)
    assert found.sentence.endswith("Some hosts are faster by more than 3.0 %: the median itself may be slow.")


def test_a_fleet_of_none_or_one_cannot_be_judged() -> None:
    assert judged().exit_code == 3
    assert judged(host(0)).exit_code == 3


@given(st.integers(2, 100), st.floats(1e3, 1e12), st.floats(0, 0.029), st.randoms())
def test_a_verdict_depends_on_ratios_only(count: int, scale: float, step: float, chance: random.Random) -> None:
    hosts = [host(i, 1 + step * (i == 0) + 0.2 * (i == 1)) for i in range(count)]
    scaled = [
        replace(one, median_ns=one.median_ns * scale, low_ns=one.low_ns * scale, high_ns=one.high_ns * scale)  # type: ignore[operator]
        for one in hosts
    ]
    chance.shuffle(scaled)
    assert {(one.host.id, one.verdict) for one in judged(*scaled).hosts} == {(one.host.id, one.verdict) for one in judged(*hosts).hosts}
    assert "h0" not in names(judged(*hosts), "slow")  # it lies within what matters


def test_the_limit_lies_between_its_neighbours_in_the_table_and_grows_beyond_it() -> None:
    for (few, low), (many, high) in pairwise(LIMITS):
        for count in range(few, many + 1):
            assert min(low, high) - 1e-9 <= z_limit(count) <= max(low, high) + 1e-9
    assert z_limit(50_000) > z_limit(5000)
    assert z_limit(0) > 0
