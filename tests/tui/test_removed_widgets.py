"""What the screen removes is freed, however often panes, dialogs and sizes change."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from textual._styles_cache import StylesCache
from textual.widget import Widget

if TYPE_CHECKING:
    from tests.tui.conftest import AppDriver, Open


def alive() -> tuple[int, int]:
    """Count the widgets, and the drawn lines of widgets."""
    gc.collect()
    found = [type(each) for each in gc.get_objects()]  # isinstance asks some of torch's objects for a class, and they warn
    return sum(issubclass(each, Widget) for each in found), sum(issubclass(each, StylesCache) for each in found)


async def go_round(driver: AppDriver) -> None:
    """Open and close a dialog, and change the size: each draws other keys below."""
    await driver.press("question_mark", "escape")
    for size in ((100, 30), (120, 40)):
        await driver.pilot.resize_terminal(*size)
        await driver.settle()


async def test_removed_widgets_are_freed(open_app: Open) -> None:
    async with open_app(lambda run: run.open().warm_up().beat(30)) as driver:
        await go_round(driver)
        before = alive()
        await go_round(driver)
        assert alive() == before
