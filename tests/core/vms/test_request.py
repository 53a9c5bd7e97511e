"""Wishes: what is wrong with them, and the commands they are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.target import NOT_SET, Target, TargetOffers
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.vms.quota_headroom import find_headroom
from heartbeat_core.vms.request import MOST_SCRIPT_BYTES, CreateRequest, fetch_offers, first_request, keep_request, last_request

GOOD = CreateRequest("demo-project", "us-central1-b", "llm-tpu-vm", "v6e-1", "v2-alpha-tpuv6e")
OFFERS = TargetOffers(accelerator_types=("v6e-1", "v6e-4"), runtime_versions=("v2-alpha-tpuv6e", "tpu-ubuntu2204-base"))


def test_a_good_wish_has_no_problem_and_says_what_it_is() -> None:
    assert GOOD.problems(OFFERS) == {}
    assert GOOD.summary() == "llm-tpu-vm: v6e-1 in us-central1-b, on demand, v2-alpha-tpuv6e, external address"
    assert "ssh" in GOOD.reach()
    assert "tunnel" in replace(GOOD, external_ip=False).reach()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"project": ""}, "project", "no project"),
        ({"name": "-x"}, "name", "is no name"),
        ({"name": "x" * 63}, "name", "is no name"),
        ({"zone": "us-central1"}, "zone", "is no zone"),
        ({"accelerator_type": "v6e-2"}, "accelerator_type", "Did you mean v6e-"),
        ({"accelerator_type": ""}, "accelerator_type", "no accelerator type"),
        ({"runtime_version": "tpu-ubuntu2204-base"}, "runtime_version", "would come up READY"),
        ({"runtime_version": "v2-alpha-tpuv9"}, "runtime_version", "v2-alpha-tpuv6e goes with v6e-1"),
        ({"service_account": "robot"}, "service_account", "is no service account"),
        ({"network": "a b"}, "network", "is no network"),
        ({"subnetwork": "a,b"}, "subnetwork", "is no subnetwork"),
        ({"labels": {"Team": "x"}}, "labels", "is no label"),
        ({"startup_script": "/nowhere/at-all.sh"}, "startup_script", "cannot be read"),
    ],
)
def test_an_error_names_its_field(changes: dict[str, Any], field: str, said: str) -> None:
    problems = replace(GOOD, **changes).problems(OFFERS)
    assert list(problems) == [field]
    assert said in str(problems[field])


def test_flex_start_is_a_queued_resource_for_seven_days_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    flexible = replace(GOOD, provisioning="flex-start")
    assert set(flexible.problems()) - {"provisioning"} == {"queued"}
    for time, wrong in (("", False), ("7d", False), ("8d", True), ("0h", True), ("soon", True)):
        assert ("max_run_time" in replace(flexible, queued=True, max_run_time=time).problems()) is wrong
    command = replace(flexible, queued=True, max_run_time="2d").command()
    assert command[:6] == ("gcloud", "alpha", "compute", "tpus", "queued-resources", "create")
    assert command[-2:] == ("--provisioning-model=flex-start", "--max-run-duration=2d")
    monkeypatch.setenv("PATH", "")
    assert "gcloud" in replace(flexible, queued=True).problems()["provisioning"].title


@pytest.mark.parametrize("kind", ["tpu7x-8", "tpu7x-standard-4t", "7x-4"])
def test_what_the_cloud_tpu_api_does_not_have_is_made_in_compute_engine(kind: str) -> None:
    problem = replace(GOOD, accelerator_type=kind, runtime_version="").problems()["accelerator_type"]
    assert "Compute Engine or GKE" in problem.title
    assert "gcloud compute instances create" in problem.remedy
    assert "--machine-type=tpu7x-standard-4t" in problem.remedy


@pytest.mark.parametrize("zone", ["us-central1-b", "us-south1-ai1b", "northamerica-northeast1-c"])
def test_a_zone_is_one_by_its_name(zone: str) -> None:
    assert "zone" not in replace(GOOD, zone=zone).problems()


def test_what_the_zone_did_not_say_refuses_no_request() -> None:
    assert replace(GOOD, accelerator_type="v9x-1", runtime_version="v9").problems() == {}


def test_the_zone_says_itself_what_it_offers(opened: Any) -> None:
    offers = fetch_offers(opened().session, "demo-project", "us-central1-b")
    assert "v6e-1" in offers.accelerator_types
    assert "v5litepod-1" not in offers.accelerator_types
    assert "v2-alpha-tpuv6e" in offers.runtime_versions


def test_a_script_is_sent_as_it_stands_and_named_in_the_command(tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text("echo ü\n", encoding="utf-8")
    request = replace(GOOD, startup_script=str(script))
    assert request.body()["metadata"] == {"startup-script": "echo ü\n"}
    assert request.command()[-1] == f"--metadata-from-file=startup-script={script}"
    script.write_bytes(b"#" * 300_000)
    assert "too long" in str(request.problems()["startup_script"])
    script.unlink()
    with pytest.raises(HeartbeatError, match="cannot be read"):
        request.body()


def test_the_last_wish_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "last.json"
    assert last_request(path) is None
    wish = replace(GOOD, provisioning="spot", external_ip=False, labels={"a": "b"}, queued=True)
    keep_request(wish, path)
    assert last_request(path) == wish
    for broken in ("", "[]", '{"schema": 2}', '{"schema": 1, "create": {"project": 1}}', '{"schema": 1, "create": []}'):
        path.write_text(broken, encoding="utf-8")
        assert last_request(path) is None


def test_the_first_wish_follows_what_was_chosen_then_the_last_use_then_the_defaults() -> None:
    target = Target(
        SourcedValue("demo-project", "PROJECT_ID"), SourcedValue("us-central1-b", "default"), SourcedValue("v6e-1", "default"),
        SourcedValue("v2-alpha-tpuv6e", "goes with v6e-1"), SourcedValue("on-demand", "default"), SourcedValue("llm-tpu-vm", "default"), NOT_SET,  # noqa: E501
    )  # fmt: skip
    assert first_request(target) == GOOD
    last = replace(GOOD, zone="us-west4-a", accelerator_type="v5litepod-4", runtime_version="v2-alpha-tpuv5-lite", provisioning="spot")
    assert first_request(target, last) == last
    chosen = replace(
        target, accelerator_type=SourcedValue("v6e-4", "--accelerator-type"), provisioning=SourcedValue("on-demand", "the settings")
    )
    mixed = first_request(chosen, last)
    assert (mixed.accelerator_type, mixed.runtime_version, mixed.zone) == ("v6e-4", "v2-alpha-tpuv6e", "us-west4-a")
    assert mixed.provisioning == "on-demand"


def test_the_quota_left_counts_what_is_in_use(opened: Any) -> None:
    cloud = opened("running")
    zone, region = find_headroom(cloud.session, cloud.request, cloud.look())
    # three run with a chip each and a queued resource that is suspended holds one; one more is stopped, and eight are queued
    assert (zone.place, zone.left, zone.needed, zone.enough) == ("us-central1-b", 4, 1, None)
    assert region.place == "us-central1"
    assert "4 chips left of 8 (4 to 13 in use), 1 needed" in str(zone)
    assert [room.enough for room in find_headroom(cloud.session, replace(cloud.request, accelerator_type="v6e-4"), cloud.look())] == [
        None,
        None,
    ]
    assert find_headroom(cloud.session, replace(cloud.request, accelerator_type="v6e-8"), cloud.look())[0].enough is False
    assert find_headroom(cloud.session, replace(cloud.request, accelerator_type="v99-1"), cloud.look()) == ()


def test_a_quota_that_cannot_be_read_is_not_known(opened: Any) -> None:
    cloud = opened("no-cloudquotas-api")
    rooms = find_headroom(cloud.session, cloud.request, cloud.look())
    assert [room.enough for room in rooms] == [None, None]
    assert all("not known" in str(room) for room in rooms)


def test_a_start_up_script_is_a_file_that_can_be_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "start.sh").write_text("echo hello\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"#" * (MOST_SCRIPT_BYTES + 1))
    at_home = replace(GOOD, startup_script="~/start.sh")
    assert not at_home.problems()
    # neither gcloud nor the shell writes out a ~ in the middle of a flag
    assert f"--metadata-from-file=startup-script={tmp_path}/start.sh" in at_home.command()
    assert f"--startup-script={tmp_path}/start.sh" in at_home.own_command()
    for script in ("~/pipe", "~/long", "~/none", "~nobody-of-that-name/start.sh", str(tmp_path)):
        assert "startup_script" in replace(GOOD, startup_script=script).problems()
