"""The table of a layer's steps, and what their time means, below the charts."""

from __future__ import annotations

from array import array

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.layer import Layer
from heartbeat_core.benchmark.models import find_model
from heartbeat_core.benchmark.protocol import Environment, Samples, Started
from heartbeat_core.benchmark.report import Report, report_of
from heartbeat_core.benchmark.series import Series
from heartbeat_tui.benchmark.body import serving_lines, step_lines
from heartbeat_tui.benchmark.text import figures_text

LAYER = Layer(find_model("llama-3.1-8b"), batch=1, context=2048)
MS = 1_000_000


@pytest.fixture
def report() -> Report:
    """Return the report of a layer on a v6e whose steps take 1 to 6 hundredths of a millisecond, and the layer a third of one."""
    series = Series()
    series.apply(Started(0, 1, "0", 1, "2026-12-01T00:00:00+00:00", BenchmarkConfig(LAYER, backend="xla").to_json()))
    series.apply(Environment(0, {"chip": "v6e", "hardware": "TPU"}))
    times = {"total": MS // 3, **{name: MS // 100 * (number + 1) for number, name in enumerate(LAYER.parts)}}
    series.apply(Samples(MS, "steady", 0, {name: array("q", [ns] * 40) for name, ns in times.items()}))
    return report_of(series)


def test_each_step_has_its_share_and_what_bounds_it(report: Report) -> None:
    title, *rows = (line.plain.split() for line in step_lines(report))
    assert title[:3] == ["step", "time", "share"]
    assert [row[0] for row in rows] == list(LAYER.parts)
    assert rows[-1][1:5] == ["60.0", "µs", "29", "%"]  # 6 of 21
    assert {row[-1] for row in rows} == {"memory"}


def test_the_time_of_the_layer_becomes_tokens_a_second_of_the_model(report: Report) -> None:
    lines = {line.plain.split("  ")[0]: line.plain for line in serving_lines(report)}
    head_ms = 0.05 * LAYER.head.flops / LAYER.steps[4].flops
    assert f"{1e3 / (32 / 3 + head_ms):.3g}" in lines["tokens/s"]
    assert "107/s" in lines["by the peak"]
    assert "1 × v6e" in lines["memory"]
    assert all("matrix products alone" in lines[name] for name in ("tokens/s", "a token", "by the peak", "first token"))
    assert "gate_up" in figures_text(report)
