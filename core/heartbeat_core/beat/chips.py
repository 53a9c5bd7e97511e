"""What each generation of TPU can do at best, by its maker's documentation.

Figures are per chip and from docs.cloud.google.com, except v2's, which only JAX has. A floor made of them must never be
too high: so v4's memory has JAX's 1,230 GB/s instead of 1,200. JAX says 140 TFLOP/s of v3 where Google says 123; the
roof of a whole chip leaves one of its two devices room for both. Other differences are of rounding, within 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass

GB = 10**9
GIB = 2**30
MIB = 2**20
TERA = 1e12
GIGA = 1e9


@dataclass(frozen=True)
class Chip:
    """One generation: FLOP/s, bytes and bytes/s of a whole chip.

    ``devices_per_chip`` is how many devices a framework sees on it. ``on_chip_bytes`` is the memory a program can keep
    data in instead of HBM, None where no source was found. ``pci_ids`` are (device, subsystem device), the latter None
    where any will do.
    """

    name: str
    title: str
    bf16_flops: float
    int8_flops: float | None
    hbm_bytes: int
    bytes_per_s: float
    on_chip_bytes: int | None
    devices_per_chip: int
    device_kinds: tuple[str, ...]
    pci_ids: tuple[tuple[int, int | None], ...]
    source: str


DOCS = "https://docs.cloud.google.com/tpu/docs/"
JAX = "https://github.com/jax-ml/jax/blob/main/jax/_src/pallas/mosaic/tpu_info.py"

# Device kinds and on-chip (vector) memory: JAX, at the address above. PCI ids: tpu_info/device.py of the package tpu-info.
CHIPS: tuple[Chip, ...] = (
    Chip("v2", "TPU v2", 46 * TERA, None, 16 * GB, 716 * GIGA, None, 2, ("TPU v2",), ((0x0027, 0x004E),), JAX),
    Chip("v3", "TPU v3", 123 * TERA, None, 32 * GIB, 900 * GIGA, None, 2, ("TPU v3",), ((0x0027, 0x004F),), DOCS + "v3"),
    Chip("v4", "TPU v4", 275 * TERA, 275 * TERA, 32 * GIB, 1230 * GIGA, None, 1, ("TPU v4",), ((0x005E, None),), DOCS + "v4"),
    Chip(
        "v5e", "TPU v5e", 197 * TERA, 393 * TERA, 16 * GB, 819 * GIGA, 128 * MIB, 1,
        ("TPU v5 lite", "TPU v5e"), ((0x0063, None),), DOCS + "v5e",
    ),
    Chip(
        "v5p", "TPU v5p", 459 * TERA, 918 * TERA, 95 * GB, 2765 * GIGA, None, 1,
        ("TPU v5", "TPU v5p"), ((0x0062, None),), DOCS + "v5p",
    ),
    Chip(
        "v6e", "TPU v6e (Trillium)", 918 * TERA, 1836 * TERA, 32 * GB, 1638 * GIGA, 128 * MIB, 1,
        ("TPU v6 lite", "TPU v6e"), ((0x006F, None),), DOCS + "v6e",
    ),
    Chip(
        "7x", "TPU7x (Ironwood)", 2307 * TERA, None, 192 * GIB, 7380 * GIGA, None, 2,
        ("TPU7x",), ((0x0076, None),), DOCS + "tpu7x",
    ),
)  # fmt: skip


def chip_by_name(name: str) -> Chip | None:
    """Find a generation by the name it has here, in any case, with or without "TPU" before it: v6e, tpu7x."""
    wanted = name.lower().removeprefix("tpu").strip(" -_")
    return next((chip for chip in CHIPS if chip.name == wanted), None)


def chip_by_device_kind(kind: str) -> Chip | None:
    """Find a generation by the kind that PJRT reports of a device: "TPU v6 lite"."""
    wanted = kind.strip().lower()
    return next((chip for chip in CHIPS for known in chip.device_kinds if known.lower() == wanted), None)


def chip_by_pci(device: int, subsystem: int | None = None) -> Chip | None:
    """Find a generation by its PCI device id; v2 and v3 share theirs and differ by the subsystem's."""
    for chip in CHIPS:
        for known_device, known_subsystem in chip.pci_ids:
            if device == known_device and known_subsystem in (None, subsystem):
                return chip
    return None
