"""What looking at the chips costs the machine: processor time of the reader a look, and of its start.

Against a server of libtpu's protocol, not a TPU. Processor time, not the clock, so that other programs cannot add to it.
"""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.figure import ROOT, Figure, finish

from heartbeat_core.benchmark.xla_environment import XlaEnvironment
from heartbeat_core.telemetry.monitor import ChipReader, Reader

SERVER = ROOT / "tests/xla/metrics_server.py"
CHIPS = {"total": dict.fromkeys(range(8), 2**35), "used": dict.fromkeys(range(8), 2**30), "duty": dict.fromkeys(range(8), 87.5)}
FEW, MANY = 1, 201


@contextmanager
def served(python: str) -> Iterator[int]:
    server = subprocess.Popen([python, str(SERVER), json.dumps(CHIPS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.communicate()


def cpu_ms(reader: Reader, looks: int) -> float:
    """Take so many looks; return the processor time of the reader, which has ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watcher = ChipReader(reader, 0.005)
    for number, look in enumerate(watcher.readings(), 1):
        assert look.state == "told", look
        if number == looks:
            watcher.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    python = XlaEnvironment().find()
    if python is None:
        print("left out: there is no torch_xla environment; heartbeat-tui backend install xla")
        return
    with served(str(python)) as port:
        reader = Reader(str(python), (port,), holders=False)
        cpu_ms(reader, FEW)  # its files are read from the disk
        few, many = min(cpu_ms(reader, FEW) for _ in range(5)), cpu_ms(reader, MANY)
    each = (many - few) / (MANY - FEW)
    finish(
        [
            Figure("processor time of a look, 8 chips", each, 10.0, unit="ms", note="one a second: 10 ms is 1 % of one core"),
            Figure("the same of the reader's start", few, 500.0, unit="ms"),
        ]
    )


if __name__ == "__main__":
    main()
