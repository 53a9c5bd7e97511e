from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.parameters import Parameter, grid, in_words, parse_axes, parse_axis, parse_candidate, value_of, varied
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("batch=1,2,4,…,64", (1, 2, 4, 8, 16, 32, 64)),
        ("batch=1,2,4,...,64", (1, 2, 4, 8, 16, 32, 64)),
        ("batch=1..64", (1, 2, 4, 8, 16, 32, 64)),
        ("batch=3..20", (3, 6, 12, 20)),  # the last one is always among them
        ("batch=7..7", (7,)),
        ("batch=1,…,8", (1, 2, 4, 8)),
        ("batch=16,32,48,…,96", (16, 32, 48, 64, 80, 96)),
        ("threads=1,2,3,…,6", (1, 2, 3, 4, 5, 6)),
        ("hidden=1,3,…,27,100", (1, 3, 9, 27, 100)),
        ("batch= 4 , 2 ,4", (4, 2)),  # in the order given, each once
        ("intermediate=1_000,2_000", (1000, 2000)),
        ("dtype=float32,bfloat16", ("float32", "bfloat16")),
        ("precision=default,highest", ("default", "highest")),
    ],
)
def test_values_are_read_as_they_are_meant(text: str, values: tuple[object, ...]) -> None:
    assert parse_axis(text).values == values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("batch", "names no values"),
        ("backend=cpu", "a sweep of 'backend'"),
        ("batch=", "empty value"),
        ("batch=1,,2", "empty value"),
        ("batch=0", "no whole number above 0"),
        ("batch=-1", "no whole number above 0"),
        ("batch=1.5", "no whole number above 0"),
        ("batch=²", "no whole number above 0"),
        ("batch=…,8", "begins with …"),
        ("batch=1,2,…", "does not say where … ends"),
        ("batch=1,2,4,…,100", "does not meet 100"),
        ("batch=8,4,…,1", "does not say how … goes on"),
        ("batch=1,2,5,…,64", "does not say how … goes on"),
        ("batch=64..1", "runs backwards"),
        ("threads=1,2,3,…,4096", "a sweep of"),
        ("dtype=float64", "dtype is 'float64'"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, says: str) -> None:
    with pytest.raises(HeartbeatError) as caught:
        parse_axis(text)
    assert says in caught.value.title
    assert caught.value.exit_code == 2


@given(st.integers(1, 1000), st.integers(2, 6), st.integers(1, 6))
def test_dots_say_what_all_values_would_say(first: int, factor: int, count: int) -> None:
    values = [first * factor**power for power in range(2 + count)]
    assert parse_axis(f"batch={values[0]},{values[1]},…,{values[-1]}").values == tuple(values)


@given(st.integers(1, 2**20), st.integers(0, 2**20))
def test_doubling_goes_from_the_first_to_the_last(first: int, more: int) -> None:
    values = [value for value in parse_axis(f"batch={first}..{first + more}").values if isinstance(value, int)]
    assert values[0] == first
    assert values[-1] == first + more
    assert all(right == 2 * left for left, right in pairwise(values[:-1]))
    assert all(left < right <= 2 * left for left, right in pairwise(values))


@given(st.text(max_size=40))
def test_any_text_is_an_axis_or_an_error_that_people_can_read(text: str) -> None:
    for candidate in (text, f"batch={text}", f"dtype={text}"):
        try:
            axis = parse_axis(candidate)
        except HeartbeatError:
            continue
        assert parse_axis(str(axis)) == axis


def test_two_axes_make_a_grid_whose_curves_are_whole() -> None:
    axes = parse_axes(["batch=1,2", "dtype=float32,bfloat16"])
    assert [tuple(point.values()) for point in grid(axes)] == [(1, "float32"), (2, "float32"), (1, "bfloat16"), (2, "bfloat16")]


@pytest.mark.parametrize("texts", [["batch=1", "batch=2"], ["batch=1", "hidden=1", "threads=1"], ["batch=1..4096", "hidden=1,2,3,…,100"]])
def test_more_than_a_sweep_can_show_is_refused(texts: list[str]) -> None:
    with pytest.raises(HeartbeatError, match="a sweep of"):
        parse_axes(texts)


def test_a_point_is_the_plan_with_its_values() -> None:
    plan = varied(BenchmarkConfig(warmup=3), {"batch": 7, "dtype": "bfloat16", "threads": 2})
    assert plan == BenchmarkConfig(MatMul(7, dtype="bfloat16"), warmup=3, threads=2)
    assert [value_of(plan, name) for name in ("batch", "dtype", "threads", "backend")] == [7, "bfloat16", 2, "cpu"]
    with pytest.raises(HeartbeatError):
        varied(BenchmarkConfig(), {"batch": 2**30})


def test_candidates_are_read_and_named() -> None:
    assert parse_candidate("backend=xla") == {"backend": "xla"}
    assert in_words(parse_candidate("dtype=bfloat16, threads=1")) == "bfloat16, 1 thread"
    assert in_words({"threads": None, "batch": 8}) == "torch's own threads, batch 8"
    for text in ("xla", "seed=3", "backend=", "backend=tpu", "threads=0", ""):
        with pytest.raises(HeartbeatError):
            parse_candidate(text)


def test_an_axis_of_words_is_not_numeric() -> None:
    assert [Parameter("batch", (1,)).numeric, Parameter("dtype", ("float32",)).numeric] == [True, False]
