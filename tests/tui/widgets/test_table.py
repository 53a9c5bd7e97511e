from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from heartbeat_tui.widgets.table import LinesList


class Numbers(LinesList):
    """Rows that say their keys, and count how often one is drawn."""

    drawn = 0

    def draw_row(self, index: int, width: int) -> Content:
        del width
        self.drawn += 1
        return Content(f"row {self.keys[index]}")

    def draw_heading(self) -> Content:
        return Content("KEY")

    def heading_clicked(self, x: int) -> None:
        self.app.told.append(f"heading {x}")  # type: ignore[attr-defined]


class Host(App[None]):
    def __init__(self, head_lines: int = 1) -> None:
        super().__init__()
        self.list = Numbers()
        self.list.head_lines = head_lines
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.list

    def on_lines_list_pointed(self) -> None:
        self.told.append(f"pointed at {self.list.key}")

    def on_lines_list_chosen(self) -> None:
        self.told.append(f"chose {self.list.key}")


def text(app: App[None]) -> list[str]:
    return ["".join(segment.text for segment in line).rstrip() for line in app.screen._compositor.render_strips()]


def keys(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


async def test_the_heading_stays_while_the_rows_move() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        app.list.show_keys(keys(*range(10)))
        await pilot.pause()
        assert [line.split(" " * 3)[0] for line in text(app)] == ["KEY", "row 0", "row 1", "row 2", "row 3"]
        await pilot.press("end")
        await pilot.pause()
        assert [line.split(" " * 3)[0] for line in text(app)] == ["KEY", "row 6", "row 7", "row 8", "row 9"]
        assert app.told == ["pointed at 9"]


async def test_without_a_heading_the_rows_begin_at_the_top() -> None:
    app = Host(head_lines=0)
    async with app.run_test(size=(20, 5)) as pilot:
        app.list.show_keys(keys(1, 2))
        await pilot.pause()
        assert text(app) == ["row 1", "row 2", "", "", ""]


async def test_the_row_pointed_at_stays_while_others_come_and_go() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        app.list.show_keys(keys(1, 2, 3))
        await pilot.press("down")
        app.list.show_keys(keys(9, 8, 7, 1, 2))
        assert app.list.key == "2"
        app.list.show_keys(keys(9, 8))
        assert app.list.key == "8"
        app.list.show_keys([])
        await pilot.press("enter", "down", "end")
        assert app.list.key is None
        app.list.show_keys(keys(4))
        assert app.list.key == "4"


async def test_letters_move_as_the_other_keys_do() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        app.list.show_keys(keys(*range(10)))
        await pilot.press("j", "j", "k")
        assert app.list.key == "1"
        await pilot.press("G")
        assert app.list.key == "9"
        await pilot.press("g")
        assert app.list.key == "0"


async def test_a_page_moves_by_what_is_seen() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        app.list.show_keys(keys(*range(100)))
        await pilot.press("pagedown")
        assert app.list.key == "3"
        await pilot.press("pageup", "pageup")
        assert app.list.key == "0"


async def test_the_mouse_points_and_chooses() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        app.list.show_keys(keys(*range(100)))
        await pilot.press("end")
        app.told.clear()
        await pilot.click(Numbers, offset=(2, 1))
        await pilot.click(Numbers, offset=(2, 1))
        await pilot.click(Numbers, offset=(5, 0))
        await pilot.pause()
        assert app.told == ["pointed at 96", "chose 96", "heading 5"]


@pytest.mark.frames
async def test_no_more_rows_are_drawn_than_are_seen() -> None:
    app = Host()
    async with app.run_test(size=(20, 10)) as pilot:
        app.list.show_keys([str(number) for number in range(10_000)])
        await pilot.pause()
        app.list.drawn = 0
        await pilot.press("down")
        await pilot.pause()
        assert app.list.drawn == 2
        app.list.point_at_key("7000")
        await pilot.pause()
        assert app.list.drawn <= 2 * 9 + 2
        assert "row 7000" in text(app)[-1]
