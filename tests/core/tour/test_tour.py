"""The tour: its steps, and its conclusions from real recordings of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from heartbeat_core.benchmark.report import Report
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.recordings.recording import load, recorded_report
from heartbeat_core.tour.tour import Tour, TourStep, steps

RECORDED = tuple(step for step in steps() if step.recording)


def report_of_step(step: TourStep, folder: Path) -> Report:
    assert step.recording is not None
    return recorded_report(load(step.recording), PeakCache(folder / "none.json"))


def test_every_step_that_needs_more_than_a_cpu_has_a_recording_to_stand_in() -> None:
    assert {step.name for step in RECORDED} == {step.name for step in steps() if step.config and step.config.backend != "cpu"}


@pytest.mark.parametrize("step", RECORDED, ids=lambda step: step.name)
def test_a_recording_is_of_the_step_it_stands_for_and_says_that_it_is_a_rehearsal(step: TourStep, tmp_path: Path) -> None:
    report = report_of_step(step, tmp_path)
    tour = Tour(at=steps().index(step))
    assert tour.apply(report)
    assert tour.phase == "after"
    assert "rehearsal" in report.labels[0]
    assert any("recorded on" in label for label in report.labels)


def test_the_tour_leads_from_the_impossible_number_to_why(tmp_path: Path) -> None:
    tour = Tour()
    for index, step in enumerate(steps()):
        tour.at = index
        if step.recording:
            tour.apply(report_of_step(step, tmp_path))
    conclusions = {step.name: " ".join(step.conclude(tour.reports)) for step in steps()}
    assert "impossible" in conclusions["warm"]
    assert "not a TPU" in conclusions["warm"]
    assert "compilation took" in conclusions["cold"]
    assert "all but the last product are dropped" in conclusions["honest"]
    assert "not run" in conclusions["end"]  # the CPU's steps were not
    assert "takes 170 µs per iteration" in conclusions["end"]


def test_a_step_that_did_not_run_has_no_conclusion() -> None:
    for step in steps()[:-1]:
        assert step.conclude({}) == ("It has not been run.",)


def test_a_run_of_other_work_is_not_taken_for_the_step(tmp_path: Path) -> None:
    tour = Tour(at=[step.name for step in steps()].index("warm"))
    other = next(step for step in steps() if step.name == "cold")
    assert not tour.apply(report_of_step(other, tmp_path))
    assert tour.phase == "before"


def test_the_ends_of_the_tour_hold() -> None:
    tour = Tour()
    tour.go(-1)
    assert tour.at == 0
    tour.go(100)
    assert tour.last
