from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.waiting import until
from textual.widgets import Input, Select

from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.recordings.labels import last_label
from heartbeat_tui.runs.opened_panes import RecordedRunPane
from heartbeat_tui.runs.pane import RunsPane

if TYPE_CHECKING:
    from tests.tui.runs.conftest import Folder, OpenHall

SIZES = [(80, 24), (160, 50), (60, 18)]


async def test_an_empty_list_says_what_fills_it(hall: OpenHall) -> None:
    async with hall() as stage:
        assert "No run has been recorded yet." in stage.text()
        assert "space starts a run there" in stage.text()
        assert not {"Open", "Mark", "Replay"} & stage.offered()
        await stage.press("3")
        assert "Start" in stage.text()


async def test_an_empty_list_says_where_runs_are_not_kept(hall: OpenHall, folder: Folder) -> None:
    async with hall(archive=folder.archive(saving=False)) as stage:
        assert "recordings.save is off" in stage.text()


@pytest.mark.parametrize("size", SIZES)
async def test_the_newest_run_comes_first_at_every_size(hall: OpenHall, folder: Folder, size: tuple[int, int]) -> None:
    folder.add(day=1, ns=9_600_000, label=Label(0, "old"))
    folder.add(day=2, ns=200_000, label=Label(0, "new", tags=("quick",)))
    async with hall(size=size) as stage:
        lines = stage.lines()
        assert stage.line("➤").startswith("➤   000002 new")
        assert lines.index(stage.line("new")) < lines.index(stage.line("old"))
        assert "200 µs" in stage.line("➤")
        assert max(map(len, stage.text().splitlines())) <= size[0]


async def test_the_run_pointed_at_is_shown_with_its_chart_and_its_note(hall: OpenHall, folder: Folder) -> None:
    folder.add(label=Label(0, "noted", note="with the door shut", tags=("a", "b")))
    async with hall() as stage:
        shown = stage.text()
        assert "with the door shut" in shown
        assert "◆" in shown
        assert "6.0× the median" in shown
        assert "cold" in shown


async def test_what_is_wrong_with_a_recording_is_said_in_words(hall: OpenHall, folder: Folder) -> None:
    whole = folder.add(day=9).read_bytes()
    folder.add(day=8).write_bytes(whole[: whole.index(b'"samples"') + 200])
    (folder.path / "broken.jsonl").write_bytes(b"no recording\n")
    (folder.path / "newer.jsonl").write_bytes(whole.replace(b'"schema":1', b'"schema":7'))
    async with hall() as stage:
        assert "1 attempt without a sample" in stage.text()
        assert "000002" not in stage.text()
        await stage.press("a")
        assert "! incomplete" in stage.line("000002")
        assert stage.line("broken").startswith("broken")
        assert "✗ broken:" in stage.line("broken")
        assert "schema 7" in stage.line("newer")
        await stage.press("end")
        assert "schema 7" in stage.text().partition("recorded")[0]
        assert not {"Replay", "Name …"} & stage.offered()
        await stage.press("enter")
        assert isinstance(stage.app.screen, RunsPane)


async def test_the_filter_wants_every_word_and_gives_all_back(hall: OpenHall, folder: Folder) -> None:
    folder.add(dtype="bfloat16", batch=1)
    folder.add(dtype="bfloat16", batch=64)
    folder.add(batch=64)
    async with hall() as stage:
        await stage.press("slash", *"bf", "enter")
        assert "2 of 3 runs with 'bf'" in stage.text()
        await stage.press("slash")
        stage.app.screen.query_one(Input).value = "bfloat16 64x4096"
        await stage.press("enter")
        assert "1 of 3 runs" in stage.text()
        assert "64×4096×16384" in stage.line("➤")
        await stage.press("slash", *"qq", "enter")
        assert "No run matches" in stage.text()
        await stage.press("escape")
        assert "3 runs" in stage.text()


async def test_the_order_is_turned_by_key_and_by_mouse(hall: OpenHall, folder: Folder) -> None:
    for name, ns in (("slow", 9_000_000), ("quick", 1_000_000), ("middling", 3_000_000)):
        folder.add(ns=ns, label=Label(0, name))

    async with hall() as stage:

        def names() -> list[str]:
            return [row.entry.name for row in stage.app.screen.query_one("#runs-list").rows]  # type: ignore[attr-defined]

        assert names() == ["middling", "quick", "slow"]
        await stage.press("o")
        assert names() == ["slow", "quick", "middling"]
        heading = next(line for line in stage.text().splitlines() if "MEDIAN" in line)
        await stage.pilot.click(offset=(heading.index("MEDIAN"), 2))
        await stage.settle()
        assert names() == ["quick", "middling", "slow"]
        assert "MEDIAN ▲" in stage.text()


