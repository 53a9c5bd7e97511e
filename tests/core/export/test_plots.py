"""Charts in files: what stands in the figures that matplotlib draws."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.core.export.conftest import Make, around

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.comparison.cost import NO_RATES
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.sweep import load_sweep
from heartbeat_core.export.export import PICTURES, export_runs
from heartbeat_core.export.plots import figure_bytes, runs_figure, sweep_figure
from heartbeat_core.export.tables import compare_for_export
from heartbeat_core.recordings.index import Index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def charts_of(figure: Figure) -> tuple[Axes, Axes]:
    left, right = figure.axes
    return left, right


def words_below(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def outlines_in(axes: Axes) -> list[Line2D]:
    """Return the lines that are no rules."""
    return [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) > 2]


def names_in(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text().strip() for text in legend.get_texts()] if legend else []


@pytest.mark.parametrize("form", PICTURES)
def test_a_run_becomes_a_file_of_each_format(make: Make, index: Index, form: str) -> None:
    content, left_out = export_runs([(make("a $1 $2", around(100_000)).entry,)], form, index, NO_RATES)
    assert content.startswith(MAGIC[form])
    assert left_out == ()


@pytest.mark.parametrize("samples", [40, 3000])
def test_a_run_is_drawn_with_its_warm_up_and_its_distribution(make: Make, samples: int) -> None:
    latency, distribution = charts_of(runs_figure(compare_for_export([[make("one", around(1_000_000, samples))]])))
    assert latency.get_title(loc="left").startswith("latency per iteration, ms")
    assert distribution.get_title(loc="left").startswith("distribution of the steady state, ")
    assert {line.get_marker() for line in latency.get_lines()} >= {"D"}  # the cold iteration
    assert [text.get_text().split()[0] for text in latency.texts] == ["p95", "median"][-len(latency.texts) :]
    assert len(latency.collections) == (samples > 500)  # the band of many samples
    (outline,) = outlines_in(distribution)
    assert np.asarray(outline.get_ydata()).max() < distribution.get_ylim()[1]


@pytest.mark.parametrize("count", [2, 8])
def test_compared_runs_share_their_axes_and_have_a_name_each(make: Make, count: int) -> None:
    figure = runs_figure(compare_for_export([[make(f"_run <{i}> & co", around(1_000_000 * (i + 1)))] for i in range(count)]))
    latency, distribution = charts_of(figure)
    for axes in (latency, distribution):
        assert [name.rpartition(" & ")[0] for name in names_in(axes)] == [f"_run <{i}>" for i in range(count)]
    assert words_below(figure).count("slower than _run <0> & co") == count - 1
    assert len(outlines_in(distribution)) == count


def test_the_shares_of_a_distribution_add_up_to_all_samples(make: Make) -> None:
    samples = [*around(1_000_000, 200), 9_000_000]  # the last lies far beyond the others
    _, distribution = charts_of(runs_figure(compare_for_export([[make("one", samples)]])))
    (outline,) = outlines_in(distribution)
    assert np.asarray(outline.get_ydata())[1:-1:2].sum() == pytest.approx(1)
    assert np.asarray(outline.get_xdata()).max() < 2_000_000
    assert "the outermost hold all beyond" in distribution.get_title(loc="left")


def test_a_flat_run_can_be_drawn(make: Make) -> None:
    figure = runs_figure(compare_for_export([[make("flat", [5000] * 30)]]))
    assert b"flat: 5.00" in figure_bytes(figure, "svg")


def test_a_sweep_is_drawn_under_its_roof(make: Make, index: Index) -> None:
    runs = [
        make("", range(1000 * batch, 1000 * batch + 40), plan=BenchmarkConfig(MatMul(batch, 1024, 1024), warmup=1), group="s")
        for batch in (1, 2, 4, 8, 16)
    ]
    figure = sweep_figure(load_sweep([run.entry.path for run in runs], index.peak_cache, "s"))
    roofline, latency = charts_of(figure)
    assert (roofline.get_xscale(), roofline.get_yscale()) == ("log", "log")
    assert "FLOP/s at FLOP/byte" in roofline.get_title(loc="left")
    assert "against batch" in latency.get_title(loc="left")
    for axes in (roofline, latency):
        assert [np.size(line.get_xdata()) for line in axes.get_lines() if line.get_marker() == "o"] == [5]
    assert [text.get_text() for text in latency.get_xticklabels()] == ["1", "2", "4", "8", "16"]
    assert figure.get_suptitle() == "Sweep of batch"


def test_without_matplotlib_it_says_what_to_install(make: Make, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make("a", around(100_000))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(HeartbeatError, match="matplotlib is not installed") as caught:
        export_runs([(run.entry,)], "png", index, NO_RATES)
    assert "heartbeat-tui[plots]" in caught.value.remedy
    assert caught.value.exit_code == 2
    assert export_runs([(run.entry,)], "csv", index, NO_RATES)[0].startswith(b"sample,")
