"""The torch_xla environment: built, found, interrupted, gone on with, refused and removed, with tiny wheels in torch's place."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark import xla_environment as environments
from heartbeat_core.benchmark.xla_environment import BasePython, XlaEnvironment, describe_python, xla_packages
from heartbeat_core.errors import HeartbeatError

PROJECT = Path(__file__).parents[3]
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
PINS = ("torch==2.9.1", "torch-xla==2.9.0")
LINUX = sys.platform == "linux"

pytestmark = pytest.mark.skipif(not LINUX, reason="torch_xla is published for Linux only")


def pins_of(file: str) -> list[str]:
    lines = (PROJECT / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def write_wheel(folder: Path, name: str, version: str, code: str) -> None:
    """Write the smallest wheel pip takes: one module of code."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: tpu\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make pip take its packages from a folder and from nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder, "torch", "2.9.1", "__version__ = '2.9.1+tiny'\n")
    write_wheel(folder, "torch_xla", "2.9.0", "import torch\n__version__ = '2.9.0'\nprint('chatter')\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def venv_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``install`` put this Python's own pip into the environment it makes: to bring one takes seconds. All that follows is real."""
    run = environments.run
    pip = importlib.util.find_spec("pip")
    assert pip is not None
    assert pip.origin is not None
    own_pip = Path(pip.origin).parent

    def carry_out(command: list[str], *rest: Any) -> None:
        if command[2:4] != ["-m", "venv"]:
            return run(command, *rest)
        run([*command[:4], "--without-pip", *command[4:]], *rest)
        (packages,) = Path(command[-1]).glob("lib/python*/site-packages")
        (packages / "pip").symlink_to(own_pip)
        return None

    monkeypatch.setattr(environments, "run", carry_out)


@pytest.fixture
def environment(tmp_path: Path) -> XlaEnvironment:
    """An environment below a folder whose name has a space in it."""
    return XlaEnvironment(tmp_path / "the cache", packages=PINS, needed_bytes=1)


def ignore(line: str) -> None:
    """Take a line of pip's and do nothing with it."""


@pytest.mark.usefixtures("wheels")
def test_an_environment_is_built_found_kept_and_removed(environment: XlaEnvironment) -> None:
    lines: list[str] = []
    assert environment.find() is None
    assert environment.remove() == ()

    installed = environment.install(lines.append)
    folder = environment.folder(HERE)
    assert (installed.torch, installed.torch_xla) == ("2.9.1+tiny", "2.9.0")
    assert any("Successfully installed" in line for line in lines)
    assert environment.find() == installed.python == folder / "venv" / "bin" / "python"
    assert sorted(path.name for path in folder.iterdir()) == ["complete.json", "constraints.txt", "lock", "venv"]
    version = subprocess.run([installed.python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=True)
    assert version.stdout == "2.9.1+tiny\n"

    lines.clear()
    assert environment.install(lines.append) == installed
    assert lines == []

    assert replace(environment, packages=("torch==2.9.2",)).find() is None, "other pins: not this environment"
    assert environment.remove() == (folder,)
    assert environment.find() is None


@pytest.mark.usefixtures("wheels", "venv_at_once")
def test_an_interrupted_install_ends_pip_and_is_gone_on_with(environment: XlaEnvironment) -> None:
    def interrupt(line: str) -> None:
        if line.startswith(("Looking in links", "Processing")):
            raise KeyboardInterrupt

    children: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            children.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("subprocess.Popen", Recorded)
        with pytest.raises(KeyboardInterrupt):
            environment.install(interrupt)
    assert [child.poll() is not None for child in children] == [True] * len(children)
    assert len(children) == 3, "asked what Python it is, made the environment, started pip"
    assert children[-1].returncode < 0, "pip was ended by a signal"
    assert environment.find() is None
    assert environment.folders() == (environment.folder(HERE),)
    assert environment.install(ignore).python == environment.find()


@pytest.mark.usefixtures("venv_at_once")
def test_what_pip_says_is_the_cause_of_its_failure(environment: XlaEnvironment, wheels: Path) -> None:
    (wheels / "torch_xla-2.9.0-py3-none-any.whl").unlink()
    with pytest.raises(HeartbeatError, match="pip could not install torch_xla") as caught:
        environment.install(ignore)
    said = ("No matching distribution found for torch", "Cannot install torch_xla")  # pip's words change with its version
    assert any(words in caught.value.cause for words in said)
    assert caught.value.exit_code == 3
    assert environment.find() is None


@pytest.mark.usefixtures("venv_at_once")
def test_a_torch_that_cannot_be_imported_is_no_environment(environment: XlaEnvironment, wheels: Path) -> None:
    write_wheel(wheels, "torch_xla", "2.9.0", "raise ImportError('undefined symbol: _ZN5torch')\n")
    with pytest.raises(HeartbeatError, match="cannot be imported") as caught:
        environment.install(ignore)
    assert "undefined symbol: _ZN5torch" in caught.value.cause
    assert environment.find() is None


def test_the_room_needed_is_known_before_anything_is_made(environment: XlaEnvironment) -> None:
    with pytest.raises(HeartbeatError, match=r"1000000\.0 GB of disk are needed, .* GB are free"):
        replace(environment, needed_bytes=10**15).install(ignore)
    assert not (environment.folder(HERE) / "venv").exists()


def test_two_installs_at_once_are_refused(environment: XlaEnvironment) -> None:
    folder = environment.folder(HERE)
    folder.mkdir(parents=True)
    with environments.locked(folder), pytest.raises(HeartbeatError, match="another install is going on"):
        environment.install(ignore)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}', '{"schema": 2, "packages": []}', "\x00"])
def test_a_damaged_note_is_no_environment(environment: XlaEnvironment, text: str) -> None:
    folder = environment.folder(HERE)
    folder.mkdir(parents=True)
    (folder / "complete.json").write_text(text)
    assert environment.find() is None


def test_an_environment_without_its_python_is_none(environment: XlaEnvironment, tmp_path: Path) -> None:
    binaries = environment.folder(HERE) / "venv" / "bin"
    binaries.mkdir(parents=True)
    note = {"schema": 1, "packages": list(PINS), "torch": "2.9.1", "torch_xla": "2.9.0"}
    (environment.folder(HERE) / "complete.json").write_text(json.dumps(note))
    (binaries / "python").symlink_to(tmp_path / "python-since-removed")
    assert environment.find() is None
    (tmp_path / "python-since-removed").touch()
    assert environment.find() == binaries / "python"


def test_our_own_pythons_environment_is_found_first(environment: XlaEnvironment) -> None:
    for version in ("3.9", HERE, "3.99"):
        environment.folder(version).mkdir(parents=True)
    assert environment.folders()[0] == environment.folder(HERE)


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (BasePython("python", (3, 12), "Darwin", "arm64", True), "cannot be installed on Darwin arm64"),
        (BasePython("python", (3, 12), "Linux", "aarch64", True), "cannot be installed on Linux aarch64"),
        (BasePython("python", (3, 14), "Linux", "x86_64", True), "cannot be installed for Python 3.14"),
        (BasePython("python", (3, 9), "Linux", "x86_64", True), "cannot be installed for Python 3.9"),
        (BasePython("python", (3, 11), "Linux", "x86_64", False), "sudo apt-get install python3.11-venv"),
    ],
)
def test_where_torch_xla_is_not_published_is_said(base: BasePython, said: str) -> None:
    with pytest.raises(HeartbeatError) as caught:
        base.check()
    assert said in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("python", ["/nonexistent/python", "/bin/true", "/bin/false"])
def test_what_is_no_python_is_refused(python: str) -> None:
    with pytest.raises(HeartbeatError, match="is no Python to build on"):
        describe_python(python)


def test_this_python_is_described() -> None:
    base = describe_python(sys.executable)
    assert base.version == sys.version_info[:2]
    assert base.makes_venvs


def test_the_pins_are_those_of_the_constraints() -> None:
    """One set of versions, on a TPU VM by make run and here; only torch differs from the dashboard's own."""
    tpu, cpu, own = pins_of("constraints-tpu.txt"), pins_of("constraints.txt"), xla_packages()
    assert tuple(tpu[: len(own)]) == own
    assert set(cpu) - set(tpu) == {"torch==2.13.0"}
    assert set(tpu) - set(cpu) <= set(own)
