"""Labels: appended to the recording itself, and whatever happens meanwhile, the recording stays readable."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.benchmark.protocol import Ended, Label, Record, encode
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.entry import RunEntry, entry_of_row
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.labels import Relabel, check_label, last_label, relabel
from heartbeat_core.recordings.recording import load, recorded_report

if TYPE_CHECKING:
    from tests.core.conftest import Write

Records = Callable[..., list[Record]]
LONG_S = 60.0
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/,"), max_size=20)
labels = st.builds(Relabel, words, words, st.lists(words.filter(bool), max_size=3).map(tuple), st.just(()), words)

# A program that labels without end, and one that must not grow a file.
LABELS = """
import sys
from pathlib import Path
from heartbeat_core.recordings.labels import Relabel, relabel
print(flush=True)
for number in range(10**9):
    relabel(Path(sys.argv[1]), Relabel(name=f"name {number}", note="n" * 2000))
"""
CAPPED = """
import resource, sys
from pathlib import Path
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.labels import Relabel, relabel
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10,) * 2)
try:
    relabel(path, Relabel(name="base"))
except HeartbeatError as error:
    print(error)
"""
TAGS = """
import sys
from pathlib import Path
from heartbeat_core.recordings.labels import Relabel, relabel
sys.stdin.readline()
for number in range(8):
    relabel(Path(sys.argv[1]), Relabel(add_tags=(f"{sys.argv[2]}{number}",)))
"""


def label_of(path: Path) -> Label:
    found = load(path).label
    assert found is not None
    return found


def test_what_is_not_changed_stays_and_the_last_label_counts(write: Write) -> None:
    path = write()
    relabel(path, Relabel(name="base", add_tags=("cpu", "old")))
    relabel(path, Relabel(note="a quiet room", add_tags=("new", "cpu"), remove_tags=("old",)))
    found = label_of(path)
    assert (found.name, found.note, found.tags, found.group) == ("base", "a quiet room", ("cpu", "new"), "")
    assert found == last_label(path)
    assert load(path).ended == Ended(5, "done")
    relabel(path, Relabel(name="", note="", remove_tags=("cpu", "new")))
    assert label_of(path) == Label(5)


def test_a_label_changes_nothing_of_the_run(write: Write, index: Index) -> None:
    path = write()
    before = recorded_report(load(path), index.peak_cache)
    relabel(path, Relabel(name="base"))
    assert recorded_report(load(path), index.peak_cache) == before


@pytest.mark.parametrize("cut", [1, 2, 10, 30])
def test_a_last_line_that_was_cut_off_goes_before_the_label_comes(write: Write, records: Records, cut: int) -> None:
    lines = [encode(record) for record in records()]
    path = write(b"".join(lines[:-1]) + lines[-1][:-cut])
    relabel(path, Relabel(name="base"))
    whole = cut == 1  # its line feed alone was missing: it is a record
    assert label_of(path).name == "base"
    assert (load(path).ended is not None) == whole
    assert path.read_bytes().endswith(b"\n")


def test_a_label_cut_anywhere_leaves_the_one_before(write: Write) -> None:
    path = write()
    relabel(path, Relabel(name="first"))
    before = path.read_bytes()
    relabel(path, Relabel(name="second"))
    after = path.read_bytes()
    for cut in range(len(before), len(after)):
        path.write_bytes(after[:cut])
        assert label_of(path).name == "first"
        relabel(path, Relabel(note="x"))
        assert label_of(path).name in ("first", "second")  # all but its line feed is the whole label


def test_a_program_killed_while_it_labels_leaves_a_recording(write: Write, index: Index) -> None:
    path = write()
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", LABELS, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            size = path.stat().st_size
            while path.stat().st_size < size + 10_000:
                assert process.poll() is None
            process.kill()
        assert label_of(path).name.startswith("name ")
        relabel(path, Relabel(name="mine"))
        assert label_of(path).name == "mine"
    assert index.entries()[0].status == "done"


def test_two_programs_that_label_at_once_lose_nothing(write: Write) -> None:
    path = write()
    programs = [
        subprocess.Popen([sys.executable, "-c", TAGS, str(path), letter], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for letter in "ab"
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()
    assert [program.communicate(timeout=LONG_S)[1] for program in programs] == ["", ""]
    assert sorted(label_of(path).tags) == sorted(f"{letter}{number}" for letter in "ab" for number in range(8))


def test_a_full_disk_leaves_the_recording_as_it_was(write: Write) -> None:
    path = write()
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", CAPPED, str(path)], capture_output=True, text=True, timeout=LONG_S, check=True)
    assert "cannot be labelled" in done.stdout
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"half", b"rubbish\n", encode(Ended(0, "done"))])
def test_what_is_no_recording_is_not_written_to(write: Write, content: bytes) -> None:
    path = write(content)
    with pytest.raises(HeartbeatError, match="not a recording"):
        relabel(path, Relabel(name="base"))
    assert path.read_bytes() == content


def test_a_file_that_is_gone_is_an_error_with_its_name(folder: Path) -> None:
    with pytest.raises(HeartbeatError, match=r"gone\.jsonl is gone"):
        relabel(folder / "gone.jsonl", Relabel(name="base"))


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({"name": "x" * 81}, "the name has 81 characters"),
        ({"note": "x" * 2001}, "the note has 2,001 characters"),
        ({"name": "a\nb"}, "cannot be shown"),
        ({"group": "a\x1bb"}, "cannot be shown"),
        ({"name": " a"}, "begins or ends with a space"),
        ({"name": "a/b"}, "has a /"),
        ({"group": "a,b"}, "has a /"),
        ({"tags": ("two words",)}, "cannot be a tag"),
        ({"tags": ("a,b",)}, "cannot be a tag"),
        ({"tags": ("",)}, "cannot be a tag"),
        ({"tags": tuple(f"t{i}" for i in range(21))}, "21 tags"),
    ],
)
def test_a_label_that_would_not_do_is_refused(values: dict[str, Any], title: str) -> None:
    with pytest.raises(HeartbeatError) as refused:
        check_label(Label(0, **values))
    assert title in refused.value.title
    assert refused.value.remedy


@given(labels)
def test_any_label_that_is_allowed_comes_back_from_its_file(tmp_path_factory: pytest.TempPathFactory, change: Relabel) -> None:
    from tests.core.conftest import make_records

    path = tmp_path_factory.mktemp("one") / "run.jsonl"
    path.write_bytes(b"".join(encode(record) for record in make_records()))
    assert relabel(path, change)[0] == label_of(path) == change.applied_to(Label(5))


@given(labels, st.integers(0, 10**9), st.none() | st.floats(0, 1e12))
def test_an_entry_comes_back_from_the_index_as_it_was(change: Relabel, size: int, median: float | None) -> None:
    label = change.applied_to(Label(0))
    entry = RunEntry(Path("a.jsonl"), "a", size, "done", "", label.name, label.note, label.tags, label.group, median_ns=median)
    assert entry_of_row(json.loads(json.dumps(entry.to_row())), entry.path, entry.id) == entry
