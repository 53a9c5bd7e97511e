from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from tests.waiting import until
from textual.widgets import Input

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import Label
from heartbeat_core.errors import HeartbeatError
from heartbeat_tui.app import HeartbeatApp
from heartbeat_tui.runs.comparison_pane import ComparisonPane, headline, why
from heartbeat_tui.runs.library import to_compare
from heartbeat_tui.runs.pane import RunsPane

if TYPE_CHECKING:
    from tests.tui.runs.conftest import Folder, OpenRuns, RunsDriver


def plain(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


async def compare(driver: RunsDriver, *keys: str) -> str:
    await driver.press(*keys)
    await driver.open()
    assert isinstance(driver.app.screen, ComparisonPane)
    return driver.text()


async def test_two_marked_runs_are_held_against_one_another_the_older_first(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "monday"))
    folder.add(day=2, ns=3_000_000, label=Label(0, "tuesday"))
    async with open_runs() as driver:
        shown = await compare(driver, "space", "space", "c")
        assert "× faster: ▲ tuesday than ● monday" in shown
        assert "95 % CI" in shown
        assert "The same work on the same device" in plain(shown)
        assert "● monday 9." in shown
        assert "distribution of the steady state, ms" in shown
        assert "cold" in shown
        assert "transfer" in shown
        assert "process to process" in plain(shown)
        await driver.press("s")
        assert "× slower: ▲ monday than ● tuesday" in driver.text()
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsPane)


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (60, 18)])
async def test_a_glance_tells_at_every_size(open_runs: OpenRuns, folder: Folder, size: tuple[int, int]) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "cpu"))
    folder.add(day=2, ns=300_000, backend="xla", rehearsal=True, label=Label(0, "xla"))
    async with open_runs(size=size) as driver:
        shown = await compare(driver, "t")
        assert "× faster" in shown
        assert "▲ xla" in shown
        assert "● cpu" in shown
        assert "rehearsal on the CPU: not a TPU" in shown
        assert "first steady iteration" in shown
        if size[1] < 34:
            await driver.press("d")
            await until(lambda: "distribution of the steady state" in driver.text(), "the distribution of both")
            assert "side by side" in driver.text()


