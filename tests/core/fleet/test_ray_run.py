"""What comes of the messages of a driver. No driver runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.fleet import ray_host
from heartbeat_core.fleet.model import HostSummary
from heartbeat_core.fleet.ray_run import RayCluster, RayRun

HOST = HostSummary("n1", "host-1", state="beating", count=10)


def idle(run: RayRun) -> None:
    """Read nothing."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> RayRun:
    """A run of one host whose driver is the test."""

    def know(self: RayRun, **_: Any) -> None:
        if not self.runs:
            self.take({"type": "hosts", "hosts": [HOST.to_json()]})

    monkeypatch.setattr(RayCluster, "spawn", lambda self: SimpleNamespace(stderr=io.BytesIO(), returncode=0))
    monkeypatch.setattr(RayRun, "read", idle)
    monkeypatch.setattr(RayRun, "send", know)
    return RayRun(BenchmarkConfig(), RayCluster("head:6379"))


def test_a_host_whose_recording_is_gone_opens_empty_with_a_note(run: RayRun, tmp_path: Path) -> None:
    run.runs["n1"].path = tmp_path / "gone.jsonl"
    run.choose(0)
    assert run.shown().series.count == 0
    assert "cannot be read" in run.notes[0]


def test_what_comes_after_the_end_of_a_host_changes_nothing(run: RayRun) -> None:
    ended = replace(HOST, state="ended", ending="done")
    for summary in (ended, replace(ended, ending="lost")):
        run.take({"type": "summary", "host": summary.to_json()})
    assert run.fleet().hosts[0].ending == "done"


def test_recordings_that_were_not_fetched_before_the_end_are_counted(run: RayRun) -> None:
    run.record, run.stopping = cast("Any", object()), True
    run.conclude()
    assert "recordings that were not fetched: 1" in run.notes


@pytest.mark.parametrize("keep", [True, False])
def test_a_full_disk_of_a_host_ends_the_keeping_of_its_samples_only(keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_host, "Run", lambda *_, **__: None)
    monkeypatch.setattr("os.setpriority", lambda *_: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    plan = BenchmarkConfig().to_json()
    order = {"host": HOST.to_json(), "keep": keep, "alone": False, "python": "", "place": {}, "plan": plan}
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda buffering: full)
        host = ray_host.RayHost(order)
        host.write(b"{}\n")
    assert ("No space left" in host.unkept) == keep
