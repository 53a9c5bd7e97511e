"""The header: what a number is worth stays readable beside the tabs."""

from __future__ import annotations

import pytest

from heartbeat_tui.widgets.header_footer import line_of

LABELS = ("REPLAY of a run", "DEMO: emulated, scenario ready")


@pytest.mark.parametrize(("width", "text"), [(60, "REPLAY of a run · DEMO: emulated, scenario ready "), (35, "REPLAY · DEMO ")])
def test_labels_are_one_word_each_where_there_is_no_room(width: int, text: str) -> None:
    assert line_of(LABELS, width).plain == text