async def test_one_run_is_held_against_the_last_of_its_kind(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(day=1, ns=4_000_000, label=Label(0, "kin"))
    folder.add(day=2, batch=1, label=Label(0, "other work"))
    folder.add(day=3, label=Label(0, "this"))
    async with open_runs() as driver:
        shown = await compare(driver, "c")
        assert "▲ this than ● kin" in shown


async def test_the_reference_stays_the_reference(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(day=1, ns=4_000_000, label=Label(0, "old"))
    folder.add(day=2, ns=8_000_000, label=Label(0, "new"))
    async with open_runs() as driver:
        await driver.press("f")
        assert "◎" in driver.line("new")
        shown = await compare(driver, "down", "c")
        assert "▲ old than ● new" in shown


async def test_three_runs_share_a_chart_and_each_has_its_sentence(open_runs: OpenRuns, folder: Folder) -> None:
    for day, (name, ns) in enumerate((("a", 8_000_000), ("b", 4_000_000), ("c", 2_000_000)), 1):
        folder.add(day=day, ns=ns, label=Label(0, name))
    async with open_runs() as driver:
        shown = await compare(driver, "space", "space", "space", "c")
        assert all(name in shown for name in ("● a", "▲ b", "■ c"))
        assert "■ c is 4.0" in shown.replace("3.99", "4.0").replace("4.01", "4.0")
        assert "Swap" not in driver.offered()


async def test_one_run_alone_has_nothing_to_be_held_against(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add()
    async with open_runs() as driver:
        await driver.press("c")
        await driver.open()
        assert "there is nothing to compare with" in driver.text()
        assert isinstance(driver.app.screen, RunsPane)


async def test_the_run_that_is_missing_is_offered_made_and_compared(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(ns=9_000_000, label=Label(0, "here"))
    async with open_runs() as driver:
        await driver.press("t")
        await driver.asked()
        asked = plain(driver.text())
        assert "There is no run on torch_xla's device to compare here with. Make it now?" in asked
        assert "rehearses on the CPU" in asked
        await driver.press("enter")
        await driver.open()
        assert driver.app.current_mode == "heartbeat"
        assert driver.run.config.backend == "xla"
        assert driver.run.config.workload == BenchmarkConfig().workload
        driver.run.open().warm_up().beat(20)
        folder.add(day=23, ns=300_000, backend="xla", rehearsal=True, label=Label(0, "made"))
        driver.run.done()
        await driver.settle()
        await driver.open()
        assert "× faster: ▲ made than ● here" in driver.text()


async def test_where_torch_xla_is_missing_it_is_said_how_to_come_by_it(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add()
    async with open_runs() as driver:
        assert isinstance(driver.app, HeartbeatApp)
        driver.app.runs.backend_problem = lambda backend: "torch_xla is not installed here."
        await driver.press("t")
        await driver.open()
        assert "backend install xla" in plain(driver.text())
        assert driver.app.current_mode == "runs"


async def test_the_run_just_made_is_held_against_the_one_before(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "before"))
    async with open_runs(mode="heartbeat") as driver:
        await driver.press("space")
        driver.run.open().warm_up().beat(20)
        driver.run.path = folder.add(day=2, ns=3_000_000, label=Label(0, "just made"))
        driver.run.done()
        await driver.settle()
        assert "Compare" in driver.offered()
        shown = await compare(driver, "v")
        assert "▲ just made than ● before" in shown
        await driver.press("escape")
        assert driver.app.screen is driver.app.heartbeat_pane


async def test_a_run_that_was_not_kept_is_said_to_be_lost_for_comparing(open_runs: OpenRuns) -> None:
    async with open_runs(mode="heartbeat") as driver:
        await driver.press("space")
        driver.run.open().warm_up().beat(20).done()
        await driver.settle()
        await driver.press("v")
        assert "this run was not recorded" in driver.text()


async def test_what_is_copied_of_a_comparison_can_be_read(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "one"))
    folder.add(day=2, ns=3_000_000, label=Label(0, "two"))
    async with open_runs() as driver:
        await compare(driver, "space", "space", "c")
        await driver.press("y")
        lines: Sequence[str] = driver.app.clipboard.splitlines()
        assert lines[0].split() == ["one", "two"]
        assert any(line.startswith("two is ") for line in lines)


async def test_the_cost_is_worked_out_at_the_rates_that_are_given(open_runs: OpenRuns, folder: Folder) -> None:
    folder.add(day=1, ns=9_000_000, label=Label(0, "one"))
    folder.add(day=2, ns=3_600_000, backend="xla", label=Label(0, "two"))
    async with open_runs(size=(160, 60)) as driver:
        assert "a million cost" not in await compare(driver, "t")
        await driver.press("u", *"much", "enter")
        assert "not a rate" in driver.text()
        driver.app.screen.query_one("#field-rate-0", Input).value = ""
        driver.app.screen.query_one("#field-rate-1", Input).value = "2.70"
        await driver.press("enter")
        shown = driver.text()
        assert "cost of an hour" not in shown
        row = next(line for line in shown.splitlines() if "a million cost" in line)
        assert "$2.70" in row
        assert "at $2.70/h" in row


async def test_on_a_low_screen_the_arrows_scroll_the_figures(open_runs: OpenRuns, folder: Folder) -> None:
    for day in range(1, 4):
        folder.add(day=day, ns=day * 3_000_000, label=Label(0, f"day {day}"))
    async with open_runs(size=(80, 24)) as driver:
        await driver.press("3", "4")  # with the styles of the Heartbeat pane
        await compare(driver, "space", "space", "space", "c")
        await driver.press("d")
        assert "Too small" not in driver.text()
        await driver.press("end")
        assert "quality" in driver.text()


# -- what is said, without a screen


def said(folder: Folder) -> str:
    """Compare all runs of the folder, and return what is said for a glance and why."""
    archive = folder.archive()
    archive.read()
    entries = archive.listing.entries or ()
    (comparison,) = archive.compare(to_compare(entries, None, entries)).comparisons
    number, beside = headline(comparison)
    lines = ["".join(text for text, _ in line) for line in beside]
    return "\n".join((f"{number} {lines[0]}", *lines[1:], why(comparison)))


def test_no_difference_is_said_without_a_number(folder: Folder) -> None:
    folder.add(day=1, label=Label(0, "one"))
    folder.add(day=2, label=Label(0, "two"))
    assert said(folder).startswith(" = no difference that these runs can show: ▲ two and ● one")


def test_other_work_is_said(folder: Folder) -> None:
    folder.add(day=1, label=Label(0, "one"))
    folder.add(day=2, dtype="bfloat16", label=Label(0, "two"))
    assert "The work differs: dtype float32 and bfloat16" in said(folder)


def test_runs_that_repeat_one_another_are_one_side(folder: Folder) -> None:
    for day in range(1, 7):
        folder.add(day=day, dtype="float32" if day % 2 else "bfloat16", ns=8_000_000 // (1 + day % 2), label=Label(0, group="repeat"))
    assert "Welch's t" in said(folder)


def test_a_repeat_is_held_against_the_plan_it_was_given_whatever_ran_first(folder: Folder) -> None:
    for turn in range(1, 5):
        plain = turn % 4 in (2, 3)  # the candidate runs first
        label = Label(0, group="repeat", round=f"x-{(turn + 1) // 2}", reference=plain)
        folder.add(day=turn, dtype="float32" if plain else "bfloat16", ns=8_000_000 if plain else 4_000_000, label=label)
    told = said(folder)
    assert "× faster: ▲ bfloat16 than ● float32" in told
    assert "paired t over 2 rounds" in told


def test_a_run_without_figures_says_that_it_cannot_be_compared(folder: Folder) -> None:
    whole = folder.add(day=1)
    lines = whole.read_bytes().splitlines(keepends=True)
    folder.add(day=2).write_bytes(b"".join(lines[:4]))
    with pytest.raises(HeartbeatError, match="cannot be compared"):
        said(folder)
