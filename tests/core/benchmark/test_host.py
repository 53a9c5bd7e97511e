"""What the worker tells of its host: the limits that change its speed, and what disturbs a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter_ns

import pytest

from heartbeat_core.benchmark import host
from heartbeat_core.benchmark.host import HealthWatch, Throttling, cache_bytes, cpu_flags, cpu_quota, speed_variables, throttling


def test_all_last_level_caches_count_once_each(tmp_path: Path) -> None:
    assert cache_bytes(tmp_path) is None
    for cpu in range(4):
        for level, size, shared in ((1, "32K", f"{cpu}"), (2, "1024K", f"{cpu}"), (3, "32768K", "0-1" if cpu < 2 else "2-3")):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{level}"
            folder.mkdir(parents=True)
            for name, text in (("level", f"{level}"), ("size", size), ("shared_cpu_list", shared)):
                (folder / name).write_text(f"{text}\n")
    assert cache_bytes(tmp_path) == 2 * 32 * 2**20


def test_the_variables_that_change_speed_are_recorded_and_no_others() -> None:
    environ = {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default", "XLA_FLAGS": "--x", "HOME": "/root", "SECRET_TOKEN": "t"}
    assert speed_variables(environ) == {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1", "XLA_FLAGS": "--x"}


@pytest.mark.parametrize(
    ("text", "flags"),
    [("flags\t\t: fpu avx2 amx_bf16\n", {"fpu", "avx2", "amx_bf16"}), ("Features\t: fp asimd\n", {"fp", "asimd"}), ("model: x\n", None)],
)
def test_the_instruction_sets_are_read_on_each_kind_of_processor(tmp_path: Path, text: str, flags: set[str] | None) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{text}")
    assert cpu_flags(tmp_path / "cpuinfo") == flags


class Cgroups:
    """A tree of control groups, and the file that says where this process is in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.proc = folder / "cgroup", folder / "self"
        self.root.mkdir()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def version_2(self, group: str) -> None:
        self.write("cgroup.controllers", "cpu memory\n")
        self.proc.write_text(f"0::{group}\n")


@pytest.fixture
def cgroups(tmp_path: Path) -> Cgroups:
    return Cgroups(tmp_path)


def test_the_tightest_quota_of_all_groups_counts(cgroups: Cgroups) -> None:
    cgroups.version_2("/system/job")
    cgroups.write("system/cpu.max", "150000 100000\n")
    cgroups.write("system/job/cpu.max", "max 100000\n")
    assert cpu_quota(cgroups.root, cgroups.proc) == 1.5


def test_a_container_whose_path_is_the_hosts_has_the_quota_at_the_top(cgroups: Cgroups) -> None:
    cgroups.version_2("/docker/0123")
    cgroups.write("cpu.max", "50000 100000\n")
    assert cpu_quota(cgroups.root, cgroups.proc) == 0.5


def test_version_1_has_a_tree_of_its_own_for_the_processor(cgroups: Cgroups) -> None:
    cgroups.proc.write_text("5:cpu,cpuacct:/job\n0::/\n")
    cgroups.write("cpu,cpuacct/job/cpu.cfs_quota_us", "200000\n")
    cgroups.write("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n")
    cgroups.write("cpu,cpuacct/job/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 4000\n")
    assert cpu_quota(cgroups.root, cgroups.proc) == 2.0
    assert throttling(cgroups.root, cgroups.proc) == Throttling(3, 4000)


def test_without_a_limit_there_is_no_quota_and_no_throttling(cgroups: Cgroups) -> None:
    assert cpu_quota(cgroups.root, cgroups.proc) is None
    cgroups.version_2("/")
    cgroups.write("cpu.stat", "usage_usec 12\n")
    assert cpu_quota(cgroups.root, cgroups.proc) is None
    assert throttling(cgroups.root, cgroups.proc) is None


@pytest.fixture
def _sigcont() -> Iterator[None]:
    before = signal.getsignal(signal.SIGCONT)
    yield
    signal.signal(signal.SIGCONT, before)


@pytest.mark.usefixtures("_sigcont")
def test_a_stop_is_counted_with_its_length() -> None:
    watch = HealthWatch(lambda: perf_counter_ns() - 6 * 10**9)
    os.kill(os.getpid(), signal.SIGCONT)
    health = watch.read(0)
    assert health.stops == 1
    assert health.stopped_ns is not None
    assert round(health.stopped_ns / 1e9) == 6


@pytest.mark.usefixtures("_sigcont")
def test_a_process_that_was_running_was_not_stopped() -> None:
    watch = HealthWatch()
    os.kill(os.getpid(), signal.SIGCONT)
    assert (watch.read(0).stops, watch.read(0).stopped_ns) == (0, 0)


@pytest.mark.usefixtures("_sigcont")
def test_sleep_of_the_machine_and_throttling_count_from_the_start_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept, throttled, schedstat = [5 * 10**9], [Throttling(10, 2 * 10**9)], tmp_path / "schedstat"
    schedstat.write_text("900 3000000000 12\n")
    monkeypatch.setattr(host, "waited_ns", partial(host.waited_ns, schedstat))
    monkeypatch.setattr(host, "suspended_ns", lambda: slept[0])
    monkeypatch.setattr(host, "throttling", lambda: throttled[0])
    watch = HealthWatch()
    slept[0], throttled[0] = 35 * 10**9 + 99, Throttling(14, 3 * 10**9)
    schedstat.write_text("950 7500000000 20\n")
    health = watch.read(0)
    assert (health.suspended_ns, health.throttles, health.throttled_ns) == (30 * 10**9, 4, 10**9)
    assert health.waited_ns == 4_500_000_000
