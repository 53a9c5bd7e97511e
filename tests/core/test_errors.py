"""Errors for users say what happened, why, and what to do, with a suggestion where one is near."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import heartbeat_core
import heartbeat_tui
from heartbeat_core.errors import nearest

SOURCES = sorted(path for package in (heartbeat_core, heartbeat_tui) for path in Path(str(package.__file__)).parent.rglob("*.py"))


def empty_parts(path: Path) -> list[str]:
    """Return where a HeartbeatError is made with an empty part; that no part is missing is checked by mypy."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    errors = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "HeartbeatError"]
    return [
        f"{path.name}:{call.lineno}"
        for call in errors
        for argument in call.args
        if any(isinstance(part, ast.Constant) and part.value == "" for part in (argument, *ast.iter_child_nodes(argument)))
    ]


def test_each_error_says_what_why_and_what_to_do() -> None:
    found = [place for path in SOURCES for place in empty_parts(path)]
    assert len(SOURCES) > 100
    assert found == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [("benhc", "bench"), ("batch", "beat.batch"), ("beat.btch", "beat.batch"), ("RUN", "runs"), ("vm", "vms"), ("xyz", ""), ("tour", "")],
)
def test_a_suggestion_is_a_few_edits_away_or_none(text: str, meant: str) -> None:
    assert nearest(text, ("bench", "runs", "vms", "beat.batch", "settings")) == meant
