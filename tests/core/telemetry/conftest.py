"""A machine of files with a TPU v6e, and a package tpu_info of our own making for a Python that has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

CHIP = {"vendor": "0x1ae0", "device": "0x006f", "subsystem_device": "0x0000"}


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Path]:
    """Make the root of a machine with so many chips, and processes that hold the first: pid -> variables of its environment."""

    def make(chips: int = 1, holders: dict[int, bytes] | None = None) -> Path:
        root = tmp_path / "machine"
        for number in range(chips):
            folder = root / f"sys/bus/pci/devices/0000:00:{number + 4:02x}.0"
            folder.mkdir(parents=True)
            for name, value in CHIP.items():
                (folder / name).write_text(value + "\n")
            file = root / f"dev/vfio/{number}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        for pid, environ in (holders or {}).items():
            folder = root / f"proc/{pid}/fd"
            folder.mkdir(parents=True)
            (folder / "7").symlink_to("/dev/vfio/0")
            (folder.parent / "cmdline").write_bytes(b"python\0train.py\0")
            (folder.parent / "environ").write_bytes(environ)
        return root

    return make
