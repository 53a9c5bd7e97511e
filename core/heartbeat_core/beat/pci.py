"""Whether this machine has a TPU, asked of the PCI bus: no library, no driver, no wait.

Ids: ``tpu_info/device.py`` of the package tpu-info and ``torch_xla/_internal/tpu.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.beat.chips import Chip

GOOGLE = 0x1AE0
UNNAMED_TPU = 0x0056  # a TPU to torch_xla and JAX, without a public name


@dataclass(frozen=True)
class PciTpu:
    """A TPU on the bus at ``address``; ``chip`` is None where its generation is not known here.

    Each PCI function is one of these; chips are counted by ``slot``, for a 7x shows one function for each of its cores.
    """

    address: str
    device: str
    chip: Chip | None

    @property
    def slot(self) -> str:
        return self.address.partition(".")[0]


def scan_tpus(root: Path = Path("/sys/bus/pci/devices")) -> tuple[PciTpu, ...]:
    """List the TPUs on the bus by address; none where there is no bus to read, as on macOS."""
    try:
        folders = sorted(root.iterdir())
    except OSError:
        return ()
    googles = [folder for folder in folders if read_id(folder / "vendor") == GOOGLE]
    return tuple(tpu for tpu in map(tpu_at, googles) if tpu is not None)


def tpu_at(folder: Path) -> PciTpu | None:
    """Say which TPU a device of Google's is; the network and the disks of every Compute Engine VM are Google's too."""
    from heartbeat_core.beat.chips import CHIPS, chip_by_pci

    device = read_id(folder / "device")
    if device not in {known for chip in CHIPS for known, _ in chip.pci_ids} | {UNNAMED_TPU}:
        return None
    return PciTpu(folder.name, f"0x{device:04x}", chip_by_pci(device, read_id(folder / "subsystem_device")))


def read_id(path: Path) -> int:
    """Read one id of a device; -1 where it is gone, not ours to read, or no number."""
    try:
        return int(path.read_text("ascii").strip(), 16)
    except (OSError, ValueError):
        return -1
