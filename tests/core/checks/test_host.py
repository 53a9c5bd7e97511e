"""Checks of this machine, on machines made of files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark import tpu_chips as holders
from heartbeat_core.checks import host
from heartbeat_core.checks.host import CHECKS
from heartbeat_core.checks.result import Result
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.metadata import Metadata

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
V6E = {
    "sys/bus/pci/devices/0000:00:04.0/vendor": "0x1ae0\n",
    "sys/bus/pci/devices/0000:00:04.0/device": "0x006f\n",
    "sys/bus/pci/devices/0000:00:04.0/subsystem_device": "0x0000\n",
}
DRIVER = {"dev/vfio/0": "", "dev/vfio/vfio": ""}
VM = Metadata(project="llm", zone="us-central1-b", email="robot@llm.iam.gserviceaccount.com", scopes=(SCOPE,), accelerator_type="v6e-1")
ON_A_VM_ALONE = {"host.libtpu", "host.openblas", "host.chips", "host.chip-driver", "host.chip-free", "host.scopes"}
NOBODY = 65534
Files = Mapping[str, Any]


@pytest.fixture
def look(world: Any, tree: Callable[[Files], Path]) -> Callable[..., dict[str, Result]]:
    """Ask this machine's checks of a machine made of files."""

    def look(files: Files | None = None, **changes: Any) -> dict[str, Result]:
        found = replace(world(), root=tree({"proc/version": "", **(files or {})}), endpoint=None, environ={}, **changes)
        return {result.id: result for result in Runner(CHECKS, found).run().results}

    return look


def packages(folder: Path, **versions: str) -> Path:
    """Lay out an environment with packages that have metadata and nothing else; give its Python."""
    site = folder / "lib/python3.12/site-packages"
    for name, version in versions.items():
        (site / f"{name}-{version}.dist-info").mkdir(parents=True)
    return folder / "bin/python"


def test_off_a_tpu_vm_what_only_a_tpu_vm_has_does_not_count(look: Any) -> None:
    found = look()
    for name in ON_A_VM_ALONE | {"host.torch-xla"}:
        assert found[name].status in ("not_applicable", "pass"), name
    assert {found[name].summary for name in ON_A_VM_ALONE} == {"not on a TPU VM"}


