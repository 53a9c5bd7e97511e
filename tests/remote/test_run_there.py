"""Runs over a real ssh: the same stream and figures, and no worker left behind, however the connection ends."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.run import Run
from heartbeat_core.recordings.recording import load, recorded_report

pytestmark = pytest.mark.torch

LONG_S = 120.0
Watch = Callable[[int], Callable[[], bool]]


def until(run: Run, there: Callable[[], bool]) -> None:
    with run.changed:
        assert run.changed.wait_for(there, LONG_S), run.stderr


def beats(run: Run) -> bool:
    return run.series.count > 3


def test_a_run_over_ssh_is_a_run_like_any_other(launcher: Any, small: Any) -> None:
    run = launcher("vm").start(small(iterations=200))
    assert run.wait(LONG_S)
    report = run.report()
    assert (report.ending.kind, report.statistics.n, report.proof.passed) == ("done", 200, True), report.ending
    assert (report.environment["tpu_vm"], report.environment["tpu_worker"]) == ("vm", 0)
    told = tuple(report.environment[name] for name in ("tpu_type", "tpu_zone", "tpu_provisioning"))
    assert told == ("v6e-1", "us-central1-b", "on-demand")
    assert report.labels == ("on vm",)
    again = recorded_report(load(run.path), launcher("vm").peak_cache())
    assert again.statistics == report.statistics
    assert "on vm" in again.labels


def test_orders_arrive(launcher: Any, endless: Any) -> None:
    run = launcher("vm").start(endless)
    until(run, lambda: run.series.count > 3)
    run.pause()
    run.resume()
    run.stop()
    assert run.wait(LONG_S)
    assert run.report().ending.kind == "stopped"
    assert run.report().proof.passed


@pytest.mark.parametrize("how", ["cut", "killed here"])
def test_a_lost_connection_ends_as_lost_keeps_what_came_and_leaves_no_worker(
    launcher: Any, endless: Any, cluster: Any, watch_process: Watch, how: str
) -> None:
    run = launcher("vm").start(endless)
    until(run, lambda: run.series.count > 10)
    assert run.series.started is not None
    gone = watch_process(run.series.started.pid)
    if how == "cut":
        cluster.sshds[0].cut()
    else:
        os.kill(run.process.pid, signal.SIGTERM)  # ssh says goodbye with 255
    assert run.wait(LONG_S)
    ending = run.ending
    assert ending is not None
    assert (ending.kind, ending.exit_code) == ("lost", 1), ending
    assert "the connection to vm was lost" in ending.title
    assert "kept" in ending.cause
    assert gone()
    kept = load(run.path)
    assert kept.count == run.series.count > 10
    assert kept.cut_off


def test_a_worker_that_dies_there_is_not_taken_for_a_lost_connection(launcher: Any, endless: Any) -> None:
    run = launcher("vm").start(endless)
    until(run, lambda: run.series.count > 3)
    assert run.series.started is not None
    os.kill(run.series.started.pid, signal.SIGSEGV)
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert (run.ending.kind, "SIGSEGV" in run.ending.title) == ("crashed", True), run.ending


def test_closing_the_run_ends_the_worker(launcher: Any, endless: Any, watch_process: Watch) -> None:
    run = launcher("vm").start(endless)
    until(run, lambda: run.series.count > 3)
    assert run.series.started is not None
    gone = watch_process(run.series.started.pid)
    run.kill()
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert run.ending.kind == "stopped"
    assert gone()


def test_what_does_not_fit_there_is_refused_there(launcher: Any, small: Any) -> None:
    from heartbeat_core.benchmark.workload import MatMul

    run = launcher("vm").start(small(workload=MatMul(2**20, 2**20, 2**20)))
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert (run.ending.kind, run.ending.exit_code) == ("refused", 2)
    assert "does not fit into memory" in run.ending.title


def test_all_hosts_run_at_once_headless(cluster: Any, tmp_path: Path) -> None:
    plan = ["--backend=cpu", "--threads=1", "--batch=8", "--hidden=64", "--intermediate=64", "--iterations=50"]
    plan.append(f"--python={sys.executable}")
    done = cluster.command("bench", "--on", "slice:all", "--json", "--name", "both", "--tag", "slice", *plan)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    assert [host["name"] for host in answer["hosts"]] == ["slice:0", "slice:1"]
    for number, host in enumerate(answer["hosts"]):
        assert host["report"]["environment"]["tpu_worker"] == number
        assert host["report"]["statistics"]["n"] == 50
        label = load(Path(host["recording"])).label
        assert label is not None
        assert (label.group, label.name, label.tags) == ("both", "", ("slice",))
    assert answer["spread"]["slowest_ns"] >= answer["spread"]["fastest_ns"]
    text = cluster.command("bench", "--on", "slice:all", "--no-save", "--plot", *plan)
    assert text.returncode == 0, text.stderr
    assert "slice:0" in text.stdout
    assert "slice:1" in text.stdout
    assert "RATIO" in text.stdout
    assert "● :0  ▲ :1" in text.stdout


def test_one_of_all_that_is_lost_does_not_end_the_others(launcher: Any, endless: Any, cluster: Any) -> None:
    runs = launcher("slice:all").start_together(endless)
    for run in runs.runs.values():
        until(run, partial(beats, run))
    cluster.sshds[1].cut()
    assert runs.runs["slice:1"].wait(LONG_S)
    assert runs.runs["slice:1"].ending.kind == "lost"
    assert runs.ending is None
    runs.stop()
    assert runs.wait(LONG_S)
    assert runs.runs["slice:0"].ending.kind == "stopped"
    assert runs.worst().kind == "lost"
    assert [line.shown for line in runs.hosts()] == [False, False]
    runs.open_host("slice:1")
    assert [line.shown for line in runs.hosts()] == [False, True]
    assert runs.report().ending.kind == "lost"


def test_a_sweep_goes_there_point_by_point(cluster: Any) -> None:
    plan = [
        "--backend=cpu",
        "--threads=1",
        "--hidden=64",
        "--intermediate=64",
        "--iterations=20",
        "--no-save",
        f"--python={sys.executable}",
    ]
    done = cluster.command("bench", "--on", "slice:1", "--sweep", "batch=1,8", "--json", *plan)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["environment"]["tpu_worker"] == 1
    assert [(point["batch"], point["n"]) for point in answer["points"]] == [(1, 20), (8, 20)]
    refused = cluster.command("bench", "--on", "slice:all", "--sweep", "batch=1,8", *plan)
    assert refused.returncode == 2
    assert "--sweep is for one host" in refused.stderr
