from __future__ import annotations

import json
import tempfile
from array import array
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import within_a_second

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import (
    SCHEMA,
    Ended,
    Environment,
    Failed,
    Label,
    PeaksMeasured,
    Proof,
    Record,
    Samples,
    Started,
    encode,
)
from heartbeat_core.benchmark.report import report_json
from heartbeat_core.benchmark.roofline import PeakCache
from heartbeat_core.benchmark.run import Run
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.recording import Recording, load, make_room, read_records, recorded_report

PLAN = BenchmarkConfig(iterations=30, warmup=1)
RECORDS: tuple[Record, ...] = (
    Started(0, SCHEMA, "0", 1, "2026-11-22T12:00:00+00:00", PLAN.to_json()),
    Environment(1, {"host": "h", "device": "cpu"}),
    Samples(2, "cold", 0, {"total": array("q", [9_000_000])}),
    Samples(3, "steady", 1, {"total": array("q", range(1_000_000, 1_000_030))}),
    Proof(4, 3, 1e-7, "float32", passed=True),
    Ended(5, "done"),
)
LINES = [encode(record) for record in RECORDS]
ENOUGH = 2**20


def written(folder: Path, *lines: bytes, name: str = "run.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join(lines))
    return path


def record(folder: Path, lines: list[bytes], limit_bytes: int = ENOUGH) -> tuple[Recording, list[str]]:
    """Write a recording to its end; return it with the notes it made."""
    recording = Recording.create(folder, PLAN, limit_bytes)
    notes = [note for line in lines if (note := recording.write(line))]
    return recording, notes + recording.close()


def test_a_recording_holds_the_stream_byte_for_byte(tmp_path: Path) -> None:
    recording, notes = record(tmp_path / "deep" / "folder", LINES)
    assert notes == []
    assert recording.path.read_bytes() == b"".join(LINES)
    assert "cpu-synchronized" in recording.path.name
    loaded = load(recording.path)
    assert not loaded.cut_off
    assert loaded.config == PLAN
    assert loaded.count == 31


def test_two_recordings_of_one_second_are_two_files(tmp_path: Path) -> None:
    assert record(tmp_path, LINES)[0].path != record(tmp_path, LINES)[0].path


def test_every_line_is_on_disk_when_it_is_written(tmp_path: Path) -> None:
    recording = Recording.create(tmp_path, PLAN, ENOUGH)
    recording.write(LINES[0])
    assert recording.path.read_bytes() == LINES[0]  # whatever happens to this program afterwards
    recording.close()


@pytest.mark.parametrize("cut", range(1, len(LINES[3]) + 1, 7))
def test_a_recording_cut_anywhere_loads_up_to_its_last_whole_line(tmp_path: Path, cut: int) -> None:
    loaded = load(written(tmp_path, *LINES[:3], LINES[3][:-cut]))
    assert loaded.cut_off
    assert loaded.count == 1
    assert loaded.cold_ns == 9_000_000


def test_a_recording_cut_between_lines_is_cut_off_too(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, *LINES[:4]))
    assert loaded.cut_off
    report = recorded_report(loaded, PeakCache(tmp_path / "none.json"))
    assert report.ending is not None
    assert report.ending.kind == "lost"
    assert report.statistics is not None
    assert report.statistics.n == 30


def test_a_run_that_failed_is_not_cut_off(tmp_path: Path) -> None:
    path = written(tmp_path, *LINES[:4], encode(Failed(4, "error", "it broke", "", "")))
    assert not load(path).cut_off


