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
    from tests.tui.runs.conftest import Folder, OpenRuns

SIZES = [(80, 24), (160, 50), (60, 18)]


async def test_an_empty_list_says_what_fills_it(open_runs: OpenRuns) -> None:
    async with open_runs() as driver:
        assert "No run has been recorded yet." in driver.text()
        assert "space starts a run there" in driver.text()
        assert not {"Open", "Mark", "Replay"} & driver.offered()
        await driver.press("3")
        assert "Start" in driver.text()


async def test_an_empty_list_says_where_runs_are_not_kept(open_runs: OpenRuns, folder: Folder) -> None:
    async with open_runs(archive=folder.archive(saving=False)) as driver:
        assert "recordings.save is off" in driver.text()


@pytest.mark.parametrize("size", SIZES)
async def test_the_newest_run_comes_first_at_every_size(open_runs: OpenRuns, folder: Folder, size: tuple[int, int]) -> None:
    folder.add(day=1, ns=9_600_000, label=Label(0, "old"))
    folder.add(day=2, ns=200_000, label=Label(0, "new", tags=("quick",)))
    async with open_runs(size=size) as driver:
        lines = driver.lines()
        assert driver.line("➤").startswith("➤   000002 new")
        assert lines.index(driver.line("new")) < lines.index(driver.line("old"))
        assert "200 µs" in driver.line("➤")
        assert max(map(len, driver.text().splitlines())) <= size[0]


