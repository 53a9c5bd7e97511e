"""The environment of torch_xla, which needs another torch than the dashboard's.

It lies in the user's cache, a folder for each version of Python: ``venv``, ``downloads`` while it is being built, and
``complete.json``, written last. What has no ``complete.json`` for these very packages is unfinished, and built anew
with what pip has kept in ``downloads``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from heartbeat_core.benchmark.process import kill_worker
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.paths import cache_folder, write_whole

SCHEMA = 1
NAME = "xla-2.9-py"
XLA_REQUIREMENTS = (
    "torch",
    "torch_xla[tpu]; python_version < '3.13'",
    "torch_xla; python_version >= '3.13'",  # the libtpu that it asks for ends at Python 3.12: rehearsals on the CPU only
)
PINS = Path(__file__).with_name("xla_packages.txt")  # torch_xla does not say which torch it needs
# Measured for Python 3.11 on x86-64, in bytes. While pip works it holds each download twice, then unpacks it.
DOWNLOAD_BYTES = 4_330_000_000
INSTALLED_BYTES = 7_960_000_000
NEEDED_BYTES = INSTALLED_BYTES + 2 * DOWNLOAD_BYTES
OLDEST, NEWEST = (3, 10), (3, 13)
PATIENCE_S = 600.0  # for the first import, from a cold disk

ABOUT_PYTHON = """
import importlib.util, json, platform, sys
venv = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
print(json.dumps([sys.executable, list(sys.version_info[:2]), platform.system(), platform.machine(), venv]))
"""
ABOUT_TORCH = """
import json, torch, torch_xla
print(json.dumps({"torch": torch.__version__, "torch_xla": torch_xla.__version__}))
"""


@cache
def xla_packages() -> tuple[str, ...]:
    """Return the pins of torch_xla and all it needs."""
    return tuple(PINS.read_text().splitlines())


@dataclass(frozen=True)
class BasePython:
    """The interpreter an environment is made from."""

    executable: str
    version: tuple[int, int]
    system: str
    machine: str
    makes_venvs: bool

    @property
    def short_version(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"

    def check(self) -> None:
        """Raise HeartbeatError where torch_xla 2.9 cannot be installed for this interpreter."""
        if (self.system, self.machine) != ("Linux", "x86_64"):
            raise HeartbeatError(
                f"torch_xla cannot be installed on {self.system} {self.machine}",
                "torch_xla 2.9 is published for Linux on x86-64 only.",
                "Use --backend cpu or accelerator here, or run on a TPU VM.",
                exit_code=3,
            )
        if not OLDEST <= self.version <= NEWEST:
            raise HeartbeatError(
                f"torch_xla cannot be installed for Python {self.short_version}",
                "torch_xla 2.9 is published for Python 3.10 to 3.13; on a TPU it needs 3.10 to 3.12.",
                "Name another interpreter: heartbeat-tui backend install xla --python python3.12",
                exit_code=3,
            )
        if not self.makes_venvs:
            raise HeartbeatError(
                f"{self.executable} cannot make virtual environments",
                "Debian and Ubuntu keep the module venv in a package of its own.",
                f"sudo apt-get install python{self.short_version}-venv",
                exit_code=3,
            )


@dataclass(frozen=True)
class Installed:
    """A finished environment; ``python`` is the interpreter to start a worker with."""

    python: Path
    torch: str
    torch_xla: str


@dataclass(frozen=True)
class XlaEnvironment:
    """The torch_xla environments below ``root``, one for each version of Python that was used."""

    root: Path = field(default_factory=cache_folder)
    packages: tuple[str, ...] = field(default_factory=xla_packages)
    needed_bytes: int = NEEDED_BYTES

    def folder(self, version: str) -> Path:
        return self.root / f"{NAME}{version}"

    def folders(self) -> tuple[Path, ...]:
        """List the environments there are, finished or not: our own Python's first, then the newest."""
        own = self.folder(f"{sys.version_info[0]}.{sys.version_info[1]}")
        return tuple(sorted(self.root.glob(f"{NAME}3.*"), key=lambda path: (path == own, path.name), reverse=True))

    def find(self) -> Path | None:
        """Return the interpreter of a finished environment, None where there is none."""
        finished = (self.read(folder) for folder in self.folders())
        return next((found.python for found in finished if found), None)

    def read(self, folder: Path) -> Installed | None:
        """Return the environment in ``folder``, None unless it was finished with these very packages and its Python is there."""
        python = folder / "venv" / "bin" / "python"
        try:
            said = json.loads((folder / "complete.json").read_bytes())
            if said["schema"] != SCHEMA or said["packages"] != list(self.packages) or not python.exists():
                return None
            return Installed(python, said["torch"], said["torch_xla"])
        except (OSError, ValueError, TypeError, KeyError):
            return None  # half written, of another time, or gone: unfinished

    def install(self, on_line: Callable[[str], None], base: str = sys.executable) -> Installed:
        """Build the environment from the Python ``base``, or return the one that is there.

        ``on_line`` gets what pip says, line by line. Raise HeartbeatError where the platform, the disk, pip or the
        first import forbids it. Whatever ends it early, KeyboardInterrupt too, ends pip as well; the next call goes on.
        """
        python = describe_python(base)
        python.check()
        folder = self.folder(python.short_version)
        if found := self.read(folder):
            return found
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                return self.read(folder) or self.build(folder, python, on_line)
        except OSError as error:
            raise HeartbeatError(f"{folder} cannot be written", str(error), "Correct its permissions, or set XDG_CACHE_HOME.") from error

    def build(self, folder: Path, base: BasePython, on_line: Callable[[str], None]) -> Installed:
        """Build what is unfinished in ``folder``, which is ours alone meanwhile."""
        self.check_space(folder)
        (folder / "complete.json").unlink(missing_ok=True)
        downloads, scratch, pins = folder / "downloads", folder / "scratch", folder / "constraints.txt"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        pins.write_text("".join(f"{line}\n" for line in self.packages))
        python = folder / "venv" / "bin" / "python"
        environ = {**os.environ, "TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        on_line(f"Making {folder / 'venv'} with Python {base.short_version}")
        # --clear: what an interrupted pip left may look installed and not be
        run([base.executable, "-I", "-m", "venv", "--clear", str(folder / "venv")], on_line, environ, "the environment could not be made")
        pip = [str(python), "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off", "--cache-dir", str(downloads)]
        run([*pip, "--constraint", str(pins), *XLA_REQUIREMENTS], on_line, environ, "pip could not install torch_xla")
        on_line("Importing torch and torch_xla for the first time")
        versions = import_torch(python)
        shutil.rmtree(downloads, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
        complete = {"schema": SCHEMA, "packages": list(self.packages), **versions}
        write_whole(folder / "complete.json", json.dumps(complete, indent=1) + "\n")
        (folder / "complete.json").chmod(0o644)  # a cache may be shared
        return Installed(python, versions["torch"], versions["torch_xla"])

    def check_space(self, folder: Path) -> None:
        """Raise HeartbeatError where the disk has no room, counting what an unfinished install already holds."""
        needed = self.needed_bytes - folder_bytes(folder)
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise HeartbeatError(
                f"{in_gb(needed)} of disk are needed, {in_gb(free)} are free",
                f"The environment goes to {folder}.",
                "Free some space, or set XDG_CACHE_HOME to a folder on a larger disk.",
                exit_code=3,
            )

    def remove(self) -> tuple[Path, ...]:
        """Delete every environment, finished or not, and return which there were."""
        folders = self.folders()
        for folder in folders:
            try:
                with locked(folder):
                    (folder / "complete.json").unlink(missing_ok=True)  # first: what is half deleted is not to be found
                    shutil.rmtree(folder)
            except OSError as error:
                raise HeartbeatError(f"{folder} cannot be deleted", str(error), "Correct its permissions, or delete it by hand.") from error
        return folders


def describe_python(python: str) -> BasePython:
    """Ask an interpreter what it is; raise HeartbeatError where it is none."""
    try:
        answer = subprocess.run([python, "-I", "-c", ABOUT_PYTHON], capture_output=True, text=True, timeout=60, check=True)
        executable, version, system, machine, makes_venvs = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise HeartbeatError(f"{python} is no Python to build on", str(error), "Give --python the path of one.") from error
    return BasePython(executable, (version[0], version[1]), system, machine, makes_venvs)


def import_torch(python: Path) -> dict[str, str]:
    """Import torch and torch_xla once, in a child that touches no TPU; return their versions or raise HeartbeatError."""
    command = [str(python), "-I", "-c", ABOUT_TORCH]
    environ = {**os.environ, "PJRT_DEVICE": "CPU"}
    title, remedy = "torch_xla was installed and cannot be imported", "heartbeat-tui backend remove xla, then install it again."
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=True, env=environ)
        versions: dict[str, str] = json.loads(answer.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise HeartbeatError(title, "\n".join(error.stderr.splitlines()[-5:]), remedy, exit_code=3) from error
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise HeartbeatError(title, str(error), remedy, exit_code=3) from error
    return versions


def run(command: list[str], on_line: Callable[[str], None], environ: Mapping[str, str], title: str) -> None:
    """Run a command line by line; raise HeartbeatError with its last lines where it fails, and never leave it behind."""
    last: deque[str] = deque(maxlen=8)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(environ),
        start_new_session=True,  # so that its own children end with it
    ) as child:
        try:
            for line in child.stdout or ():
                if line.strip():
                    last.append(line.strip())
                    on_line(line.strip())
            code = child.wait()
        finally:
            kill_worker(child)  # by force: pip has nothing to put in order, what is half done is made anew
            child.wait()
    if code:
        raise HeartbeatError(title, "\n".join(last), "Correct that, then run the same command again.", exit_code=3)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` alone; raise HeartbeatError where another process does."""
    import fcntl  # here: there is none on Windows, where this module must still import

    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeartbeatError(
                "another install is going on", f"It holds {folder}.", "Wait for it to end, or end it.", exit_code=3
            ) from error
        yield


def folder_bytes(folder: Path) -> int:
    """Count what a folder takes on disk, links not followed."""
    return sum(Path(parent, name).lstat().st_blocks * 512 for parent, _, names in os.walk(folder) for name in names)


def in_gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
