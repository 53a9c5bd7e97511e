"""``heartbeat-tui fleet check``, on recordings made here."""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.program import Done, run_program

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Environment, Label, Proof, Record, Samples, Started, encode
from heartbeat_core.fleet.slow_hosts import MAX_SLOW
from heartbeat_tui.commands import fleet as command
from heartbeat_tui.commands.options import share

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Record a run of 200 iterations on a host, of about ``centre`` ns each."""

    def make(number: int, centre: float = 1e6, *, ended: bool = True, config: BenchmarkConfig | None = None, **place: Any) -> None:
        chance = random.Random(number)
        ns = array("q", [round(centre * (1 + 0.002 * chance.gauss(0, 1))) for _ in range(200)])
        config = config or BenchmarkConfig()
        records: list[Record] = [
            Started(0, SCHEMA, "0", 1, f"2026-11-30T12:00:{number:02}+00:00", config.to_json()),
            Environment(1, {"backend": "cpu", "host": f"host-{number}", "chip": "v5p", **place}),
            Samples(2, "steady", 0, {"total": ns}),
            Proof(3, 17, 4.2e-7, "float32 products", True),
        ]
        records += [Ended(4, "done")] * ended
        records.append(Label(0, group="hosts-1"))
        (tmp_path / f"run-{number:02}.jsonl").write_bytes(b"".join(map(encode, records)))

    return make


def check(folder: Path, *arguments: str) -> Done:
    return run_program("fleet", "check", str(folder), *arguments)


def test_a_slow_host_is_named_to_be_cordoned(write: Write, tmp_path: Path) -> None:
    for number in range(12):
        write(number, 1.1e6 if number == 7 else 1e6)
    done = check(tmp_path, "--json")
    made = json.loads(done.stdout)
    assert (done.returncode, made["schema"], made["cordon"], made["sentence"]) == (1, 1, ["host-7"], "host-7 (1.10 ×) is slow.")
    assert [host["verdict"] for host in made["hosts"]].count("fine") == 11
    text = check(tmp_path)
    assert text.stdout.splitlines()[1].startswith("host-7")
    assert text.stdout.splitlines()[-1] == "host-7 (1.10 ×) is slow."
    allowed = check(tmp_path, "--max-slow", "20%")
    assert (allowed.returncode, allowed.stdout.splitlines()[-1]) == (0, "No host is slow: all 12 take at most 20 % more than the median.")


def test_a_lost_host_is_no_pass(write: Write, tmp_path: Path) -> None:
    for number in range(6):
        write(number, ended=number != 3)
    done = check(tmp_path)
    assert done.returncode == 3
    assert "host-3 is not judged." in done.stdout
    assert "the worker ended without finishing" in done.stdout


def test_a_host_of_a_ray_cluster_that_left_no_recording_is_no_pass(write: Write, tmp_path: Path) -> None:
    for number in range(6):
        write(number, ray_node=f"node-{number}", tpu_slice="a", fleet_hosts=7)
    done = check(tmp_path)
    assert done.returncode == 3
    assert "its run left no recording" in done.stdout
    assert "node-5" in done.stdout


def test_runs_of_different_work_are_no_fleet(write: Write, tmp_path: Path) -> None:
    write(1)
    write(2, config=BenchmarkConfig(method="pipelined"))
    done = check(tmp_path)
    assert (done.returncode, "these runs are no fleet" in done.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["GROUP", "--on", "ray"], ["--on", "vm:0"]])
def test_what_is_to_be_checked_must_be_clear(arguments: list[str]) -> None:
    done = run_program("fleet", "check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")


def test_the_default_is_that_of_the_engine() -> None:
    assert command.MAX_SLOW == MAX_SLOW == share("3%")
