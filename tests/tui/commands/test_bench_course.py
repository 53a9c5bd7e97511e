"""``bench --repeat`` and ``bench --sweep`` as their users run them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.program import Done, run_program

from heartbeat_core.experiments.repeat import shuffled

LONG_S = 60.0
PROGRAM = [sys.executable, "-m", "heartbeat_tui", "bench"]
KNEE = (
    "start(); tell('environment', values={'host': 'h', 'threads': 1})\n"
    "batch = order['plan']['workload']['batch']; ns = max(9_000_000, 100_000 * batch)\n"
    "beat(0, 2 * ns, phase='cold'); beat(1, *[ns + index % 9 for index in range(30)])\n"
    "tell('proof', row=3, error=1e-7, implies='float32', passed=True); tell('ended', reason='done')"
)
Bench = Callable[..., Done]


@pytest.fixture
def fake_bench(fake_worker: Callable[[str], str]) -> Bench:
    """Run the bench on a fake worker."""

    return lambda body, *arguments: run_program("bench", "--python", fake_worker(body), *arguments)


def test_a_sweep_names_the_knee_and_says_what_it_means(fake_bench: Bench) -> None:
    done = fake_bench(KNEE, "--sweep", "batch=1,2,4,…,1024", "--plot")
    assert done.returncode == 0, done.stderr
    titles = r"\nroofline, .*FLOP/byte|\nlatency, .* against batch"
    said, roofline, latency = (" ".join(part.split()) for part in re.split(titles, done.stdout))
    for chart in (roofline, latency):
        assert chart.count("●") == 11
        assert "knee" in chart
    assert "The knee is at a batch of about 92, between 64 and 128, by the 11 points measured" in said
    assert "For serving: up to 64 rows" in said
    assert "recordings: group sweep-" in said
    assert done.stderr.count("plausible") == 11  # how far it is
    assert "1/11 batch 1: 9.00 ms" in " ".join(done.stderr.split())


def test_the_sweep_as_json_is_one_object(fake_bench: Bench) -> None:
    done = fake_bench(KNEE, "--sweep", "batch=1..8", "--sweep", "dtype=float32,bfloat16", "--json", "--no-save")
    assert done.returncode == 0
    made = json.loads(done.stdout)
    assert made["sweep"] == {"batch": [1, 2, 4, 8], "dtype": ["float32", "bfloat16"]}
    assert len(made["points"]) == 8
    assert {type(point["median_ns"]) for point in made["points"]} == {float}
    assert {point["recording"] for point in made["points"]} == {None}
    assert [curve["name"] for curve in made["curves"]] == ["float32", "bfloat16"]


def test_too_large_a_point_is_said_and_the_rest_measured(fake_bench: Bench) -> None:
    done = fake_bench(KNEE, "--hidden", "1048576", "--batch", "1", "--sweep", "intermediate=1,2,1048576")
    assert done.returncode == 0
    assert "3/3  intermediate 1048576: not measured" in done.stderr
    assert "intermediate 1048576: not measured: [1×1048576]·[1048576×1048576] in float32 does not fit" in " ".join(done.stdout.split())


def test_the_repeat_shows_both_levels_of_spread(fake_bench: Bench) -> None:
    done = fake_bench(KNEE, "--repeat", "3", "--vs", "dtype=bfloat16", "--order-seed", "5")
    assert done.returncode == 0, done.stderr
    assert "3 processes each; order shuffled in each round, seed 5" in done.stdout
    for word in ("between processes", "within one", "bfloat16 against float32: no difference", "recordings: group repeat-"):
        assert word in done.stdout
    again = fake_bench(KNEE, "--repeat", "3", "--vs", "dtype=bfloat16", "--order-seed", "5", "--json")
    made = json.loads(again.stdout)
    assert made["seed"] == 5
    order = [line.split("  ")[1].split(",")[0] for line in done.stderr.splitlines()]
    assert order == made["order"]


def test_vs_alone_repeats_five_times(fake_bench: Bench) -> None:
    made = json.loads(fake_bench(KNEE, "--vs", "threads=1", "--json").stdout)
    assert [len(one["processes"]) for one in made["candidates"]] == [5, 5]


def test_a_candidate_that_cannot_run_makes_the_answer_incomplete(fake_bench: Bench) -> None:
    body = (
        "if order['plan']['backend'] == 'xla': tell('failed', kind='backend', title='no device', cause='c', remedy='do this'); sys.exit()\n"
    )
    done = fake_bench(body + KNEE, "--repeat", "2", "--vs", "backend=xla")
    assert done.returncode == 3
    assert "xla: not measured: no device" in done.stdout
    assert "cpu" in done.stdout
    assert "do this" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sweep", "batch"], "names no values"),
        (["--sweep", "batch=0"], "no whole number above 0"),
        (["--sweep", "batch=1,2", "--repeat", "3"], "--sweep and --repeat are given"),
        (["--sweep", "batch=1,2", "--stream"], "--sweep and --stream are given"),
        (["--sweep", "batch=1,2", "--until-stopped"], "a sweep needs an end"),
        (["--repeat", "1"], "repeat is 1"),
        (["--repeat", "2", "--compare-methods"], "--repeat and --compare-methods are given"),
        (["--vs", "xla"], "a candidate 'xla'"),
        (["--vs", "backend=cpu"], "do not differ"),
    ],
)
def test_what_makes_no_sense_is_bad_usage(arguments: list[str], says: str) -> None:
    done = run_program("bench", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("course", [["--sweep", "batch=1..64"], ["--repeat", "7"]])
def test_ctrl_c_keeps_what_is_done(fake_worker: Callable[[str], str], course: list[str]) -> None:
    body = (
        "import pathlib; counter = pathlib.Path(sys.argv[0]).with_suffix('.count'); counter.touch()\n"
        "turn = len(counter.read_text()) + 1; counter.write_text('x' * turn)\n"
        "if turn > 2: start(); beat(1, 5); sys.stdin.readline(); tell('ended', reason='stopped'); sys.exit()\n" + KNEE
    )
    process = subprocess.Popen(
        [*PROGRAM, "--python", fake_worker(body), *course, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "1/7" in process.stderr.readline()
    assert "2/7" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 130
    assert "interrupted: what was measured until then counts" in err
    made = json.loads(out)
    measured = made["points"] if "points" in made else made["candidates"][0]["processes"]
    assert len(measured) == 2
    assert all(each["median_ns"] for each in measured)


DRIFT = (
    "import pathlib; counter = pathlib.Path(sys.argv[0]).with_suffix('.count'); counter.touch()\n"
    "turn = len(counter.read_text()); counter.write_text('x' * (turn + 1))\n"
    "ns = round(1_000_000 * 1.2 ** turn * (0.5 if order['plan']['workload']['dtype'] == 'bfloat16' else 1))\n"
    "start(); tell('environment', values={'host': 'h', 'threads': 2})\n"
    "beat(0, 2 * ns, phase='cold'); beat(1, *[ns + index % 9 for index in range(30)])\n"
    "tell('proof', row=3, error=1e-7, implies='float32', passed=True); tell('ended', reason='done')"
)


def test_runs_compare_says_of_a_repeat_what_bench_said(fake_bench: Bench) -> None:
    """The machine slows down all the while, and the candidate ran first."""
    seed = next(seed for seed in range(99) if shuffled(2, 4, seed)[0] == (1, 1))
    done = fake_bench(DRIFT, "--repeat", "4", "--vs", "dtype=bfloat16", "--order-seed", str(seed), "--json", "--name", "night")
    (said,) = json.loads(done.stdout)["comparisons"]
    again = run_program("runs", "compare", "night", "--json")
    made = json.loads(again.stdout)
    (compared,) = made["comparisons"]
    assert {name: compared["ratio"][name] for name in ("value", "low", "high")} == said["ratio"]
    assert (said["reference"], said["candidate"]) == ("float32", "bfloat16")
    assert (compared["reference"]["title"], compared["candidate"]["title"]) == ("float32", "bfloat16")
    assert compared["kind"] == "faster"
    assert "the reference is float32, the config that was given first" in made["notes"]


def test_both_clocks_are_recorded_as_one_group(fake_bench: Bench) -> None:
    body = (
        "start(); tell('environment', values={'host': 'h', 'threads': 1})\n"
        "if order['plan']['method'] == 'handbook': beat(0, *[840_000] * 5);"
        " [tell('handbook', products=100, total_ns=840_000, launched=1, fence_ns=121_000_000, idle_fence_ns=3_000) for _ in range(5)]\n"
        "else: beat(0, 9_000_000, phase='cold'); beat(1, *[4_000_000] * 30)\n"
        "tell('proof', row=3, error=1e-7, implies='float32', passed=True); tell('ended', reason='done')"
    )
    done = fake_bench(body, "--compare-methods", "--name", "clocks", "--tag", "quiet")
    assert done.returncode == 0, done.stderr
    listed = run_program("runs", "list", "--json")
    entries = json.loads(listed.stdout)["runs"]
    assert [(entry["method"], entry["group"], entry["tags"]) for entry in entries] == [
        ("synchronized", "clocks", ["quiet"]),
        ("handbook", "clocks", ["quiet"]),
    ]
