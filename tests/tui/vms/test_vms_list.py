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
    async with vms("running", size=size) as stage:
        assert "● READY" in stage.row("llm-tpu-vm")
        assert "○ STOPPED" in stage.row("stopped")
        assert "✗ PREEMPTED" in stage.row("preempted")
        assert "! maintenance" in stage.row("maintained")
        assert "✗ no driver" in stage.row("wrong-runtime")
        assert "… WAITING" in stage.text()
        assert "us-central1-b" in stage.row("stopped")
        assert "6 nodes: 1 PREEMPTED, 3 READY, 1 STOP" in stage.text()
        assert set(stage.names()[:4]) == {"preempted", "maintained", "wrong-runtime", "forgotten"}  # what has a problem comes first
        assert "running now" in stage.line("6 nodes")
        if size[0] > 80:
            assert "2.00" in stage.row("llm-tpu-vm")
            assert "≤" in stage.row("llm-tpu-vm")
            assert "2.00" not in stage.row("stopped")
            assert "$: EMULATED, invented" in stage.text()


async def test_a_state_that_the_client_does_not_know_is_shown_as_its_number(vms: Open) -> None:
    async with vms("odd", size=(160, 50)) as stage:
        assert "? 99" in stage.row("llm-tpu-vm")
        assert "? 99" in stage.row("(queued) waiting")


async def test_names_with_markup_are_text(vms: Open, scenario: Scenario) -> None:
    edits = '[[edits]]\npath = ".*/nodes.*"\nreplace = { runtimeVersion = "[b]X[/b]", acceleratorType = "[red]v6e" }'
    async with vms(scenario(f'extends = "running"\n{edits}'), size=(160, 50)) as stage:
        assert "[b]X[/b]" in stage.row("llm-tpu-vm")
        assert "[red]v6e" in stage.row("llm-tpu-vm")


