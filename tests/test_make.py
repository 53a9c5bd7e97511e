"""``make run`` on a machine that lacks something: one line says what, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OFFLINE = "Failed to establish a new connection: NameResolutionError: Temporary failure in name resolution"
# Pythons that cannot: the first without python3-venv, the others of an environment whose pip fails.
NO_VENV = f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
PIP_FAILS = 'case "$*" in *import*) exit 0;; esac; for _ in 1 2 3; do echo "WARNING: {}" >&2; done; exit 1'


@pytest.fixture
def make(tmp_path: Path) -> Path:
    """Return a folder with what make reads, and nothing installed."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "core/heartbeat_core/benchmark", tmp_path / "core/heartbeat_core/benchmark")
    return tmp_path


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def run(folder: Path, python: str | Path, *before: str) -> list[str]:
    """Run ``make run``, with a command ``before`` it; return what it says on stderr, without make's own last line."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHONPATH"))}
    done = subprocess.run(
        [*before, "make", "run", f"PYTHON={python}"], cwd=folder, capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 2
    return [line for line in done.stderr.splitlines() if not line.startswith("make")]


def test_without_venv_it_names_the_package(make: Path) -> None:
    python = script(make / "python", NO_VENV)
    assert run(make, str(python)) == [f"{python} cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv"]


def test_without_python_it_names_the_package(make: Path) -> None:
    assert run(make, "python-of-nobody") == [
        "There is no python-of-nobody. On Debian and Ubuntu: sudo apt-get install python3 python3-venv"
    ]


def environment(folder: Path, python: str) -> None:
    """Make what make takes for the virtual environment of this folder."""
    script(folder / ".venv/bin/python", python)
    (folder / ".venv/bin/activate").write_text(f'VIRTUAL_ENV="{folder}/.venv"\n')


def test_without_a_network_one_line_says_so(make: Path) -> None:
    environment(make, f"{PIP_FAILS.format(OFFLINE)}")
    (said,) = run(make, sys.executable)
    assert said.startswith("The package index cannot be reached")


def test_another_failure_of_pip_is_shown_as_it_is(make: Path) -> None:
    environment(make, PIP_FAILS.format("No space left on device"))
    assert run(make, sys.executable) == ["WARNING: No space left on device"] * 3


def test_a_folder_that_cannot_be_written_is_named(make: Path) -> None:
    make.chmod(0o555)
    before: tuple[str, ...] = ()
    if os.access(make, os.W_OK):  # root writes everywhere but on a file system that is mounted read-only, here for make alone
        if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
            pytest.skip("root writes everywhere, and may not mount here")
        mounted = 'mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" && cd "$PWD" && exec "$@"'
        before = ("unshare", "--mount", "sh", "-c", mounted, "sh")
    (said,) = run(make, sys.executable, *before)
    assert said == f"{make} cannot be written: copy it into a folder of your own, and run make there."


def test_an_environment_made_in_another_folder_is_made_anew(make: Path) -> None:
    moved = make / "moved here"
    environment(make, "exit 0")
    (make / ".venv/installed").touch()
    shutil.copytree(make, moved, ignore=shutil.ignore_patterns("moved here"))
    python = script(make / "python", f'case "$*" in *--clear*) echo anew >&2; exit 1;; esac; exec {sys.executable} "$@"')
    assert run(moved, python) == ["anew"]
