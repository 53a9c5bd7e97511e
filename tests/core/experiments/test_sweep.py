"""A sweep, point by point, and put together again from its recordings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.layer import Layer, ModelShape
from heartbeat_core.benchmark.parameters import parse_axes
from heartbeat_core.benchmark.protocol import Label, Record
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.charts.sweep import latency_sweep_chart, roofline_chart
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.experiments.experiment import TrialFinished, TrialStarted, carry_out
from heartbeat_core.experiments.sweep import LEAST_SAMPLES, MOST_SAMPLES, Sweep, Swept, load_sweep, sweep_json, sweep_markdown
from heartbeat_core.export.export import sweep_in
from heartbeat_core.export.tables import SWEEP_WRITERS
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.recording import Recording, load

if TYPE_CHECKING:
    from tests.core.conftest import Write

Begin = Callable[..., Run]
PLAN = BenchmarkConfig(iterations=100, warmup=1)
# A machine with a knee: 9 ms of memory, or 0.1 ms of arithmetic a row.
KNEE = (
    "start(); batch = order['plan']['workload']['batch']; ns = max(9_000_000, 100_000 * batch)\n"
    "beat(0, 2 * ns, phase='cold'); beat(1, *[ns + index % 9 for index in range(order['plan']['iterations'] or 30)])\n"
    "tell('ended', reason='done')"
)


@pytest.fixture
def recorded(begin: Begin, tmp_path: Path) -> Callable[[str], Callable[..., Run]]:
    """Make what begins runs of a fake worker, each recorded."""

    def make(python: str) -> Callable[..., Run]:
        def start(plan: BenchmarkConfig, label: Label) -> Run:
            recording = Recording.create(tmp_path / "recordings", plan, 2**20, label)
            run = begin(plan, python=python, sinks=(recording,))
            run.path = recording.path
            return run

        return start

    return make


@pytest.fixture
def swept(recorded: Callable[[str], Callable[..., Run]], fake_worker: Callable[[str], str]) -> Swept:
    course = Sweep(PLAN, parse_axes(["batch=1..1024"]), group="a sweep")
    list(carry_out(course, recorded(fake_worker(KNEE))))
    return course.swept()


def test_each_point_is_a_run_and_the_knee_is_where_the_machine_has_it(swept: Swept) -> None:
    assert [point.values["batch"] for point in swept.measured] == [2**power for power in range(11)]
    assert len({point.report.ending for point in swept.measured if point.report}) == 1
    (curve,) = swept.curves
    knee = curve.knee
    assert knee is not None
    assert knee.kind == "knee"
    assert knee.low is not None
    assert knee.high is not None
    assert knee.low <= 90 <= knee.high


def test_points_take_about_a_second_each(swept: Swept) -> None:
    lengths = [point.config.iterations for point in swept.points]
    assert lengths[0] == 30  # nothing is known of it yet
    assert lengths[1] == 56  # 9 ms a product, expected to take twice as long
    assert lengths[-1] == LEAST_SAMPLES
    assert all(length is not None and LEAST_SAMPLES <= length <= MOST_SAMPLES for length in lengths)


@pytest.mark.parametrize(
    ("plan", "exact", "wanted"),
    [
        (PLAN, True, 100),
        (replace(PLAN, iterations=None, duration_s=2.0), False, None),
        (replace(PLAN, method="handbook"), False, 100),
        (replace(PLAN, method="pipelined", window=7), False, 210),
    ],
)
def test_a_length_that_was_asked_for_is_kept(plan: BenchmarkConfig, exact: bool, wanted: int | None) -> None:
    leg = Sweep(plan, parse_axes(["batch=1,2"]), exact=exact).next()
    assert leg is not None
    assert (leg.config.iterations, leg.config.duration_s) == (wanted, plan.duration_s)


def test_a_point_too_large_for_memory_is_said_and_skipped(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker(KNEE)
    course = Sweep(BenchmarkConfig(MatMul(1, 2**20, 1), warmup=1), parse_axes(["intermediate=1,1048576,2"]))
    over = [each for each in carry_out(course, lambda plan, label: begin(plan, python=python)) if isinstance(each, TrialFinished)]
    assert [each.error is None for each in over] == [True, False, True]
    swept = course.swept()
    assert len(swept.measured) == 2
    (missing,) = swept.missing
    assert missing.error is not None
    assert "does not fit into memory" in missing.error.title
    assert "not measured" in sweep_markdown(swept)


@pytest.mark.parametrize("kind", ["worker", "start"])
def test_where_nothing_can_run_the_sweep_ends(begin: Begin, fake_worker: Callable[[str], str], kind: str) -> None:
    python = (
        "/nowhere/python" if kind == "start" else fake_worker("tell('failed', kind='backend', title='no device', cause='c', remedy='r')")
    )
    course = Sweep(PLAN, parse_axes(["batch=1..64"]))
    list(carry_out(course, lambda plan, label: begin(plan, python=python)))
    (point,) = course.swept().points
    assert point.error is not None
    assert point.error.exit_code == 3


def test_what_was_measured_before_a_stop_counts(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker(KNEE.replace("tell('ended', reason='done')", "sys.stdin.readline(); tell('ended', reason='stopped')"))
    done = fake_worker(KNEE)
    course = Sweep(PLAN, parse_axes(["batch=1..64"]))
    for news in carry_out(course, lambda plan, label: begin(plan, python=done if plan.workload.batch < 4 else python)):
        if isinstance(news, TrialStarted) and news.trial.config.workload.batch == 4:
            course.stop()
            news.source.stop()
    swept = course.swept()
    assert [point.values["batch"] for point in swept.points] == [1, 2]
    assert swept.total == 7


def test_a_sweep_needs_an_end() -> None:
    with pytest.raises(HeartbeatError, match="needs an end"):
        Sweep(replace(PLAN, iterations=None), parse_axes(["batch=1,2"]))


def test_a_point_that_makes_no_sense_is_said_before_anything_runs() -> None:
    with pytest.raises(HeartbeatError, match="batch is 2097152"):
        Sweep(PLAN, parse_axes(["batch=1,2097152"]))


def test_two_axes_make_a_curve_each(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker(KNEE)
    course = Sweep(PLAN, parse_axes(["dtype=float32,bfloat16", "batch=1,4,…,1024"]))
    list(carry_out(course, lambda plan, label: begin(plan, python=python)))
    swept = course.swept()
    assert swept.main.name == "batch"
    assert [curve.name for curve in swept.curves] == ["float32", "bfloat16"]
    assert all(len(curve.points) == 6 for curve in swept.curves)
    assert all(curve.knee for curve in swept.curves)


def test_an_axis_without_a_batch_has_no_knee(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker(KNEE)
    course = Sweep(PLAN, parse_axes(["threads=2,1"]))
    list(carry_out(course, lambda plan, label: begin(plan, python=python)))
    (curve,) = course.swept().curves
    assert [point.values["threads"] for point in curve.points] == [2, 1]
    assert curve.knee is None


def test_a_sweep_is_loaded_again_from_its_recordings(swept: Swept, tmp_path: Path) -> None:
    paths = [point.path for point in swept.points if point.path]
    again = load_sweep(reversed(paths), PeakCache(tmp_path / "none.json"), "a sweep")
    assert again.axes == swept.axes
    assert again.group == "a sweep"
    assert {point.values["batch"]: point.ns for point in again.points} == {point.values["batch"]: point.ns for point in swept.points}
    assert again.curves[0].knee == swept.curves[0].knee


def test_its_recordings_say_that_they_belong_together(swept: Swept) -> None:
    labels = [load(point.path).label for point in swept.points if point.path]
    assert len(labels) == 11
    assert {label.group for label in labels if label} == {"a sweep"}


def test_runs_that_are_no_sweep_are_refused(
    swept: Swept, recorded: Callable[[str], Callable[..., Run]], fake_worker: Callable[[str], str]
) -> None:
    cache = PeakCache(Path("/nowhere.json"))
    first = swept.points[0].path
    assert first is not None
    with pytest.raises(HeartbeatError, match="no sweep"):
        load_sweep([first, first], cache)
    other = recorded(fake_worker(KNEE))(replace(PLAN, method="pipelined"), Label(0))
    assert other.wait(60)
    assert other.path is not None
    with pytest.raises(HeartbeatError, match="no sweep"):
        load_sweep([first, other.path], cache)


def test_every_form_has_every_point(swept: Swept) -> None:
    made = sweep_json(swept)
    json.dumps(made, allow_nan=False)
    assert made["schema"] == 1
    assert made["sweep"] == {"batch": [2**power for power in range(11)]}
    assert len(made["points"]) == 11
    assert made["curves"][0]["knee"]["kind"] == "knee"
    assert made["curves"][0]["knee"]["meaning"][0].startswith("The knee is at a batch of about 92, between 64 and 128")
    rows = list(csv.DictReader(io.StringIO(SWEEP_WRITERS["csv"](swept))))
    assert [int(row["batch"]) for row in rows] == made["sweep"]["batch"]
    assert [float(row["median_ns"]) for row in rows] == [point.ns for point in swept.points]
    table = sweep_markdown(swept)
    assert table.startswith("| batch | median |")
    assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1
    assert "The knee is at" in table


@pytest.mark.torch
def test_a_real_sweep_proves_every_point(begin: Begin, small: Callable[..., BenchmarkConfig]) -> None:
    course = Sweep(small(), parse_axes(["batch=1,8"]))
    list(carry_out(course, lambda plan, label: begin(plan)))
    swept = course.swept()
    assert [point.values["batch"] for point in swept.measured] == [1, 8]
    assert all(point.report and point.report.proof and point.report.proof.passed for point in swept.measured)


def test_a_sweep_with_a_broken_point_says_which(index: Index, write: Write, records: Callable[..., list[Record]]) -> None:
    def point(batch: int) -> Path:
        return write([*records(plan=BenchmarkConfig(MatMul(batch), iterations=30, warmup=1)), Label(6, group="s")])

    paths = [point(batch) for batch in (1, 2, 4)]
    entries = index.find_all(["s"])
    swept = sweep_in(entries, index)
    assert swept is not None
    assert [point.values["batch"] for point in swept.points] == [1, 2, 4]
    lines = paths[1].read_bytes().splitlines(keepends=True)
    paths[1].write_bytes(lines[0] + b"rubbish\n" + b"".join(lines[1:]))
    with pytest.raises(HeartbeatError, match=f"{paths[1].name}, line 2"):
        sweep_in(entries, index)
    paths[1].unlink()
    with pytest.raises(HeartbeatError, match=f"{paths[1].name} cannot be read"):
        sweep_in(entries, index)


def test_runs_that_differ_in_more_than_a_sweep_varies_are_none(index: Index, write: Write, records: Callable[..., list[Record]]) -> None:
    for batch, warmup in ((1, 1), (2, 2)):
        write([*records(plan=BenchmarkConfig(MatMul(batch), warmup=warmup)), Label(6, group="s")])
    assert sweep_in(index.find_all(["s"]), index) is None


def test_both_charts_show_every_point_and_the_knee(swept: Swept) -> None:
    knees = [curve.knee for curve in swept.curves]
    for spec in (roofline_chart(swept, 60, 14), latency_sweep_chart(swept, 60, 14)):
        assert spec is not None
        points = next(curve for curve in spec.curves if curve.marker)
        assert len(points.x) == len([point for point in swept.points if point.ns])
        assert [rule.vertical for rule in spec.rules] == [True] * len([knee for knee in knees if knee and knee.kind == "knee"])


def test_a_sweep_of_a_model_shows_tokens_a_second_against_the_time_of_a_token(begin: Begin, fake_worker: Callable[[str], str]) -> None:
    python = fake_worker(KNEE)
    layer = Layer(ModelShape("any", 64, 128, 4, 2, 16, layers=10, vocabulary=64), context=8)
    course = Sweep(replace(PLAN, workload=layer), parse_axes(["batch=1..1024"]))
    for _ in carry_out(course, lambda plan, label: begin(plan, python=python)):
        pass
    swept = course.swept()
    first, last = (point["tokens_per_s"] for point in (sweep_json(swept)["points"][index] for index in (0, -1)))
    assert first == pytest.approx(1e9 / (10 * 9e6), rel=0.1)  # ten layers of 9 ms, and a small head
    assert last == pytest.approx(1024e9 / (10 * 102.4e6), rel=0.1)
    assert "| tokens/s |" in sweep_markdown(swept)
    chart = roofline_chart(swept, 80, 20)
    assert chart is not None
    assert chart.title.startswith("tokens/s at s/token")
    assert chart.curves[0].y[0] == pytest.approx(first)