async def test_a_run_opens_whole_and_closes_again(hall: OpenHall, folder: Folder) -> None:
    folder.add()
    async with hall() as stage:
        await stage.press("enter")
        await stage.open()
        assert isinstance(stage.app.screen, RecordedRunPane)
        shown = stage.text()
        assert "recorded on 2025-11-22" in shown
        assert "setup time" in shown
        assert {"Back", "Linear", "Steady"} <= stage.offered()
        assert not {"Start", "Again", "Config", "Clear"} & stage.offered()
        await stage.press("z", "l", "escape")
        assert isinstance(stage.app.screen, RunsPane)


async def test_a_narrow_list_looks_after_a_run_was_opened_as_it_did_before(hall: OpenHall, folder: Folder) -> None:
    """The widgets of an open run bring their styles with them, which are for them alone."""
    folder.add()
    async with hall(size=(80, 24)) as stage:
        before = stage.text()
        assert "cold" in before
        await stage.press("enter")
        await stage.open()
        await stage.press("escape")
        await stage.open()
        assert stage.text() == before


async def test_the_keys_at_the_foot_are_whole_on_a_narrow_screen(hall: OpenHall, folder: Folder) -> None:
    folder.add()
    async with hall(size=(80, 24)) as stage:
        await stage.press("space")
        foot = stage.text().splitlines()[-1]
        assert all(f"{key} " in f"{foot} " for key in ("esc Back", "space Mark", "c Compare", "? Help", "q Quit"))


async def test_a_replay_plays_in_the_heartbeat_pane_until_it_is_cleared(hall: OpenHall, folder: Folder) -> None:
    folder.add(ns=200_000)
    async with hall() as stage:
        await stage.press("p")
        await stage.open()
        assert stage.app.current_mode == "heartbeat"
        run = stage.app.benchmark.session.run
        assert run is not None
        assert run.wait(60)
        await stage.settle()
        assert "REPLAY of a run of 2025-11-22" in stage.text()
        assert "Config" not in stage.offered()
        await stage.press("c")
        assert "Config" in stage.offered()
        await stage.press("space")
        assert len(stage.stand.runs) == 1


async def test_a_run_on_its_way_is_ended_for_a_replay_only_where_that_is_wished(hall: OpenHall, folder: Folder) -> None:
    folder.add()
    async with hall(mode="heartbeat") as stage:
        await stage.press("space", "4", "p")
        assert "End the run on its way?" in stage.text()
        await stage.press("n")
        assert stage.run.orders == []
        assert stage.app.current_mode == "runs"


async def test_a_name_a_note_and_tags_go_into_the_recording(hall: OpenHall, folder: Folder) -> None:
    path = folder.add(label=Label(0, "before", tags=("old", "kept")))
    async with hall() as stage:
        await stage.press("n")
        form = stage.app.screen.query_one("#label-form")
        form.query_one("#field-name", Input).value = "a/b"
        await stage.press("ctrl+s")
        assert "has a /" in stage.text()
        form.query_one("#field-name", Input).value = "after"
        form.query_one("#field-note", Input).value = "quiet machine"
        form.query_one("#field-tags", Input).value = "kept, new"
        await stage.press("enter")
        assert stage.line("➤").startswith("➤   000001 after")
    label = last_label(path)
    assert (label.name, label.note, label.tags) == ("after", "quiet machine", ("kept", "new"))


async def test_nothing_is_deleted_before_it_has_been_said(hall: OpenHall, folder: Folder) -> None:
    paths = [folder.add(label=Label(0, name)) for name in ("one", "two", "three")]
    async with hall() as stage:
        await stage.press("space", "space", "d")
        asked = " ".join(stage.text().split())
        assert "Delete 2 recordings for good?" in asked
        assert "three, two:" in asked
        await stage.press("n")
        assert all(path.exists() for path in paths)
        await stage.press("d", "enter")
        await stage.settle()
        assert [path.exists() for path in paths] == [True, False, False]
        assert "1 run " in stage.text()


