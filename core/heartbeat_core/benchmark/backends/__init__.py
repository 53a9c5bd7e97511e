"""The backends, each imported only when chosen."""

from __future__ import annotations

from importlib import import_module

from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.config import BackendName

CLASSES: dict[BackendName, str] = {"cpu": "CpuBackend", "xla": "XlaBackend", "accelerator": "AcceleratorBackend"}


def load_backend(name: BackendName) -> Backend:
    """Import a backend with its libraries; raise BackendUnavailable where they are missing."""
    module = import_module(f"heartbeat_core.benchmark.backends.{name}")
    backend: Backend = getattr(module, CLASSES[name])()
    return backend
