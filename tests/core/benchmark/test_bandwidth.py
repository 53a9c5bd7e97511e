"""Stream and transfer as work: the bytes they count, what they refuse, and that a wrong pass is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.bandwidth import HOST_MEMORIES, STREAMED, Stream, Transfer
from heartbeat_core.benchmark.config import BenchmarkConfig, config_from_json
from heartbeat_core.benchmark.verification import PassCheck
from heartbeat_core.benchmark.workload import Workload
from heartbeat_core.errors import HeartbeatError

sizes = st.integers(1, 2**17)
works = st.one_of(
    st.builds(Stream, sizes, st.sampled_from(STREAMED)),
    st.builds(Transfer, sizes, st.sampled_from(HOST_MEMORIES)),
)


@given(works)
def test_a_run_of_it_survives_json(work: Workload) -> None:
    config = BenchmarkConfig(work, backend="xla")
    assert config_from_json(config.to_json()) == config


@given(sizes, st.sampled_from(STREAMED))
def test_bytes_are_counted_as_stream_does(mib: int, dtype: Any) -> None:
    size = mib * 2**20
    work = Stream(mib, dtype)
    assert [step.bytes for step in work.steps] == [2 * size, 2 * size, 3 * size]
    assert work.bytes == 7 * size
    assert work.flops == 3 * size // (4 if dtype == "float32" else 2)


@given(sizes, st.integers(1, 2**40))
def test_arrays_that_a_cache_could_hold_are_named(mib: int, cache: int) -> None:
    assert bool(Stream(mib).in_cache(cache)) is (mib * 2**20 < 4 * cache)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"workload": Transfer()}, "nothing to transfer"),
        ({"workload": Stream(), "method": "pipelined"}, "pipelined"),
        ({"workload": Transfer(), "backend": "xla", "method": "handbook"}, "handbook"),
    ],
)
def test_what_cannot_be_measured_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(HeartbeatError, match=says) as refused:
        BenchmarkConfig(**values)
    assert refused.value.remedy.startswith("Use --")


@pytest.mark.parametrize("made", [lambda: Stream(0), lambda: Stream(dtype="int8"), lambda: Transfer(host_memory="paged")])  # type: ignore[arg-type]
def test_an_absurd_value_is_refused(made: Any) -> None:
    with pytest.raises(HeartbeatError) as refused:
        made()
    assert refused.value.cause
    assert refused.value.remedy


@pytest.mark.torch
def test_every_element_of_a_pass_is_checked() -> None:
    torch = pytest.importorskip("torch")
    first, second = torch.randn(8, 4096), torch.randn(8, 4096)
    check = PassCheck(lambda a, b: b + 3 * a, second)
    right = torch.add(second, first, alpha=3)
    assert check.error(first, right)[0] < 1e-6
    right[5, -1] += 0.01
    error, row = check.error(first, right)
    assert error > 1e-4
    assert row == 5
    right[2, 0] = float("nan")
    assert check.error(first, right) == (float("inf"), 2)
