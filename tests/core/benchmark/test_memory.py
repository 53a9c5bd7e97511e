from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark import host as memory
from heartbeat_core.benchmark import target as place
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.host import RESERVE_BYTES, available_bytes, cgroup_available, ensure_fits, host_available
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError

GIB = 2**30


def test_this_machine_tells_what_it_has() -> None:
    available = available_bytes()
    assert available is not None
    assert available > 2**20


def test_the_host_counts_what_can_be_taken(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: 4000000 kB\n")
    assert host_available(meminfo) == 4_000_000 * 1024


@pytest.mark.parametrize(
    ("limit", "stat", "available"),
    [
        ("max", "inactive_file 0\n", None),
        ("1000", "anon 900\ninactive_file 0\n", 100),
        ("1000", "inactive_file 300\n", 400),
        ("500", "", 0),
    ],
)
@pytest.mark.parametrize("group", ["", "user.slice"])
def test_a_control_group_counts_files_not_in_use_as_free(tmp_path: Path, limit: str, stat: str, available: int | None, group: str) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    (root / group).mkdir(parents=True)
    (root / "cgroup.controllers").touch()
    proc.write_text(f"0::/{group}\n")
    for name, text in (("max", limit), ("current", "900"), ("stat", stat)):
        (root / group / f"memory.{name}").write_text(f"{text}\n")
    assert cgroup_available(root, proc) == available


def test_no_control_group_sets_no_limit(tmp_path: Path) -> None:
    assert cgroup_available(tmp_path) is None


def test_the_handbooks_run_needs_its_weights_and_a_little_more() -> None:
    ensure_fits(BenchmarkConfig(), GIB)
    with pytest.raises(HeartbeatError, match="does not fit into memory"):
        ensure_fits(BenchmarkConfig(), RESERVE_BYTES + 256 * 2**20)
    ensure_fits(BenchmarkConfig(), None)  # a system that does not tell is not held against the plan


def test_results_in_flight_are_counted() -> None:
    tall = MatMul(2**14, 16, 2**14)
    ensure_fits(BenchmarkConfig(tall), 4 * GIB)
    with pytest.raises(HeartbeatError):
        ensure_fits(BenchmarkConfig(tall, method="pipelined", window=10), 4 * GIB)


def test_what_is_too_large_is_refused_before_anything_is_started(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(place, "spawn_worker", started)
    with pytest.raises(HeartbeatError) as refused:
        begin(BenchmarkConfig(MatMul(2**20, 2**20, 2**20)))
    assert refused.value.exit_code == 2
    assert "GiB" in refused.value.cause
    assert "--batch" in refused.value.remedy


def test_the_kernels_count_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vmstat = tmp_path / "vmstat"
    monkeypatch.setattr(memory, "VMSTAT", vmstat)
    assert memory.kernel_oom_kills() is None
    vmstat.write_text("pgfault 12\noom_kill 3\n")
    assert memory.kernel_oom_kills() == 3
    vmstat.write_text("pgfault 12\n")
    assert memory.kernel_oom_kills() is None
