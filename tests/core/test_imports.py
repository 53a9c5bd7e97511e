"""Every module of the engine can be imported alone, and cheaply: no terminal, no torch, NumPy only where it is promised."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import heartbeat_core

ROOT = Path(heartbeat_core.__file__).parent
NEVER = {"heartbeat_tui", "rich", "textual", "torch", "torch_xla"}
# These compute with NumPy and are themselves imported only when there is something to compute.
NUMERIC = {"heartbeat_core.benchmark.statistics"}
# These run under another Python, which has the standard library and torch alone.
WORKERS = {f"heartbeat_core.benchmark.{name}" for name in ("worker", "timing", "verification", "protocol", "config", "tpu_chips")}
READER = "heartbeat_core.telemetry.reader"
IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*{name.partition('.')[0] for name in sys.modules})"


def modules() -> Iterator[str]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_alone_and_brings_nothing_heavy(module: str) -> None:
    command = [sys.executable, "-c", IMPORT, module]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & NEVER
    assert module in NUMERIC or "numpy" not in loaded
    if module in WORKERS | {READER} or module.startswith("heartbeat_core.benchmark.backends"):
        assert not loaded - sys.stdlib_module_names - {"heartbeat_core", *at_start()}


def at_start() -> set[str]:
    """Name what Python itself loads here before any import of ours, such as an editable install's finder."""
    command = [sys.executable, "-c", "import sys; print(*{name.partition('.')[0] for name in sys.modules})"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_numeric_and_the_workers_modules_exist() -> None:
    assert set(modules()) >= NUMERIC | WORKERS | {READER}
