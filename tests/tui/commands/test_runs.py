"""``heartbeat-tui runs`` as its users run it: a program with arguments, streams and an exit code."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from tests.program import Done, run_program

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import SCHEMA, Ended, Environment, Label, Proof, Record, Samples, Started, encode
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.export.export import FORMATS
from heartbeat_core.recordings.files import try_lock
from heartbeat_core.recordings.recording import load
from heartbeat_tui.commands import runs as command

LONG_S = 60.0
Write = Callable[..., Path]


def runs(*arguments: str, env: dict[str, str] | None = None) -> Done:
    return run_program("runs", *arguments, env=env)


@pytest.fixture
def write(home: Path) -> Write:
    """Record a run of about ``centre`` ns where the program looks for recordings."""
    count = 0

    def make(
        centre: float = 1e6,
        *,
        name: str = "",
        group: str = "",
        turn: str = "",
        status: Literal["done", "stopped"] = "done",
        plan: BenchmarkConfig | None = None,
        **environment: str,
    ) -> Path:
        nonlocal count
        count += 1
        folder = home / "xdg_data_home" / "heartbeat-tui" / "recordings"
        folder.mkdir(parents=True, exist_ok=True)
        chance = random.Random(count)
        lines: list[Record] = [
            Started(0, SCHEMA, "0", 1, f"2026-11-{count:02}T12:00:00+00:00", (plan or BenchmarkConfig(warmup=1)).to_json()),
            Environment(1, {"host": "h", "device": "cpu", "threads": 2, **environment}),
            Samples(2, "cold", 0, {"total": array("q", [9_000_000])}),
            Samples(3, "steady", 1, {"total": array("q", [round(centre * (1 + 0.03 * chance.random())) for _ in range(100)])}),
            Proof(4, 3, 1e-7, "float32", passed=True),
            Ended(5, status),
            Label(5, name, group=group, round=turn),
        ]
        path = folder / f"202611{count:02}T120000Z-cpu-synchronized-{count:06x}.jsonl"
        path.write_bytes(b"".join(map(encode, lines)))
        return path

    return make


def test_the_list_names_each_run_the_newest_first(write: Write) -> None:
    write(name="old")
    newest = write(2e6)
    write().write_bytes(b"rubbish\n")
    done = runs("list", env={**os.environ, "TZ": "UTC"})
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert done.stderr == ""
    assert [line.split()[0] for line in lines[:2]] == ["RUN", "000003"]
    assert "broken: " in lines[2]
    for cell in ("000002  ", "CPU, 2 threads", "128×4096×16384", "float32", "synchronized", "2.03 ms", "2.03–2.04 ms"):
        assert cell in lines[3]
    assert "  100  " in runs("list", "--wide").stdout
    assert lines[-1].startswith("3 runs in ")
    made = json.loads(runs("list", "--json", "--limit", "2", "--sort", "median").stdout)
    assert (made["schema"], made["count"], [run["name"] for run in made["runs"]]) == (1, 3, ["old", ""])
    assert made["runs"][1]["path"] == str(newest)


def test_the_list_is_sifted_by_words(write: Write) -> None:
    write(name="old")
    write(plan=BenchmarkConfig(method="pipelined"))
    assert [run["id"] for run in json.loads(runs("list", "method:pipe", "cpu", "--json").stdout)["runs"]] == ["000002"]
    assert "matches" in runs("list", "nowhere").stdout
    refused = runs("list", "colour:red")
    assert refused.returncode == 2
    assert "no 'colour'" in refused.stderr


def test_attempts_without_a_sample_are_listed_when_asked_for(write: Write) -> None:
    whole = write(name="whole").read_bytes()
    write(name="attempt").write_bytes(whole[: whole.index(b'"samples"') + 9])
    listed = runs("list")
    assert "000002" not in listed.stdout
    assert "1 attempt without a sample not listed; --all lists it" in listed.stderr
    assert "000002" in runs("list", "--all").stdout
    assert json.loads(runs("list", "--json").stdout)["count"] == 2


def test_an_empty_list_says_what_fills_it() -> None:
    assert "heartbeat-tui bench makes one" in runs("list").stdout


def test_a_label_travels_with_its_file(write: Write) -> None:
    path = write()
    for arguments in (
        ("name", "000001", "base"),
        ("note", "base", "a quiet room"),
        ("tag", "base", "cpu", "old"),
        ("tag", "last", "--remove", "old"),
    ):
        assert runs(*arguments).returncode == 0
    label = load(path).label
    assert label is not None
    assert (label.name, label.note, label.tags) == ("base", "a quiet room", ("cpu",))
    shown = runs("show", "base")
    assert shown.returncode == 0
    for words in ("000001  base", "tags: cpu", "note: a quiet room", "95 % CI", str(path)):
        assert words in shown.stdout
    made = json.loads(runs("show", "base", "--json").stdout)
    assert (made["run"]["note"], made["report"]["statistics"]["n"]) == ("a quiet room", 100)
    assert runs("tag", "base").returncode == 2
    assert "cannot be a tag" in runs("tag", "base", "two words").stderr


def test_what_cannot_be_read_is_shown_with_its_problem(write: Write) -> None:
    write().write_bytes(b"")
    done = runs("show", "last")
    assert done.returncode == 3
    assert "it is empty" in done.stdout
    assert json.loads(runs("show", "last", "--json").stdout)["report"] is None


def test_delete_asks_and_shows_what_goes(write: Write) -> None:
    first, second = write(name="base"), write()
    refused = runs("delete", "base")
    assert refused.returncode == 2
    assert "Delete this recording" in refused.stderr
    assert "base" in refused.stderr
    assert first.exists()
    done = runs("delete", "base", "000002", "--yes", "--json")
    assert done.returncode == 0
    assert set(json.loads(done.stdout)["deleted"]) == {str(first), str(second)}
    assert not first.exists()


def test_what_cannot_be_deleted_is_said_and_the_rest_goes(write: Write) -> None:
    first, held, last = write(), write(), write()
    held.write_bytes(held.read_bytes().splitlines(keepends=True)[0])
    with held.open("rb") as file:
        assert try_lock(file)
        done = runs("delete", "000001", "000002", "000003", "--yes", "--json")
    assert done.returncode == 1
    made = json.loads(done.stdout)
    assert made["deleted"] == [str(first), str(last)]
    assert [failure["path"] for failure in made["failed"]] == [str(held)]
    assert "still being written" in done.stderr
    assert (first.exists(), held.exists(), last.exists()) == (False, True, False)


def test_compare_says_the_factor_and_what_else_differs(write: Write) -> None:
    write(name="a")
    write(3.2e6, name="b")
    write(plan=BenchmarkConfig(method="pipelined", window=1), name="c")
    done = runs("compare", "a", "b", "c", "--rate", "cpu=1.50")
    assert done.returncode == 0
    for words in ("b is 3.2", "× slower than a", "$1.50/h", "warning: method: synchronized against pipelined, which is other work"):
        assert words in done.stdout
    made = json.loads(runs("compare", "a", "b", "--json").stdout)
    assert made["schema"] == 1
    assert made["comparisons"][0]["kind"] == "slower"
    assert runs("compare", "a", "a").returncode == 2
    assert "not a rate" in runs("compare", "a", "b", "--rate", "cpu").stderr


def test_a_kept_price_is_used_and_said_unless_a_rate_is_given(write: Write, home: Path) -> None:
    prices = home / "xdg_cache_home" / "heartbeat-tui" / "prices.json"
    prices.parent.mkdir(parents=True)
    kept = {"at": "2026-11-20T00:00:00Z", "source": "Google's public price list", "per_chip": {"v6e us-central1 on-demand": 2.7}}
    prices.write_text(json.dumps(kept))
    write(name="cpu")
    write(name="tpu", plan=BenchmarkConfig(backend="xla"), chip="v6e", hardware="TPU")
    done = runs("compare", "cpu", "tpu", env={**os.environ, "ZONE": "us-central1-b"})
    assert "$2.70/h" in done.stdout
    assert "one chip of v6e, on demand in us-central1, by Google's public price list, 2026-11-20" in done.stderr
    assert "unknown rate" in done.stdout  # of the CPU
    given = runs("compare", "cpu", "tpu", "--rate", "v6e=1", "--rate", "cpu=1")
    assert "$1.00/h" in given.stdout
    assert given.stderr == ""


@pytest.mark.parametrize(("centre", "code", "words"), [(1.1e6, 1, "✗ regression"), (1e6, 0, "✓ no regression"), (0.5e6, 0, "× faster")])
def test_check_answers_by_its_exit_code(write: Write, centre: float, code: int, words: str) -> None:
    write(name="a")
    write(centre, name="b")
    assert runs("check", "a", "b").returncode == 3  # one process a side
    done = runs("check", "a", "b", "--max-slowdown", "5%", "--single-process")
    assert done.returncode == code
    assert words in done.stdout
    assert json.loads(runs("check", "a", "b", "--json").stdout)["max_slowdown"] == 0.05


def test_check_cannot_tell_where_a_turn_was_cut_short(write: Write) -> None:
    write(name="base")
    write(group="cand", turn="x-1")
    write(group="cand", turn="x-2", status="stopped", name="cut")
    done = runs("check", "base", "cand")
    assert done.returncode == 3
    assert "cut does not count" in done.stderr
    assert runs("check", "base", "cut", "--single-process").returncode == 0  # asked for by itself


def test_check_cannot_tell_of_other_work(write: Write) -> None:
    write(name="a")
    write(plan=BenchmarkConfig(warmup=1, precision="highest"), name="b")
    done = runs("check", "a", "b")
    assert done.returncode == 3
    assert "did not do the same work" in done.stdout
    assert runs("check", "a", "b", "--max-slowdown", "much").returncode == 2


def test_a_group_a_list_and_a_folder_are_sides(write: Write, tmp_path: Path) -> None:
    for centre in (1e6, 1.01e6, 0.99e6):
        write(centre, group="before")
    others = [write(centre) for centre in (1.2e6, 1.21e6, 1.19e6)]
    made = json.loads(runs("check", "before", "000004,000005,000006", "--json").stdout)
    assert (made["answer"], made["comparison"]["ratio"]["unit"], made["comparison"]["reference"]["title"]) == (
        "regression",
        "process",
        "before",
    )
    for path in others:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    copied = json.loads(runs("check", "before", f"{tmp_path}/", "--json").stdout)
    assert copied["comparison"]["ratio"] == made["comparison"]["ratio"]


def test_the_names_spelled_out_for_help_are_those_of_the_engine() -> None:
    assert {"started", "name", "median", "flops", "size", "device"} <= set(command.SORTS)
    assert command.EXPORT_FORMATS == FORMATS


def test_a_group_alone_is_taken_apart_by_its_plans(write: Write) -> None:
    for _ in range(2):
        write(group="course")
        write(2e6, group="course", plan=BenchmarkConfig(warmup=1, precision="highest"))
    write(group="other")
    (made,) = json.loads(runs("compare", "course", "--json").stdout)["comparisons"]
    assert (made["reference"]["title"], made["candidate"]["title"]) == ("precision default", "precision highest")
    assert (made["reference"]["processes"], made["ratio"]["unit"], made["kind"]) == (2, "process", "slower")
    sifted = runs("check", "group:course precision:default", "group:course precision:highest", "--json")
    assert json.loads(sifted.stdout)["comparison"]["ratio"] == made["ratio"]
    assert "no run with 'tag:none'" in runs("compare", "tag:none", "last").stderr
    assert "nothing to compare" in runs("compare", "other").stderr


def test_a_trend_is_printed_drawn_and_exported(write: Write, tmp_path: Path) -> None:
    for centre in (1e6, 1e6, 2e6):
        write(centre, name="nightly")
    shown = runs("trend", "nightly", "--plot")
    assert shown.returncode == 0
    assert "slower than the 2 runs before" in shown.stdout
    assert "▲" in shown.stdout
    read = json.loads(runs("trend", "--config-of", "last", "--json").stdout)
    assert [point["change"] for point in read["points"]] == ["", "", "slower"]
    chart = tmp_path / "trend.svg"
    assert runs("export", "nightly", "--trend", "-o", str(chart)).returncode == 0
    assert "slower than the 2 runs before" in chart.read_text()


def test_an_export_never_overwrites_unasked(write: Write, tmp_path: Path) -> None:
    write(name="a")
    write(3e6, name="b")
    chart = tmp_path / "chart.svg"
    assert runs("export", "a", "b", "-o", str(chart)).returncode == 0
    drawn = chart.read_text()
    assert "× slower than a" in drawn.replace("\n", " ")
    refused = runs("export", "a", "-o", str(chart))
    assert refused.returncode == 2
    assert "exists" in refused.stderr
    assert chart.read_text() == drawn
    assert runs("export", "a", "-o", str(chart), "--force").returncode == 0
    assert chart.read_text() != drawn
    assert sorted(tmp_path.glob("*chart*")) == [chart]
    for form in ("csv", "json", "md", "svg"):
        assert runs("export", "a", "b", "--format", form).stdout
    assert "format is not given" in runs("export", "a").stderr
    assert runs("export", "a", "-o", str(tmp_path / "missing" / "x.csv")).returncode == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_export_to_a_full_disk_says_so(write: Write) -> None:
    write(name="a")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "heartbeat_tui", "runs", "export", "a", "--format", "md"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=LONG_S, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert "cannot be written" in done.stderr


def test_a_sweep_is_exported_as_one(write: Write) -> None:
    for batch in (1, 2, 4, 8):
        write(1e5 * batch, group="sw", plan=BenchmarkConfig(MatMul(batch), warmup=1))
    assert runs("export", "sw", "--format", "csv").stdout.startswith("batch,")
    assert "Sweep of batch" in runs("export", "sw", "--format", "svg").stdout


def test_charts_are_printed_below_the_table_as_wide_as_the_terminal(write: Write) -> None:
    write(name="one")
    write(3e6, name="two")
    narrow = {**os.environ, "COLUMNS": "70"}
    shown = runs("show", "one", "--plot", env=narrow).stdout
    table, _, chart = shown.partition("latency per iteration, ")
    assert "recording: " in table
    assert "◆" in chart  # the cold iteration
    assert "\x1b" not in shown
    assert len(chart.splitlines()) == 17
    assert 60 < max(map(len, chart.splitlines())) <= 70
    compared = runs("compare", "one", "two", "--plot").stdout
    assert "slower than one" in compared.partition("latency per iteration, ")[0]
    assert "● one 1.0" in compared
    assert "▲ two 3.0" in compared
    assert "latency per iteration" not in runs("show", "one").stdout


def test_a_chart_has_colours_where_they_are_wanted(write: Write) -> None:
    write(name="one")
    coloured = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[96m" in runs("show", "one", "--plot", env=coloured).stdout
    chart = runs("show", "one", "--plot", env={**coloured, "NO_COLOR": "1"}).stdout.partition("latency per iteration, ")[2]
    assert "\x1b" not in chart


@pytest.mark.parametrize("command_line", [("show", "one"), ("compare", "one", "two")])
def test_a_chart_is_no_json(write: Write, command_line: tuple[str, ...]) -> None:
    write(name="one")
    write(name="two")
    refused = runs(*command_line, "--plot", "--json")
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 3)
    assert "exclude one another" in refused.stderr
