"""Recordings: how quickly 10,000 are listed and read anew, against a bare loop that opens them.

They are real ones of this machine, made here, copied under other names and pids.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, finish, interleave, program, quiet, ratio

from heartbeat_core.paths import cache_folder

RECORDINGS, LISTS, REBUILDS = 10_000, 5, 3
# What any program must do: open and read each file; and to know what they hold, decode each line.
READ = "import sys, pathlib; [path.read_bytes() for path in pathlib.Path(sys.argv[1]).iterdir()]"
DECODE = (
    "import json, sys, pathlib; "
    "[json.loads(line) for path in pathlib.Path(sys.argv[1]).iterdir() for line in path.read_bytes().splitlines()]"
)
TYPICAL = (
    "--batch=64 --hidden=1024 --intermediate=4096 --iterations=200 --threads=1",
    "--batch=128 --hidden=1024 --intermediate=4096 --iterations=150 --threads=1",
)


def main() -> None:
    with quiet(), tempfile.TemporaryDirectory() as made:
        home = Path(made)
        for name in ("cache", "config", "data", "state"):
            os.environ[f"XDG_{name.upper()}_HOME"] = str(home / name)
        figures = index_figures(home / "many", record(home / "typical", TYPICAL))
    finish(figures)


def record(folder: Path, configs: Sequence[str]) -> list[Path]:
    """Record a real run of each config."""
    environ = {**os.environ, "HEARTBEAT_RECORDINGS_FOLDER": str(folder)}
    for flags in configs:
        subprocess.run([*program(), "bench", "--warmup=20", *flags.split()], env=environ, stdout=subprocess.DEVNULL, check=True)
    return sorted(folder.iterdir())


def index_figures(folder: Path, templates: Sequence[Path]) -> list[Figure]:
    size = fill(folder, templates)
    environ = {**os.environ, "HEARTBEAT_RECORDINGS_FOLDER": str(folder)}

    def listed_s() -> float:
        start = perf_counter()
        output = subprocess.run([*program(), "runs", "list"], env=environ, stdout=subprocess.PIPE, check=True, text=True).stdout
        taken = perf_counter() - start
        assert output.count("\n") == RECORDINGS + 2, "a line a recording, the heading and the sum"
        return taken

    def rebuilt_s() -> float:
        shutil.rmtree(cache_folder(), ignore_errors=True)  # the index
        return listed_s()

    def bare_s(code: str) -> float:
        start = perf_counter()
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
        return perf_counter() - start

    anew = interleave(REBUILDS, {"anew": rebuilt_s, "decode": partial(bare_s, DECODE)})
    listed = interleave(LISTS, {"listed": listed_s, "read": partial(bare_s, READ)})
    quick = f"{statistics.median(listed['listed']):.2f} s"
    note = f"{statistics.median(anew['anew']):.1f} s, {size / RECORDINGS / 1024:.1f} KiB each"
    return [
        ratio(f"{RECORDINGS:,} read anew and listed / decoded", anew["anew"], anew["decode"], 10, note=note),
        ratio(
            f"{RECORDINGS:,} listed / opened and read",
            listed["listed"],
            listed["read"],
            2,
            note=quick,
        ),
    ]


def fill(folder: Path, templates: Sequence[Path]) -> int:
    """Copy the recordings many times over, each with a pid and a name of its own; return the bytes written."""
    folder.mkdir()
    parts = [template.read_bytes().partition(b"\n") for template in templates]
    for number in range(RECORDINGS):
        first, feed, rest = parts[number % len(parts)]
        started = {**json.loads(first), "pid": number}
        name = f"202611{1 + number % 28:02}T{number % 24:02}0000Z-cpu-synchronized-{number:06x}.jsonl"
        (folder / name).write_bytes(json.dumps(started, separators=(",", ":")).encode() + feed + rest)
    return sum(path.stat().st_size for path in folder.iterdir())


if __name__ == "__main__":
    main()
