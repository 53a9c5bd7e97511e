"""The list of TPU VMs: what it shows, how it is searched and sorted, and what it says where there is nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heartbeat_tui.vms.model import Job
from heartbeat_tui.vms.monitor import InventoryMonitor

if TYPE_CHECKING:
    from tests.tui.vms.conftest import Open

SIZES = [(80, 24), (160, 50)]
NODES = "/v2/projects/demo-project/locations/us-central1-b/nodes"
Scenario = Callable[[str], str]


@pytest.mark.parametrize("size", SIZES)
async def test_every_tpu_vm_is_shown_with_its_state_in_words(vms: Open, size: tuple[int, int]) -> None:
    async with vms("running", size=size) as driver:
        assert "● READY" in driver.row("llm-tpu-vm")
        assert "○ STOPPED" in driver.row("stopped")
        assert "✗ PREEMPTED" in driver.row("preempted")
        assert "! maintenance" in driver.row("maintained")
        assert "✗ no driver" in driver.row("wrong-runtime")
        assert "… WAITING" in driver.text()
        assert "us-central1-b" in driver.row("stopped")
        assert "6 nodes: 1 PREEMPTED, 3 READY, 1 STOP" in driver.text()
        assert set(driver.names()[:4]) == {"preempted", "maintained", "wrong-runtime", "forgotten"}  # what has a problem comes first
        assert "running now" in driver.line("6 nodes")
        if size[0] > 80:
            assert "2.00" in driver.row("llm-tpu-vm")
            assert "≤" in driver.row("llm-tpu-vm")
            assert "2.00" not in driver.row("stopped")
            assert "$: EMULATED, invented" in driver.text()


async def test_a_state_that_the_client_does_not_know_is_shown_as_its_number(vms: Open) -> None:
    async with vms("odd", size=(160, 50)) as driver:
        assert "? 99" in driver.row("llm-tpu-vm")
        assert "? 99" in driver.row("(queued) waiting")


async def test_names_with_markup_are_text(vms: Open, scenario: Scenario) -> None:
    edits = '[[edits]]\npath = ".*/nodes.*"\nreplace = { runtimeVersion = "[b]X[/b]", acceleratorType = "[red]v6e" }'
    async with vms(scenario(f'extends = "running"\n{edits}'), size=(160, 50)) as driver:
        assert "[b]X[/b]" in driver.row("llm-tpu-vm")
        assert "[red]v6e" in driver.row("llm-tpu-vm")


async def test_the_filter_narrows_as_one_types_and_escape_widens(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.press("slash")
        await driver.type("queued wait")
        assert driver.names() == ["waiting"]
        assert "1 shown" in driver.text()
        await driver.type("zzz")
        assert "None of 8 matches" in driver.words()
        await driver.press("escape")
        assert len(driver.names()) == 8


async def test_one_key_cycles_through_columns_and_directions(vms: Open) -> None:
    async with vms("running") as driver:
        assert "STATE ▲" in driver.text()
        await driver.press("o")
        assert "STATE ▼" in driver.text()
        await driver.press("o")
        assert "HEALTH ▲" in driver.text()
        driver.pane.order = ("name", False)
        driver.pane.draw()
        first = driver.names()
        assert first == sorted(first)
        assert "NAME ▲" in driver.text()
        await driver.press("o")
        assert "NAME ▼" in driver.text()
        assert driver.names() == first[::-1]
        at = driver.line("STATE").index("ZONE")
        await driver.pilot.click("#vm-list", offset=(at, 0))
        await driver.settle()
        assert "ZONE ▲" in driver.text()
        assert driver.names()[-1] == "elsewhere"


async def test_what_changed_is_said_on_the_row_and_in_the_log_and_the_pointer_stays_on_its_row(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.press("end")
        assert driver.pane.row is not None
        pointed = driver.pane.row.id
        driver.ask("POST", f"{NODES}?nodeId=another", {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"})
        driver.ask("POST", f"{NODES}/stopped:start", {})
        await driver.press("r")
        assert "another" in driver.names()
        assert driver.pane.row.id == pointed
        assert "◐ STARTING" in driver.row("stopped")
        assert "was STOPPED" in driver.row("stopped")
        driver.advance()
        await driver.press("r")
        assert "● READY" in driver.row("stopped")
        assert "STARTING → READY" in driver.text()
        assert "STOPPED → STARTING" in driver.text()


async def test_one_zone_and_all_zones(vms: Open) -> None:
    async with vms("running") as driver:
        assert driver.pane.list is not None
        driver.pane.list.point_at_key("node/us-east5-b/elsewhere")
        await driver.press("z")
        assert driver.names() == ["elsewhere"]
        assert "us-east5-b alone" in driver.text()
        await driver.press("z")
        assert len(driver.names()) == 8
        assert driver.pane.list.key == "node/us-east5-b/elsewhere"
        await driver.press("y")
        assert driver.app.clipboard == "gcloud compute tpus tpu-vm describe elsewhere --project=demo-project --zone=us-east5-b"


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_list_says_why_that_may_be(vms: Open, size: tuple[int, int]) -> None:
    async with vms("ready", size=size) as driver:
        words = driver.words()
        assert "There is no TPU VM in any zone of demo-project" in words
        assert "another project" in words
        assert "TPUs of Compute Engine and GKE are not shown" in words
        assert "Describe" not in driver.offered()


async def test_without_an_answer_it_says_why_and_how_to_fix_it(vms: Open) -> None:
    async with vms("fresh") as driver:
        words = driver.words()
        assert "the API tpu.googleapis.com is off" in words
        assert "gcloud services enable tpu.googleapis.com" in words
        assert "Press 1 for Readiness" in words


async def test_old_rows_are_kept_and_dated_where_google_stops_answering(vms: Open) -> None:
    async with vms("running") as driver:
        await driver.stop_emulator()
        await driver.press("r")
        assert len(driver.names()) == 8
        assert "the list is old" in driver.words()


async def test_it_rests_while_another_pane_is_shown_but_not_below_a_dialog(vms: Open) -> None:
    async with vms("running", size=(160, 60)) as driver:
        await driver.press("3")
        seen = driver.fleet.view().seen
        driver.app.vms.look_if_shown()
        await driver.settle()
        assert driver.fleet.view().seen == seen
        await driver.press("2")
        assert driver.fleet.view().seen != seen
        await driver.press("question_mark")
        words = driver.words()
        assert "as if it had run all the time" in words
        assert "Turn the order round, then sort by the next column" in words
        seen = driver.fleet.view().seen
        driver.app.vms.look_if_shown()
        await driver.settle()
        assert driver.fleet.view().seen != seen


async def test_without_a_project_it_says_which_pane_chooses_one(vms: Open) -> None:
    async with vms("no-project") as driver:
        words = driver.words()
        assert words.count("Press 1 for Readiness") == 1
        assert words.count("no project is chosen") == 1
        assert "New…" not in driver.offered()


async def test_without_credentials_it_says_how_to_log_in(vms: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "HEARTBEAT_CLOUD_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PROJECT_ID", "llm-dev")
    async with vms(None) as driver:
        words = driver.words()
        assert "gcloud auth application-default login" in words
        assert "Press 1 for Readiness" in words
        assert "New…" not in driver.offered()
        assert "EMULATED" not in words


async def test_what_is_in_a_zone_that_falls_silent_is_kept_and_said_to_be_old(vms: Open) -> None:
    async with vms("running", size=(160, 50)) as driver:
        history = driver.fleet.history
        assert history is not None
        assert history.last is not None
        answered = tuple(node for node in history.last.nodes if node.zone != "us-east5-b")
        driver.fleet.keep(replace(history.last, nodes=answered, unreachable=("us-east5-b",)))
        await driver.settle()
        assert "no answer now: as last seen" in driver.row("elsewhere")
        assert "us-east5-b did not answer" in driver.words()
        await driver.press("q")
        assert "4 TPU VMs run" in driver.words()


async def test_an_internal_error_is_shown_and_does_not_stop_the_refresh(vms: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with vms("running") as driver:
        monkeypatch.setattr("heartbeat_tui.vms.monitor.fetch_inventory", lambda *_: 1 / 0)
        await driver.press("r")
        assert "ZeroDivisionError" in driver.words()
        assert driver.app.vms.next_look is not None


def test_changes_from_several_threads_leave_the_newest_view() -> None:
    fleet = InventoryMonitor(lambda: None, lambda *_: None)  # type: ignore[arg-type, return-value]
    jobs = [fleet.jobs.add(Job(0, "stop", f"node/z/{number}", str(number), "", (), fleet.now()), lambda *_: None) for number in range(8)]

    def end(job: Job) -> None:
        for _ in range(100):
            fleet.jobs.update(job.id, stopping=True)
        fleet.jobs.update(job.id, ended=fleet.now())

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(end, jobs))
    assert all(job.ended for job in fleet.view().jobs)
