"""Looks, and what changed between two."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.tpu import Node, QueuedResource
from heartbeat_core.vms.inventory import (
    History,
    Inventory,
    age_s,
    age_words,
    fetch_inventory,
    is_long_ready,
    moment,
    notes_on,
    notes_on_queued,
    states,
    transitions,
)
from heartbeat_core.vms.pricing import fetch_rates
from heartbeat_core.vms.serialize import as_yaml, inventory_json

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
STATES = (None, "CREATING", "READY", "STOPPED", "DREAMING")
ZONES = ("us-central1-b", "us-east5-b")


def node(name: str, state: str | None = "READY", zone: str = ZONES[0], created: str | None = None) -> Node:
    return Node(name, zone, state, None, None, "v6e-1", "v2-alpha-tpuv6e", "on-demand", (), None, created, None, (), {})


def queued(name: str, state: str | None, zone: str = ZONES[0]) -> QueuedResource:
    return QueuedResource(name, zone, state, ("v6e-1",), (), "on-demand", None)


def look(*things: Node | QueuedResource, at: datetime = NOON, unreachable: tuple[str, ...] = ()) -> Inventory:
    nodes = tuple(thing for thing in things if isinstance(thing, Node))
    return Inventory(at, "p", "-", nodes, tuple(thing for thing in things if isinstance(thing, QueuedResource)), unreachable)


looks = st.builds(
    lambda found, gone: look(*(node(name, state, zone) for (zone, name), state in found.items() if zone not in gone), unreachable=gone),
    st.dictionaries(st.tuples(st.sampled_from(ZONES), st.sampled_from("abc")), st.sampled_from(STATES)),
    st.sets(st.sampled_from(ZONES)).map(tuple),
)


@given(before=looks, after=looks)
def test_changes_lead_from_one_look_to_the_next(before: Inventory, after: Inventory) -> None:
    changed = transitions(before, after)
    silent = {*before.unreachable, *after.unreachable}
    assert all(change.before != change.after and change.zone not in silent for change in changed)
    led = states(before)
    for change in changed:
        key = (change.kind, change.zone, change.name)
        assert led.get(key) == change.before
        led.pop(key, None)
        if change.after is not None:
            led[key] = change.after
    assert {key: state for key, state in led.items() if key[1] not in silent} == {
        key: state for key, state in states(after).items() if key[1] not in silent
    }


@given(seen=looks)
def test_the_same_look_twice_is_no_change(seen: Inventory) -> None:
    assert transitions(seen, seen) == ()


@given(st.lists(looks, min_size=1, max_size=6))
def test_a_history_tells_each_change_once_and_no_time_below_zero(seen: list[Inventory]) -> None:
    history = History()
    timed = [Inventory(NOON + timedelta(seconds=n), one.project, one.zone, one.nodes, (), one.unreachable) for n, one in enumerate(seen)]
    told = [history.add(one) for one in timed]
    assert told[0] == ()
    assert all(change.took_s is None or change.took_s >= 0 for changes in told for change in changes)


def test_how_long_a_state_lasted_is_shown_where_its_beginning_was_seen() -> None:
    history = History()
    history.add(look(node("a", "CREATING", created="2026-11-24T11:59:00Z"), node("b", "STOPPED")))
    changes = history.add(look(node("a", "READY"), node("b", "STARTING"), at=NOON + timedelta(seconds=30)))
    assert [(change.name, change.took_s) for change in changes] == [("a", 90.0), ("b", None)]
    changes = history.add(look(node("a", "READY"), node("b", "READY"), at=NOON + timedelta(seconds=50)))
    assert [(change.name, change.before, change.after, change.took_s) for change in changes] == [("b", "STARTING", "READY", 20.0)]
    assert [change.after for change in history.add(look(node("b"), at=NOON + timedelta(seconds=60)))] == [None]


def test_what_cannot_be_listed_has_not_gone(opened: Any) -> None:
    cloud = opened("running")
    seen = cloud.look()
    assert seen.queued
    from dataclasses import replace

    from heartbeat_core.cloud.errors import CloudError

    deaf = replace(seen, queued=(), queued_problem=CloudError("cut", "…"))
    assert transitions(seen, deaf) == transitions(deaf, seen) == ()


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("2026-11-24t12:00:00.5z", NOON.replace(microsecond=500000)),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_googles_time_stamps(stamp: str | None, expected: datetime | None) -> None:
    assert moment(stamp) == expected


def test_ages_are_never_negative_and_read_well() -> None:
    assert age_s("2026-11-24T13:00:00Z", NOON) == 0.0  # their clock is ahead of ours
    assert age_s("…", NOON) is None
    assert [age_words(seconds) for seconds in (5, 65, 11520, 1e6)] == ["5s", "1m 05s", "3h 12m", "11d 13h"]


def test_those_that_are_ready_for_long_are_pointed_out() -> None:
    old, young = node("old", created="2026-11-24T02:00:00Z"), node("young", created="2026-11-24T11:00:00Z")
    stopped, ageless = node("stopped", "STOPPED", created="2026-11-20T02:00:00Z"), node("ageless")
    assert [is_long_ready(one, NOON) for one in (old, young, stopped, ageless)] == [True, False, False, False]
    assert any("is it still needed" in note for note in notes_on(old, NOON))
    assert list(notes_on(young, NOON)) == []
    assert list(notes_on_queued(queued("q", "SUSPENDED"))) == ["It holds its quota until it is deleted."]


def test_one_silent_zone_is_reported_and_the_rest_is_listed(opened: Any) -> None:
    seen = opened("unreachable-zone").look()
    assert seen.unreachable == ("us-east5-b",)
    assert "llm-tpu-vm" in [found.id for found in seen.nodes]
    assert "us-east5-b did not answer" in seen.why_empty()


def test_a_state_that_the_client_does_not_know_is_shown_as_its_number(opened: Any) -> None:
    seen = opened("odd").look()
    made = inventory_json(seen, None)
    assert {found["state"] for found in made["nodes"]} == {"99"}
    assert {found["state"] for found in made["queued_resources"]} == {"99"}
    assert made["nodes"][0]["age_s"] is None


def test_queued_resources_that_cannot_be_listed_hide_no_node(opened: Any, befall: Any) -> None:
    seen = opened("running", befall("GET", "/queuedResources", "drop", times=10)).look()
    assert seen.nodes
    assert seen.queued_problem is not None
    assert inventory_json(seen, None)["queued_problem"]


def test_flex_start_in_an_ai_zone_is_shown_and_priced(opened: Any) -> None:
    cloud = opened("flex-start")
    seen, rates = cloud.look(), fetch_rates(cloud.session)
    assert [(node.zone, node.provisioning) for node in seen.nodes] == [("us-south1-ai1b", "flex-start")]
    assert inventory_json(seen, rates)["nodes"][0]["per_hour_usd"] == 1.0
    assert cloud.create(zone="us-south1-ai1b", name="another").state == "READY"


def test_vms_of_compute_engine_are_counted(opened: Any) -> None:
    cloud = opened("compute-engine")
    assert cloud.look().more() == "2 more in Compute Engine, which the Cloud TPU API does not show"
    assert inventory_json(cloud.look(), None)["compute_engine"] == 2
    assert fetch_inventory(cloud.session, "demo-project", "us-central1-b").compute_engine == 1
    assert opened("no-compute-api").look().compute_engine is None


def test_an_empty_list_says_why_that_may_be(opened: Any) -> None:
    seen = opened().look()
    assert seen.nodes == ()
    assert "another project" in seen.why_empty()
    assert "GKE" in seen.why_empty()
    assert "another zone" not in seen.why_empty()
    assert "another zone" in Inventory(NOON, "p", ZONES[0]).why_empty()


def test_yaml_gives_the_answer_back_and_nothing_a_terminal_obeys() -> None:
    tree = {"a": {"b": [1, {"c": "x\x1b[2Jy", "yes": None}], "empty": []}, "on": "ü"}
    lines = list(as_yaml(tree))
    assert lines == [
        "a:", "  b:", "    - 1", "    -", '      c: "x\\u001b[2Jy"', '      "yes": null', "  empty: []", '"on": "ü"',
    ]  # fmt: skip


def test_a_silent_zone_forgets_nothing_and_tells_its_changes_once_it_answers() -> None:
    history = History()
    there = node("a", "READY", ZONES[0]), node("b", "READY", ZONES[1])
    history.add(look(*there))
    assert history.add(look(there[0], unreachable=(ZONES[1],))) == ()
    assert history.last is not None
    assert [(found.id, found.state) for found in history.last.nodes] == [("a", "READY"), ("b", "READY")]
    changes = history.add(look(there[0], node("b", "PREEMPTED", ZONES[1])))
    assert [(change.name, change.before, change.after) for change in changes] == [("b", "READY", "PREEMPTED")]
    history.add(look(there[0], unreachable=(ZONES[1],)))
    assert [(change.name, change.after) for change in history.add(look(there[0]))] == [("b", None)]
    assert [found.id for found in history.last.nodes] == ["a"]


def test_queued_resources_that_cannot_be_listed_for_a_while_are_kept() -> None:
    history = History()
    history.add(look(queued("q", "ACCEPTED")))
    history.add(replace(look(), queued_problem=CloudError("timed out", "no answer", service="tpu")))
    assert history.last is not None
    assert [found.id for found in history.last.queued] == ["q"]
    assert [(change.before, change.after) for change in history.add(look(queued("q", "ACTIVE")))] == [("ACCEPTED", "ACTIVE")]
