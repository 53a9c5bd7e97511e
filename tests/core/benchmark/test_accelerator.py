"""The accelerator backend, on a torch that sees none, and on stand-ins for torch that see one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from heartbeat_core.benchmark.backends.accelerator import AcceleratorBackend
from heartbeat_core.benchmark.backends.base import BackendUnavailable
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError


class FakeTorch(SimpleNamespace):
    """A torch with one accelerator, which notes what is asked of it."""

    def __init__(self, kind: str, **more: Any) -> None:
        self.asked: list[str] = []
        super().__init__(
            __version__="2.13.0",
            matmul=lambda *_operands: self.asked.append("matmul"),
            set_float32_matmul_precision=self.asked.append,
            accelerator=SimpleNamespace(
                is_available=lambda: True,
                current_accelerator=lambda: SimpleNamespace(type=kind),
                synchronize=lambda: self.asked.append("synchronize"),
            ),
            **more,
        )


@pytest.fixture
def with_torch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], AcceleratorBackend]:
    def make(torch: Any) -> AcceleratorBackend:
        monkeypatch.setitem(sys.modules, "torch", torch)
        return AcceleratorBackend()

    return make


def cuda(**more: Any) -> FakeTorch:
    properties = SimpleNamespace(L2_cache_size=50 * 2**20)
    device = SimpleNamespace(get_device_name=lambda: "H200", mem_get_info=lambda: (7, 9), get_device_properties=lambda: properties)
    return FakeTorch("cuda", cuda=device, **more)


@pytest.mark.torch
def test_a_torch_without_an_accelerator_says_so(begin: Callable[..., Run], small: Callable[..., BenchmarkConfig]) -> None:
    torch = pytest.importorskip("torch")
    if torch.accelerator.is_available():
        pytest.skip("there is an accelerator here")
    run = begin(small(backend="accelerator"))
    assert run.wait(60)
    assert run.ending is not None
    assert (run.ending.kind, run.ending.exit_code) == ("unavailable", 3)
    assert "no accelerator" in run.ending.title
    assert "--backend cpu" in run.ending.remedy


def test_a_torch_too_old_to_know_of_accelerators_is_no_crash(with_torch: Callable[[Any], AcceleratorBackend]) -> None:
    with pytest.raises(BackendUnavailable, match="no accelerator"):
        with_torch(SimpleNamespace(__version__="2.1", matmul=None)).open(BenchmarkConfig())


@pytest.mark.parametrize(
    ("precision", "asked", "told"),
    [("default", "highest", "full float32"), ("high", "high", "float32 in TF32 (high)"), ("highest", "highest", "full float32")],
)
def test_the_precision_of_cuda_is_set_and_shown(
    with_torch: Callable[[Any], AcceleratorBackend], precision: Any, asked: str, told: str
) -> None:
    torch = cuda()
    found = with_torch(torch).open(BenchmarkConfig(precision=precision))
    assert torch.asked == [asked]
    assert found["precision"] == told
    assert found["hardware"] == "H200"
    assert found["chip"] is None


def test_a_device_without_a_choice_of_precision_refuses_one(with_torch: Callable[[Any], AcceleratorBackend]) -> None:
    backend = with_torch(FakeTorch("mps"))
    with pytest.raises(HeartbeatError, match="no precision 'high'"):
        backend.open(BenchmarkConfig(precision="high"))
    assert backend.open(BenchmarkConfig())["hardware"] == "MPS"
    assert backend.open(BenchmarkConfig(MatMul(dtype="bfloat16")))["precision"] == "bfloat16"


def test_every_iteration_is_waited_for_and_split(with_torch: Callable[[Any], AcceleratorBackend]) -> None:
    torch = cuda()
    backend = with_torch(torch)
    backend.open(BenchmarkConfig())
    backend.operands, backend.compute = ("inputs", "weights"), torch.matmul
    torch.asked.clear()
    total, dispatch, wait = backend.iterate()
    assert torch.asked == ["matmul", "synchronize"]
    assert total == dispatch + wait
    assert len(backend.parts) == 2


def test_the_memory_is_the_devices_own(with_torch: Callable[[Any], AcceleratorBackend]) -> None:
    backend = with_torch(cuda())
    backend.open(BenchmarkConfig())
    assert backend.device_memory() == 7
    other = with_torch(FakeTorch("mps"))
    other.open(BenchmarkConfig())
    assert other.device_memory() is None


def test_the_memory_that_cuda_tells_of_is_the_drivers_word(with_torch: Callable[[Any], AcceleratorBackend]) -> None:
    torch = cuda()
    torch.accelerator.current_accelerator = lambda: SimpleNamespace(type="cuda", index=None)
    backend = with_torch(torch)
    backend.open(BenchmarkConfig())
    assert backend.chip_reading() == ChipReading(0, 2, 9, None)
    others = with_torch(FakeTorch("mps"))
    others.open(BenchmarkConfig())
    assert others.chip_reading() is None
