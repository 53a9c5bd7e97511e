from __future__ import annotations

import pytest

from heartbeat_core.benchmark.series import Series
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.remote.hosts import Host, HostSelector, parse_on


def test_on_names_a_vm_and_which_of_its_hosts() -> None:
    assert parse_on("llm-tpu-vm") == HostSelector("llm-tpu-vm")
    assert parse_on("llm-tpu-vm:3") == HostSelector("llm-tpu-vm", 3)
    assert parse_on("a:all") == HostSelector("a", None, all=True)
    for wrong in ("", "A", "a:", "a:b", "a:-1", "-a", "a b", "--zone=x", "a;b"):
        with pytest.raises(HeartbeatError, match="names no TPU VM"):
            parse_on(wrong)


def test_an_end_without_a_reason_is_read_from_the_exit_code() -> None:
    from heartbeat_core.benchmark.protocol import Failed, Started
    from heartbeat_core.benchmark.target import WorkerExit

    there = Host("vm", 0, ("ssh", "host"), {}, "f", "f/venv/bin/python")
    began = Series()
    began.apply(Started(0, 1, "0", 1, "2026-11-24T12:00:00+00:00", began.config.to_json()))
    lost = there.explain(began, WorkerExit(255, ("client_loop: send disconnect: Broken pipe",)))
    assert (lost.kind, lost.exit_code) == ("lost", 1)
    never = there.explain(Series(), WorkerExit(255, ("ada@203.0.113.7: Permission denied (publickey).",)))
    assert (never.kind, never.exit_code) == ("unavailable", 3)
    assert "does not accept your key" in never.title
    missing = there.explain(Series(), WorkerExit(127, ("sh: 1: f/venv/bin/python: not found",)))
    assert (missing.kind, missing.remedy) == ("unavailable", "heartbeat-tui vms setup vm")
    assert there.explain(began, WorkerExit(99)).kind == "out of memory"
    began.apply(Failed(0, "backend", "torch is not installed for this Python", "c", "Install it."))
    assert there.explain(began, WorkerExit(0)).remedy.startswith("Install it. On vm, heartbeat-tui vms setup vm")
    began.failed = None
    assert there.explain(began, WorkerExit(139)).kind == "crashed"
    assert there.explain(began, WorkerExit(137)).kind == "killed"
