"""What is easily forgotten: rows that belong together, what is not known, what else would go, and what is left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.waiting import until

from heartbeat_tui.vms.dialogs import Ask

if TYPE_CHECKING:
    from tests.tui.vms.conftest import Open

NODE = "/v2/projects/demo-project/locations/us-central1-b/nodes"
Scenario = Callable[[str], str]

# -- what belongs together

KIND = 'zone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
TWO = f'extends = "ready"\n[[queued]]\nid = "both"\nstate = "ACTIVE"\n{KIND}' + "".join(
    f'[[nodes]]\nid = "{name}"\nqueued_resource = "both"\n{KIND}' for name in ("one", "two")
)


async def test_two_tpu_vms_of_one_queued_resource_are_deleted_by_one_request(vms: Open, scenario: Scenario) -> None:
    async with vms(scenario(TWO)) as driver:
        for name in ("one", "two"):
            await driver.point_at(f"node/us-central1-b/{name}")
            await driver.press("space")
        await driver.press("D")
        assert driver.text().count("queued-resources delete both") == 1
        await driver.type("delete 2")
        await driver.press("enter")
        await driver.until(lambda: "deleting, " in driver.row("two"), "the job on the row")
        assert "deleting, " in driver.row("one")
        assert "deleting, " in driver.row("(queued) both")
        assert "Delete…" not in driver.offered()
        await driver.ended()
        assert len(driver.fleet.jobs.all()) == 1
        assert driver.names() == []


async def test_what_goes_with_a_queued_resource_is_named_before(vms: Open, scenario: Scenario) -> None:
    async with vms(scenario(TWO)) as driver:
        await driver.point_at("queued/us-central1-b/both")
        await driver.press("D")
        assert "With it goes one, READY saves about $2.00/h" in driver.words()
        assert "With it goes two, READY" in driver.words()
        await driver.press("escape")
        await driver.point_at("node/us-central1-b/one")
        await driver.press("D")
        assert "It belongs to the queued resource both" in driver.words()
        assert "With it goes two, READY" in driver.words()


async def test_what_is_not_listed_now_is_not_forgotten_on_leaving(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-east5-b/elsewhere")
        await driver.press("z")
        assert driver.names() == ["elsewhere"]
        await driver.press("q")
        assert "4 TPU VMs run" in driver.words()
        await driver.press("n", "z", "q")
        assert "4 TPU VMs run" in driver.words()


# -- what is not known


async def test_a_cost_or_a_quota_that_is_not_known_says_why(vms: Open, scenario: Scenario) -> None:
    async with vms(scenario('extends = "ready"\n[faults]\nbroken = ["cloudbilling"]'), size=(160, 50)) as driver:
        await driver.press("n")
        await driver.until(lambda: "What it costs is not known: " in driver.words(), "why no price is known")
        assert "no price" not in driver.words()
        driver.fill(provisioning="reserved")
        await driver.until(lambda: "reserved TPUs are paid for by contract" in driver.words(), "who pays for reserved TPUs")
        driver.fill(provisioning="on-demand", zone="us-central1-b", accelerator_type="v3-8")
        await driver.until(lambda: "the quota of v3-8 is not known here" in driver.words(), "that the quota of v3-8 is not known")
        await driver.stop_emulator()
        driver.fill(zone="us-east5-b", accelerator_type="v6e-4")
        await driver.until(lambda: "quota, zone us-east5-b: not known, " in driver.words(), "that the quota is not known")


async def test_a_key_that_comes_twice_asks_once(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/stopped")
        for _ in range(2):
            driver.app.vms.change("delete", ("node/us-central1-b/stopped",))
        await driver.settle()
        assert isinstance(driver.app.screen, Ask)
        await driver.press("escape")
        assert not isinstance(driver.app.screen, Ask)


async def test_a_long_question_can_be_read_by_keys_while_a_name_is_typed(vms: Open, scenario: Scenario) -> None:
    node = 'id = "n"\ncopies = 12\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    async with vms(scenario(f'extends = "ready"\n[[nodes]]\n{node}state = "STOPPED"'), size=(80, 24)) as driver:
        driver.pane.marks = dict.fromkeys(driver.pane.list.keys)
        await driver.press("D")
        assert "Delete n-0001 in us-central1-b" in driver.words()
        assert "Delete n-0012 in us-central1-b" not in driver.words()
        assert "tpu-vm delete n-0001" in driver.words()
        assert "enter Delete all 12 escape Cancel" in driver.words()
        await driver.press(*["pagedown"] * 6)
        assert "Delete n-0012 in us-central1-b" in driver.words()
        assert "tpu-vm delete n-0012" in driver.words()
        await driver.press("escape")


async def test_many_jobs_keep_neither_the_list_nor_the_leaving_waiting(vms: Open, scenario: Scenario) -> None:
    count = min(32, (os.cpu_count() or 1) + 4) + 2  # more than asyncio has threads of its own
    node = f'id = "n"\ncopies = {count}\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    async with vms(scenario(f'extends = "ready"\n[[nodes]]\n{node}state = "STOPPED"')) as driver:
        for _ in range(count):
            await driver.pilot.press("space")
        await driver.press("D")
        await driver.type(f"delete {count}")
        await driver.press("enter")
        await driver.until(lambda: all(node["state"] == "DELETING" for node in driver.ask("GET", NODE)["nodes"]), "all to be deleted")
        await driver.press("r")
        assert driver.text().count("DELETING") >= count
        await driver.press("q", "enter")
        await until(lambda: not driver.app.is_running, "the end of the app")


@pytest.mark.parametrize("under_way", [False, True])
async def test_the_keys_at_the_foot_are_whole_on_a_narrow_screen(vms: Open, under_way: bool) -> None:
    async with vms("running", size=(80, 24)) as driver:
        if under_way:
            await driver.point_at("node/us-central1-b/stopped")
            await driver.press("S", "enter")
            await driver.until(driver.fleet.jobs.under_way, "a job")
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        foot = driver.text().splitlines()[-1]
        for key in ("n New…", "c Connect", "b Benchmark", "S Stop", "D Delete…", "? Help", "q Quit", *["p Progress"] * under_way):
            assert f"{key} " in f"{foot} "
        if not under_way:
            await driver.press("enter")
            assert "y Copy escape Back" in driver.words()  # the keys of a long description are in sight
            await driver.press("escape")
        await driver.pilot.resize_terminal(160, 50)
        await driver.settle()
        assert "space Mark" in driver.text()
        await driver.ended()


async def test_a_stop_that_is_no_longer_watched_is_not_said_to_have_stopped_it(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        await driver.press("S", "enter")
        await driver.until(lambda: "STOPPING" in driver.row("llm-tpu-vm"), "STOPPING on the row")
        await driver.press("p", "x")
        await driver.idle()
        assert "no longer watched from here after" in driver.words()
        assert "! stopped" not in driver.words()
        assert "tpu-vm stop llm-tpu-vm" in driver.words()
