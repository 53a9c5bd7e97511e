"""Recordings: how quickly 10,000 are listed and read anew, against a bare loop that opens them, and how often ``runs check`` is wrong.

The recordings are real ones of this machine, made here. For the index they are copied under other names and pids. For the check,
pairs of n = 100 are drawn from each by moving blocks of 10 (Künsch, Annals of Statistics 17, 1989), so that neighbours resemble
one another as they did; a slowdown multiplies every sample of the second.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, finish, interleave, program, quiet, ratio

from heartbeat_core.benchmark.protocol import Ended, Environment, Proof, Record, Samples, Started, encode
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.comparison.compare import check
from heartbeat_core.comparison.groups import MeasuredRun, measure
from heartbeat_core.paths import cache_folder
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.recording import load, read_records
from heartbeat_core.recordings.summary import summarize_recording

RECORDINGS, LISTS, REBUILDS = 10_000, 5, 3
# What any program must do: open and read each file; and to know what they hold, decode each line.
READ = "import sys, pathlib; [path.read_bytes() for path in pathlib.Path(sys.argv[1]).iterdir()]"
DECODE = (
    "import json, sys, pathlib; "
    "[json.loads(line) for path in pathlib.Path(sys.argv[1]).iterdir() for line in path.read_bytes().splitlines()]"
)
PAIRS, N, BLOCK, SLOWER = 200, 100, 10, 1.10
ALLOWED = 0.05
TYPICAL = (
    "--batch=64 --hidden=1024 --intermediate=4096 --iterations=200 --threads=1",
    "--batch=128 --hidden=1024 --intermediate=4096 --iterations=150 --threads=1",
)
# Products of 0.1 to 7 ms, waited for one by one and in windows.
LONGER = (
    "--batch=8 --hidden=512 --intermediate=2048 --iterations=2000 --threads=1",
    "--batch=16 --hidden=1024 --intermediate=2048 --iterations=1000 --threads=1",
    "--batch=64 --hidden=1024 --intermediate=2048 --iterations=600 --threads=1",
    "--batch=64 --hidden=1024 --intermediate=4096 --iterations=600 --threads=1",
    "--batch=16 --hidden=1024 --intermediate=1024 --iterations=1000 --threads=1 --dtype=bfloat16",
    "--batch=16 --hidden=1024 --intermediate=2048 --iterations=5000 --threads=1 --method=pipelined",
)


def main() -> None:
    with quiet(), tempfile.TemporaryDirectory() as made:
        home = Path(made)
        for name in ("cache", "config", "data", "state"):
            os.environ[f"XDG_{name.upper()}_HOME"] = str(home / name)
        figures = [*index_figures(home / "many", record(home / "typical", TYPICAL)), *check_figures(home, record(home / "longer", LONGER))]
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


def check_figures(home: Path, recordings: Sequence[Path]) -> list[Figure]:
    chance = random.Random(5)
    folder = home / "pairs"
    folder.mkdir()
    index = Index(folder, home / "index", PeakCache(home / "none.json"))
    false = strict = found = undecided = 0
    for number in range(PAIRS):
        source = recordings[number % len(recordings)]
        baseline, same, slower = (
            drawn(index, source, f"{number}-{factor}-{turn}", factor, chance) for turn, factor in enumerate((1, 1, SLOWER))
        )
        equal = check([baseline], [same], ALLOWED)
        false += equal.answer == "regression"
        undecided += equal.answer == "cannot tell"
        strict += check([baseline], [same], 0).answer == "regression"
        found += check([baseline], [slower], ALLOWED).answer == "regression"
    note = f"of {PAIRS} pairs of n = {N}, 5 % allowed"
    return [
        Figure("false alarms of runs check", 100 * false / PAIRS, 5, unit="%", note=f"{note}; it could not tell of {undecided}"),
        Figure("the same with nothing allowed", 100 * strict / PAIRS, 5, unit="%"),
        Figure("slowdowns of 10 % found", 100 * found / PAIRS, float("inf"), 95, unit="%", note=note),
    ]


def drawn(index: Index, source: Path, name: str, factor: float, chance: random.Random) -> MeasuredRun:
    """Write a recording of N steady samples drawn from the source's, each ``factor`` times as long, and read it."""
    samples = list(load(source).steady.values())
    starts = [chance.randrange(len(samples) - BLOCK + 1) for _ in range(N // BLOCK)]
    taken = [round(factor * ns) for start in starts for ns in samples[start : start + BLOCK]]
    records: list[Record] = [record for record, _line in read_records(source) if isinstance(record, Started | Environment | Proof)]
    steady: list[Record] = [Samples(0, "cold", 0, {"total": array("q", taken[:1])}), Samples(0, "steady", 1, {"total": array("q", taken)})]
    path = index.folder / f"{name}.jsonl"
    path.write_bytes(b"".join(encode(record) for record in (*records, *steady, Ended(0, "done"))))
    return measure(summarize_recording(path, path.stat().st_size, index.peak_cache)[0], index.peak_cache)


if __name__ == "__main__":
    main()
