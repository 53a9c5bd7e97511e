"""From the list of TPU VMs to a heartbeat on one and back, on the screen: the real gcloud, ssh and worker behind it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.launcher import Launcher
from heartbeat_core.recordings.recording import load
from heartbeat_core.settings import BeatSettings, Settings
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.bootstrap import make_app
from heartbeat_tui.vms.pane import VmsPane

if TYPE_CHECKING:
    from tests.remote.conftest import Cluster

    from heartbeat_core.benchmark.report import Report

PATIENCE_S = 120.0
VM, SLICE = "node/us-central1-b/vm", "node/us-central1-a/slice"


class Stage:
    """The app on its TPU VMs pane, and what drives it."""

    def __init__(self, app: HeartbeatApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, true: Callable[[], object]) -> None:
        begun = time.monotonic()
        while not true():
            assert time.monotonic() - begun < PATIENCE_S, self.text()
            await self.pilot.pause(0.05)

    async def press_on(self, key: str, letter: str) -> None:
        """Press a letter on a row of the list, once that is there and the key offered."""
        await self.pilot.press("2")
        await self.until(lambda: isinstance(self.app.screen, VmsPane))
        pane = self.app.vms.view
        await self.until(lambda: key in pane.list.keys)
        pane.list.point_at_key(key)
        await self.pilot.pause()
        await self.pilot.press(letter)

    async def until_it_says(self, words: str) -> None:
        await self.until(lambda: words in self.words())

    async def until_over(self) -> Report:
        """Wait for a run to have ended, on the screen."""
        await self.until(lambda: self.app.heartbeat_pane.state == "ended")
        assert self.app.heartbeat_pane.snapshot is not None
        return self.app.heartbeat_pane.snapshot.report

    def text(self) -> str:
        return "\n".join("".join(segment.text for segment in line) for line in self.app.screen._compositor.render_strips())

    def words(self) -> str:
        return " ".join(self.text().replace("│", " ").split())

    @property
    def top(self) -> str:
        return self.text().splitlines()[0]

    def offered(self) -> set[str]:
        return {active.binding.description for active in self.app.screen.active_bindings.values() if active.binding.show and active.enabled}


@asynccontextmanager
async def open_screen(cluster: Cluster, plan: BenchmarkConfig, **remote: str) -> AsyncIterator[Stage]:
    """Open the program's own screen on the cluster, its runs on the CPU there."""
    launcher = Launcher(Settings(BeatSettings(backend="cpu"), remote=cluster.settings(**remote)))
    try:
        with make_app(launcher, plan, project="demo-project") as app:
            async with app.run_test(size=(120, 40), notifications=True) as pilot:
                yield Stage(app, pilot)
    finally:
        launcher.close()


@pytest.fixture(autouse=True)
def _there(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEARTBEAT_CLOUD_ENDPOINT", "PROJECT_ID"):
        monkeypatch.setenv(name, cluster.environ()[name])


@pytest.mark.torch
async def test_it_runs_there_is_cut_off_and_runs_here_again(cluster: Cluster, small: Callable[..., BenchmarkConfig]) -> None:
    async with open_screen(cluster, small(iterations=None)) as driver:
        await driver.press_on(VM, "b")
        await driver.until(lambda: driver.app.heartbeat_pane.snapshot is not None and driver.app.heartbeat_pane.snapshot.report.count > 10)
        assert driver.app.current_mode == "heartbeat"
        await driver.until_it_says("on vm")
        cluster.sshds[0].cut()
        lost = await driver.until_over()
        assert lost.ending is not None
        assert (lost.ending.kind, lost.statistics is not None, lost.environment["tpu_vm"]) == ("lost", True, "vm")
        await driver.until_it_says("lost · ")
        assert "on vm" in driver.top
        assert "The connection to vm was lost" in driver.words()
        run = driver.app.benchmark.session.run
        assert run is not None
        assert run.path is not None
        assert load(run.path).count == lost.count > 10
        await driver.pilot.press("o")
        await driver.until(lambda: "on vm" not in driver.top)
        driver.app.heartbeat_pane.config = small(iterations=20)
        await driver.pilot.press("space")
        here = await driver.until_over()
        assert here.ending is not None
        assert (here.ending.kind, here.environment.get("tpu_vm")) == ("done", None)


@pytest.mark.torch
async def test_a_slice_runs_on_all_its_hosts_a_line_each(cluster: Cluster, small: Callable[..., BenchmarkConfig]) -> None:
    async with open_screen(cluster, small(iterations=20)) as driver:
        await driver.press_on(SLICE, "b")
        await driver.until_over()
        await driver.until_it_says("2 hosts")
        assert all(any(f"slice:{number} " in line and "×" in line for line in driver.text().splitlines()) for number in (0, 1))
        assert "on slice:all" in driver.top
        await driver.pilot.press("h")
        await driver.until(lambda: "on slice:0" in driver.top or "on slice:1" in driver.top)


async def test_one_that_is_not_set_up_says_which_command_does_it(cluster: Cluster, small: Callable[..., BenchmarkConfig]) -> None:
    async with open_screen(cluster, small(), python="/nowhere/python") as driver:
        await driver.press_on(VM, "b")
        await driver.until_it_says("vm is not set up")
        assert "heartbeat-tui vms setup vm" in driver.words()


async def test_set_up_shows_its_command_first_and_can_be_left(cluster: Cluster, small: Callable[..., BenchmarkConfig]) -> None:
    async with open_screen(cluster, small()) as driver:
        await driver.press_on(VM, "i")
        await driver.until_it_says("set up vm")
        assert "heartbeat-tui vms setup vm --project=demo-project --zone=us-central1-b" in driver.words()
        await driver.pilot.press("escape")
        await driver.until_it_says("STATE ▲")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen where ssh connects to, and never say a word; ssh itself would wait for longer than any test."""
    monkeypatch.setattr("heartbeat_core.remote.ssh.OPTIONS", ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3600"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def gone(connection: socket.socket) -> bool:
    """Wait until the other side has closed a connection."""
    connection.settimeout(PATIENCE_S)
    with connection:
        while connection.recv(4096):
            pass
    return True


@pytest.mark.parametrize("how", ["stop", "leave"])
async def test_a_connection_that_does_not_come_about_can_be_given_up(
    cluster: Cluster, small: Callable[..., BenchmarkConfig], silent: socket.socket, how: str
) -> None:
    async with open_screen(cluster, small(), ssh_flags=f"-p {silent.getsockname()[1]}") as driver:
        await driver.press_on(VM, "b")
        await driver.until_it_says("connecting to vm …")
        connection, _ = await asyncio.to_thread(silent.accept)
        if how == "stop":
            assert "Stop" in driver.offered()
            await driver.pilot.press("s")
            await driver.until(lambda: "Start" in driver.offered() and "connecting" not in driver.words())
            assert "on the CPU of vm" in driver.words()
        else:
            await driver.pilot.press("q")
            await driver.until_it_says("Leave")
            await driver.pilot.press("enter")
        assert await asyncio.to_thread(gone, connection)
