"""What backends say where their libraries are missing, broken or do not match; stand-ins for the libraries, real workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
