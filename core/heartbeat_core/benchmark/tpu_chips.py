"""Which files the TPU's chips have below /dev, and who holds them, read from /proc alone. Standard library only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOCK = Path("tmp/libtpu_lockfile")
LONGEST_COMMAND = 80
OUR_WORKER = b"heartbeat_core.benchmark.worker"
PORTS_VARIABLE = "TPU_RUNTIME_METRICS_PORTS"  # libtpu's: one port for each of its processes on a host


@dataclass(frozen=True)
class Holder:
    """A process that has a chip open, or libtpu's lock."""

    pid: int
    owner: str
    command: str
    held: str

    def __str__(self) -> str:
        return f"process {self.pid} of {self.owner}, {self.command} ({self.held})"


def driver_files(root: Path) -> tuple[Path, ...]:
    """List the chips' devices: /dev/vfio/N from v5e on, /dev/accelN before."""
    found = [*(root / "dev/vfio").glob("[0-9]*"), *(root / "dev").glob("accel[0-9]*"), *(root / "dev/accel").glob("accel[0-9]*")]
    return tuple(sorted(found))


BUS = Path("sys/bus/pci/devices")
INITIAL_PIDS = "pid:[4026531836]"  # PROC_PID_INIT_INO, of the processes of the machine itself


def hidden_tpus(root: Path = Path("/")) -> tuple[Path, ...]:
    """List the chips' devices where the PCI bus cannot be read, as in a container; none where there is a bus."""
    try:
        return () if any((root / BUS).iterdir()) else driver_files(root)
    except OSError:
        return driver_files(root)


def hidden_bus(files: Iterable[object]) -> tuple[str, str, str]:
    """Return what is wrong where ``hidden_tpus`` found these: what, why, what to do."""
    cause = f"{', '.join(map(str, files))} can be seen, but {'/' / BUS} is empty: a container hides it, and libtpu needs it."
    return "the TPU chip is there, but the PCI bus is hidden", cause, "Run the container with --privileged."


def sees_all_processes(root: Path = Path("/")) -> bool:
    """Return whether /proc lists the processes of the whole machine; that of a container lists its own alone."""
    try:
        return str((root / "proc/self/ns/pid").readlink()) == INITIAL_PIDS
    except OSError:
        return True  # not Linux


