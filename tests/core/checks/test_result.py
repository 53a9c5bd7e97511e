from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.checks.result import GLYPHS, GROUPS, CheckReport, Result, Status, count
from heartbeat_core.cloud.session import Evidence
from heartbeat_core.diagnosis.model import Remedy

STATUSES = st.lists(st.sampled_from(get_args(Status)), max_size=8)


def result(name: str, status: Status, **more: object) -> Result:
    return Result(name, name.partition(".")[0], "?", status, "so", **more)  # type: ignore[arg-type]


def of(*statuses: Status) -> CheckReport:
    return CheckReport(tuple(result(f"quota.{number}", status) for number, status in enumerate(statuses)))


@given(STATUSES)
def test_ready_is_said_only_where_nothing_failed_and_nothing_is_open(statuses: list[Status]) -> None:
    ready = of(*statuses).ready
    assert (ready is False) == ("fail" in statuses)
    assert (ready is True) == (bool({"pass", "warn"} & set(statuses)) and not {"fail", "unknown", "blocked"} & set(statuses))


@pytest.mark.parametrize(
    ("statuses", "following", "headline"),
    [
        (("pass", "warn", "not_applicable"), None, "ready"),
        (("unknown", "blocked", "fail", "fail"), "quota.2", "at least 2 steps left"),
        (("blocked", "fail"), "quota.1", "at least 1 step left"),
        (("pass", "blocked", "unknown"), "quota.2", "could not tell"),
        (("blocked",), None, "could not tell"),
        (("not_applicable",), None, "nothing to check"),
    ],
)
def test_the_next_step_is_the_first_failure_else_the_first_unknown(
    statuses: tuple[Status, ...], following: str | None, headline: str
) -> None:
    readiness = of(*statuses)
    assert (readiness.next.id if readiness.next else None, readiness.headline()) == (following, headline)


def test_the_json_says_all(world: object) -> None:
    evidence = Evidence("GET x", "me", "200", "2026-11-22T12:00:00.000+00:00", 12.345)
    remedy = Remedy("Do it.", ("gcloud", "do", "<IT>"), changes="it", costs=None, interactive=True)
    told = result("quota.cpus", "fail", why="because", evidence=(evidence,), remedies=(remedy,), permission="a.b.c", link="https://x")
    made = json.loads(json.dumps(CheckReport((told,)).to_json()))
    assert made["schema"] == 1
    assert (made["ready"], made["principal"], made["target"], made["next"], made["steps_left"]) == (False, None, None, "quota.cpus", 1)
    assert made["checks"] == [
        {
            "id": "quota.cpus", "group": "quota", "title": "quota.cpus", "question": "?", "status": "fail", "summary": "so",
            "why": "because",
            "evidence": [{"asked": "GET x", "principal": "me", "answered": "200", "at": "2026-11-22T12:00:00.000+00:00", "took_ms": 12.3}],
            "remedies": [
                {
                    "text": "Do it.", "command": ["gcloud", "do", "<IT>"], "page": None, "changes": "it", "costs": None,
                    "interactive": True, "missing": ["<IT>"],
                }
            ],
            "blocked_by": [], "permission": "a.b.c", "link": "https://x", "took_ms": 0.0,
        }
    ]  # fmt: skip


def test_every_status_has_a_glyph_of_its_own() -> None:
    assert set(GLYPHS) == set(get_args(Status))
    assert len(set(GLYPHS.values())) == len(GLYPHS)


def test_the_sections_hold_every_group_and_leave_out_what_is_empty() -> None:
    every = CheckReport(tuple(result(f"{group}.x", "pass") for group in GROUPS))
    assert [found.id for _, results in every.sections() for found in results] == [f"{group}.x" for group in GROUPS]
    assert every.sections()[2][0] == "project and APIs"
    assert of().sections() == ()
    assert count(every.results) == {"pass": len(GROUPS)}