def test_a_tpu_vm_with_all_it_needs_passes(look: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = packages(tmp_path, torch="2.9.1+cpu", torch_xla="2.9.0", libtpu="0.0.21")
    monkeypatch.setattr(host, "unreadable", lambda _: 0)
    found = look({**V6E, **DRIVER, "usr/lib/x86_64-linux-gnu/libopenblas.so.0": ""}, metadata=VM, xla_python=python)
    for name in ON_A_VM_ALONE | {"host.torch", "host.torch-xla"}:
        assert found[name].status == "pass", (name, found[name].summary)
    assert found["host.chips"].summary == "1 × TPU v6e (Trillium)"
    assert found["host.torch-xla"].summary == "torch 2.9.1+cpu and torch_xla 2.9.0"
    assert found["host.libtpu"].summary == "libtpu 0.0.21"


def test_in_a_container_the_bus_and_other_processes_may_be_hidden(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "unreadable", lambda _: 0)
    hidden = look(DRIVER)["host.chips"]
    assert (hidden.status, hidden.summary) == ("fail", "the TPU chip is there, but the PCI bus is hidden")
    assert "--privileged" in hidden.remedies[0].text
    monkeypatch.setattr(host, "sees_all_processes", lambda _: False)
    busy = look({**V6E, **DRIVER}, metadata=VM)["host.chip-free"]
    assert (busy.status, busy.summary) == ("warn", "no process seen that uses it")
    assert "another container" in busy.why


def test_a_bare_tpu_vm_names_all_that_is_missing(look: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    narrow = replace(VM, scopes=("https://www.googleapis.com/auth/devstorage.read_only",), accelerator_type="v6e-1")
    found = look(V6E, metadata=narrow, xla_python=packages(tmp_path))
    for name in ("torch", "torch-xla", "libtpu", "openblas", "chip-driver", "scopes"):
        result = found[f"host.{name}"]
        assert result.status == "fail", (name, result.summary)
        assert result.remedies
    create = found["host.chip-driver"].remedies[1].command
    assert create is not None
    assert "--version=v2-alpha-tpuv6e" in create
    assert found["host.chip-driver"].remedies[1].costs


@pytest.mark.parametrize(
    ("torch", "bridge", "status"), [("2.9.1", "2.9.0", "pass"), ("2.13.0+cpu", "2.9.0", "fail"), ("2.8.0", "2.9.0", "fail")]
)
def test_torch_and_torch_xla_must_be_of_one_release(look: Any, tmp_path: Path, torch: str, bridge: str, status: str) -> None:
    found = look(V6E, metadata=VM, xla_python=packages(tmp_path, torch=torch, torch_xla=bridge))
    assert found["host.torch-xla"].status == status
    off = look(xla_python=packages(tmp_path / "off", torch=torch, torch_xla=bridge))
    assert off["host.torch-xla"].status == {"fail": "warn"}.get(status, status)


def test_the_runtime_of_another_chip_is_found_though_devices_are_there(look: Any) -> None:
    wrong = replace(VM, tpu_env={"RUNTIME_VERSION": "tpu-ubuntu2204-base"})
    result = look({**V6E, **DRIVER}, metadata=wrong)["host.chip-driver"]
    assert (result.status, result.summary) == ("fail", "the runtime tpu-ubuntu2204-base is not for v6e-1")


def test_a_vm_without_its_chip_fails_and_one_with_another_warns(look: Any) -> None:
    assert look(metadata=VM)["host.chips"].status == "fail"
    assert look(V6E, metadata=replace(VM, accelerator_type="v5litepod-1"))["host.chips"].status == "warn"


def test_scopes_without_an_answer_are_unknown(look: Any) -> None:
    assert look(V6E)["host.scopes"].status == "unknown"
    assert look(V6E, metadata=replace(VM, scopes=None))["host.scopes"].status == "unknown"


def test_who_holds_the_chip_is_named_and_never_ended(look: Any) -> None:
    holder = {"proc/4321/fd/7": Path("/dev/vfio/0"), "proc/4321/cmdline": b"python\0train.py\0", "proc/9/fd/0": Path("/dev/null")}
    result = look({**V6E, **DRIVER, **holder}, metadata=VM)["host.chip-free"]
    assert result.status == "fail"
    assert "process 4321 of " in result.summary
    assert "python train.py (/dev/vfio/0)" in result.summary
    assert [remedy.command for remedy in result.remedies] == [("ps", "-o", "pid,user,lstart,args", "-p", "4321")]
    assert not any(remedy.changes for remedy in result.remedies)


def test_the_lock_counts_only_while_somebody_holds_it(tree: Any) -> None:
    root = tree({"tmp/libtpu_lockfile": "", "proc/77/cmdline": b"python\0"})
    inode = (root / "tmp/libtpu_lockfile").stat().st_ino
    assert holders.users_of(root, ()) == ()
    (root / "proc/locks").write_text(f"1: POSIX  ADVISORY  WRITE 5 08:01:{inode + 1} 0 EOF\n")
    assert holders.users_of(root, ()) == ()
    (root / "proc/locks").write_text(
        f"1: POSIX  ADVISORY  WRITE 77 08:01:{inode} 0 EOF\n1: -> POSIX  ADVISORY  WRITE 78 08:01:{inode} 0 EOF\n"
    )
    assert [each.pid for each in holders.users_of(root, ())] == [77]


def test_processes_that_cannot_be_looked_into_make_it_no_pass(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "unreadable", lambda _: 12)
    result = look({**V6E, **DRIVER}, metadata=VM)["host.chip-free"]
    assert (result.status, result.summary) == ("warn", "no process seen that uses it")
    assert "12 processes" in result.why


def test_the_processes_of_others_are_counted() -> None:
    """Root may look into every process, so where the tests are root's somebody else counts."""
    program = f"""
import os
from pathlib import Path
from heartbeat_core.benchmark.tpu_chips import unreadable
if os.geteuid() == 0:
    os.setuid({NOBODY})
print(unreadable(Path("/")))
"""
    counted = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(counted) > 0


@pytest.mark.parametrize("layout", ["bin/gcloud", "google-cloud-sdk/bin/gcloud"])
def test_gcloud_is_found_without_running_it(look: Any, world: Any, tmp_path: Path, layout: str) -> None:
    program = tmp_path / layout
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (program.parent.parent / "VERSION").write_text("528.0.0\n")
    changed = replace(world(), environ={"PATH": str(program.parent)}, endpoint=None)
    result = Runner(CHECKS, changed).run(["host.gcloud"]).results[0]
    assert (result.status, result.summary) == ("pass", "gcloud 528.0.0")


def test_without_gcloud_one_can_do_little_but_an_emulator_needs_none(look: Any, world: Any) -> None:
    assert look()["host.gcloud"].status == "fail"
    emulated = replace(world(), environ={"PATH": ""})
    assert Runner(CHECKS, emulated).run(["host.gcloud"]).results[0].status == "warn"


def test_this_machines_checks_import_neither_google_nor_torch() -> None:
    program = """
import sys
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.runner import Runner
from heartbeat_core.checks.context import detect_environment
Runner(checks_for(["host"]), detect_environment(environ={"PATH": "/usr/bin:/bin"})).run()
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"google", "requests", "grpc", "torch", "numpy", "asyncio", "sqlite3"}
