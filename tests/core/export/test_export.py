from __future__ import annotations

import csv
import io
import json
from array import array
from typing import TYPE_CHECKING

import pytest
from tests.core.export.conftest import Make, Records, around

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Samples
from heartbeat_core.comparison.groups import measure
from heartbeat_core.export.tables import WRITERS, Exported, compare_for_export
from heartbeat_core.recordings.index import Index

if TYPE_CHECKING:
    from tests.core.conftest import Write


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def export(exported: Exported, format_: str) -> str:
    return WRITERS[format_](exported)


def test_csv_of_a_run_holds_every_sample_in_its_order(make: Make) -> None:
    times = [10_000_000 + i for i in range(40)]
    found = rows(export(compare_for_export([[make("a", times)]]), "csv"))
    assert [int(row["total_ns"]) for row in found] == [9_000_000, *times]
    assert [row["phase"] for row in found] == ["cold"] + ["steady"] * 40
    assert [int(row["sample"]) for row in found] == list(range(41))


def test_csv_keeps_the_parts_of_an_iteration(index: Index, write: Write, records: Records) -> None:
    made = records()
    made[3] = Samples(3, "steady", 1, {"total": array("q", range(100, 140)), "wait": array("q", range(40))})
    found = rows(export(compare_for_export([[measure(index.find(str(write(made))), index.peak_cache)]]), "csv"))
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


def test_repeats_are_one_side_and_other_plans_another(make: Make) -> None:
    group = [make("", around(100_000 + i), group="g") for i in range(3)]
    repeated = compare_for_export([group])
    assert (len(repeated.groups), repeated.comparisons, repeated.figures[0].processes) == (1, (), 3)
    other = [make("", around(300_000 + i), plan=BenchmarkConfig(warmup=1, precision="highest"), group="g") for i in range(3)]
    apart = compare_for_export([group + other])
    assert [len(group) for group in apart.groups] == [3, 3]
    assert apart.comparisons[0].kind == "slower"
    for form in WRITERS:
        assert export(apart, form)
