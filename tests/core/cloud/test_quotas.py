"""Quotas: which row holds where, and unlimited, unset and 0 told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.accelerators import find_accelerator, runtime_fits, type_of_config
from heartbeat_core.cloud.quotas import TPU, Limit, Quota, QuotaRow, get_quota, limit_of, list_quotas, quota_of
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.tpu import Node, Nodes, QueuedResource, QuotaUsage, held

ZONES = ("us-central1-a", "us-central1-b", "us-east5-a")
REGIONS = ("us-central1", "us-east5")
LIMITS = st.builds(Limit, st.just("limited"), st.integers(0, 99))
NAMED = st.builds(QuotaRow, st.fixed_dictionaries({"zone": st.sampled_from(ZONES)}), st.just(()), LIMITS)
LISTED = st.builds(QuotaRow, st.just({}), st.lists(st.sampled_from(ZONES)).map(tuple), LIMITS)
STRANGE = st.builds(QuotaRow, st.just({"tpu_family": "CT6E"}), st.just(ZONES), LIMITS)


def quota(*rows: QuotaRow, dimensions: tuple[str, ...] = ("zone",)) -> Quota:
    return Quota("Q", dimensions, rows, None, None)


@given(st.lists(NAMED | LISTED | STRANGE), st.sampled_from(ZONES))
def test_the_row_that_names_the_place_comes_before_those_that_list_it(rows: list[QuotaRow], zone: str) -> None:
    named = [row for row in rows if row.dimensions.get("zone") == zone]
    listed = [row for row in rows if not row.dimensions and zone in row.locations]
    expected = next(iter(named + listed), None)
    assert quota(*rows).limit(zone) == (expected.limit if expected else Limit("unset"))


@given(st.lists(NAMED | LISTED), st.sampled_from(ZONES), st.randoms())
def test_other_places_and_their_order_do_not_matter(rows: list[QuotaRow], zone: str, chance: Any) -> None:
    others = [row for row in rows if row.dimensions.get("zone", zone) != zone]
    ours = [row for row in rows if row not in others]
    mixed = [*others, *ours]
    chance.shuffle(others)
    assert quota(*mixed).limit(zone) == quota(*others, *ours).limit(zone)


def test_a_row_of_a_family_is_none_of_ours() -> None:
    theirs = QuotaRow({"tpu_family": "CT5P", "region": "us-east5"}, (), Limit("limited", 9))
    assert quota(theirs, dimensions=("region", "tpu_family")).limit("us-east5") == Limit("unset")


def test_a_quota_of_the_whole_world_holds_everywhere() -> None:
    row = QuotaRow({}, ("global",), Limit("limited", 12))
    assert quota(row, dimensions=()).limit("us-east5") == Limit("limited", 12)
    assert quota(row, dimensions=("region",)).limit("us-east5") == Limit("unset")


@pytest.mark.parametrize(
    ("details", "limit"),
    [
        ({"value": "8"}, Limit("limited", 8)),
        ({"value": 8}, Limit("limited", 8)),
        ({"value": "-1"}, Limit("unlimited")),
        ({"value": "0"}, Limit("limited", 0)),
        ({}, Limit("limited", 0)),
        (None, Limit("limited", 0)),
        ({"value": "many"}, Limit("unreadable")),
        ({"value": 1.5}, Limit("unreadable")),
        ({"value": True}, Limit("unreadable")),
    ],
)
def test_a_value_left_out_is_0(details: object, limit: Limit) -> None:
    row = {"details": details, "applicableLocations": ["z"]}
    assert limit_of(row) == limit
    assert quota_of({"dimensionsInfos": [row], "dimensions": ["zone"]}).limit("z") == limit


def test_a_limit_covers_what_is_left_of_it() -> None:
    assert Limit("unlimited").covers(10**9) is True
    assert Limit("unset").covers(1) is None
    assert Limit("unreadable").covers(0) is None
    assert Limit("limited", 4).covers(2, used=2) is True
    assert Limit("limited", 4).covers(3, used=2) is False
    assert [str(Limit("limited", 0)), str(Limit("unset")), str(Limit("limited", 1024))] == ["0", "unset", "1,024"]


def test_an_unknown_id_is_no_quota(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(404))
    assert get_quota(session, "p", TPU, "Wrong") is None
    assert server.asked[0].path == "/v1/projects/p/locations/global/services/tpu.googleapis.com/quotaInfos/Wrong"


def test_quotas_are_listed(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"quotaInfos": [{"quotaId": "A"}], "nextPageToken": "2"}), answer(body={"quotaInfos": [{"quotaId": "B"}]}))
    assert [found.id for found in list_quotas(session, "p", TPU)] == ["A", "B"]


@pytest.mark.parametrize(
    ("name", "chips", "size", "zone_quota"),
    [
        ("v6e-1", 1, 1, "TPUV6EPerProjectPerZoneForTPUAPI"),
        ("V6E-8 ", 8, 8, "TPUV6EPerProjectPerZoneForTPUAPI"),
        ("v5litepod-4", 4, 4, "TPUV5sLitepodServingPerProjectPerZoneForTPUAPI"),
        ("v5litepod-16", 16, 16, "TPUV5sLitepodPerProjectPerZoneForTPUAPI"),
        ("v5e-1", 1, 1, "TPUV5sLitepodServingPerProjectPerZoneForTPUAPI"),
        ("v5p-8", 4, 8, "TPUV5PPerProjectPerZoneForTPUAPI"),
        ("v4-8", 4, 8, "TPUV4sPodPerProjectPerZoneForTPUAPI"),
        ("v2-8", 4, 8, None),
    ],
)
def test_an_accelerator_is_known_by_its_name(name: str, chips: int, size: int, zone_quota: str | None) -> None:
    found = find_accelerator(name)
    assert found is not None
    assert (found.chips, found.size, found.quota_id("on-demand", "zone")) == (chips, size, zone_quota)


def test_spot_and_region_have_quotas_of_their_own() -> None:
    v6e, v5e = find_accelerator("v6e-1"), find_accelerator("v5litepod-8")
    assert v6e
    assert v5e
    assert v6e.quota_id("spot", "region") == "TPUV6EPreemptiblePerProjectPerRegionForTPUAPI"
    assert v5e.quota_id("spot", "zone") == "TPUV5sPreemptibleLitepodServingPerProjectPerZoneForTPUAPI"
    assert v6e.quota_id("reserved", "zone") == v6e.quota_id("on-demand", "zone")


@given(st.text())
def test_any_name_is_looked_up(name: str) -> None:
    found = find_accelerator(name)
    assert found is None or found.size > 0


@pytest.mark.parametrize("name", ["", "v6e", "v6e-", "v6e-0", "v9-1", "ct6e-standard-1t", None])
def test_a_name_not_known_here_is_no_error(name: str | None) -> None:
    assert find_accelerator(name) is None


@pytest.mark.parametrize(
    ("name", "runtime", "fits"),
    [
        ("v6e-1", "v2-alpha-tpuv6e", True),
        ("v6e-1", "tpu-ubuntu2204-base", False),
        ("v6e-1", "v2-alpha-tpuv5", False),
        ("v6e-1", "v3-beta", None),
        ("v4-8", "tpu-ubuntu2204-base", True),
        ("v4-8", "tpu-vm-v4-base", None),
        ("v4-8", "v2-alpha-tpuv6e", False),
        ("v5litepod-1", "v2-alpha-tpuv5-lite", True),
    ],
)
def test_a_runtime_fits_or_not(name: str, runtime: str, fits: bool | None) -> None:
    accelerator = find_accelerator(name)
    assert accelerator
    assert runtime_fits(accelerator, runtime) is fits


def node(name: str, kind: str | None, state: str = "READY", zone: str = "us-central1-b", spot: bool = False) -> Node:
    return Node(name, zone, state, None, None, kind, None, "spot" if spot else "on-demand", (), None, None, None, (), {})


def queued(name: str, kind: str, state: str, zone: str = "us-central1-b") -> QueuedResource:
    return QueuedResource(name, zone, state, (kind,), (), "on-demand", None)


def use(*things: Node | QueuedResource, scope: Any = "zone", where: str = "us-central1-b", unreachable: tuple[str, ...] = ()) -> QuotaUsage:
    accelerator = find_accelerator("v6e-1")
    assert accelerator
    nodes = tuple(thing for thing in things if isinstance(thing, Node))
    waiting = tuple(thing for thing in things if isinstance(thing, QueuedResource))
    return held(Nodes(nodes, waiting, unreachable), accelerator, "on-demand", scope, where)


def test_what_runs_counts_and_what_is_gone_does_not() -> None:
    found = use(node("a", "v6e-4"), node("b", "v6e-1", "CREATING"), node("c", "v6e-8", "PREEMPTED"), node("d", "v6e-8", "STOPPED"))
    assert found == QuotaUsage(5, 8, ("a (v6e-4)", "b (v6e-1)", "d (v6e-8, STOPPED)"))


def test_other_quotas_and_places_do_not_count() -> None:
    others = node("a", "v6e-4", spot=True), node("b", "v5p-8"), node("c", "v6e-4", zone="us-central1-a")
    assert use(*others) == QuotaUsage(0, 0, ())
    assert use(*others, scope="region", where="us-central1").sure == 4


def test_suspended_and_failed_queued_resources_hold_theirs_and_waiting_ones_may() -> None:
    states = ("SUSPENDED", "FAILED", "ACTIVE", "WAITING_FOR_RESOURCES", "PROVISIONING", "NEW")
    found = use(*(queued(state.lower(), "v6e-4", state) for state in states))
    assert (found.sure, found.maybe) == (8, 8)
    assert [name.rpartition("(")[2] for name in found.by] == ["SUSPENDED)", "FAILED)", "WAITING_FOR_RESOURCES)", "PROVISIONING)"]


def test_a_reserved_node_may_count() -> None:
    assert use(replace(node("a", "v6e-4"), provisioning="reserved")).maybe == 4


@pytest.mark.parametrize(
    ("kind", "topology", "name"),
    [("V6E", "2x2", "v6e-4"), ("V5LITE_POD", "1x1", "v5litepod-1"), ("V5P", "2x2x1", "v5p-8"), ("V2", "2x2", "v2-8"), ("V9", "2x2", None),
     ("V6E", "", None), (None, None, None)],
)  # fmt: skip
def test_a_type_is_read_from_its_topology(kind: str | None, topology: str | None, name: str | None) -> None:
    assert type_of_config(kind, topology) == name


def test_doubts_are_reported() -> None:
    found = use(node("a", "v9-4"), node("b", None), unreachable=("us-west1-c", "projects/p/locations/us-central1-b"))
    assert found.sure == 0
    assert found.doubts == ("us-central1-b did not answer", "a is of an unknown type, v9-4", "b is of an unknown type, which is not said")