def users_of(root: Path, devices: Iterable[Path]) -> tuple[Holder, ...]:
    """Find the processes that hold one of ``devices`` open or libtpu's lock; those that may not be read are left out."""
    wanted = {f"/{device.relative_to(root)}" for device in devices}
    found: dict[int, Holder] = {}
    for pid in pids(root):
        with contextlib.suppress(OSError):  # gone, or another user's
            for descriptor in (root / f"proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(descriptor.readlink())
                    if target in wanted:
                        found.setdefault(pid, describe(root, pid, target))
    for pid in lock_holders(root):
        found.setdefault(pid, describe(root, pid, f"/{LOCK}"))
    return tuple(found[pid] for pid in sorted(found))


def lock_holders(root: Path) -> Iterator[int]:
    """Find who holds libtpu's lock: that its file exists proves nothing, and anyone may read /proc/locks."""
    try:
        inode = (root / LOCK).stat().st_ino
        lines = (root / "proc/locks").read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:  # 1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF
        words = line.split()
        if "->" not in words and len(words) >= 6 and words[-3].rpartition(":")[2] == str(inode) and words[-4].isdigit():
            yield int(words[-4])


def pids(root: Path) -> list[int]:
    try:
        return [int(folder.name) for folder in (root / "proc").iterdir() if folder.name.isdigit()]
    except OSError:
        return []


def describe(root: Path, pid: int, held: str) -> Holder:
    owner, command = "an unknown user", "of an unknown command"
    folder = root / f"proc/{pid}"
    with contextlib.suppress(OSError):
        owner = user_name(folder.stat().st_uid)
        line = (folder / "cmdline").read_bytes()
        shown = line.replace(b"\0", b" ").decode("utf-8", "replace")
        words = "".join(letter if letter.isprintable() else " " for letter in shown).split()
        command = "a benchmark of heartbeat-tui" if OUR_WORKER in line else " ".join(words)[:LONGEST_COMMAND] or command
    return Holder(pid, owner, command, held)


def metrics_ports(root: Path, pid: int) -> tuple[int, ...]:
    """Read from a process's environment on which ports libtpu serves its metrics, if it may be read."""
    try:
        variables = (root / f"proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ()
    value = next((each for each in variables if each.startswith(PORTS_VARIABLE.encode() + b"=")), b"").decode("ascii", "replace")
    return tuple(int(word) for word in value.partition("=")[2].split(",") if word.strip().isdigit())


def user_name(uid: int) -> str:
    import pwd  # here: there is none on Windows

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def unreadable(root: Path) -> int:
    """Count the processes whose open files we may not read; threads of the kernel have none."""
    count = 0
    for pid in pids(root):
        try:
            os.scandir(root / f"proc/{pid}/fd").close()
        except PermissionError:
            with contextlib.suppress(OSError):
                count += bool((root / f"proc/{pid}/cmdline").read_bytes())
        except OSError:
            continue  # it has ended
    return count


MB = 10**6
GB = 10**9
GIB = 2**30
MIB = 2**20


@dataclass(frozen=True)
class Chip:
    """One generation: FLOP/s, bytes and bytes/s of a whole chip; FLOP/s of 8 bits are None where no source names units for them.

    ``devices_per_chip`` is how many devices a framework sees on it. ``on_chip_bytes`` is the memory of the whole chip that
    a program can keep data in instead of HBM. ``pci_ids`` are (device, subsystem device), the latter None where any will do.
    """

    name: str
    title: str
    bf16_flops: float
    int8_flops: float | None
    fp8_flops: float | None
    hbm_bytes: int
    bytes_per_s: float
    on_chip_bytes: int
    devices_per_chip: int
    pci_ids: tuple[tuple[int, int | None], ...]
    source: str

    def flops_of(self, dtype: str) -> float:
        """Return the FLOP/s of a dtype; what the chip has no units for, it computes in bfloat16."""
        return {"int8": self.int8_flops, "float8_e4m3": self.fp8_flops}.get(dtype) or self.bf16_flops


DOCS = "https://docs.cloud.google.com/tpu/docs/"
JAX = "https://github.com/jax-ml/jax/blob/main/jax/_src/pallas/mosaic/tpu_info.py"

# On-chip memory (VMEM, on v4 CMEM as well, of all cores): JAX, at the address above. PCI ids: tpu_info/device.py of the package
# tpu-info; of 8i and 8t jax/_src/hardware_utils.py. Where the sources differ the higher figure stands, for a peak must not be
# too low: bf16 of v3 (Google's page 123, JAX 140), int8 of v5e (393, 394) and v6e (1,836, 1,840), GB/s of v3 (900, 825), v4 (1,200,
# 1,230) and v5p (2,765, 2,460). The 8i has two cores; whether a framework sees one device or two is not known, so the whole chip's
# figures stand for a device. FLOP/s of 8 bits: Google's pages, JAX for fp8 of v6e, 8i and 8t; JAX names no units for fp8 on v5e and v5p.
CHIPS: tuple[Chip, ...] = (
    Chip("v2", "TPU v2", 46e12, None, None, 16 * GB, 716e9, 2 * 16 * MIB, 2, ((0x0027, 0x004E),), JAX),
    Chip("v3", "TPU v3", 140e12, None, None, 32 * GIB, 900e9, 2 * 16 * MIB, 2, ((0x0027, 0x004F),), DOCS + "v3"),
    Chip("v4", "TPU v4", 275e12, 275e12, None, 32 * GIB, 1230e9, 134 * MB + 2 * 16 * MIB, 1, ((0x005E, None),), DOCS + "v4"),
    Chip("v4i", "TPU v4i", 137e12, None, None, 8 * GIB, 614e9, 134 * MB + 16 * MIB, 1, (), JAX),
    Chip("v5e", "TPU v5e", 197e12, 394e12, None, 16 * GB, 819e9, 128 * MIB, 1, ((0x0063, None),), DOCS + "v5e"),
    Chip("v5p", "TPU v5p", 459e12, 918e12, None, 95 * GB, 2765e9, 2 * 64 * MIB, 1, ((0x0062, None),), DOCS + "v5p"),
    Chip("v6e", "TPU v6e (Trillium)", 918e12, 1840e12, 920e12, 32 * GB, 1638e9, 128 * MIB, 1, ((0x006F, None),), DOCS + "v6e"),
    Chip("7x", "TPU7x (Ironwood)", 2307e12, None, 4614e12, 192 * GIB, 7380e9, 2 * 64 * MIB, 2, ((0x0076, None),), DOCS + "tpu7x"),
    Chip("8i", "TPU 8i", 1101e12, None, 8808e12, 309 * GB, 8600e9, 2 * 192 * MIB, 1, ((0x0083, None),), JAX),
    Chip("8t", "TPU 8t", 996e12, None, 5977e12, 231 * GB, 6400e9, 128 * MIB, 1, ((0x007C, None),), JAX),
)


def chip_by_name(name: object) -> Chip | None:
    """Find a generation by the name it has here, in any case, with or without "TPU" before it: v6e, tpu7x; None for what is no name."""
    wanted = str(name).lower().removeprefix("tpu").strip(" -_")
    return next((chip for chip in CHIPS if chip.name == wanted), None)


def chip_by_pci(device: int, subsystem: int | None = None) -> Chip | None:
    """Find a generation by its PCI device id; v2 and v3 share theirs and differ by the subsystem's."""
    return next((chip for chip in CHIPS if (device, subsystem) in chip.pci_ids or (device, None) in chip.pci_ids), None)


# How many bfloat16 products a TPU makes of one float32 product, by its precision; torch_xla.backends.set_mat_mul_precision.
PASSES = {"default": 1, "high": 3, "highest": 6}
GOOGLE = 0x1AE0
UNNAMED_TPU = 0x0056  # a TPU to torch_xla and JAX, without a public name
ACCELERATORS = (0x00, 0x0B, 0x12, 0xFF)  # base classes of the PCI code: none, processor, processing accelerator, unassigned


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
    """Return the TPU that a device of Google's is; the network and the disks of every Compute Engine VM are Google's too.

    A device of an unknown number that says it is an accelerator is a TPU of an unknown generation.
    """
    device = read_id(folder / "device")
    if device not in {known for chip in CHIPS for known, _ in chip.pci_ids} | {UNNAMED_TPU}:
        kind = read_id(folder / "class")
        if device < 0 or kind < 0 or kind >> 16 not in ACCELERATORS:
            return None
    return PciTpu(folder.name, f"0x{device:04x}", chip_by_pci(device, read_id(folder / "subsystem_device")))


def read_id(path: Path) -> int:
    """Read one id of a device; -1 where it is gone, not readable, or no number."""
    try:
        return int(path.read_text("ascii").strip(), 16)
    except (OSError, ValueError):
        return -1
