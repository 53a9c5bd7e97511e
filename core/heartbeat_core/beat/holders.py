"""Which files the TPU's chips have below /dev, and who holds them, read from /proc alone. Standard library only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOCK = Path("tmp/libtpu_lockfile")
LONGEST_COMMAND = 80
OUR_WORKER = b"heartbeat_core.beat.worker"
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


def users_of(root: Path, devices: Iterable[Path]) -> tuple[Holder, ...]:
    """Find the processes that hold one of ``devices`` open or libtpu's lock; those that may not be looked into are left out."""
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
    """Find who holds libtpu's lock: that its file exists proves nothing, and /proc/locks is everybody's to read."""
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
        words = line.replace(b"\0", b" ").decode("utf-8", "replace").split()
        command = "a heartbeat of heartbeat-tui" if OUR_WORKER in line else " ".join(words)[:LONGEST_COMMAND] or command
    return Holder(pid, owner, command, held)


def metrics_ports(root: Path, pid: int) -> tuple[int, ...]:
    """Read from a process's environment which ports libtpu was told to serve its metrics on, where it was and is ours to see."""
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
    """Count the processes whose open files are not ours to see; threads of the kernel have none."""
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
