"""The whole way with the real torch_xla on the other side: as a rehearsal on its CPU, which is all there is here."""

from __future__ import annotations

from typing import Any

import pytest

from heartbeat_core.remote.install import probe_device

pytestmark = pytest.mark.xla


def test_torch_xla_runs_over_ssh(launcher: Any, small: Any, xla_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = launcher("slice:1", python=xla_python)
    device = probe_device(there.destination.hosts()[0])
    assert device.usable, device
    assert (device.found["rehearsal"], device.found["tpu_worker"]) == (True, 1)
    run = there.start(small(backend="xla", warmup=3, iterations=20))
    assert run.wait(180)
    report = run.report()
    assert (report.ending.kind, report.proof.passed) == ("done", True), report.ending
    assert report.environment["torch_xla"].startswith("2.9")
    assert "rehearsal on the CPU: not a TPU" in report.labels
    assert report.proof.executed == report.proof.expected