async def test_the_run_pointed_at_is_shown_with_its_chart_and_its_note(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(label=Label(0, "noted", note="with the door shut", tags=("a", "b")))
    async with open_runs() as driver:
        shown = driver.text()
        assert "with the door shut" in shown
        assert "◆" in shown
        assert "6.0× the median" in shown
        assert "cold" in shown


async def test_what_is_wrong_with_a_recording_is_said_in_words(open_runs: OpenRuns, folder: Folder) -> None:
    whole = folder.add(day=9).read_bytes()
    folder.add(day=8).write_bytes(whole[: whole.index(b'"samples"') + 200])
    (folder.path / "broken.jsonl").write_bytes(b"no recording\n")
    (folder.path / "newer.jsonl").write_bytes(whole.replace(b'"schema":1', b'"schema":7'))
    async with open_runs() as driver:
        assert "1 attempt without a sample" in driver.text()
        assert "000002" not in driver.text()
        await driver.press("a")
        assert "! incomplete" in driver.line("000002")
        assert driver.line("broken").startswith("broken")
        assert "✗ broken:" in driver.line("broken")
        assert "schema 7" in driver.line("newer")
        await driver.press("end")
        assert "schema 7" in driver.text().partition("recorded")[0]
        assert not {"Replay", "Name …"} & driver.offered()
        await driver.press("enter")
        assert isinstance(driver.app.screen, RunsPane)


async def test_the_filter_wants_every_word_and_gives_all_back(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(dtype="bfloat16", batch=1)
    folder.add(dtype="bfloat16", batch=64)
    folder.add(batch=64)
    async with open_runs() as driver:
        await driver.press("slash", *"bf", "enter")
        assert "2 of 3 runs with 'bf'" in driver.text()
        await driver.press("slash")
        driver.app.screen.query_one(Input).value = "bfloat16 64x4096"
        await driver.press("enter")
        assert "1 of 3 runs" in driver.text()
        assert "64×4096×16384" in driver.line("➤")
        await driver.press("slash", *"qq", "enter")
        assert "No run matches" in driver.text()
        await driver.press("escape")
        assert "3 runs" in driver.text()


async def test_the_order_is_turned_by_key_and_by_mouse(open_runs: OpenRuns, folder: Folder) -> None:
    for name, ns in (("slow", 9_000_000), ("quick", 1_000_000), ("middling", 3_000_000)):
        folder.add(ns=ns, label=Label(0, name))

    async with open_runs() as driver:

        def names() -> list[str]:
            return [row.entry.name for row in driver.app.screen.query_one("#runs-list").rows]  # type: ignore[attr-defined]

        assert names() == ["middling", "quick", "slow"]
        await driver.press("o")
        assert names() == ["slow", "quick", "middling"]
        heading = next(line for line in driver.text().splitlines() if "MEDIAN" in line)
        await driver.pilot.click(offset=(heading.index("MEDIAN"), 2))
        await driver.settle()
        assert names() == ["quick", "middling", "slow"]
        assert "MEDIAN ▲" in driver.text()


async def test_a_run_opens_whole_and_closes_again(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add()
    async with open_runs() as driver:
        await driver.press("enter")
        await driver.open()
        assert isinstance(driver.app.screen, RecordedRunPane)
        shown = driver.text()
        assert "recorded on 2025-11-22" in shown
        assert "setup time" in shown
        assert {"Back", "Linear", "Steady"} <= driver.offered()
        assert not {"Start", "Again", "Config", "Clear"} & driver.offered()
        await driver.press("z", "l", "escape")
        assert isinstance(driver.app.screen, RunsPane)


async def test_a_narrow_list_looks_after_a_run_was_opened_as_it_did_before(open_runs: OpenRuns, folder: Folder) -> None:
    """The widgets of an open run bring their styles with them, which are for them alone."""
    folder.add()
    async with open_runs(size=(80, 24)) as driver:
        before = driver.text()
        assert "cold" in before
        await driver.press("enter")
        await driver.open()
        await driver.press("escape")
        await driver.open()
        assert driver.text() == before


async def test_the_keys_at_the_foot_are_whole_on_a_narrow_screen(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add()
    async with open_runs(size=(80, 24)) as driver:
        await driver.press("space")
        foot = driver.text().splitlines()[-1]
        assert all(f"{key} " in f"{foot} " for key in ("esc Back", "space Mark", "c Compare", "? Help", "q Quit"))


async def test_a_replay_plays_in_the_heartbeat_pane_until_it_is_cleared(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(ns=200_000)
    async with open_runs() as driver:
        await driver.press("p")
        await driver.open()
        assert driver.app.current_mode == "heartbeat"
        run = driver.app.benchmark.session.run
        assert run is not None
        assert run.wait(60)
        await driver.settle()
        assert "REPLAY of a run of 2025-11-22" in driver.text()
        assert "Config" not in driver.offered()
        await driver.press("c")
        assert "Config" in driver.offered()
        await driver.press("space")
        assert len(driver.fakes.runs) == 1


async def test_a_run_on_its_way_is_ended_for_a_replay_only_where_that_is_wished(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add()
    async with open_runs(mode="heartbeat") as driver:
        await driver.press("space", "4", "p")
        assert "End the run on its way?" in driver.text()
        await driver.press("n")
        assert driver.run.orders == []
        assert driver.app.current_mode == "runs"


async def test_a_name_a_note_and_tags_go_into_the_recording(open_runs: OpenRuns, folder: Folder) -> None:
    path = folder.add(label=Label(0, "before", tags=("old", "kept")))
    async with open_runs() as driver:
        await driver.press("n")
        form = driver.app.screen.query_one("#label-form")
        form.query_one("#field-name", Input).value = "a/b"
        await driver.press("ctrl+s")
        assert "has a /" in driver.text()
        form.query_one("#field-name", Input).value = "after"
        form.query_one("#field-note", Input).value = "quiet machine"
        form.query_one("#field-tags", Input).value = "kept, new"
        await driver.press("enter")
        assert driver.line("➤").startswith("➤   000001 after")
    label = last_label(path)
    assert (label.name, label.note, label.tags) == ("after", "quiet machine", ("kept", "new"))


async def test_nothing_is_deleted_before_it_has_been_said(open_runs: OpenRuns, folder: Folder) -> None:
    paths = [folder.add(label=Label(0, name)) for name in ("one", "two", "three")]
    async with open_runs() as driver:
        await driver.press("space", "space", "d")
        asked = " ".join(driver.text().split())
        assert "Delete 2 recordings for good?" in asked
        assert "three, two:" in asked
        await driver.press("n")
        assert all(path.exists() for path in paths)
        await driver.press("d", "enter")
        await driver.settle()
        assert [path.exists() for path in paths] == [True, False, False]
        assert "1 run " in driver.text()


async def test_a_file_that_cannot_be_deleted_is_said_and_the_pane_goes_on(
    open_runs: OpenRuns, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.add(label=Label(0, "stuck"))

    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    async with open_runs() as driver:
        monkeypatch.setattr(Path, "unlink", refuse)
        await driver.press("d", "enter")
        await driver.settle()
        assert "Permission denied" in driver.text()
        assert "stuck" in driver.line("➤")


async def test_runs_of_a_group_stand_together_under_a_head(open_runs: OpenRuns, folder: Folder) -> None:
    for number in range(3):
        folder.add(ns=(number + 1) * 1_000_000, batch=2**number, label=Label(0, group="sweep batch"))
    folder.add(label=Label(0, "alone"))
    async with open_runs() as driver:
        head = driver.line("sweep batch")
        assert "▸ sweep batch (3)" in head
        assert "various" in head
        assert " µs … 3.00 ms" in head
        assert "000001" not in driver.text()
        await driver.press("down", "right")
        assert "▾ sweep batch" in driver.text()
        assert "000001" in driver.text()
        await driver.press("down", "left")
        assert driver.line("➤").startswith("➤   ▸ sweep batch")


async def test_what_is_copied_can_be_read(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(label=Label(0, "one"))
    folder.add(label=Label(0, "two"))
    async with open_runs() as driver:
        await driver.press("y")
        assert "ran on" in driver.app.clipboard
        assert "95 % CI" in driver.app.clipboard
        await driver.press("space", "space", "y")
        lines = driver.app.clipboard.splitlines()
        assert [line.split()[0] for line in lines] == ["RUN", "000002", "000001"]


async def test_a_folder_that_cannot_be_read_is_said_with_its_fix(open_runs: OpenRuns, folder: Folder) -> None:
    folder.path.rmdir()
    folder.path.write_text("no folder")
    async with open_runs() as driver:
        shown = " ".join(driver.text().split())
        assert "cannot be read" in shown
        assert "recordings.folder" in shown


async def test_the_list_finds_what_another_program_made_and_follows_a_run_that_ends(open_runs: OpenRuns, folder: Folder) -> None:
    async with open_runs() as driver:
        folder.add(label=Label(0, "made elsewhere"))
        await driver.press("r")
        assert "made elsewhere" in driver.text()
        await driver.press("3", "space")
        driver.run.open().warm_up().beat(10)
        await driver.press("4")
        folder.add(label=Label(0, "just made"))
        assert "just made" not in driver.text()
        driver.run.done()
        await driver.settle()
        assert "just made" in driver.text()


async def test_a_sweep_opens_as_its_roofline(open_runs: OpenRuns, folder: Folder) -> None:
    for number in range(4):
        folder.add(ns=(number + 4) * 1_000_000, batch=2**number, label=Label(0, group="sweep batch"))
    async with open_runs() as driver:
        await driver.press("enter")
        await driver.open()
        assert isinstance(driver.app.screen, RecordedRunPane)
        shown = driver.text()
        assert "points" in shown
        assert "findings" in shown
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsPane)


async def test_runs_are_written_to_a_new_file_and_it_is_said_where(open_runs: OpenRuns, folder: Folder, tmp_path: Path) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "one"))
    folder.add(day=2, ns=3_000_000, label=Label(0, "two"))
    path = tmp_path / "both.svg"
    async with open_runs() as driver:
        await driver.press("space", "space", "x")
        boxes = driver.app.screen.query_one("#export-form")
        for form in ("csv", "json", "md", "png", "pdf", "svg"):
            boxes.query_one("#field-form", Select).value = form
            await driver.settle()
            assert boxes.query_one("#field-file", Input).value == f"comparison.{form}"
        boxes.query_one("#field-file", Input).value = str(path)
        await driver.press("ctrl+s")
        await driver.open()
        assert "Written" in driver.text()
        written = path.read_text()
        assert all(name in written for name in ("one", "two"))
        await driver.press("x")
        driver.app.screen.query_one("#field-file", Input).value = str(path)
        await driver.press("ctrl+s")
        assert "exists already" in driver.text()
        assert path.read_text() == written


async def test_a_trend_shows_all_runs_like_this_one_with_where_they_changed(open_runs: OpenRuns, folder: Folder) -> None:
    for day, ns in enumerate((9_600_000, 9_600_000, 9_600_000, 19_000_000), 1):
        folder.add(day=day, ns=ns)
    folder.add(day=9, dtype="bfloat16")
    async with open_runs() as driver:
        await driver.press("down", "T")
        await driver.open()
        await until(lambda: "▲" in driver.text(), "the chart")
        assert "in 4 runs" in driver.text()
        assert "slower than the 3 runs before" in driver.text()
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsPane)
