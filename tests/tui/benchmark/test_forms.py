from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heartbeat_core.benchmark.bandwidth import Stream, Transfer
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.devices import Device, DeviceInventory, keep_refusals, known_refusals
from heartbeat_core.benchmark.layer import WEIGHTS, Layer
from heartbeat_core.benchmark.models import find_model
from heartbeat_core.benchmark.parameters import OF_WORKLOAD
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.launcher import MachineLimits
from heartbeat_tui.benchmark.forms import ConfigForm, SweepForm, config_of, texts_of

PLAN = BenchmarkConfig()


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        BenchmarkConfig(workload=MatMul(8, 64, 32, "bfloat16"), backend="xla", precision="highest", warmup=0, iterations=7),
        BenchmarkConfig(iterations=None, duration_s=30.0, threads=2),
        BenchmarkConfig(iterations=None, duration_s=0.25),
        BenchmarkConfig(iterations=None, method="pipelined", window=4),
        BenchmarkConfig(method="handbook", repeats=3),
        BenchmarkConfig(workload=Layer(find_model("gemma-3-1b"), "prefill", 2, 64, "hot", "float16")),
    ],
)
def test_a_plan_comes_back_from_its_fields(plan: BenchmarkConfig) -> None:
    assert config_of(texts_of(plan), plan) == (plan, {})


@pytest.mark.parametrize(
    ("text", "iterations", "duration_s"),
    [("100", 100, None), ("1,000", 1000, None), ("30s", None, 30.0), ("1.5 m", None, 90.0), ("2h", None, 7200.0), ("", None, None)],
)
def test_a_length_is_iterations_a_time_or_neither(text: str, iterations: int | None, duration_s: float | None) -> None:
    plan, errors = config_of({**texts_of(PLAN), "length": text}, PLAN)
    assert not errors
    assert plan == replace(PLAN, iterations=iterations, duration_s=duration_s)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("batch", "0", "batch is 0"),
        ("batch", "", "batch is empty"),
        ("hidden", "many", "hidden is 'many'"),
        ("hidden", "12.5", "hidden is '12.5'"),
        ("intermediate", "99999999", "intermediate is 99999999"),
        ("threads", "0", "threads is 0"),
        ("warmup", "-1", "warmup is '-1'"),
        ("length", "0", "iterations is 0"),
        ("length", "0s", "duration is 0.0"),
        ("length", "soon", "length is 'soon'"),
        ("length", "[bold]", "length is '[bold]'"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(name: str, text: str, said: str) -> None:
    plan, errors = config_of({**texts_of(PLAN), name: text}, PLAN)
    assert plan is None
    assert list(errors) == [name]
    assert errors[name].title == said
    assert errors[name].remedy


def test_two_wrong_fields_are_both_named() -> None:
    _, errors = config_of({**texts_of(PLAN), "batch": "x", "warmup": "y"}, PLAN)
    assert set(errors) == {"batch", "warmup"}


def test_fields_that_do_not_go_together_are_reported_at_the_length() -> None:
    plan, errors = config_of({**texts_of(PLAN), "method": "handbook", "length": ""}, PLAN)
    assert plan is None
    assert "number of iterations" in errors["length"].title


@pytest.mark.parametrize(
    ("work", "backend", "fields"),
    [(Stream(64, "bfloat16"), "cpu", {"mib", "dtype"}), (Transfer(64, "pinned"), "accelerator", {"mib", "host_memory"})],
)
def test_a_stream_and_a_transfer_have_fields_of_their_own(work: Stream | Transfer, backend: str, fields: set[str]) -> None:
    plan = replace(PLAN, workload=work, backend=backend)
    assert config_of(texts_of(plan), plan) == (plan, {})
    form = ConfigForm(plan, MachineLimits())
    assert {name for name in OF_WORKLOAD & set(texts_of(plan)) if form.shown(name)} == fields


def test_a_transfer_on_the_cpu_is_refused_at_the_work() -> None:
    _, errors = config_of({**texts_of(PLAN), "work": "transfer"}, PLAN)
    assert errors["work"].title == "the CPU backend has nothing to transfer"


def test_a_config_is_held_against_the_memory_and_the_backends_of_the_machine() -> None:
    limits = MachineLimits({"cpu": 2**30}, {"xla": "torch_xla is not installed here."}, {("cpu", "float32"): (1e12, 1e12)})
    large = ConfigForm(replace(PLAN, workload=MatMul(128, 65536, 65536)), limits).notes()
    assert "needs 16.7 GiB of 1.0 GiB free" in large["intermediate"].text
    assert ConfigForm(replace(PLAN, backend="xla"), limits).notes()["backend"].wrong
    small = ConfigForm(replace(PLAN, workload=MatMul(8, 512, 512)), limits)
    assert not small.notes()
    assert "of 1.0 GiB free. The run takes about 0:02." in small.sentences()[1].plain
    assert limits.seconds(replace(PLAN, iterations=None, duration_s=30.0)) == pytest.approx(32, abs=1)
    assert limits.seconds(replace(PLAN, workload=MatMul(dtype="bfloat16"))) is None
    cold, hot = (replace(PLAN, workload=Layer(find_model("qwen2.5-0.5b"), weights=weights)) for weights in WEIGHTS)
    cached = replace(limits, caches={"cpu": 256 * 2**20})
    assert cached.needed(cold) > 2 * cached.needed(hot) == 2 * limits.needed(hot)


def test_a_sweep_of_the_handbooks_method_keeps_its_readings() -> None:
    form = SweepForm(replace(PLAN, method="handbook", iterations=100, duration_s=None), MachineLimits())
    assert not form.notes()
    assert "points on" in form.sentences()[0].plain


def test_a_dtype_that_a_device_cannot_multiply_is_marked_with_the_reason_and_can_still_be_tried(tmp_path: Path) -> None:
    path = tmp_path / "dtypes.json"
    found = Device("cpu", "python", {"dtypes": {"float32": "", "int8": "RuntimeError: no such product"}})
    keep_refusals(DeviceInventory((found,), ()), path)
    limits = MachineLimits(refused=known_refusals(path))
    note = ConfigForm(replace(PLAN, workload=MatMul(dtype="int8")), limits).notes()["dtype"]
    assert "RuntimeError: no such product" in note.text
    assert not note.wrong
    assert not ConfigForm(PLAN, limits).notes()
    assert known_refusals(tmp_path / "none") == {}
