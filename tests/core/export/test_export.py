from __future__ import annotations

import csv
import io
import json
import math
import random
import xml.etree.ElementTree as ET
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.config import BenchmarkConfig, MatMul
from heartbeat_core.benchmark.protocol import CeilingMeasured, Label, Record, Samples
from heartbeat_core.comparison.groups import MeasuredRun, measure
from heartbeat_core.experiments.sweep import load_sweep
from heartbeat_core.export.export import FORMATS, WRITERS, Exported, compare_for_export
from heartbeat_core.export.svg import SvgScale, log_scale, short, sweep_svg
from heartbeat_core.recordings.index import Index

if TYPE_CHECKING:
    from tests.core.conftest import Write

Records = Callable[..., list[Record]]
Make = Callable[..., MeasuredRun]
NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def make(index: Index, write: Write, records: Records) -> Make:
    def made(name: str, times: Sequence[int], *, plan: BenchmarkConfig | None = None, group: str = "") -> MeasuredRun:
        path = write([*records(times, plan=plan or BenchmarkConfig(warmup=1)), CeilingMeasured(8, 2e11, 2e10), Label(9, name, group=group)])
        return measure(index.find(str(path)), index.ceilings)

    return made


def around(centre: int, n: int = 200) -> list[int]:
    chance = random.Random(centre)
    return [centre + chance.randrange(max(1, centre // 100)) for _ in range(n)]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def words(svg: str) -> str:
    root = ET.fromstring(svg)
    return " ".join(element.text or "" for element in root.iter(f"{NAMESPACE}text"))


def export(exported: Exported, format_: str) -> str:
    return WRITERS[format_](exported)


def test_csv_of_a_run_holds_every_sample_in_its_order(make: Make) -> None:
    times = [10_000_000 + i for i in range(40)]
    found = rows(export(compare_for_export([[make("a", times)]]), "csv"))
    assert [int(row["total_ns"]) for row in found] == [9_000_000, *times]
    assert [row["phase"] for row in found] == ["cold"] + ["steady"] * 40
    assert [int(row["sample"]) for row in found] == list(range(41))


def test_csv_keeps_the_parts_of_a_beat(index: Index, write: Write, records: Records) -> None:
    made = records()
    made[3] = Samples(3, "steady", 1, {"total": array("q", range(100, 140)), "wait": array("q", range(40))})
    found = rows(export(compare_for_export([[measure(index.find(str(write(made))), index.ceilings)]]), "csv"))
    assert [row["wait_ns"] for row in found] == ["", *map(str, range(40))]


def test_csv_of_several_runs_holds_the_ratio_to_the_first(make: Make) -> None:
    found = rows(export(compare_for_export([[make("=1+1", around(100_000))], [make("b", around(300_000))]]), "csv"))
    assert [row["name"] for row in found] == ["'=1+1", "b"]  # no formula to a spreadsheet
    assert (found[0]["ratio"], found[1]["result"]) == ("", "slower")
    assert float(found[1]["ratio"]) == pytest.approx(3, rel=0.01)


def test_json_holds_reports_and_comparisons(make: Make) -> None:
    made = json.loads(export(compare_for_export([[make("a", around(100_000))], [make("b", around(300_000))]]), "json"))
    assert (made["schema"], [run["run"]["name"] for run in made["runs"]], made["comparisons"][0]["kind"]) == (1, ["a", "b"], "slower")
    assert made["runs"][0]["report"]["samples_ns"]["steady"] == around(100_000)


def test_markdown_is_a_table_that_names_cannot_break(make: Make) -> None:
    made = export(compare_for_export([[make("a|*b*", around(100_000))], [make("c", around(300_000))]]), "md")
    head, rule, *lines = made.splitlines()
    assert head == r"|  | a\|\*b\* | c |"
    assert rule == "|---|---:|---:|"
    assert "**c is " in made
    assert r"× slower than a\|\*b\* (" in made
    assert any(line.startswith("| median | 10") for line in lines)


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("samples", [40, 3000])
def test_the_chart_is_sound_and_says_what_it_shows(make: Make, count: int, samples: int) -> None:
    runs = [[make(f"run <{i}> & co", around(1_000_000 * (i + 1), samples))] for i in range(count)]
    svg = export(compare_for_export(runs), "svg")
    said = words(svg)
    for i in range(count):
        assert f"run <{i}> & co: {i + 1}.0" in said
    assert said.count("slower than run <0> & co") == count - 1
    assert "prefers-color-scheme:dark" in svg
    assert len(svg) < 60_000 * count  # a band, not a dot for each of very many samples
    assert "NaN" not in svg
    assert "nan" not in svg
    for text in ET.fromstring(svg).iter(f"{NAMESPACE}text"):
        assert 0 <= float(text.attrib["x"]) <= 960


def test_a_flat_run_can_be_drawn(make: Make) -> None:
    assert "5.00 µs" in words(export(compare_for_export([[make("flat", [5000] * 30)]]), "svg"))


def test_repeats_are_one_side_and_other_plans_another(make: Make) -> None:
    group = [make("", around(100_000 + i), group="g") for i in range(3)]
    repeated = compare_for_export([group])
    assert (len(repeated.groups), repeated.comparisons, repeated.figures[0].processes) == (1, (), 3)
    other = [make("", around(300_000 + i), plan=BenchmarkConfig(warmup=1, precision="highest"), group="g") for i in range(3)]
    apart = compare_for_export([group + other])
    assert [len(group) for group in apart.groups] == [3, 3]
    assert apart.comparisons[0].kind == "slower"
    for form in FORMATS:
        assert export(apart, form)


def test_a_sweep_is_drawn_under_its_roof(make: Make, index: Index) -> None:
    runs = [
        make("", range(1000 * batch, 1000 * batch + 40), plan=BenchmarkConfig(MatMul(batch, 1024, 1024), warmup=1), group="s")
        for batch in (1, 2, 4, 8, 16)
    ]
    svg = sweep_svg(load_sweep([run.entry.path for run in runs], index.ceilings, "s"))
    said = words(svg)
    assert "Sweep of batch" in said
    assert "FLOP/s under the roof" in said
    assert "machine: measured on this machine on 2026-11-22" in said
    assert "nan" not in svg


@given(st.floats(1e-3, 1e12), st.floats(1.0001, 1e9), st.booleans())
def test_a_scale_keeps_the_order_and_its_ticks_inside(low: float, factor: float, log: bool) -> None:
    scale = SvgScale(low, low * factor, 300, 20, log)
    ticks = scale.ticks()
    assert ticks == sorted(ticks)
    assert 1 <= len(ticks) <= 20
    for tick in ticks:
        assert low * (1 - 1e-9) <= tick <= low * factor * (1 + 1e-6)
    places = [scale.at(value) for value in (low, low * math.sqrt(factor), low * factor)]
    assert places == sorted(places, reverse=True)
    assert all(19.999 <= place <= 300.001 for place in places)


def test_axes_leave_out_the_zeros_that_end_a_number() -> None:
    assert [short(text) for text in ("10.0 ms", "1.50 s", "100 GFLOP/s", "0.30", "1,000")] == [
        "10 ms",
        "1.5 s",
        "100 GFLOP/s",
        "0.3",
        "1,000",
    ]
    assert log_scale([5.0], 10, 0).at(5.0) == pytest.approx(5)
