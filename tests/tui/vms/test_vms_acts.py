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
    async with vms("running", size=size) as driver:
        await driver.point_at("node/us-central1-b/wrong-runtime")
        await driver.press("enter")
        words = driver.words()
        assert "tpu-ubuntu2204-base has no driver for v6e-1" in words
        assert 'name: "wrong-runtime"' in words
        await driver.press("y")
        assert 'runtime_version: "tpu-ubuntu2204-base"' in driver.app.clipboard
        assert "service_account:" in driver.app.clipboard
        await driver.press("escape")
        assert "NAME" in driver.text()


async def test_a_description_follows_what_happens(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/stopped")
        await driver.press("enter")
        assert "○ STOPPED" in driver.words()
        driver.ask("POST", f"{NODE}/stopped:start", {})
        driver.app.vms.look_now()
        await driver.settle()
        assert "◐ STARTING" in driver.words()


# -- start, stop, delete


async def test_only_what_the_state_allows_is_offered(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        assert {"Stop", "Delete…", "Connect", "Benchmark", "Set up"} <= driver.offered()
        assert "Start" not in driver.offered()
        await driver.point_at("node/us-central1-b/stopped")
        assert {"Start", "Delete…"} <= driver.offered()
        assert not {"Stop", "Connect", "Benchmark", "Set up"} & driver.offered()
        await driver.point_at("queued/us-central1-b/waiting")
        assert "Delete…" in driver.offered()
        assert not {"Start", "Stop", "Connect"} & driver.offered()


async def test_stopping_asks_with_the_exact_command_and_is_followed_on_the_row(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        await driver.press("S")
        assert "gcloud compute tpus tpu-vm stop llm-tpu-vm --project=demo-project --zone=us-central1-b" in driver.words()
        assert "saves about $2.00/h" in driver.words()
        await driver.press("enter")
        await driver.until(lambda: "stopping, " in driver.row("llm-tpu-vm"), "the job on the row")
        assert not {"Stop", "Connect", "Benchmark", "Set up"} & driver.offered()
        await driver.ended()
        assert "○ STOPPED" in driver.row("llm-tpu-vm")
        assert "✓ stopped" in driver.text()
        assert "$12.00/h running now" in driver.text()


async def test_leaving_the_question_changes_nothing(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        await driver.press("S", "escape")
        assert driver.ask("GET", f"{NODE}/llm-tpu-vm")["state"] == "READY"
        assert not driver.fleet.jobs.all()


async def test_to_delete_the_name_is_typed(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/stopped")
        await driver.press("D")
        assert "deleted for good" in driver.words()
        assert "tpu-vm delete stopped --project=demo-project" in driver.words()
        await driver.press("enter")
        await driver.type("stop")
        await driver.press("enter")
        assert driver.ask("GET", f"{NODE}/stopped")["state"] == "STOPPED"
        await driver.type("ped")
        await driver.press("enter")
        await driver.ended()
        assert "stopped" not in driver.names()
        assert "→ gone" in driver.text()


async def test_several_are_marked_and_deleted_at_once(vms: Open) -> None:
    async with vms("running") as driver:
        for key in ("node/us-central1-b/stopped", "node/us-central1-b/preempted", "queued/us-central1-b/forgotten"):
            await driver.point_at(key)
            await driver.press("space")
        assert "3 marked" in driver.text()
        await driver.press("D")
        assert "Delete 3 at once?" in driver.words()
        assert "queued-resources delete forgotten" in driver.words()
        await driver.type("delete 3")
        await driver.press("enter")
        await driver.ended()
        assert not {"stopped", "preempted", "forgotten"} & set(driver.names())
        assert "marked" not in driver.text()


async def test_a_refusal_is_said_on_the_row_and_explained(vms: Open, scenario: Scenario) -> None:
    node = '{ id = "stopped", zone = "us-central1-b", accelerator_type = "v6e-1", runtime_version = "v2-alpha-tpuv6e", state = "STOPPED" }'
    async with vms(scenario(f'extends = "no-tpu-admin"\nnodes = [{node}]'), size=(160, 50)) as driver:
        await driver.point_at("node/us-central1-b/stopped")
        await driver.press("S", "enter")
        await driver.idle()
        assert "✗ not started" in driver.row("stopped")
        await driver.press("p")
        assert "tpu.nodes.start" in driver.words()


# -- create


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_is_filled_and_shows_cost_quota_and_command(vms: Open, size: tuple[int, int]) -> None:
    async with vms("ready", size=size) as driver:
        await driver.open_form()
        words = driver.words()
        assert "llm-tpu-vm" in words
        assert "v2-alpha-tpuv6e" in words
        assert "about $2.00 an hour, $48.00 a day" in words
        assert "quota, zone us-central1-b: 8 chips left of 8" in words
        assert "gcloud compute tpus tpu-vm create llm-tpu-vm --project=demo-project --zone=us-central1-b" in words
        assert "--accelerator-type=v6e-1 --version=v2-alpha-tpuv6e" in words


async def test_wrong_pairings_are_refused_with_the_reason_as_one_types(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.open_form()
        driver.fill(runtime_version="tpu-ubuntu2204-base")
        await driver.settle()
        assert "has no driver for v6e-1" in driver.words()
        assert "Correct 1 field first" in driver.words()
        await driver.press("enter")
        assert "Create llm-tpu-vm?" not in driver.text()


async def test_the_runtime_goes_with_the_type_and_the_zone_offers_its_own(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.open_form()
        driver.fill(accelerator_type="v5litepod-4")
        await driver.settle()
        assert driver.pane.form is not None
        assert driver.pane.form.texts["runtime_version"] == "v2-alpha-tpuv5-lite"
        driver.fill(accelerator_type="v4-8")
        await driver.settle()
        assert "us-central1-b does not offer v4-8" in " ".join(driver.words().split())
        await driver.pilot.click("#field-accelerator_type")
        driver.fill(accelerator_type="v6")
        await driver.settle()
        assert "v6e-1, v6e-4" in driver.words()


async def test_a_name_that_is_taken_is_not_proposed(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.open_form()
        assert driver.pane.form is not None
        assert driver.pane.form.texts["name"] == "llm-tpu-vm-2"
        for name, zones, place in (("stopped", "", "us-central1-b"), ("elsewhere", "us-east5-b", "us-east5-b")):
            driver.fill(name=name, zones=zones)
            await driver.settle()
            assert f"There is one of that name already, in {place}." in driver.words()


async def test_it_is_created_once_and_followed_through_its_states(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.open_form()
        driver.fill(name="first", labels="team=llm")
        await driver.settle()
        await driver.press("enter")
        assert "Create first?" in driver.text()
        assert "--labels=team=llm" in driver.words()
        assert "$2.00 an hour, $48.00 a day" in driver.words()
        before = driver.ask("GET", NODE)["nodes"]
        await driver.press("enter", "enter")
        assert "Create first?" in driver.text()  # enter alone creates nothing
        await driver.press("c")
        await driver.until(lambda: "◐ CREATING" in driver.words(), "CREATING on the screen of the job")
        assert isinstance(driver.app.screen, JobScreen)
        await driver.ended()
        words = driver.words()
        assert "✓ first created in" in words
        assert "● READY" in words
        assert "first is charged from now on" in words
        assert "i sets it up" in words
        await driver.press("escape")
        assert "● READY" in driver.row("first")
        assert driver.pane.pointed_key == "node/us-central1-b/first"  # which the keys just named are for
        assert len(driver.ask("GET", NODE)["nodes"]) == len(before) + 1


async def test_the_screen_of_a_creation_can_be_left_while_it_goes_on(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.open_form()
        await driver.press("enter", "c")
        await driver.until(lambda: "◐ CREATING" in driver.words(), "CREATING on the screen of the job")
        await driver.press("escape")
        await driver.until(lambda: "creating, " in driver.row("llm-tpu-vm"), "the job on the row")
        await driver.press("3", "2")
        await driver.press("p")
        assert "◐ creating llm-tpu-vm" in driver.words()
        await driver.ended()
        assert "✓ llm-tpu-vm created" in driver.words()


@pytest.mark.parametrize(
    ("state", "said", "helps"),
    [
        ("stockout", "there is no TPU of this type", "--keep-trying"),
        ("quota-zone-zero", "the quota of the zone us-central1-b is 0", "quotas preferences create"),
        ("no-tpu-admin", "a permission is missing: tpu.nodes.create", "roles/tpu.admin"),
    ],
)
async def test_what_google_refuses_ends_in_its_own_diagnosis(vms: Open, state: str, said: str, helps: str) -> None:
    async with vms(state, size=(80, 24)) as driver:
        await driver.open_form()
        await driver.begin()
        await driver.ended()
        assert f"✗ llm-tpu-vm was not created: {said}" in driver.words()  # why it failed is seen first on a low screen
        assert "escape Back y Copy" in driver.words()
        await driver.press("end")
        assert helps in driver.words()
        assert "✗ llm-tpu-vm was not created" in driver.words()
        assert not driver.ask("GET", NODE).get("nodes")


async def test_it_goes_round_the_zones_with_a_log_until_it_is_stopped(vms: Open, scenario: Scenario) -> None:
    zones = '["us-central1-b", "us-east5-b"]'
    async with vms(scenario(f'extends = "ready"\nstockout = {zones}'), size=(160, 50)) as driver:
        await driver.open_form()
        driver.fill(zones="us-east5-b")
        await driver.settle()
        await driver.press("enter")
        assert "Tries us-central1-b, us-east5-b in turn until one has capacity" in driver.words()
        await driver.press("c")

        def round_over() -> bool:
            driver.advance(5)
            return "next round in" in driver.words()

        await driver.until(round_over, "the end of the round")
        await driver.press("x")
        await driver.idle()
        assert "stopped after" in driver.words()
        log = "\n".join("".join(text for text, _ in line) for line in log_lines(driver.fleet.view(), 100))
        assert "llm-tpu-vm  trying us-central1-b" in log
        assert "llm-tpu-vm  trying us-east5-b" in log
        assert "there is no TPU of this type in us-central1-b" in log


async def test_what_a_further_zone_has_is_pointed_at(vms: Open, scenario: Scenario) -> None:
    node = 'id = "another"\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\nstate = "READY"'
    async with vms(scenario(f'extends = "ready"\nstockout = ["us-central1-b"]\n[[nodes]]\n{node}'), size=(160, 50)) as driver:
        assert driver.pane.pointed_key == "node/us-central1-b/another"
        await driver.open_form()
        driver.fill(zones="us-east5-b")
        await driver.settle()
        await driver.press("enter", "c")

        def there() -> bool:
            driver.advance(5)
            return "node/us-east5-b/llm-tpu-vm" in driver.fleet.view().nodes

        await driver.until(there, "a TPU VM in the other zone")
        await driver.press("escape", "r")
        assert "creating, " in driver.row("llm-tpu-vm")
        await driver.ended()
        assert driver.pane.pointed_key == "node/us-east5-b/llm-tpu-vm"
        await driver.press("up")
        await driver.press("r")
        assert driver.pane.pointed_key == "node/us-central1-b/another"  # and is left alone from then on


async def test_a_queued_one_waits_in_one_zone(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.open_form()
        driver.fill(queued="yes", zones="us-east5-b")
        await driver.settle()
        assert "A queued resource waits in one zone" in driver.words()
        driver.fill(zones="")
        await driver.settle()
        assert "queued-resources create llm-tpu-vm" in driver.words()
        await driver.press("escape")
        assert driver.pane.form is None


async def test_no_external_address_says_how_it_is_reached(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.open_form()
        driver.fill(external_ip="no", startup_script="~no-user-of-that-name/start.sh")
        await driver.settle()
        assert "cannot be read" in driver.words()
        driver.fill(startup_script="")
        await driver.settle()
        assert "--internal-ips" in driver.words()
        assert "--tunnel-through-iap" in driver.words()
        await driver.type("xdsn")  # keys are letters while a field is filled
        assert isinstance(driver.app.focused, Input)
        assert "xdsn" in driver.app.focused.value


# -- connect, and leaving


async def test_leaving_says_what_still_runs_and_what_it_costs(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.press("q")
        words = driver.words()
        assert "4 TPU VMs run" in words
        assert "$14.00" in words
        assert "Leaving stops none of them" in words
        assert "1 queued resource waits" in words
        assert "charged as soon as there is capacity" in words
        await driver.press("n")
        assert driver.app.is_running
        assert "NAME" in driver.text()
        await driver.press("q")
        await driver.pilot.click("KeyButton")  # what can be pressed can be clicked
        await until(lambda: not driver.app.is_running, "the end of the app")


async def test_leaving_says_what_is_under_way(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.open_form()
        await driver.press("enter", "c")
        await driver.until(lambda: "◐ CREATING" in driver.words(), "CREATING on the screen of the job")
        await driver.press("escape", "q")
        assert "Leave while creating llm-tpu-vm?" in driver.words()
        await driver.press("enter")
        await until(lambda: not driver.app.is_running and not driver.fleet.jobs.under_way(), "the end of the app and of its jobs")


async def test_with_nothing_running_leaving_asks_nothing(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.press("q")
        await until(lambda: not driver.app.is_running, "the end of the app")


async def test_the_checks_of_what_it_will_use_are_made_before_it_asks(vms: Open) -> None:
    async with vms("no-network") as driver:
        await driver.press("n", "enter")
        words = driver.words()
        assert "✗ Network: there is no network default" in words
        assert "Create it" in words


async def test_a_ready_project_leads_to_the_form(vms: Open) -> None:
    async with vms("ready") as driver:
        await driver.app.action_create_vm()
        await driver.until(lambda: driver.pane.form is not None, "the form for a new TPU VM")
        await driver.settle()
        assert "a new TPU VM in project demo-project" in driver.words()


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