async def test_the_filter_narrows_as_one_types_and_escape_widens(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.press("slash")
        await stage.type("queued wait")
        assert stage.names() == ["waiting"]
        assert "1 shown" in stage.text()
        await stage.type("zzz")
        assert "None of 8 matches" in stage.words()
        await stage.press("escape")
        assert len(stage.names()) == 8


async def test_one_key_cycles_through_columns_and_directions(vms: Open) -> None:
    async with vms("running") as stage:
        assert "STATE ▲" in stage.text()
        await stage.press("o")
        assert "STATE ▼" in stage.text()
        await stage.press("o")
        assert "HEALTH ▲" in stage.text()
        stage.pane.order = ("name", False)
        stage.pane.draw()
        first = stage.names()
        assert first == sorted(first)
        assert "NAME ▲" in stage.text()
        await stage.press("o")
        assert "NAME ▼" in stage.text()
        assert stage.names() == first[::-1]
        at = stage.line("STATE").index("ZONE")
        await stage.pilot.click("#vm-list", offset=(at, 0))
        await stage.settle()
        assert "ZONE ▲" in stage.text()
        assert stage.names()[-1] == "elsewhere"


async def test_what_changed_is_said_on_the_row_and_in_the_log_and_the_pointer_stays_on_its_row(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.press("end")
        assert stage.pane.row is not None
        pointed = stage.pane.row.id
        stage.ask("POST", f"{NODES}?nodeId=another", {"acceleratorType": "v6e-1", "runtimeVersion": "v2-alpha-tpuv6e"})
        stage.ask("POST", f"{NODES}/stopped:start", {})
        await stage.press("r")
        assert "another" in stage.names()
        assert stage.pane.row.id == pointed
        assert "◐ STARTING" in stage.row("stopped")
        assert "was STOPPED" in stage.row("stopped")
        stage.advance()
        await stage.press("r")
        assert "● READY" in stage.row("stopped")
        assert "STARTING → READY" in stage.text()
        assert "STOPPED → STARTING" in stage.text()


async def test_one_zone_and_all_zones(vms: Open) -> None:
    async with vms("running") as stage:
        assert stage.pane.list is not None
        stage.pane.list.point_at_key("node/us-east5-b/elsewhere")
        await stage.press("z")
        assert stage.names() == ["elsewhere"]
        assert "us-east5-b alone" in stage.text()
        await stage.press("z")
        assert len(stage.names()) == 8
        assert stage.pane.list.key == "node/us-east5-b/elsewhere"
        await stage.press("y")
        assert stage.app.clipboard == "gcloud compute tpus tpu-vm describe elsewhere --project=demo-project --zone=us-east5-b"


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_list_says_why_that_may_be(vms: Open, size: tuple[int, int]) -> None:
    async with vms("ready", size=size) as stage:
        words = stage.words()
        assert "There is no TPU VM in any zone of demo-project" in words
        assert "another project" in words
        assert "TPUs of Compute Engine and GKE are not shown" in words
        assert "Describe" not in stage.offered()


async def test_without_an_answer_it_says_why_and_how_to_fix_it(vms: Open) -> None:
    async with vms("fresh") as stage:
        words = stage.words()
        assert "the API tpu.googleapis.com is off" in words
        assert "gcloud services enable tpu.googleapis.com" in words
        assert "Press 1 for Readiness" in words


async def test_old_rows_are_kept_and_dated_where_google_stops_answering(vms: Open) -> None:
    async with vms("running") as stage:
        await stage.stop_emulator()
        await stage.press("r")
        assert len(stage.names()) == 8
        assert "the list is old" in stage.words()


async def test_it_rests_while_another_pane_is_shown_but_not_below_a_dialog(vms: Open) -> None:
    async with vms("running", size=(160, 60)) as stage:
        await stage.press("3")
        seen = stage.fleet.view().seen
        stage.app.vms.look_if_shown()
        await stage.settle()
        assert stage.fleet.view().seen == seen
        await stage.press("2")
        assert stage.fleet.view().seen != seen
        await stage.press("question_mark")
        words = stage.words()
        assert "as if it had run all the time" in words
        assert "Turn the order round, then sort by the next column" in words
        seen = stage.fleet.view().seen
        stage.app.vms.look_if_shown()
        await stage.settle()
        assert stage.fleet.view().seen != seen


async def test_without_a_project_it_says_which_pane_chooses_one(vms: Open) -> None:
    async with vms("no-project") as stage:
        words = stage.words()
        assert words.count("Press 1 for Readiness") == 1
        assert words.count("no project is chosen") == 1
        assert "New…" not in stage.offered()


async def test_without_credentials_it_says_how_to_log_in(vms: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "HEARTBEAT_CLOUD_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PROJECT_ID", "llm-dev")
    async with vms(None) as stage:
        words = stage.words()
        assert "gcloud auth application-default login" in words
        assert "Press 1 for Readiness" in words
        assert "New…" not in stage.offered()
        assert "EMULATED" not in words


async def test_what_is_in_a_zone_that_falls_silent_is_kept_and_said_to_be_old(vms: Open) -> None:
    async with vms("running", size=(160, 50)) as stage:
        history = stage.fleet.history
        assert history is not None
        assert history.last is not None
        answered = tuple(node for node in history.last.nodes if node.zone != "us-east5-b")
        stage.fleet.keep(replace(history.last, nodes=answered, unreachable=("us-east5-b",)))
        await stage.settle()
        assert "no answer now: as last seen" in stage.row("elsewhere")
        assert "us-east5-b did not answer" in stage.words()
        await stage.press("q")
        assert "4 TPU VMs run" in stage.words()


async def test_an_internal_error_is_shown_and_does_not_stop_the_refresh(vms: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with vms("running") as stage:
        monkeypatch.setattr("heartbeat_tui.vms.monitor.fetch_inventory", lambda *_: 1 / 0)
        await stage.press("r")
        assert "ZeroDivisionError" in stage.words()
        assert stage.app.vms.next_look is not None


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
