from __future__ import annotations

from pathlib import Path

import pytest

from heartbeat_core.emulator.scenario import load_scenario, scenario_names
from heartbeat_core.emulator.server import make_cloud
from heartbeat_core.errors import HeartbeatError


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_loads_says_what_it_is_and_builds(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description
    assert "\n" not in scenario.description
    assert make_cloud(scenario).scenario is scenario


def test_the_scenarios_of_the_issue_are_there() -> None:
    assert set(scenario_names()) >= {
        "broken-quotas", "expired-credentials", "flaky", "foreign-consumer", "fresh", "no-act-as", "no-billing", "no-roles",
        "no-service-account", "no-service-agent", "no-tpu-api", "odd", "quota-region-zero", "quota-zone-zero", "ready", "slow", "stockout",
    }  # fmt: skip


def test_descriptions_differ() -> None:
    assert len({load_scenario(name).description for name in scenario_names()}) == len(scenario_names())


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(HeartbeatError, match="there is no scenario 'redy'") as caught:
        load_scenario("redy")
    assert caught.value.cause == "Did you mean ready?"


def test_a_file_may_extend_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    quotas = "[quotas.TPUV6EPerProjectPerZoneForTPUAPI]\nus-central1-b = 1\n"
    file.write_text(f'description = "mine"\nextends = "ready"\n{quotas}', encoding="utf-8")
    scenario = load_scenario(str(file))
    assert scenario.name == "mine"
    assert scenario.quotas["TPUV6EPerProjectPerZoneForTPUAPI"] == {"us-central1-b": 1, "us-east5-b": 8}
    assert scenario.policy == load_scenario("ready").policy


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("surprise = 1", "there is no surprise"),
        ("[faults]\nsurprise = 1", "there is no faults.surprise"),
        ("principal = 1", "principal is 1"),
        ("services = 1", "services is no list"),
        ("project = 1", "project is no table"),
        ("policy = 1", "policy is no table"),
        ('credentials = "lost"', "not one of valid, expired"),
        ('[[nodes]]\nid = "a"', "nodes[0] lacks accelerator_type"),
        ("this is not TOML", "line 1"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(HeartbeatError) as caught:
        load_scenario(str(file))
    assert cause in caught.value.cause


def test_a_file_that_is_missing_or_extends_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeartbeatError, match="cannot be read"):
        load_scenario(str(tmp_path / "none.toml"))
    round_ = tmp_path / "round.toml"
    round_.write_text('extends = "round"', encoding="utf-8")
    with pytest.raises(HeartbeatError, match="extends itself"):
        load_scenario(str(round_))


@pytest.mark.parametrize(
    "text",
    [
        'services = ["nothing.googleapis.com"]',
        '[[nodes]]\nid = "a"\nzone = "us-west4-a"\naccelerator_type = "v6e-1"\nruntime_version = "r"',
        '[[queued]]\nid = "a"\nzone = "nowhere"\naccelerator_type = "v6e-1"\nruntime_version = "r"\nstate = "FAILED"',
    ],
)
def test_a_scenario_that_names_what_is_not_offered_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(HeartbeatError, match="cannot be used"):
        make_cloud(load_scenario(str(file)))


def test_many_are_a_thousand_numbered_and_aged() -> None:
    cloud = make_cloud(load_scenario("many"))
    (project,) = cloud.projects.values()
    names = [name.rpartition("/")[2] for name in project.nodes]
    assert len(names) == len(set(names)) == 1000
    assert {"serve-0001", "serve-0400", "pod-0050"} <= set(names)
    assert all(node.created < cloud.stamp() for node in project.nodes.values())
