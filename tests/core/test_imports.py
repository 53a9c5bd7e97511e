"""Every module of the engine can be imported alone, and cheaply: no terminal, no torch, NumPy only where it is promised."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import heartbeat_core

ROOT = Path(heartbeat_core.__file__).parent
NEVER = {"heartbeat_tui", "matplotlib", "rich", "textual", "torch", "torch_xla"}
# These compute with NumPy and are themselves imported only when there is something to compute.
NUMERIC = {f"heartbeat_core.benchmark.{name}" for name in ("effective_samples", "statistics", "steady_state")}
# These run under another Python, which has the standard library and torch alone.
WORKERS = {f"heartbeat_core.benchmark.{name}" for name in ("worker", "timing", "verification", "protocol", "config", "tpu_chips")}
READER = "heartbeat_core.telemetry.reader"
# Tells what Python itself has loaded here, such as an editable install's finder; then imports each module in a child of its own, for a
# start of Python takes longer than most imports. A child that fails says so in the place of what it loaded. What most of our modules
# import of Python's own is imported once, before.
IMPORT = """
import os, sys
import asyncio, concurrent.futures, dataclasses, http.client, json, logging, subprocess, tempfile, typing, urllib.request
def loaded(): return " ".join({name.partition(".")[0] for name in sys.modules})
print("", loaded(), flush=True)
for module in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    try:
        __import__(module)
        said = loaded()
    except BaseException as error:
        said = f"FAILED {error!r}"
    print(module, said, flush=True)
    os._exit(0)
"""


def modules() -> Iterator[str]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def feature_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("feature", sorted({feature_of(module) for module in modules()}))
def test_every_module_imports_alone_and_brings_nothing_heavy(feature: str) -> None:
    wanted = [module for module in modules() if feature_of(module) == feature]
    command = [sys.executable, "-c", IMPORT, *wanted]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    loaded = {module: set(said.split()) for module, _, said in (line.partition(" ") for line in lines)}
    at_start = loaded.pop("")
    assert [module for module in wanted if "FAILED" in loaded.get(module, {"FAILED"})] == []
    assert {module: found & NEVER for module, found in loaded.items() if found & NEVER} == {}
    assert {module for module, found in loaded.items() if "numpy" in found} <= NUMERIC
    lean = {module for module in wanted if module in WORKERS | {READER} or module.startswith("heartbeat_core.benchmark.backends")}
    own = sys.stdlib_module_names | at_start | {"heartbeat_core"}
    assert {module: loaded[module] - own for module in lean if loaded[module] - own} == {}


def test_the_numeric_and_the_workers_modules_exist() -> None:
    assert set(modules()) >= NUMERIC | WORKERS | {READER}
