"""The table of backends: one row each, and nothing else in the tree asks for a backend by its name.

A new backend is a row here and, where an existing class does not fit, one file beside this one.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple


class BackendInfo(NamedTuple):
    """What the program knows of a backend without importing its libraries.

    A named tuple, no dataclass: ``--help`` reads the names, and dataclasses cost 8 ms to import.
    """

    name: str  # of --backend, in settings and in recordings
    implementation: str  # "module:Class", imported when a run needs it
    label: str  # the device, in a sentence: "torch's accelerator"
    package: str = "torch"  # the module without which it cannot run
    environment: str = ""  # "module:Class" of the environment that `backend install` builds, empty where it runs under our own Python
    needs_tpu: bool = False  # made for a TPU: chosen by "auto" where there is one, and on a TPU VM
    host_only: bool = False  # computes on the host's processor: no chip is looked at
    rehearsal: str = ""  # what a run without a TPU is called
    fence: str = ""  # what waits for the device


ROWS = (
    BackendInfo(
        "cpu",
        "heartbeat_core.benchmark.backends.cpu:CpuBackend",
        label="the CPU",
        host_only=True,
        fence="none: the call returns when the product is done",
    ),
    BackendInfo(
        "xla",
        "heartbeat_core.benchmark.backends.xla:XlaBackend",
        label="torch_xla's device",
        package="torch_xla",
        environment="heartbeat_core.benchmark.xla_environment:XlaEnvironment",
        needs_tpu=True,
        rehearsal="torch_xla on the CPU (a rehearsal)",
        fence="torch_xla.sync(), then xm.wait_device_ops()",
    ),
    BackendInfo(
        "accelerator",
        "heartbeat_core.benchmark.backends.accelerator:AcceleratorBackend",
        label="torch's accelerator",
        fence="torch.accelerator.synchronize()",
    ),
)
BACKENDS: dict[str, BackendInfo] = {row.name: row for row in ROWS}


def host_backend() -> BackendInfo:
    """Return the backend of the host's own processor."""
    return next(info for info in BACKENDS.values() if info.host_only)


def tpu_backend() -> BackendInfo:
    """Return the backend that is chosen where there is a TPU."""
    return next(info for info in BACKENDS.values() if info.needs_tpu)


def load(reference: str) -> type:
    """Import the class that "module:Class" names."""
    module, _, name = reference.partition(":")
    found: type = getattr(import_module(module), name)
    return found
