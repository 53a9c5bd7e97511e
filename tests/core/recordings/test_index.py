"""The index of a folder of recordings: whole, whatever their state, and rebuilt from them."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Ended, Failed, Health, Label, PeaksMeasured, Record, Samples, encode
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.recordings.index import Index
from heartbeat_core.recordings.labels import Relabel
from heartbeat_core.recordings.recording import Recording, load, recorded_report

if TYPE_CHECKING:
    from tests.core.conftest import Write

Records = Callable[..., list[Record]]
Open = Callable[[], Index]


def test_an_entry_says_what_the_report_of_its_recording_says(index: Index, write: Write, records: Records) -> None:
    path = write([*records(range(2_000_000, 2_000_060)), PeaksMeasured(6, 1e13, 1e13), Label(6, "base", "quiet room", ("cpu", "old"), "g")])
    (entry,) = index.entries()
    report = recorded_report(load(path), index.peak_cache)
    assert report.statistics is not None
    assert (entry.median_ns, entry.n) == (report.iteration_ns, report.statistics.n)
    assert (entry.low_ns, entry.high_ns) == (report.statistics.median_low_ns, report.statistics.median_high_ns)
    assert (entry.verdict, entry.reason) == (report.verdict.kind, report.verdict.reason)
    assert (entry.quality, entry.findings, entry.flops_per_s) == (report.quality.kind, report.quality.reasons, report.flops_per_s)
    assert (entry.cold_ns, entry.status, entry.problem) == (9_000_000, "done", "")
    assert (entry.name, entry.note, entry.tags, entry.group) == ("base", "quiet room", ("cpu", "old"), "g")
    assert (entry.host, entry.device, entry.threads, entry.backend) == ("h", "cpu", 2, "cpu")
    assert entry.started == datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
    assert entry.bytes == path.stat().st_size


def test_an_entry_names_what_disturbed_a_run(index: Index, write: Write, records: Records) -> None:
    path = write([*records(), Health(6, 0, None, None, None, waited_ns=10**12)])
    (entry,) = index.entries()
    assert entry.findings == recorded_report(load(path), index.peak_cache).quality.reasons
    assert any("for a processor" in finding for finding in entry.findings)


def test_what_was_read_is_kept_for_the_next_program(index: Index, open_index: Open, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    write(b"rubbish\n")
    write(b"")
    first = index.entries()
    monkeypatch.setattr("heartbeat_core.recordings.summary.summarize_recording", None)  # nothing is read again
    assert open_index().entries() == first
    assert index.entries() == first


def test_the_newest_run_comes_first_and_a_changed_file_is_read_again(index: Index, write: Write, records: Records) -> None:
    old, new = write(records(time="2026-11-20T12:00:00+00:00")), write(records(time="2026-11-21T12:00:00+01:00"))
    assert [entry.path for entry in index.entries()] == [new, old]
    old.write_bytes(b"".join(encode(record) for record in records(time="2026-11-22T12:00:00+00:00")) + encode(Label(9, "again")))
    assert [(entry.path, entry.name) for entry in index.entries()] == [(old, "again"), (new, "")]
    new.unlink()
    assert [entry.path for entry in index.entries()] == [old]


@pytest.mark.parametrize(
    ("content", "status", "problem"),
    [
        (b"", "empty", "it is empty"),
        (b"half a li", "empty", "no complete line"),
        (b"rubbish\n", "broken", "line 1"),
        (encode(Ended(0, "done")), "broken", "does not begin as a run does"),
    ],
)
def test_what_is_no_recording_is_listed_with_its_problem(index: Index, write: Write, content: bytes, status: str, problem: str) -> None:
    write(content)
    (entry,) = index.entries()
    assert entry.status == status
    assert problem in entry.problem
    assert entry.started == datetime(2026, 11, 1, 12, tzinfo=timezone.utc)  # by its name
    assert not entry.readable


def test_a_recording_broken_in_the_middle_keeps_what_came_before(index: Index, write: Write, records: Records) -> None:
    lines = [encode(record) for record in records()]
    write(b"".join((*lines[:4], b"rubbish\n", *lines[4:])))
    (entry,) = index.entries()
    assert (entry.status, entry.n) == ("broken", 30)
    assert "line 5" in entry.problem


def test_a_newer_schema_and_a_newer_plan_are_distinguished(index: Index, write: Write, records: Records) -> None:
    made = records()
    newer = write(encode(made[0]).replace(b'"schema":1', b'"schema":2'))
    plan = write(b"".join(map(encode, made)).replace(b'"warmup":1', b'"warmup":1,"fusion":true', 1))
    by_path = {entry.path: entry for entry in index.entries()}
    assert (by_path[newer].status, by_path[plan].status) == ("newer", "done")
    assert "schema 2" in by_path[newer].problem
    assert "fusion" in by_path[plan].problem
    assert by_path[plan].n == 30
    assert "fusion" in str(recorded_report(load(plan), index.peak_cache).labels)


def test_a_run_that_failed_says_why(index: Index, write: Write, records: Records) -> None:
    write([*records()[:2], Failed(2, "memory", "it needs more memory", "8 GiB.", "")])
    (entry,) = index.entries()
    assert (entry.status, entry.problem) == ("failed", "it needs more memory: 8 GiB")


def test_a_recording_being_written_is_running_until_its_program_is_gone(index: Index, folder: Path, records: Records) -> None:
    recording = Recording.create(folder, BenchmarkConfig(), 2**20, Label(0, "mine"))
    for record in records()[:4]:
        recording.write(encode(record))
    (entry,) = index.entries()
    assert (entry.status, entry.name, entry.n) == ("running", "mine", 30)
    for refused in (lambda: index.label(entry, Relabel(name="x")), lambda: index.delete(entry)):
        with pytest.raises(HeartbeatError, match="still being written"):
            refused()
    assert recording.file is not None
    recording.file.close()  # as when its program is killed: the file stays as it is
    assert index.entries()[0].status == "cut off"


def test_a_verdict_follows_the_peak_of_this_machine(index: Index, open_index: Open, write: Write, records: Records) -> None:

    from heartbeat_core.benchmark.roofline import MeasuredPeaks, peaks_key

    write(records())
    before = index.entries()[0]
    environment = records()[1]
    index.peak_cache.store(peaks_key(BenchmarkConfig(), environment.values), MeasuredPeaks(1e9, 1e9, "2026-11-23"))  # type: ignore[attr-defined]
    assert before.verdict == "plausible"
    assert index.entries()[0].verdict == "suspicious"
    assert open_index().entries()[0].verdict == "suspicious"


def test_an_id_is_the_end_of_the_name_as_long_as_no_other_run_shares_it(index: Index, write: Write) -> None:
    write(name="20261101T120000Z-cpu-synchronized-abcdef.jsonl")
    write(name="copied.jsonl")
    assert {entry.id for entry in index.entries()} == {"abcdef", "copied"}
    write(name="20261102T120000Z-cpu-pipelined-abcdef.jsonl")
    ids = {entry.id for entry in index.entries()}
    assert ids == {"20261101T120000Z-cpu-synchronized-abcdef", "20261102T120000Z-cpu-pipelined-abcdef", "copied"}


def test_a_run_is_found_by_id_beginning_name_or_path(index: Index, write: Write, records: Records, tmp_path: Path) -> None:
    path = write([*records(), Label(9, "base")], name="20261101T120000Z-cpu-synchronized-abcdef.jsonl")
    other = write([*records(), Label(9, "baseline")], name="20261102T120000Z-cpu-synchronized-abc123.jsonl")
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(other.read_bytes())
    for text in ("abcdef", "abcd", "20261101", "base", path.name, str(path)):
        assert index.find(text).path == path
    assert index.find(str(elsewhere)).path == elsewhere
    assert index.find("last").path == other
    with pytest.raises(HeartbeatError, match="2 runs match 'abc'") as refused:
        index.find("abc")
    assert "abcdef (base)" in refused.value.cause
    with pytest.raises(HeartbeatError, match="no run") as refused:
        index.find("basline")
    assert "baseline" in refused.value.cause


def test_a_group_means_all_its_runs_once(index: Index, write: Write, records: Records) -> None:
    paths = {write([*records(), Label(9, group="nightly")]) for _ in range(3)}
    write()
    assert {entry.path for entry in index.find_all(["nightly", "000001"])} == paths


def test_a_folder_that_is_missing_is_empty_and_one_that_cannot_be_read_is_said(open_index: Open, folder: Path, tmp_path: Path) -> None:
    index = open_index()
    folder.rmdir()
    assert index.entries() == ()
    folder.write_text("")
    with pytest.raises(HeartbeatError, match="cannot be read"):
        index.entries()


def test_only_files_of_recordings_count(index: Index, write: Write, folder: Path) -> None:
    (folder / "deep.jsonl").mkdir()
    (folder / "notes.txt").write_text("")
    path = write()
    assert [entry.path for entry in index.entries()] == [path]


def test_compile_iterations_are_left_out_here_as_in_the_report(index: Index, write: Write, records: Records) -> None:
    made = records()
    totals, compiled = array("q", [5_000_000, *range(1000, 1029)]), array("q", [4_000_000, *[0] * 29])
    made[3] = Samples(3, "steady", 1, {"total": totals, "compile": compiled})
    path = write(made)
    report = recorded_report(load(path), index.peak_cache)
    assert report.statistics is not None
    assert (index.entries()[0].n, index.entries()[0].median_ns) == (report.statistics.n, report.statistics.median_ns) == (29, 1014)


def test_a_run_of_another_shape_says_so(index: Index, write: Write, records: Records) -> None:
    write(records(plan=BenchmarkConfig(MatMul(1, 2, 3, "bfloat16"), method="pipelined", iterations=30)))
    (entry,) = index.entries()
    assert (entry.workload, entry.method) == (MatMul(1, 2, 3, "bfloat16"), "pipelined")
    assert entry.flops_per_s == pytest.approx(12e9 / entry.median_ns if entry.median_ns else None)
    assert os.fspath(entry.path)


def test_a_file_that_is_no_recording_is_not_deleted_as_one(index: Index, tmp_path: Path) -> None:
    notes = tmp_path / "elsewhere" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("dear to somebody\n")
    entry = index.find(str(notes))
    with pytest.raises(HeartbeatError, match="is not a recording"):
        index.delete(entry)
    assert notes.exists()


def test_of_several_recordings_as_many_are_deleted_as_can_be(index: Index, folder: Path, write: Write, records: Records) -> None:
    first, last = write(), write()
    recording = Recording.create(folder, BenchmarkConfig(), 2**20)
    recording.write(encode(records()[0]))
    entries = sorted(index.entries(), key=lambda entry: entry.path.name)
    last.unlink()  # another program was quicker
    ((entry, error),) = index.delete_all(entries)
    assert entry.path == recording.path
    assert "still being written" in error.title
    assert not first.exists()
    assert recording.path.exists()
    recording.close()


def test_a_recording_that_another_program_deletes_meanwhile_is_said_to_be_gone(index: Index, write: Write) -> None:
    path = write()
    (entry,) = index.entries()
    path.unlink()
    with pytest.raises(HeartbeatError, match=f"{path.name} is gone"):
        index.label(entry, Relabel(name="x"))
