"""Specs of columns, laid out as text."""

from __future__ import annotations

from dataclasses import dataclass

from heartbeat_core.columns import (
    NO_VALUE,
    ColumnSpec,
    column_at,
    following,
    json_object,
    lay_out,
    row_texts,
    sort_rows,
    text_table,
    title_texts,
    turned,
    wanted_widths,
)


@dataclass(frozen=True)
class Node:
    name: str
    state: str
    chips: int | None = None
    tags: str = ""


COLUMNS: tuple[ColumnSpec[Node], ...] = (
    ColumnSpec("name", "NAME", lambda node: node.name, least=4, most=20, worth=3, sort=lambda node: node.name, json=lambda node: node.name),
    ColumnSpec("state", "STATE", lambda node: (f"● {node.state}", "ok"), least=2, most=12, worth=2, shorten=lambda text: text[:1]),
    ColumnSpec(
        "chips",
        "CHIPS",
        lambda node: NO_VALUE if node.chips is None else str(node.chips),
        least=5,
        worth=1,
        align="right",
        sort=lambda node: node.chips,
        descending=True,
        json=lambda node: node.chips,
        json_key="chip_count",
    ),
    ColumnSpec("tags", "TAGS", lambda node: node.tags, least=4, most=10, optional=True),
    ColumnSpec("zone", "ZONE", lambda node: "us-central1-b", least=13, wide=True),
)
NODES = (Node("big", "READY", 16), Node("new", "CREATING"), Node("a-long-name", "READY", 4))


def keys(width: int, nodes: tuple[Node, ...] = NODES) -> dict[str, int]:
    return {column.key: cells for column, cells in lay_out(COLUMNS, wanted_widths(COLUMNS, nodes), width)}


def test_text_has_every_value_whole_and_wide_columns_when_asked() -> None:
    assert list(text_table(COLUMNS, NODES)) == [
        "NAME         STATE       CHIPS",
        "big          ● READY        16",
        "new          ● CREATING      –",
        "a-long-name  ● READY         4",
    ]
    assert next(text_table(COLUMNS, NODES, wide=True)) == "NAME         STATE       CHIPS  ZONE"
    assert max(map(len, text_table(COLUMNS, NODES, width=20))) <= 20


def test_a_table_of_no_rows_is_its_titles() -> None:
    assert list(text_table(COLUMNS, ())) == ["NAME  STATE  CHIPS"]


def test_the_column_of_least_worth_goes_first_and_a_wide_one_comes_last() -> None:
    assert keys(100) == {"name": 11, "state": 10, "chips": 5, "zone": 13}
    assert keys(30) == {"name": 11, "state": 10, "chips": 5}
    assert keys(15) == {"name": 4, "state": 2, "chips": 5}
    assert keys(14) == {"name": 10, "state": 2}
    assert "tags" in keys(100, (*NODES, Node("x", "READY", tags="slow")))


def test_widths_do_not_shrink_below_what_they_were() -> None:
    assert wanted_widths(COLUMNS, NODES[:1], {"name": 9})["name"] == 9


def test_a_cell_that_is_too_long_is_shortened_then_cut() -> None:
    layout = lay_out(COLUMNS, wanted_widths(COLUMNS, NODES), 15)
    assert row_texts(layout, NODES[2]) == [("a-l…", "plain"), ("  ● ", "ok"), ("      4", "plain")]
    assert [text for text, _, _ in title_texts(layout, ("name", True))] == ["N… ▼", "    ", "  CHIPS"]
    assert [column_at(layout, x) for x in (0, 5, 6, 14, 99)] == ["name", "name", "state", "chips", None]


def test_a_text_stands_over_as_many_columns_as_it_needs() -> None:
    layout = lay_out(COLUMNS, wanted_widths(COLUMNS, NODES), 100)
    texts = [text for text, _ in row_texts(layout, NODES[0], ("name", "CREATING -> READY", "attention"))]
    assert texts == ["big        ", "  CREATING -> READY", "  us-central1-b"]
    assert [text for text, _ in row_texts(layout, NODES[0], ("zone", "nowhere", "failed"))][-1] == "  us-central1-b"


def test_rows_without_a_value_come_last_either_way() -> None:
    assert [node.name for node in sort_rows(COLUMNS, NODES, ("chips", True))] == ["big", "a-long-name", "new"]
    assert [node.name for node in sort_rows(COLUMNS, NODES, ("chips", False))] == ["a-long-name", "big", "new"]


def test_the_order_turns_and_then_goes_on_to_the_next_column() -> None:
    assert turned(COLUMNS, ("name", False), "name") == ("name", True)
    assert turned(COLUMNS, ("name", False), "chips") == ("chips", True)
    order, seen = ("name", False), []
    for _ in range(4):
        order = following(COLUMNS, order)
        seen.append(order)
    assert seen == [("name", True), ("chips", True), ("chips", False), ("name", False)]
    assert following((), ("name", False)) == ("name", False)  # of a list that has not been laid out


def test_json_has_the_columns_that_name_a_value() -> None:
    assert json_object(COLUMNS, NODES[0]) == {"name": "big", "chip_count": 16}
