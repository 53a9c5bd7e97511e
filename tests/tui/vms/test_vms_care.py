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
    async with vms(scenario(TWO)) as stage:
        for name in ("one", "two"):
            await stage.point_at(f"node/us-central1-b/{name}")
            await stage.press("space")
        await stage.press("D")
        assert stage.text().count("queued-resources delete both") == 1
        await stage.type("delete 2")
        await stage.press("enter")
        await stage.until(lambda: "deleting, " in stage.row("two"), "the job on the row")
        assert "deleting, " in stage.row("one")
        assert "deleting, " in stage.row("(queued) both")
        assert "Delete…" not in stage.offered()
        await stage.ended()
        assert len(stage.fleet.jobs.all()) == 1
        assert stage.names() == []


async def test_what_goes_with_a_queued_resource_is_named_before(vms: Open, scenario: Scenario) -> None:
    async with vms(scenario(TWO)) as stage:
        await stage.point_at("queued/us-central1-b/both")
        await stage.press("D")
        assert "With it goes one, READY saves about $2.00/h" in stage.words()
        assert "With it goes two, READY" in stage.words()
        await stage.press("escape")
        await stage.point_at("node/us-central1-b/one")
        await stage.press("D")
        assert "It belongs to the queued resource both" in stage.words()
        assert "With it goes two, READY" in stage.words()


async def test_what_is_not_listed_now_is_not_forgotten_on_leaving(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-east5-b/elsewhere")
        await stage.press("z")
        assert stage.names() == ["elsewhere"]
        await stage.press("q")
        assert "4 TPU VMs run" in stage.words()
        await stage.press("n", "z", "q")
        assert "4 TPU VMs run" in stage.words()


# -- what is not known


async def test_a_cost_or_a_quota_that_is_not_known_says_why(vms: Open, scenario: Scenario) -> None:
    async with vms(scenario('extends = "ready"\n[faults]\nbroken = ["cloudbilling"]'), size=(160, 50)) as stage:
        await stage.press("n")
        await stage.until(lambda: "What it costs is not known: " in stage.words(), "why no price is known")
        assert "no price" not in stage.words()
        stage.fill(provisioning="reserved")
        await stage.until(lambda: "reserved TPUs are paid for by contract" in stage.words(), "who pays for reserved TPUs")
        stage.fill(provisioning="on-demand", zone="us-central1-b", accelerator_type="v3-8")
        await stage.until(lambda: "the quota of v3-8 is not known here" in stage.words(), "that the quota of v3-8 is not known")
        await stage.stop_emulator()
        stage.fill(zone="us-east5-b", accelerator_type="v6e-4")
        await stage.until(lambda: "quota, zone us-east5-b: not known, " in stage.words(), "that the quota is not known")


async def test_a_key_that_comes_twice_asks_once(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/stopped")
        for _ in range(2):
            stage.app.vms.change("delete", ("node/us-central1-b/stopped",))
        await stage.settle()
        assert isinstance(stage.app.screen, Ask)
        await stage.press("escape")
        assert not isinstance(stage.app.screen, Ask)


async def test_a_long_question_can_be_read_by_keys_while_a_name_is_typed(vms: Open, scenario: Scenario) -> None:
    node = 'id = "n"\ncopies = 12\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    async with vms(scenario(f'extends = "ready"\n[[nodes]]\n{node}state = "STOPPED"'), size=(80, 24)) as stage:
        stage.pane.marks = dict.fromkeys(stage.pane.list.keys)
        await stage.press("D")
        assert "Delete n-0001 in us-central1-b" in stage.words()
        assert "Delete n-0012 in us-central1-b" not in stage.words()
        assert "tpu-vm delete n-0001" in stage.words()
        assert "enter Delete all 12 escape Cancel" in stage.words()
        await stage.press(*["pagedown"] * 6)
        assert "Delete n-0012 in us-central1-b" in stage.words()
        assert "tpu-vm delete n-0012" in stage.words()
        await stage.press("escape")


async def test_many_jobs_keep_neither_the_list_nor_the_leaving_waiting(vms: Open, scenario: Scenario) -> None:
    count = min(32, (os.cpu_count() or 1) + 4) + 2  # more than asyncio has threads of its own
    node = f'id = "n"\ncopies = {count}\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    async with vms(scenario(f'extends = "ready"\n[[nodes]]\n{node}state = "STOPPED"')) as stage:
        for _ in range(count):
            await stage.pilot.press("space")
        await stage.press("D")
        await stage.type(f"delete {count}")
        await stage.press("enter")
        await stage.until(lambda: all(node["state"] == "DELETING" for node in stage.ask("GET", NODE)["nodes"]), "all to be deleted")
        await stage.press("r")
        assert stage.text().count("DELETING") >= count
        await stage.press("q", "enter")
        await until(lambda: not stage.app.is_running, "the end of the app")


@pytest.mark.parametrize("under_way", [False, True])
async def test_the_keys_at_the_foot_are_whole_on_a_narrow_screen(vms: Open, under_way: bool) -> None:
    async with vms("running", size=(80, 24)) as stage:
        if under_way:
            await stage.point_at("node/us-central1-b/stopped")
            await stage.press("S", "enter")
            await stage.until(stage.fleet.jobs.under_way, "a job")
        await stage.point_at("node/us-central1-b/llm-tpu-vm")
        foot = stage.text().splitlines()[-1]
        for key in ("n New…", "c Connect", "b Benchmark", "S Stop", "D Delete…", "? Help", "q Quit", *["p Progress"] * under_way):
            assert f"{key} " in f"{foot} "
        if not under_way:
            await stage.press("enter")
            assert "y Copy escape Back" in stage.words()  # the keys of a long description are in sight
            await stage.press("escape")
        await stage.pilot.resize_terminal(160, 50)
        await stage.settle()
        assert "space Mark" in stage.text()
        await stage.ended()


async def test_a_stop_that_is_no_longer_watched_is_not_said_to_have_stopped_it(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.point_at("node/us-central1-b/llm-tpu-vm")
        await stage.press("S", "enter")
        await stage.until(lambda: "STOPPING" in stage.row("llm-tpu-vm"), "STOPPING on the row")
        await stage.press("p", "x")
        await stage.idle()
        assert "no longer watched from here after" in stage.words()
        assert "! stopped" not in stage.words()
        assert "tpu-vm stop llm-tpu-vm" in stage.words()
