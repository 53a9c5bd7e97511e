"""A fleet of 500 simulated hosts on the screen: memory, one redraw, and both against a fleet of 8.

``python -m benchmarks.fleet_scale --screen [HOSTS]`` shows such a fleet, labelled SIMULATED, to look at it.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import threading
from time import process_time, sleep, time

from benchmarks.figure import Figure, finish, quiet
from benchmarks.memory import used_mib
from benchmarks.terminal import COLUMNS, ROWS
from benchmarks.vms_pane import paint

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Source
from heartbeat_core.benchmark.target import RunOutcome
from heartbeat_core.fleet.model import Fleet, HostSummary
from heartbeat_core.fleet.multi_host import FleetRun
from heartbeat_tui.app import HeartbeatApp

HOSTS, FEW = 500, 8
SECONDS = 300  # of simulated time, a summary a host and second
REDRAWS = 40
PER_SECOND = 100
NS = 9.6e6
MOST_MIB, MOST_MS = 150.0, 100.0


class SimulatedFleet(FleetRun):
    """Hosts whose summaries are drawn by chance: one in fifty is 8 % slow, one is lost, one waits, one is disturbed."""

    def __init__(self, hosts: int, config: BenchmarkConfig) -> None:
        super().__init__(config, ("SIMULATED",))
        self.random = random.Random(1)
        self.speed = [NS * (1 + 0.002 * self.random.gauss(0, 1)) * (1.08 if i % 50 == 13 else 1) for i in range(hosts)]
        self.second = 0
        self.summaries = [HostSummary(f"n{i}", f"slice-{i // 4}:{i % 4}", slice=f"slice-{i // 4}", device="v5p") for i in range(hosts)]

    def tick(self) -> None:
        """Go on by a second."""
        with self.changed:
            self.second += 1
            self.stale = self.stale or self.second < 3
            self.summaries = [self.summary(i) for i in range(len(self.speed))]
            self.news()

    def summary(self, index: int) -> HostSummary:
        old, n, ns = self.summaries[index], PER_SECOND * self.second, self.speed[index]
        if index == 5:
            return HostSummary(old.id, old.name, slice=old.slice, problem="3 of 4 TPU are free; job 7 holds one")
        if index == 6 and self.second > 5:
            ended = {"state": "ended", "ending": "lost", "problem": "the node died"}
            return HostSummary(**{**vars(old), **ended})
        second_ns = ns * (1 + 0.01 * self.random.gauss(0, 1)) * (1.3 if self.random.random() < 0.002 else 1)
        mean = ((old.mean_ns or 0) * old.n + second_ns * (n - old.n)) / n
        busy = index == 7
        return HostSummary(
            old.id, old.name, slice=old.slice, device="v5p", state="beating", count=n + 5, n=n, median_ns=ns * (1 + 0.06 * busy),
            low_ns=ns * (0.999 + 0.06 * busy), high_ns=ns * (1.001 + 0.06 * busy), mean_ns=mean, p95_ns=1.02 * ns, relative_iqr=0.012,
            quality="disturbed" if busy else "plausible", reasons=("a tenth of the time waiting for a processor",) * busy, at_s=time(),
        )  # fmt: skip

    def fleet(self) -> Fleet:
        with self.changed:
            return Fleet(tuple(self.summaries), "simulated")

    def shown(self) -> Source:
        return self

    def open_host(self, id_: str | None, step: int = 0) -> None:
        self.notes.append(f"a simulated host has no samples to open: {id_}, {step}")

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def stop(self) -> None:
        with self.changed:
            self.summaries = [HostSummary(**{**vars(one), "state": "ended", "ending": one.ending or "stopped"}) for one in self.summaries]
        self.finish(RunOutcome("stopped"))

    def close(self) -> None:
        if self.ending is None:
            self.stop()


def app_of(fleets: list[SimulatedFleet], hosts: int) -> HeartbeatApp:
    def begin(config: BenchmarkConfig, *_label: object) -> Source:
        fleets.append(SimulatedFleet(hosts, config))
        fleets[-1].tick()
        return fleets[-1]

    return HeartbeatApp(BenchmarkConfig(duration_s=60.0, iterations=None), begin, reduced_motion=True)


async def redraws_ms(hosts: int) -> tuple[float, float]:
    """Return the median processor time of a redraw with news of every host, in ms, and the resident set size after all of them, in MiB."""
    fleets: list[SimulatedFleet] = []
    app = app_of(fleets, hosts)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.pause()
        await pilot.press("space")
        while not app.screen.query("FleetTable"):  # noqa: ASYNC110  # the pane has no event for it
            await asyncio.sleep(0.01)
        await pilot.pause()
        (fleet,) = fleets
        fleet.EVERY_S = 0.0
        app.benchmark.timer.pause()
        taken = []
        for second in range(SECONDS):
            fleet.tick()
            if second < SECONDS - REDRAWS:
                fleet.findings()
                continue
            start = process_time()
            app.benchmark.look_now()
            assert paint(app.screen)
            taken.append(1e3 * (process_time() - start))
        mib = used_mib(os.getpid())
        fleet.close()
    return statistics.median(taken), mib


def show(hosts: int) -> None:
    """Show a simulated fleet until the program is left."""
    fleets: list[SimulatedFleet] = []

    def advance() -> None:
        while True:
            sleep(1)
            for fleet in fleets[-1:]:
                if fleet.ending is None:
                    fleet.tick()

    threading.Thread(target=advance, daemon=True).start()
    app_of(fleets, hosts).run()


def main() -> None:
    if "--screen" in sys.argv:
        show(int(sys.argv[2]) if len(sys.argv) > 2 else 64)
        return
    with quiet():
        few_ms, few_mib = asyncio.run(redraws_ms(FEW))
        many_ms, many_mib = asyncio.run(redraws_ms(HOSTS))
    finish(
        [
            Figure(
                "a redraw with news of 500 hosts, over 100 ms of a core",
                many_ms / MOST_MS,
                1.0,
                note=f"{many_ms:.0f} ms, 8 hosts {few_ms:.0f} ms",
            ),
            Figure("the process with 500 hosts, over 150 MiB", many_mib / MOST_MIB, 1.0, note=f"{many_mib:.0f} MiB, 8 hosts {few_mib:.0f}"),
        ]
    )


if __name__ == "__main__":
    main()
