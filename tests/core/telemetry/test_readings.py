"""What a look means: each thing that may be missing is told apart, and explained."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.telemetry.readings import Answer, ChipReadings, reading_from_json

WHOLE = ChipReading(0, 2**30, 2**35, 87.5)
V6E = (("0000:00:04.0", "v6e"),)
HOLDER = {"pid": 4321, "owner": "alice", "command": "python train.py", "held": "/dev/vfio/0"}


def answer(outcome: str = "told", detail: str = "", *chips: ChipReading, port: int = 8431) -> Answer:
    return Answer(port, outcome, detail, chips)


def look(*answers: Answer, **values: Any) -> ChipReadings:
    return ChipReadings(**{"tpus": V6E, "library": "0.14.2", "answers": answers, **values})


@pytest.mark.parametrize(
    ("found", "state", "code"),
    [
        (look(answer("nobody", "connection refused")), "idle", 1),
        (look(answer("refused", "PERMISSION_DENIED: no")), "refused", 3),
        (look(answer("timeout", "DEADLINE_EXCEEDED: ")), "timeout", 3),
        (look(answer("told", "tpu.runtime.tensorcore.dutycycle.percent: NOT_FOUND", ChipReading(0, 1, 2, None))), "partial", 3),
        (look(answer("told", "", WHOLE, ChipReading(1, None, 2**35, 3.0))), "partial", 3),
        (look(answer("told", "it tells of no device")), "partial", 3),
        (look(answer("told", "", WHOLE), answer("nobody", "connection refused", port=8432)), "partial", 3),
        (look(tpus=()), "no tpu", 3),
        (look(library=None, library_problem="No module named 'grpc'"), "no library", 3),
        (ChipReadings(failure="no such file"), "broken", 3),
    ],
)
def test_each_missing_reading_has_its_cause_and_fix(found: ChipReadings, state: str, code: int) -> None:
    assert found.state == state
    problem = found.problem
    assert problem is not None
    assert problem.exit_code == code
    assert problem.cause
    assert problem.remedy


def test_where_nothing_is_missing_there_is_no_problem() -> None:
    found = look(answer("told", "", WHOLE))
    assert (found.state, found.problem, found.chips) == ("told", None, (WHOLE,))


def test_a_holder_that_serves_no_metrics_is_not_called_no_workload() -> None:
    said = {"time": "2026-11-24T20:00:00+00:00", "tpus": [{"address": "0000:00:04.0", "chip": "v6e"}], "holders": [HOLDER]}
    found = reading_from_json(json.dumps({**said, "answers": [{"port": 8431, "outcome": "nobody", "detail": "", "chips": []}]}).encode())
    assert found.state == "silent"
    assert found.problem is not None
    assert "process 4321 of alice, python train.py" in found.problem.cause
    assert "--port" in found.problem.remedy


def test_of_several_ports_the_one_that_lacks_is_named() -> None:
    found = look(answer("told", "", WHOLE), answer("nobody", "connection refused", port=8432)).problem
    assert found is not None
    assert found.cause == "localhost:8432: connection refused"
    assert "still runs" in found.remedy


def test_chips_are_counted_by_slot_and_named() -> None:
    assert look(tpus=(("0000:00:04.0", "7x"), ("0000:00:04.1", "7x"))).title == "1 × TPU7x (Ironwood)"
    assert look(tpus=(("0000:00:04.0", None),)).title == "1 × TPU of an unknown generation"


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"Defaulting to PJRT_DEVICE=CPU", b'{"time": "", "tpus": [], "answers": [{"port": "x"}]}']
)
def test_a_line_that_is_no_look_is_refused(line: bytes) -> None:
    with pytest.raises(HeartbeatError, match="unreadable line"):
        reading_from_json(line)
