"""What is done to TPU VMs from the pane: asked with the exact command, done once it was said, followed step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.waiting import until
from textual.widgets import Input

from heartbeat_core.checks.result import CheckReport, Result, Status
from heartbeat_tui.vms.dialogs import JobScreen, check_lines
from heartbeat_tui.vms.text import log_lines

if TYPE_CHECKING:
    from tests.tui.vms.conftest import Open
SIZES = [(80, 24), (160, 50)]
NODE = "/v2/projects/demo-project/locations/us-central1-b/nodes"
Scenario = Callable[[str], str]


# -- describe


@pytest.mark.parametrize("size", SIZES)
async def test_enter_describes_it_as_yaml_with_what_it_means(vms: Open, size: tuple[int, int]) -> None:
    async with vms("running", size=size) as stage:
        await stage.point_at("node/us-central1-b/wrong-runtime")
        await stage.press("enter")
        words = stage.words()
        assert "tpu-ubuntu2204-base has no driver for v6e-1" in words
        assert 'name: "wrong-runtime"' in words
        await stage.press("y")
        assert 'runtime_version: "tpu-ubuntu2204-base"' in stage.app.clipboard
        assert "service_account:" in stage.app.clipboard
        await stage.press("escape")
        assert "NAME" in stage.text()


async def test_a_description_follows_what_happens(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/stopped")
        await stage.press("enter")
        assert "○ STOPPED" in stage.words()
        stage.ask("POST", f"{NODE}/stopped:start", {})
        stage.app.vms.look_now()
        await stage.settle()
        assert "◐ STARTING" in stage.words()


# -- start, stop, delete


async def test_only_what_the_state_allows_is_offered(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/llm-tpu-vm")
        assert {"Stop", "Delete…", "Connect", "Benchmark", "Set up"} <= stage.offered()
        assert "Start" not in stage.offered()
        await stage.point_at("node/us-central1-b/stopped")
        assert {"Start", "Delete…"} <= stage.offered()
        assert not {"Stop", "Connect", "Benchmark", "Set up"} & stage.offered()
        await stage.point_at("queued/us-central1-b/waiting")
        assert "Delete…" in stage.offered()
        assert not {"Start", "Stop", "Connect"} & stage.offered()


async def test_stopping_asks_with_the_exact_command_and_is_followed_on_the_row(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/llm-tpu-vm")
        await stage.press("S")
        assert "gcloud compute tpus tpu-vm stop llm-tpu-vm --project=demo-project --zone=us-central1-b" in stage.words()
        assert "saves about $2.00/h" in stage.words()
        await stage.press("enter")
        await stage.until(lambda: "stopping, " in stage.row("llm-tpu-vm"), "the job on the row")
        assert not {"Stop", "Connect", "Benchmark", "Set up"} & stage.offered()
        await stage.ended()
        assert "○ STOPPED" in stage.row("llm-tpu-vm")
        assert "✓ stopped" in stage.text()
        assert "$12.00/h running now" in stage.text()


async def test_leaving_the_question_changes_nothing(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/llm-tpu-vm")
        await stage.press("S", "escape")
        assert stage.ask("GET", f"{NODE}/llm-tpu-vm")["state"] == "READY"
        assert not stage.fleet.jobs.all()


async def test_to_delete_the_name_is_typed(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/stopped")
        await stage.press("D")
        assert "deleted for good" in stage.words()
        assert "tpu-vm delete stopped --project=demo-project" in stage.words()
        await stage.press("enter")
        await stage.type("stop")
        await stage.press("enter")
        assert stage.ask("GET", f"{NODE}/stopped")["state"] == "STOPPED"
        await stage.type("ped")
        await stage.press("enter")
        await stage.ended()
        assert "stopped" not in stage.names()
        assert "→ gone" in stage.text()


async def test_several_are_marked_and_deleted_at_once(vms: Open) -> None:
    async with vms("running") as stage:
        for key in ("node/us-central1-b/stopped", "node/us-central1-b/preempted", "queued/us-central1-b/forgotten"):
            await stage.point_at(key)
            await stage.press("space")
        assert "3 marked" in stage.text()
        await stage.press("D")
        assert "Delete 3 at once?" in stage.words()
        assert "queued-resources delete forgotten" in stage.words()
        await stage.type("delete 3")
        await stage.press("enter")
        await stage.ended()
        assert not {"stopped", "preempted", "forgotten"} & set(stage.names())
        assert "marked" not in stage.text()


async def test_a_refusal_is_said_on_the_row_and_explained(vms: Open, scenario: Scenario) -> None:
    node = '{ id = "stopped", zone = "us-central1-b", accelerator_type = "v6e-1", runtime_version = "v2-alpha-tpuv6e", state = "STOPPED" }'
    async with vms(scenario(f'extends = "no-tpu-admin"\nnodes = [{node}]'), size=(160, 50)) as stage:
        await stage.point_at("node/us-central1-b/stopped")
        await stage.press("S", "enter")
        await stage.idle()
        assert "✗ not started" in stage.row("stopped")
        await stage.press("p")
        assert "tpu.nodes.start" in stage.words()


# -- create


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_is_filled_and_shows_cost_quota_and_command(vms: Open, size: tuple[int, int]) -> None:
    async with vms("ready", size=size) as stage:
        await stage.open_form()
        words = stage.words()
        assert "llm-tpu-vm" in words
        assert "v2-alpha-tpuv6e" in words
        assert "about $2.00 an hour, $48.00 a day" in words
        assert "quota, zone us-central1-b: 8 chips left of 8" in words
        assert "gcloud compute tpus tpu-vm create llm-tpu-vm --project=demo-project --zone=us-central1-b" in words
        assert "--accelerator-type=v6e-1 --version=v2-alpha-tpuv6e" in words


async def test_wrong_pairings_are_refused_with_the_reason_as_one_types(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.open_form()
        stage.fill(runtime_version="tpu-ubuntu2204-base")
        await stage.settle()
        assert "has no driver for v6e-1" in stage.words()
        assert "Correct 1 field first" in stage.words()
        await stage.press("enter")
        assert "Create llm-tpu-vm?" not in stage.text()


async def test_the_runtime_goes_with_the_type_and_the_zone_offers_its_own(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.open_form()
        stage.fill(accelerator_type="v5litepod-4")
        await stage.settle()
        assert stage.pane.form is not None
        assert stage.pane.form.texts["runtime_version"] == "v2-alpha-tpuv5-lite"
        stage.fill(accelerator_type="v4-8")
        await stage.settle()
        assert "us-central1-b does not offer v4-8" in " ".join(stage.words().split())
        await stage.pilot.click("#field-accelerator_type")
        stage.fill(accelerator_type="v6")
        await stage.settle()
        assert "v6e-1, v6e-4" in stage.words()


async def test_a_name_that_is_taken_is_not_proposed(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.open_form()
        assert stage.pane.form is not None
        assert stage.pane.form.texts["name"] == "llm-tpu-vm-2"
        for name, zones, place in (("stopped", "", "us-central1-b"), ("elsewhere", "us-east5-b", "us-east5-b")):
            stage.fill(name=name, zones=zones)
            await stage.settle()
            assert f"There is one of that name already, in {place}." in stage.words()


async def test_it_is_created_once_and_followed_through_its_states(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.open_form()
        stage.fill(name="first", labels="team=llm")
        await stage.settle()
        await stage.press("enter")
        assert "Create first?" in stage.text()
        assert "--labels=team=llm" in stage.words()
        assert "$2.00 an hour, $48.00 a day" in stage.words()
        before = stage.ask("GET", NODE)["nodes"]
        await stage.press("enter", "enter")
        assert "Create first?" in stage.text()  # enter alone creates nothing
        await stage.press("c")
        await stage.until(lambda: "◐ CREATING" in stage.words(), "CREATING on the screen of the job")
        assert isinstance(stage.app.screen, JobScreen)
        await stage.ended()
        words = stage.words()
        assert "✓ first created in" in words
        assert "● READY" in words
        assert "first is charged from now on" in words
        assert "i sets it up" in words
        await stage.press("escape")
        assert "● READY" in stage.row("first")
        assert stage.pane.pointed_key == "node/us-central1-b/first"  # which the keys just named are for
        assert len(stage.ask("GET", NODE)["nodes"]) == len(before) + 1


async def test_the_screen_of_a_creation_can_be_left_while_it_goes_on(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.open_form()
        await stage.press("enter", "c")
        await stage.until(lambda: "◐ CREATING" in stage.words(), "CREATING on the screen of the job")
        await stage.press("escape")
        await stage.until(lambda: "creating, " in stage.row("llm-tpu-vm"), "the job on the row")
        await stage.press("3", "2")
        await stage.press("p")
        assert "◐ creating llm-tpu-vm" in stage.words()
        await stage.ended()
        assert "✓ llm-tpu-vm created" in stage.words()


@pytest.mark.parametrize(
    ("state", "said", "helps"),
    [
        ("stockout", "there is no TPU of this type", "--keep-trying"),
        ("quota-zone-zero", "the quota of the zone us-central1-b is 0", "quotas preferences create"),
        ("no-tpu-admin", "a permission is missing: tpu.nodes.create", "roles/tpu.admin"),
    ],
)
async def test_what_google_refuses_ends_in_its_own_diagnosis(vms: Open, state: str, said: str, helps: str) -> None:
    async with vms(state, size=(80, 24)) as stage:
        await stage.open_form()
        await stage.begin()
        await stage.ended()
        assert f"✗ llm-tpu-vm was not created: {said}" in stage.words()  # why it failed is seen first on a low screen
        assert "escape Back y Copy" in stage.words()
        await stage.press("end")
        assert helps in stage.words()
        assert "✗ llm-tpu-vm was not created" in stage.words()
        assert not stage.ask("GET", NODE).get("nodes")


async def test_it_goes_round_the_zones_with_a_log_until_it_is_stopped(vms: Open, scenario: Scenario) -> None:
    zones = '["us-central1-b", "us-east5-b"]'
    async with vms(scenario(f'extends = "ready"\nstockout = {zones}'), size=(160, 50)) as stage:
        await stage.open_form()
        stage.fill(zones="us-east5-b")
        await stage.settle()
        await stage.press("enter")
        assert "Tries us-central1-b, us-east5-b in turn until one has capacity" in stage.words()
        await stage.press("c")

        def round_over() -> bool:
            stage.advance(5)
            return "next round in" in stage.words()

        await stage.until(round_over, "the end of the round")
        await stage.press("x")
        await stage.idle()
        assert "stopped after" in stage.words()
        log = "\n".join("".join(text for text, _ in line) for line in log_lines(stage.fleet.view(), 100))
        assert "llm-tpu-vm  trying us-central1-b" in log
        assert "llm-tpu-vm  trying us-east5-b" in log
        assert "there is no TPU of this type in us-central1-b" in log


async def test_what_a_further_zone_has_is_pointed_at(vms: Open, scenario: Scenario) -> None:
    node = 'id = "another"\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\nstate = "READY"'
    async with vms(scenario(f'extends = "ready"\nstockout = ["us-central1-b"]\n[[nodes]]\n{node}'), size=(160, 50)) as stage:
        assert stage.pane.pointed_key == "node/us-central1-b/another"
        await stage.open_form()
        stage.fill(zones="us-east5-b")
        await stage.settle()
        await stage.press("enter", "c")

        def there() -> bool:
            stage.advance(5)
            return "node/us-east5-b/llm-tpu-vm" in stage.fleet.view().nodes

        await stage.until(there, "a TPU VM in the other zone")
        await stage.press("escape", "r")
        assert "creating, " in stage.row("llm-tpu-vm")
        await stage.ended()
        assert stage.pane.pointed_key == "node/us-east5-b/llm-tpu-vm"
        await stage.press("up")
        await stage.press("r")
        assert stage.pane.pointed_key == "node/us-central1-b/another"  # and is left alone from then on


async def test_a_queued_one_waits_in_one_zone(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.open_form()
        stage.fill(queued="yes", zones="us-east5-b")
        await stage.settle()
        assert "A queued resource waits in one zone" in stage.words()
        stage.fill(zones="")
        await stage.settle()
        assert "queued-resources create llm-tpu-vm" in stage.words()
        await stage.press("escape")
        assert stage.pane.form is None


async def test_no_external_address_says_how_it_is_reached(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.open_form()
        stage.fill(external_ip="no", startup_script="~no-user-of-that-name/start.sh")
        await stage.settle()
        assert "cannot be read" in stage.words()
        stage.fill(startup_script="")
        await stage.settle()
        assert "--internal-ips" in stage.words()
        assert "--tunnel-through-iap" in stage.words()
        await stage.type("xdsn")  # keys are letters while a field is filled
        assert isinstance(stage.app.focused, Input)
        assert "xdsn" in stage.app.focused.value


# -- connect, and leaving


async def test_leaving_says_what_still_runs_and_what_it_costs(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.press("q")
        words = stage.words()
        assert "4 TPU VMs run" in words
        assert "$14.00" in words
        assert "Leaving stops none of them" in words
        assert "1 queued resource waits" in words
        assert "charged as soon as there is capacity" in words
        await stage.press("n")
        assert stage.app.is_running
        assert "NAME" in stage.text()
        await stage.press("q")
        await stage.pilot.click("KeyButton")  # what can be pressed can be clicked
        await until(lambda: not stage.app.is_running, "the end of the app")


async def test_leaving_says_what_is_under_way(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.open_form()
        await stage.press("enter", "c")
        await stage.until(lambda: "◐ CREATING" in stage.words(), "CREATING on the screen of the job")
        await stage.press("escape", "q")
        assert "Leave while creating llm-tpu-vm?" in stage.words()
        await stage.press("enter")
        await until(lambda: not stage.app.is_running and not stage.fleet.jobs.under_way(), "the end of the app and of its jobs")


async def test_with_nothing_running_leaving_asks_nothing(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.press("q")
        await until(lambda: not stage.app.is_running, "the end of the app")


async def test_the_checks_of_what_it_will_use_are_made_before_it_asks(vms: Open) -> None:
    async with vms("no-network") as stage:
        await stage.press("n", "enter")
        words = stage.words()
        assert "✗ Network: there is no network default" in words
        assert "Create it" in words


async def test_a_ready_project_leads_to_the_form(vms: Open) -> None:
    async with vms("ready") as stage:
        await stage.app.action_create_vm()
        await stage.until(lambda: stage.pane.form is not None, "the form for a new TPU VM")
        await stage.settle()
        assert "a new TPU VM in project demo-project" in stage.words()


@pytest.mark.parametrize(
    ("quota", "network", "said"),
    [
        ("pass", "pass", "✓ The readiness checks pass."),
        ("unknown", "pass", "✓ The readiness checks but those of the TPU quota pass."),
        ("pass", "unknown", "? network: found"),
        ("blocked", "blocked", "? network: found"),
    ],
)
def test_the_question_says_that_checks_pass_only_where_all_do(quota: Status, network: Status, said: str) -> None:
    results = [Result(name, "", "", status, "found", title=name) for name, status in (("quota.tpu-zone", quota), ("network", network))]
    (first, _) = check_lines(CheckReport(tuple(results)))
    assert first[0][0] == said
