"""What a TPU VM is used for from the pane: connected to, beaten on, set up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from heartbeat_tui.vms.dialogs import SetUp

if TYPE_CHECKING:
    from tests.tui.vms.conftest import Open

    from heartbeat_tui.controller import BenchmarkOn


@pytest.mark.parametrize("key", ["c", "b", "i"])
async def test_nothing_is_connected_to_that_is_made_up(vms: Open, key: str) -> None:
    async with vms("running") as driver:
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        await driver.press(key)
        assert "llm-tpu-vm is emulated: there is no machine behind it" in driver.words()
        assert driver.app.current_mode == "vms"


REAL = """
extends = "running"
addresses = ["127.0.0.1"]
"""


async def test_a_key_runs_the_benchmark_on_all_hosts_of_a_ready_vm(vms: Open, tmp_path: Path) -> None:
    scenario = tmp_path / "real.toml"
    scenario.write_text(REAL)
    async with vms(str(scenario)) as driver:
        asked: list[BenchmarkOn | None] = []

        def go_to(event: BenchmarkOn | None) -> tuple[str, Literal["cpu"]]:
            asked.append(event)
            return "llm-tpu-vm", "cpu"

        driver.app.benchmark.choose_target = go_to
        await driver.point_at("node/us-central1-b/stopped")
        await driver.press("b")
        assert not asked
        await driver.point_at("node/us-central1-b/llm-tpu-vm")
        await driver.press("b")
        assert driver.app.current_mode == "heartbeat"
        (event,) = asked
        assert event is not None
        assert (event.node.id, event.project) == ("llm-tpu-vm", "demo-project")


async def test_set_up_shows_its_command_first_and_runs_nothing_unasked(vms: Open) -> None:
    async with vms("running") as driver:
        arguments = ("vms", "setup", "llm-tpu-vm", "--project=demo-project", "--zone=us-central1-b")
        dialog = SetUp("llm-tpu-vm", 2, arguments, emulated=True)
        await driver.app.push_screen(dialog)
        await driver.settle()
        assert "heartbeat-tui vms setup llm-tpu-vm --project=demo-project" in driver.words()
        assert "on each of its 2 hosts" in driver.words()
        await driver.press("escape")
        assert dialog.command_run is None
        assert dialog not in driver.app.screen_stack


async def test_leaving_says_that_a_set_up_is_under_way_and_ends_it(vms: Open) -> None:
    async with vms("ready") as driver:
        driver.app.vms.set_up_dialog = dialog = SetUp(
            "llm-tpu-vm", 1, ("emulator", "--port=0"), emulated=True
        )  # a command that ends only when it is told to
        await driver.app.push_screen(dialog)
        await driver.press("enter")
        await driver.until(lambda: dialog.output, "what the command says")
        await driver.press("ctrl+q")
        assert "llm-tpu-vm is being set up" in driver.words()
        await driver.press("enter")
    assert dialog.command_run is not None
    assert dialog.command_run.process is not None
    assert dialog.command_run.process.wait(30)
