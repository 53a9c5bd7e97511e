"""The bundle that is sent to a host: what a worker and its supervisor need, in a folder named after its contents."""

from __future__ import annotations

import functools
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import heartbeat_core

NOT_SET_UP, TOO_OLD = 90, 91  # exit codes of UNPACK
KEPT_S = 86400  # for so long an engine stays that is not used
# Runs under whatever python3 the machine has, 3.6 upwards: folder, digest, and the interpreter that must be there, if any. What
# is half unpacked has another name; of two that unpack at the same time the later one finds it done. Other engines are removed if
# they were not used for a day and no process names them; a run that starts now has just touched its own.
UNPACK = f"""
import glob, io, os, shutil, subprocess, sys, tarfile, tempfile, time
folder, digest, python = sys.argv[1:4]
data = sys.stdin.buffer.read()
home = os.path.join(folder, "engine-" + digest)
if not os.path.isdir(home):
    os.makedirs(folder, exist_ok=True)
    part = tempfile.mkdtemp(prefix="engine-part-", dir=folder)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            path = os.path.join(part, *member.name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(tar.extractfile(member).read())
    try:
        os.rename(part, home)
    except OSError:
        shutil.rmtree(part)
        if not os.path.isdir(home):
            raise
os.utime(home)
named = b""
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        with open(path, "rb") as file:
            named += file.read()
    except OSError:
        pass
for other in glob.glob(os.path.join(folder, "engine-*")):
    try:
        old = os.stat(other).st_mtime < time.time() - {KEPT_S}
    except OSError:
        continue
    if old and named and other.rpartition("engine-")[2].encode() not in named:
        shutil.rmtree(other, ignore_errors=True)
if python and not os.access(python, os.X_OK):
    sys.exit({NOT_SET_UP})
fits = "import sys; sys.exit({TOO_OLD} if sys.version_info < (3, 10) else 0)"
if python and subprocess.call([python, "-c", fits]) == {TOO_OLD}:
    sys.exit({TOO_OLD})
"""


@dataclass(frozen=True)
class WorkerBundle:
    """A tar of the part of heartbeat_core that a worker needs."""

    digest: str
    data: bytes

    def package(self, folder: str) -> str:
        """Return the path of the package on a host whose files are in ``folder``."""
        return f"{folder}/engine-{self.digest}/heartbeat_core"

    def command(self, folder: str, python: str = "") -> tuple[str, ...]:
        """Return the command that reads the tar on its stdin; it ends with NOT_SET_UP if there is no ``python``."""
        return ("python3", "-c", UNPACK, folder, self.digest, python)


@functools.cache
def pack() -> WorkerBundle:
    """Pack the engine, the same bytes every time."""
    own = Path(heartbeat_core.__file__).parent
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        fleet = (own / "fleet" / name for name in ("__init__.py", "model.py", "ray_host.py"))
        benchmark = sorted(path for path in (own / "benchmark").rglob("*") if path.suffix in (".py", ".txt"))  # with its tables
        shared = (own / f"{name}.py" for name in ("__init__", "errors", "paths", "units"))
        for path in (*shared, *benchmark, *fleet):
            data = path.read_bytes()
            entry = tarfile.TarInfo(f"heartbeat_core/{path.relative_to(own).as_posix()}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return WorkerBundle(hashlib.sha256(buffer.getvalue()).hexdigest()[:16], buffer.getvalue())
