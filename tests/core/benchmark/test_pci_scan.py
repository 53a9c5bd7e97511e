from __future__ import annotations

from pathlib import Path

import pytest

from heartbeat_core.benchmark.tpu_chips import hidden_tpus, scan_tpus, sees_all_processes


def plug(root: Path, address: str, vendor: str, device: str, subsystem: str = "0x0000") -> None:
    folder = root / address
    folder.mkdir(parents=True)
    for name, value in (("vendor", vendor), ("device", device), ("subsystem_device", subsystem)):
        (folder / name).write_text(value + "\n")


def test_tpus_are_found_by_address(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:05.0", "0x1ae0", "0x006f")
    plug(tmp_path, "0000:00:04.0", "0x1ae0", "0x006f")
    found = scan_tpus(tmp_path)
    assert [(tpu.address, tpu.device, tpu.chip and tpu.chip.name) for tpu in found] == [
        ("0000:00:04.0", "0x006f", "v6e"),
        ("0000:00:05.0", "0x006f", "v6e"),
    ]


def test_a_compute_engine_vm_without_a_tpu_has_none(tmp_path: Path) -> None:
    """Its network (gVNIC) and its disk carry Google's vendor id too; taking them for a TPU would cost 639 s of waiting."""
    plug(tmp_path, "0000:00:04.0", "0x1ae0", "0x0042")
    plug(tmp_path, "0000:00:05.0", "0x1ae0", "0x001f")
    plug(tmp_path, "0000:00:06.0", "0x10de", "0x006f")
    assert scan_tpus(tmp_path) == ()


@pytest.mark.parametrize(("subsystem", "name"), [("0x004e", "v2"), ("0x004f", "v3"), ("0x1234", None)])
def test_v2_and_v3_are_distinguished_or_unnamed(tmp_path: Path, subsystem: str, name: str | None) -> None:
    plug(tmp_path, "0000:00:04.0", "0x1ae0", "0x0027", subsystem)
    (tpu,) = scan_tpus(tmp_path)
    assert (tpu.chip and tpu.chip.name) == name


@pytest.mark.parametrize(
    ("kind", "found"), [("0x120000", 1), ("0xff0000", 1), ("0x020000", 0), ("0x010802", 0), ("0x060400", 0), (None, 0)]
)
def test_an_accelerator_of_google_without_a_known_number_is_an_unknown_tpu(tmp_path: Path, kind: str | None, found: int) -> None:
    plug(tmp_path, "0000:00:04.0", "0x1ae0", "0x0abc")
    if kind is not None:
        (tmp_path / "0000:00:04.0" / "class").write_text(f"{kind}\n")
    assert [(tpu.device, tpu.chip) for tpu in scan_tpus(tmp_path)] == [("0x0abc", None)] * found


def test_the_functions_of_one_chip_share_a_slot(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:04.0", "0x1ae0", "0x0076")
    plug(tmp_path, "0000:00:04.1", "0x1ae0", "0x0076")
    assert {tpu.slot for tpu in scan_tpus(tmp_path)} == {"0000:00:04"}


def test_a_device_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    plug(tmp_path, "0000:00:04.0", "0x1ae0", "garbage")
    (tmp_path / "0000:00:05.0").mkdir()
    plug(tmp_path, "0000:00:06.0", "0x1ae0", "0x0063")
    (tmp_path / "0000:00:07.0").mkdir()
    (tmp_path / "0000:00:07.0" / "vendor").write_bytes(b"\xff\xfe")
    assert [tpu.address for tpu in scan_tpus(tmp_path)] == ["0000:00:06.0"]


def test_without_a_bus_there_is_no_tpu(tmp_path: Path) -> None:
    assert scan_tpus(tmp_path / "absent") == ()


def test_a_chip_whose_bus_a_container_hides_is_seen_by_its_files(tmp_path: Path) -> None:
    assert hidden_tpus(tmp_path) == ()
    for name in ("vfio", "0"):
        (tmp_path / "dev/vfio").mkdir(parents=True, exist_ok=True)
        (tmp_path / "dev/vfio" / name).touch()
    assert hidden_tpus(tmp_path) == (tmp_path / "dev/vfio/0",)
    plug(tmp_path / "sys/bus/pci/devices", "0000:00:04.0", "0x8086", "0x1237")
    assert hidden_tpus(tmp_path) == (), "where there is a bus, /dev/vfio is of another device"


def test_a_container_sees_its_own_processes_alone(tmp_path: Path) -> None:
    assert sees_all_processes(tmp_path)
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[4026532841]")
    assert not sees_all_processes(tmp_path)
