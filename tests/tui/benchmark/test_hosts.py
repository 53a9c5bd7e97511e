"""Runs that go elsewhere, on the screen: several hosts at once, where runs go, and back again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.waiting import until

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.cloud.tpu import Endpoint, Node
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.fleet.multi_host import MultiHostRun
from heartbeat_core.remote.hosts import Host
from heartbeat_tui.benchmark.fleet_view import heat_cell
from heartbeat_tui.controller import BenchmarkOn

if TYPE_CHECKING:
    from tests.tui.conftest import AppDriver, FakeRun, Open

NODE = Node(
    id="slice", zone="us-central1-a", state="READY", health="HEALTHY", health_description=None, accelerator_type="v5p-16",
    runtime_version="v2-alpha-tpuv5", provisioning="on-demand", endpoints=(Endpoint("10.0.0.2", "198.51.100.7"),) * 2,
    service_account=None, created=None, queued_resource=None, symptoms=(), labels={},
)  # fmt: skip
MS = 1_000_000


def on_two_hosts(driver: AppDriver, *ns: int) -> list[FakeRun]:
    """Make the next run one of two hosts, each with the given time per iteration."""
    runs: list[FakeRun] = []

    def start(host: Host) -> Any:
        run = driver.fakes(driver.app.heartbeat_pane.config)
        run.labels = (f"on {host.label}",)
        run.open(rehearsal=True).warm_up().beat(90, ns[host.worker])
        runs.append(run)
        return run

    def begin(_plan: BenchmarkConfig, _label: Label | None = None) -> Any:
        return MultiHostRun([Host("slice", number, (), {}, "", "", alone=True) for number in range(len(ns))], start)

    driver.app.benchmark.session.begin = begin
    return runs


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)])
async def test_hosts_stand_in_a_table_the_slow_one_first_and_open_as_runs(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as driver:
        runs = on_two_hosts(driver, 9 * MS, 14 * MS)
        await driver.press("space")
        rows = [line for line in driver.text().splitlines() if "slice:" in line and "×" in line and "is slow" not in line]
        assert [("slice:1" in line, "slow" in line) for line in rows[:2]] == [(True, True), (False, False)]
        assert "1.556 ×" in rows[0]
        assert "slice:1 (1.56 ×) is slow" in driver.words()
        assert {"Open", "Pause", "Stop"} <= driver.offered()
        await driver.press("enter")
        assert "on slice:1" in driver.text().splitlines()[0]
        assert {"Hosts", "Host", "Pause"} <= driver.offered()
        await driver.press("h")
        assert "on slice:0" in driver.text().splitlines()[0]
        await driver.press("escape")
        assert "rehearsal on the CPU: not a TPU · on slice:all" in driver.text().splitlines()[0]
        await driver.press("s")
        assert [run.orders[-1] for run in runs] == ["stop", "stop"]
        runs[0].finish(RunOutcome("stopped"))
        await driver.settle()
        driver.app.heartbeat_pane.lose_patience()
        await driver.press("s")
        assert runs[1].orders == ["stop", "kill"]


@pytest.mark.parametrize(("ratio", "glyph"), [(math.nan, "·"), (0.5, "▁"), (1.03, "▁"), (1.05, "▃"), (1.1, "▅"), (1.2, "█"), (9.0, "█")])
def test_the_history_is_read_without_colours(ratio: float, glyph: str) -> None:
    assert heat_cell(ratio, 0.03)[0] == glyph


async def test_an_experiment_counts_the_first_of_several_hosts(open_app: Open) -> None:
    async with open_app() as driver:
        on_two_hosts(driver, 9 * MS, 14 * MS)
        await driver.press("m")
        assert "9.02 ms per iteration" in driver.words()
        assert "on slice:0" in driver.text().splitlines()[0]
        assert not driver.app.heartbeat_pane.query("FleetBody")


async def test_a_host_that_is_lost_says_so_and_the_others_go_on(open_app: Open) -> None:
    async with open_app() as driver:
        runs = on_two_hosts(driver, 9 * MS, 9 * MS)
        await driver.press("space")
        runs[0].finish(RunOutcome("lost", "the connection to slice:0 was lost", "c", "r"))
        await driver.settle()
        assert "✗ lost" in driver.text()
        assert {"Pause", "Stop"} <= driver.offered()
        assert "Again" not in driver.offered()
        runs[1].done()
        await driver.settle()
        assert "Again" in driver.offered()


async def test_a_full_disk_is_said_once_for_all_hosts(open_app: Open) -> None:
    async with open_app() as driver:
        runs = on_two_hosts(driver, 9 * MS, 9 * MS)
        await driver.press("space")
        for run in runs:
            run.notes.append("the run is not saved: No space left on device")
            run.beat(1)
        await until(lambda: driver.words().count("the run is not saved") == 1, "the note")


async def test_a_single_run_has_no_table_of_hosts(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(10)) as driver:
        await driver.press("space")
        assert "Host" not in driver.offered()
        assert not driver.app.heartbeat_pane.query("FleetBody")


async def test_runs_go_to_a_vm_and_come_back(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(100).done()) as driver:
        asked: list[BenchmarkOn | None] = []

        def go_to(event: BenchmarkOn | None) -> tuple[str, Any]:
            asked.append(event)
            return ("slice:all", "xla") if event else ("", "cpu")

        driver.app.benchmark.choose_target = go_to
        driver.app.post_message(BenchmarkOn(NODE, "p"))
        await driver.settle()
        await driver.settle()
        assert cast("BenchmarkOn", asked[0]).node is NODE
        assert [run.config.backend for run in driver.fakes.runs] == ["xla"]
        assert "Here" in driver.offered()
        await driver.press("o")
        await driver.settle()
        assert asked[1] is None
        assert "Start" in driver.offered()  # what beat there is no figure of this machine's
        assert "on slice:all" not in driver.text()
        await driver.press("space")
        assert [run.config.backend for run in driver.fakes.runs] == ["xla", "cpu"]


async def test_a_run_on_its_way_is_asked_about_before_another_takes_its_place(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(100)) as driver:
        driver.app.benchmark.choose_target = lambda _event: ("slice:all", "xla")
        await driver.press("space")
        for answer, count in (("n", 1), ("enter", 2)):
            driver.app.post_message(BenchmarkOn(NODE, "p"))
            await until(lambda: "A run is on its way" in driver.text(), "the question")
            await driver.press(answer)
            await driver.settle()
            await until(lambda count=count: len(driver.fakes.runs) == count and not driver.app.benchmark.changing, f"{count} runs")  # type: ignore[misc]
            await driver.settle()
        assert [run.config.backend for run in driver.fakes.runs] == ["cpu", "xla"]
        assert driver.fakes.runs[0].orders == ["close"]


async def test_what_forbids_to_go_there_is_said_and_nothing_changes(open_app: Open) -> None:
    async with open_app() as driver:

        def go_to(_event: BenchmarkOn | None) -> tuple[str, Any]:
            raise HeartbeatError("slice is STOPPED", "No ssh answers in that state.", "Start it.")

        driver.app.benchmark.choose_target = go_to
        driver.app.post_message(BenchmarkOn(NODE, "p"))
        await driver.settle()
        await driver.settle()
        assert "slice is STOPPED" in driver.text()
        assert not driver.fakes.runs
