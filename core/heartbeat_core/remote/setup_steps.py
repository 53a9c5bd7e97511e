"""What set-up brings to a TPU VM, as data: each step a question whether it is there, and the commands that bring it."""

from __future__ import annotations

from dataclasses import dataclass

from heartbeat_core.benchmark.xla_environment import NEEDED_BYTES, XLA_PACKAGES, XLA_REQUIREMENTS

Argv = tuple[str, ...]

PYTHON_FITS = "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))"
# argv: the folder, the bytes that are needed, those that an environment in it takes already
HAS_ROOM = """
import os, shutil, sys
folder, needed = sys.argv[1], int(sys.argv[2])
os.makedirs(folder, exist_ok=True)
held = sum(os.lstat(os.path.join(at, name)).st_blocks * 512 for at, _, names in os.walk(folder) for name in names)
free = shutil.disk_usage(folder).free
print(f"{free / 1e9:.1f} GB free, {held / 1e9:.1f} GB here already, {needed / 1e9:.1f} GB needed in all")
sys.exit(free + held < needed)
"""
HAS_OPENBLAS = "import ctypes.util, sys; sys.exit(not ctypes.util.find_library('openblas'))"
MAKES_VENVS = "import ensurepip, venv"
# argv: pins, name==version
HAS_PINS = """
import sys
from importlib.metadata import PackageNotFoundError, version
for pin in sys.argv[1:]:
    name, _, wanted = pin.partition("==")
    try:
        found = version(name).partition("+")[0]
    except PackageNotFoundError:
        found = "none"
    if found != wanted:
        sys.exit(f"{name}: {found}, not {wanted}")
"""
APT = ("sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
PAIR = tuple(pin for pin in XLA_PACKAGES if pin.partition("==")[0] in ("torch", "torch-xla", "libtpu"))


@dataclass(frozen=True)
class Step:
    """One thing to be brought; ``check`` exits 0 where it is there, without one the commands run every time.

    A step without commands is a condition that only people can meet. ``problem`` and ``remedy`` are for a failure nobody knows.
    """

    name: str
    title: str
    check: Argv | None = None
    commands: tuple[Argv, ...] = ()
    problem: str = ""
    remedy: str = ""


def tpu_steps(folder: str) -> tuple[Step, ...]:
    """Give the steps for a TPU VM, whose things go into ``folder``: system packages, then torch and torch_xla of their own."""
    python = f"{folder}/venv/bin/python"
    return (
        Step(
            "python",
            "Python 3.10 to 3.12, which torch_xla 2.9 needs on a TPU",
            check=("python3", "-c", PYTHON_FITS),
            problem="the Python of the TPU VM does not fit",
            remedy="Create the VM with the runtime for its accelerator: the images of v2-alpha-tpuv6e and its like have Python 3.10.",
        ),
        Step(
            "space",
            "room on the disk",
            check=("python3", "-c", HAS_ROOM, folder, str(NEEDED_BYTES)),
            problem="the disk of the TPU VM is too full",
            remedy="Free some space (df -h shows where), or set remote.folder to a larger disk.",
        ),
        Step(
            "openblas",
            "OpenBLAS, which torch_xla needs and the image lacks",
            check=("python3", "-c", HAS_OPENBLAS),
            commands=((*APT, "update"), (*APT, "install", "-y", "--no-install-recommends", "libopenblas0")),
            problem="OpenBLAS could not be installed",
            remedy="Install it by hand in a shell there: sudo apt-get install libopenblas0",
        ),
        Step(
            "venv",
            "Python's module venv",
            check=("python3", "-c", MAKES_VENVS),
            commands=((*APT, "update"), (*APT, "install", "-y", "--no-install-recommends", "python3-venv")),
            problem="Python's module venv could not be installed",
            remedy="Install it by hand in a shell there: sudo apt-get install python3-venv",
        ),
        Step(
            "environment",
            "an environment of its own",
            check=(python, "-c", MAKES_VENVS),
            commands=(("python3", "-I", "-m", "venv", "--clear", f"{folder}/venv"),),
            problem="the environment could not be made",
            remedy=f"Remove {folder}/venv there, and run it again.",
        ),
        Step(
            "torch",
            "torch and torch_xla for the TPU, 4.3 GB to download",
            check=(python, "-c", HAS_PINS, *PAIR),
            commands=(
                (python, "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off", "--disable-pip-version-check",
                 "--cache-dir", f"{folder}/downloads", *XLA_REQUIREMENTS, *XLA_PACKAGES),
                ("rm", "-rf", f"{folder}/downloads"),  # kept until then, for whatever interrupts pip
            ),
            problem="pip could not install torch_xla",
            remedy="Mend that, then run the same command again: what is there is kept.",
        ),
    )  # fmt: skip