async def test_a_file_that_cannot_be_deleted_is_said_and_the_pane_goes_on(
    hall: OpenHall, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.add(label=Label(0, "stuck"))

    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    async with hall() as stage:
        monkeypatch.setattr(Path, "unlink", refuse)
        await stage.press("d", "enter")
        await stage.settle()
        assert "Permission denied" in stage.text()
        assert "stuck" in stage.line("➤")


async def test_runs_of_a_group_stand_together_under_a_head(hall: OpenHall, folder: Folder) -> None:
    for number in range(3):
        folder.add(ns=(number + 1) * 1_000_000, batch=2**number, label=Label(0, group="sweep batch"))
    folder.add(label=Label(0, "alone"))
    async with hall() as stage:
        head = stage.line("sweep batch")
        assert "▸ sweep batch (3)" in head
        assert "various" in head
        assert " µs … 3.00 ms" in head
        assert "000001" not in stage.text()
        await stage.press("down", "right")
        assert "▾ sweep batch" in stage.text()
        assert "000001" in stage.text()
        await stage.press("down", "left")
        assert stage.line("➤").startswith("➤   ▸ sweep batch")


async def test_what_is_copied_can_be_read(hall: OpenHall, folder: Folder) -> None:
    folder.add(label=Label(0, "one"))
    folder.add(label=Label(0, "two"))
    async with hall() as stage:
        await stage.press("y")
        assert "ran on" in stage.app.clipboard
        assert "95 % CI" in stage.app.clipboard
        await stage.press("space", "space", "y")
        lines = stage.app.clipboard.splitlines()
        assert [line.split()[0] for line in lines] == ["RUN", "000002", "000001"]


async def test_a_folder_that_cannot_be_read_is_said_with_its_fix(hall: OpenHall, folder: Folder) -> None:
    folder.path.rmdir()
    folder.path.write_text("no folder")
    async with hall() as stage:
        shown = " ".join(stage.text().split())
        assert "cannot be read" in shown
        assert "recordings.folder" in shown


async def test_the_list_finds_what_another_program_made_and_follows_a_run_that_ends(hall: OpenHall, folder: Folder) -> None:
    async with hall() as stage:
        folder.add(label=Label(0, "made elsewhere"))
        await stage.press("r")
        assert "made elsewhere" in stage.text()
        await stage.press("3", "space")
        stage.run.open().warm_up().beat(10)
        await stage.press("4")
        folder.add(label=Label(0, "just made"))
        assert "just made" not in stage.text()
        stage.run.done()
        await stage.settle()
        assert "just made" in stage.text()


async def test_a_sweep_opens_as_its_roofline(hall: OpenHall, folder: Folder) -> None:
    for number in range(4):
        folder.add(ns=(number + 4) * 1_000_000, batch=2**number, label=Label(0, group="sweep batch"))
    async with hall() as stage:
        await stage.press("enter")
        await stage.open()
        assert isinstance(stage.app.screen, RecordedRunPane)
        shown = stage.text()
        assert "points" in shown
        assert "findings" in shown
        await stage.press("escape")
        assert isinstance(stage.app.screen, RunsPane)


async def test_runs_are_written_to_a_new_file_and_it_is_said_where(hall: OpenHall, folder: Folder, tmp_path: Path) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "one"))
    folder.add(day=2, ns=3_000_000, label=Label(0, "two"))
    path = tmp_path / "both.svg"
    async with hall() as stage:
        await stage.press("space", "space", "x")
        boxes = stage.app.screen.query_one("#export-form")
        for form in ("csv", "json", "md", "png", "pdf", "svg"):
            boxes.query_one("#field-form", Select).value = form
            await stage.settle()
            assert boxes.query_one("#field-file", Input).value == f"comparison.{form}"
        boxes.query_one("#field-file", Input).value = str(path)
        await stage.press("ctrl+s")
        await stage.open()
        assert "Written" in stage.text()
        written = path.read_text()
        assert all(name in written for name in ("one", "two"))
        await stage.press("x")
        stage.app.screen.query_one("#field-file", Input).value = str(path)
        await stage.press("ctrl+s")
        assert "exists already" in stage.text()
        assert path.read_text() == written


async def test_a_trend_shows_all_runs_like_this_one_with_where_they_changed(hall: OpenHall, folder: Folder) -> None:
    for day, ns in enumerate((9_600_000, 9_600_000, 9_600_000, 19_000_000), 1):
        folder.add(day=day, ns=ns)
    folder.add(day=9, dtype="bfloat16")
    async with hall() as stage:
        await stage.press("down", "T")
        await stage.open()
        await until(lambda: "▲" in stage.text(), "the chart")
        assert "in 4 runs" in stage.text()
        assert "slower than the 3 runs before" in stage.text()
        await stage.press("escape")
        assert isinstance(stage.app.screen, RunsPane)
