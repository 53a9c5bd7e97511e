"""The cache behind the index: it may be missing, broken or old, and the list is whole all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.recordings.index import Index

if TYPE_CHECKING:
    from tests.core.conftest import Write

Open = Callable[[], Index]
LONG_S = 120.0
LIST = """
import json, sys
from pathlib import Path
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.recordings.index import Index
folder, caches = map(Path, sys.argv[1:])
sys.stdin.readline()
found = []
for number in range(10):  # each made by the first that comes
    index = Index(folder, caches / str(number), PeakCache(caches / "ceilings.json"))
    found.append([[entry.id for entry in index.entries()], list(index.notes)])
print(json.dumps(found))
"""


def test_a_broken_cache_is_made_anew_and_that_is_said(index: Index, open_index: Open, write: Write) -> None:
    write()
    first = index.entries()
    whole = index.cache.path.read_bytes()
    for broken in (b"rubbish" * 1000, whole[: len(whole) // 2], whole[:10] + bytes(8000), b"[]"):
        index.cache.path.write_bytes(broken)
        again = open_index()
        assert again.entries() == first
        assert again.notes == ("the index of the runs was broken and is made anew",)
        assert open_index().notes == ()


def test_rows_that_are_none_are_read_anew(index: Index, open_index: Open, write: Write) -> None:
    write()
    first = index.entries()
    kept = json.loads(index.cache.path.read_text())
    rows: tuple[object, ...] = ({}, [], {"workload": 5}, None)
    for row in rows:
        kept["recordings"][0][-1] = row
        index.cache.path.write_text(json.dumps(kept))
        assert open_index().entries() == first


def test_the_cache_of_another_version_is_made_anew(index: Index, open_index: Open, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    first = index.entries()
    monkeypatch.setattr("heartbeat_core.recordings.index.VERSION", 5)
    again = open_index()
    assert again.cache.load({}) == {}
    assert again.entries() == first
    assert again.notes == ()


def test_a_cache_that_cannot_be_kept_is_done_without(folder: Path, tmp_path: Path, write: Write, open_index: Open) -> None:
    write()
    (tmp_path / "cache").write_text("in the way")
    index = open_index()
    assert len(index.entries()) == 1
    assert index.notes
    assert "cannot be written" in index.notes[-1]
    assert index.entries() == index.entries()


def test_programs_that_list_at_once_all_see_all(write: Write, folder: Path, tmp_path: Path) -> None:
    names = [write().stem[-6:] for _ in range(8)]
    command = [sys.executable, "-c", LIST, str(folder), str(tmp_path / "caches")]
    start = partial(subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with ExitStack() as programs:
        started = [programs.enter_context(start()) for _ in range(3)]
        for program in started:  # all of them at once
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        for output, errors in [program.communicate(timeout=LONG_S) for program in started]:
            assert errors == ""
            for found, notes in json.loads(output):
                assert sorted(found) == sorted(names)
                assert notes == []