@pytest.mark.parametrize("broken", [b"\n", b"rubbish\n", LINES[3][:-20] + b"\n", b"\x00" * 100 + b"\n"])
def test_a_broken_line_in_the_middle_is_named_with_its_number(tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(HeartbeatError, match=r"run\.jsonl, line 3:"):
        load(written(tmp_path, *LINES[:2], broken, *LINES[3:]))


@pytest.mark.parametrize("content", [b"", b"no line at all", LINES[0][:-1], LINES[1] + LINES[0]])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(HeartbeatError, match="not a recording"):
        load(written(tmp_path, content))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary().map(lambda data: b64encode(data).decode()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def strange(draw: st.DrawFn) -> bytes:
    """Draw a recording of which some lines are missing, twice there, cut, or have other values."""
    lines = []
    for line in draw(st.lists(st.sampled_from(LINES), max_size=8).map(lambda some: [LINES[0], *some])):
        record = json.loads(line)
        for key in draw(st.lists(st.sampled_from(sorted(record)), max_size=2)):
            record[key] = draw(VALUES)
        if isinstance(plan := record.get("plan"), dict) and plan and draw(st.booleans()):
            plan[draw(st.sampled_from(sorted(plan)))] = draw(VALUES)
        lines.append(draw(st.sampled_from((json.dumps(record).encode(), line.strip()))))
    text = b"\n".join(lines) + draw(st.sampled_from((b"\n", b"")))
    cut = draw(st.integers(0, len(text)))
    return draw(st.sampled_from((text, text[:cut], text[:cut] + draw(st.binary(max_size=9)) + text[cut:])))


@pytest.mark.fuzz
@given(strange() | st.binary())
@within_a_second
def test_no_recording_is_too_strange(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), content)
        try:
            loaded = load(path)
        except HeartbeatError as error:
            assert all((error.title, error.remedy))  # noqa: PT017
        else:
            json.dumps(report_json(recorded_report(loaded, PeakCache(Path(folder) / "ceilings.json")), loaded))


def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(HeartbeatError, match="missing") as refused:
        list(read_records(tmp_path / "missing.jsonl"))
    assert refused.value.cause == "No such file or directory"
    with pytest.raises(HeartbeatError, match="cannot be read"):
        load(tmp_path)


def test_a_recording_of_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    line = LINES[0].replace(b'"schema":1', b'"schema":2')
    with pytest.raises(HeartbeatError) as refused:
        load(written(tmp_path, line))
    assert refused.value.remedy == "Update heartbeat-tui."


def on_a_full_disk(folder: Path) -> Recording:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    return Recording(folder / "run.jsonl", full.open("wb", buffering=0), ENOUGH)


def test_a_full_disk_ends_the_recording_and_says_so_once(tmp_path: Path) -> None:
    recording = on_a_full_disk(tmp_path)
    notes = [recording.write(line) for line in LINES]
    assert notes[0] is not None
    assert "No space left" in notes[0]
    assert notes[1:] == [None] * (len(LINES) - 1)
    assert recording.close() == []


def test_a_run_goes_on_when_its_disk_is_full(
    begin: Callable[..., Run], fake_worker: Callable[[str], str], small: Callable[..., BenchmarkConfig], tmp_path: Path
) -> None:
    recording = on_a_full_disk(tmp_path)
    run = begin(small(), python=fake_worker("start(); beat(0, 5); tell('ended', reason='done')"), sinks=(recording,))
    assert run.wait(60)
    assert run.ending is not None
    assert run.ending.kind == "done"
    assert run.series.count == 1
    assert len(run.notes) == 1
    assert "the run is not saved" in run.notes[0]


def old_one(folder: Path, day: int, size: int) -> Path:
    path = folder / f"202611{day:02}T120000Z-cpu-synchronized-0000{day:02}.jsonl"
    path.write_bytes(b"x" * size)
    return path


def test_the_oldest_go_when_all_together_exceed_the_cap(tmp_path: Path) -> None:
    old = [old_one(tmp_path, day, 1000) for day in (3, 1, 2)]
    size = sum(map(len, LINES))
    recording, notes = record(tmp_path, LINES, limit_bytes=1000 + size)
    assert sorted(tmp_path.iterdir()) == sorted((old[0], recording.path))
    assert len(notes) == 1
    assert notes[0].startswith("2 old recordings were removed")


def test_below_the_cap_nothing_goes(tmp_path: Path) -> None:
    old_one(tmp_path, 1, 1000)
    assert record(tmp_path, LINES)[1] == []
    assert len(list(tmp_path.iterdir())) == 2


def test_the_newest_is_never_removed(tmp_path: Path) -> None:
    newest, older = old_one(tmp_path, 9, 500), old_one(tmp_path, 1, 500)
    assert make_room(tmp_path, 0, keep=newest) == ([older], [])
    assert newest.exists()


def labelled(path: Path, label: Label) -> Path:
    path.write_bytes(b"".join((*LINES, encode(label))))
    return path


def test_labelled_recordings_go_when_nothing_else_is_left_and_that_is_said(tmp_path: Path) -> None:
    named = labelled(old_one(tmp_path, 1, 0), Label(5, "base"))
    grouped = labelled(old_one(tmp_path, 2, 0), Label(5, group="repeat-1"))
    plain = old_one(tmp_path, 3, 1000)
    tagged = labelled(old_one(tmp_path, 4, 0), Label(5, tags=("slow",)))
    size = sum(map(len, LINES))
    recording, notes = record(tmp_path, LINES, limit_bytes=size + named.stat().st_size + tagged.stat().st_size)
    assert set(tmp_path.iterdir()) == {named, tagged, recording.path}
    assert len(notes) == 1
    second, notes = record(tmp_path, LINES, limit_bytes=size + tagged.stat().st_size)
    assert set(tmp_path.iterdir()) == {tagged, second.path}
    assert notes[1] == "1 of them had a name, a note or tags, because no others were left: base"
    assert not grouped.exists()
    assert not plain.exists()


def test_a_recording_that_a_program_is_writing_never_goes(tmp_path: Path) -> None:
    going_on = Recording.create(tmp_path, PLAN, ENOUGH)
    going_on.write(LINES[0])
    old = going_on.path.rename(tmp_path / "20200101T120000Z-cpu-synchronized-000001.jsonl")
    other, notes = record(tmp_path, LINES, limit_bytes=sum(map(len, LINES)))
    assert set(tmp_path.iterdir()) == {old, other.path}
    assert notes == []
    assert going_on.file is not None
    going_on.file.close()
    assert make_room(tmp_path, sum(map(len, LINES)), keep=other.path) == ([old], [])


def test_files_of_others_are_never_removed_nor_counted(tmp_path: Path) -> None:
    others = [
        tmp_path / name for name in ("dataset.jsonl", "20261101T120000Z-notes.jsonl", "20261101T120000Z-cpu-synchronized-000001.json")
    ]
    for path in others:
        path.write_bytes(b"x" * 5000)
    recording, notes = record(tmp_path, LINES, limit_bytes=sum(map(len, LINES)))
    assert notes == []
    assert set(tmp_path.iterdir()) == {*others, recording.path}


def test_one_recording_alone_stays_below_the_cap(tmp_path: Path) -> None:
    limit = len(LINES[0]) + len(LINES[1]) + 10
    recording, notes = record(tmp_path, LINES, limit_bytes=limit)
    assert recording.path.read_bytes() == LINES[0] + LINES[1]
    assert len(notes) == 1
    assert "recordings.limit_mib" in notes[0]


def test_a_recording_of_nothing_leaves_no_file(tmp_path: Path) -> None:
    record(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_a_report_of_a_recording_is_that_of_the_run(
    begin: Callable[..., Run], fake_worker: Callable[[str], str], small: Callable[..., BenchmarkConfig], tmp_path: Path
) -> None:
    body = "start(); tell('environment', values={'host': 'h'}); beat(0, 900, phase='cold'); beat(1, *range(100, 160))"
    recording = Recording.create(tmp_path / "kept", small(), ENOUGH)
    run = begin(small(), python=fake_worker(body + "; tell('ended', reason='done')"), sinks=(recording,))
    assert run.wait(60)
    loaded = load(recording.path)
    again = recorded_report(loaded, PeakCache(tmp_path / "none.json"))

    def figures(made: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in made.items() if name != "labels"}

    assert figures(report_json(again, loaded)) == figures(report_json(run.report(), run.series))
    assert again.labels == ("recorded on 2026-11-22",)


def test_a_report_is_held_against_the_peak_of_its_own_run(tmp_path: Path) -> None:
    path = written(tmp_path, *LINES[:5], encode(PeaksMeasured(5, 1e12, 1e11)), LINES[5])
    report = recorded_report(load(path), PeakCache(tmp_path / "none.json"))
    assert report.floor is not None
    assert report.floor.roof.measured_on == "2026-11-22"
    assert json.dumps(report_json(report, load(path)), allow_nan=False)


def test_two_programs_that_make_room_at_once_take_no_more_than_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heartbeat_core.recordings import recording

    oldest, older, newest = (tmp_path / f"2026112{day}T120000Z-cpu-synchronized-00000{day}.jsonl" for day in (1, 2, 3))
    for path in (oldest, older, newest):
        path.write_bytes(b"".join(LINES))

    def other_was_quicker(path: Path) -> bool:
        path.unlink()
        return False

    monkeypatch.setattr(recording, "remove", other_was_quicker)
    assert make_room(tmp_path, 2 * sum(map(len, LINES)), keep=newest) == ([], [])
    assert not oldest.exists()
    assert older.exists()
