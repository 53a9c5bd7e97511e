"""What backends say where their libraries are missing, broken or do not match; stand-ins for the libraries, real workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from heartbeat_core.benchmark.backends import cpu
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Run

LONG_S = 60.0  # far more than any of this takes
Begin = Callable[..., Run]
Small = Callable[..., BenchmarkConfig]


def test_without_torch_the_backend_is_unavailable_and_says_how_to_get_it(
    begin: Begin, small: Small, fake_torch: Callable[..., None]
) -> None:
    fake_torch(torch="raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    run = begin(small())
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert (run.ending.kind, run.ending.exit_code) == ("unavailable", 3)
    assert run.ending.title == "torch is not installed for this Python"
    assert "pip install torch" in run.ending.remedy


@pytest.mark.parametrize("failure", ["ImportError('libtorch.so: undefined symbol')", "OSError('libgomp.so.1: cannot open shared object')"])
def test_a_broken_torch_is_not_called_missing(begin: Begin, small: Small, fake_torch: Callable[..., None], failure: str) -> None:
    fake_torch(torch=f"raise {failure}")
    run = begin(small())
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert run.ending.kind == "unavailable"
    assert "cannot be imported" in run.ending.title
    assert ".so" in run.ending.cause


def test_torch_and_torch_xla_of_different_releases_are_refused(
    begin: Begin, small: Small, fake_torch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_torch(
        torch="__version__ = '2.13.0'\ndef matmul(): ...",
        torch_xla="__version__ = '2.9.0'\ndef sync(): ...",
        **{
            "torch_xla/core/xla_model": "def wait_device_ops(): ...",
            "torch_xla/core": "",
            "torch_xla/debug": "",
            "torch_xla/debug/metrics": "",
        },
    )
    run = begin(small(backend="xla"))
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert (run.ending.kind, run.ending.exit_code) == ("unavailable", 3)
    assert run.ending.title == "torch 2.13.0 does not match torch_xla 2.9.0"
    assert "heartbeat-tui backend install xla" in run.ending.remedy


def test_a_wrong_pair_is_named_before_its_import_fails(begin: Begin, small: Small, fake_torch: Callable[..., None], tmp_path: Path) -> None:
    fake_torch(torch="__version__ = '2.13.0'", torch_xla="raise ImportError('undefined symbol: _ZN5torch')")
    metadata = tmp_path / "modules" / "torch_xla-2.9.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: torch_xla\nVersion: 2.9.0\n")
    run = begin(small(backend="xla"))
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert run.ending.title == "torch 2.13.0 does not match torch_xla 2.9.0"


def test_a_tpu_that_is_not_there_is_refused_before_anything_is_imported(
    begin: Begin, small: Small, fake_torch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_torch(torch="raise AssertionError('torch was imported')")
    monkeypatch.setenv("PJRT_DEVICE", "TPU")
    run = begin(small(backend="xla"))
    assert run.wait(LONG_S)
    assert run.ending is not None
    assert (run.ending.kind, run.ending.exit_code) == ("unavailable", 3)
    assert run.ending.title == "there is no TPU on this machine"
    assert "PJRT_DEVICE" in run.ending.remedy


@pytest.mark.parametrize(("quota", "asked", "threads"), [(1.5, None, 1), (0.5, None, 1), (None, None, 8), (16.0, None, 8), (1.5, 4, 4)])
def test_a_container_gets_as_many_threads_as_its_quota_grants(
    small: Small, monkeypatch: pytest.MonkeyPatch, quota: float | None, asked: int | None, threads: int
) -> None:
    torch = MagicMock(__version__="2.9", **{"get_num_threads.return_value": 8})
    torch.set_num_threads.side_effect = lambda number: setattr(torch.get_num_threads, "return_value", number)
    monkeypatch.setattr(cpu, "cpu_quota", lambda: quota)
    monkeypatch.setattr(cpu, "import_torch", lambda: torch)
    assert cpu.CpuBackend().open(small(threads=asked))["threads"] == threads
