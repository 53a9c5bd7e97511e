"""What reading the chips costs the machine: processor time of a reading and of the reader's start, against tpu-info's client alone.

Against a server of libtpu's protocol, not a TPU. Processor time, not the clock, so that other programs cannot add to it.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.figure import ROOT, finish, interleave, ratio

from heartbeat_core.benchmark.xla_environment import XlaEnvironment
from heartbeat_core.telemetry.monitor import ChipReader, Reader

SERVER = ROOT / "tests/xla/metrics_server.py"
CHIPS = {"total": dict.fromkeys(range(8), 2**35), "used": dict.fromkeys(range(8), 2**30), "duty": dict.fromkeys(range(8), 87.5)}
FEW, MANY = 1, 201
ROUNDS = 5
# The same three questions over a new channel, times the second argument, as tpu-info asks them.
BARE = """
import sys
from tpu_info import metrics
address, names = f"localhost:{sys.argv[1]}", ("TOTAL_MEMORY", "MEMORY_USAGE", "DUTY_CYCLE_PCT")
for _ in range(int(sys.argv[2])):
    with metrics.grpc.secure_channel(address, metrics.grpc.local_channel_credentials()) as channel:
        client = metrics.tpu_metrics_grpc.RuntimeMetricServiceStub(channel)
        for name in names:
            client.GetRuntimeMetric(metrics.tpu_metrics.MetricRequest(metric_name=metrics.MetricName[name].value))
"""


@contextmanager
def served(python: str) -> Iterator[int]:
    server = subprocess.Popen([python, str(SERVER), json.dumps(CHIPS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.communicate()


def children_ms() -> float:
    """Return the processor time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (used.ru_utime + used.ru_stime)


def reader_ms(reader: Reader, readings: int) -> float:
    """Take so many readings; return the processor time of the reader, which has ended."""
    before = children_ms()
    chips = ChipReader(reader, 0.005)
    for number, reading in enumerate(chips.readings(), 1):
        assert reading.state == "told", reading
        if number == readings:
            chips.stop()
    return children_ms() - before


def bare_ms(python: str, port: int, readings: int) -> float:
    """Ask as often through tpu-info's client alone; return the processor time."""
    before = children_ms()
    subprocess.run([python, "-c", BARE, str(port), str(readings)], check=True)
    return children_ms() - before


def main() -> None:
    python = XlaEnvironment().find()
    if python is None:
        print("left out: there is no torch_xla environment; heartbeat-tui backend install xla")
        return
    with served(str(python)) as port:
        reader = Reader(str(python), (port,), holders=False)
        read, bare = partial(reader_ms, reader), partial(bare_ms, str(python), port)
        read(FEW), bare(FEW)  # their files are read from the disk
        runs = {"start": partial(read, FEW), "bare start": partial(bare, FEW), "readings": partial(read, MANY), "bare": partial(bare, MANY)}
        taken = interleave(ROUNDS, runs)
    each, bare_each = (
        [(many - few) / (MANY - FEW) for many, few in zip(taken[name], taken[start], strict=True)]
        for name, start in (("readings", "start"), ("bare", "bare start"))
    )
    note = f"{statistics.median(each):.1f} ms; one a second: 10 ms is 1 % of one core"
    started = f"{statistics.median(taken['start']):.0f} ms"
    finish(
        [
            ratio("a reading of 8 chips / through tpu-info alone", each, bare_each, 2.5, note=note),
            ratio(
                "the reader's start / that of tpu-info",
                taken["start"],
                taken["bare start"],
                1.5,
                note=started,
            ),
        ]
    )


if __name__ == "__main__":
    main()
