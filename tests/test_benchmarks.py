"""The scripts of benchmarks/ import, so that a name that has moved is seen without measuring for 12 minutes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEED_TORCH = {"handbook_cpu"}


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_each_benchmark_imports(name: str) -> None:
    if name in NEED_TORCH:
        pytest.importorskip("torch")
    importlib.import_module(f"benchmarks.{name}")
