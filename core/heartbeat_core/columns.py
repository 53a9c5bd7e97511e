"""Columns of a table: one list of specs drives the screen, the text of a command, sorting and JSON."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from heartbeat_core.units import NOTHING

T = TypeVar("T")
StyledText = tuple[str, str]  # text, name of a style
Order = tuple[str, bool]  # key of a column, whether the greatest comes first

NO_VALUE = NOTHING
GAP = 2  # cells between two columns
SAMPLED = 200  # rows that decide how wide the columns are


@dataclass(frozen=True)
class ColumnSpec(Generic[T]):
    """One column of a table whose rows are of type ``T``. Widths are in cells.

    A table is a tuple of specs, and all that shows it reads that tuple::

        COLUMNS: tuple[ColumnSpec[VmRow], ...] = (
            ColumnSpec("name", "NAME", lambda row: row.id, least=12, most=40, worth=10, sort=lambda row: row.id),
            ColumnSpec("state", "STATE", state_cell, least=12, most=26, worth=9, sort=lambda row: row.state),
            ColumnSpec("topology", "TOPOLOGY", lambda row: row.topology or NO_VALUE, wide=True, json=lambda row: row.topology),
        )

    - a command prints ``text_table(COLUMNS, rows, wide=args.wide)`` and ``json_object(COLUMNS, row)`` for each row;
    - a pane has a ``Table`` (widgets/table.py) with these specs, which calls ``wanted_widths``, ``lay_out``, ``title_texts``
      and ``row_texts``;
    - both order the rows with ``sort_rows``; ``turned`` and ``following`` say which order comes next.

    What a cell needs in addition to its row, such as the time, is part of the row: let the function that makes the rows take it.

    ``least`` is the width under which a column is left out, unless its cells need less. ``cell`` returns the text, alone or
    with the name of a style. ``sort`` returns the key to sort by; None goes last. ``descending`` columns begin with the
    greatest. ``worth``: if there is no room for all, the column of the least worth goes first. ``whole`` columns are never cut.
    ``optional`` columns are left out if no row has a value. ``shorten`` returns a shorter text for one that is too long.
    ``wide`` columns are shown in text only with --wide, and on the screen only if all others have the width they want.
    ``json`` returns the value of ``json_key`` (``key`` if empty). ``screen`` is false for columns of the text alone.
    """

    key: str
    title: str
    cell: Callable[[T], str | StyledText]
    least: int = 1
    most: int = 40
    worth: int = 0
    align: Literal["left", "right"] = "left"
    whole: bool = False
    optional: bool = False
    wide: bool = False
    screen: bool = True
    shorten: Callable[[str], str] | None = None
    sort: Callable[[T], Any] | None = None
    descending: bool = False
    json: Callable[[T], Any] | None = None
    json_key: str = ""

    def styled(self, row: T) -> StyledText:
        found = self.cell(row)
        return (found, "plain") if isinstance(found, str) else found

    def text(self, row: T) -> str:
        found = self.cell(row)
        return found if isinstance(found, str) else found[0]

    def fitted(self, text: str, width: int) -> str:
        """Return the text of a cell in exactly ``width`` cells."""
        if len(text) > width and self.shorten is not None:
            text = self.shorten(text)
        return fitted(text, width, right=self.align == "right")


Layout = tuple[tuple[ColumnSpec[T], int], ...]  # the columns that are shown, each with its width


def cut(text: str, most: int) -> str:
    """Return at most ``most`` cells of a text; "…" stands for the rest."""
    return text if len(text) <= most else f"{text[: max(0, most - 1)]}…"[:most]


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Return a text cut or padded to ``width`` cells."""
    text = cut(text, width)
    return text.rjust(width) if right else text.ljust(width)


def aligned(rows: Sequence[Sequence[str]], left: Container[int] = (0,)) -> list[str]:
    """Return rows of texts as lines, in columns as wide as their widest text: those numbered ``left`` aligned left, others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (text.ljust(width) if at in left else text.rjust(width) for at, (text, width) in enumerate(zip(row, widths, strict=True)))
        lines.append((" " * GAP).join(cells).rstrip())
    return lines


# -- which columns, and how wide


def wanted_widths(columns: Sequence[ColumnSpec[T]], rows: Sequence[T], before: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return how wide each column is at its widest, 0 without any value, and never less than ``before``.

    The first 200 rows stand for all.
    """
    wanted = dict(before or {})
    for column in columns:
        texts = (column.text(row) for row in rows[:SAMPLED])
        widest = max((len(text) for text in texts if text and text != NO_VALUE), default=0)
        wanted[column.key] = max(wanted.get(column.key, 0), min(widest, column.most))
    return wanted


def lay_out(columns: Sequence[ColumnSpec[T]], wanted: Mapping[str, int], width: int) -> Layout[T]:
    """Return the columns that fit into ``width`` cells, in their order, each as wide as it wants if there is room.

    Those of the greatest worth come in first, at their least width. What is left over goes to them in the same order. ``wide``
    columns share what remains after that.
    """
    widths: dict[str, int] = {}
    left = width + GAP
    for wide in (False, True):
        group = [column for column in columns if column.wide == wide and (wanted.get(column.key) or not column.optional)]
        fitting: list[ColumnSpec[T]] = []
        for column in sorted(group, key=lambda column: -column.worth):
            title = len(column.title) + (len(" ▼") if column.sort else 0)
            wants = max(wanted.get(column.key, 0), title)
            least = wants if column.whole else min(column.least, wants)
            if least + GAP > left:
                break
            fitting.append(column)
            widths[column.key] = least
            left -= least + GAP
        for column in fitting:
            more = max(0, min(wanted.get(column.key, 0), column.most) - widths[column.key])
            if more > left:
                more = 0 if column.shorten else left  # between its shortened and its whole texts there is nothing to gain
            widths[column.key] += more
            left -= more
        if len(fitting) < len(group):
            break
    return tuple((column, widths[column.key]) for column in columns if column.key in widths)


def title_texts(layout: Layout[T], order: Order | None) -> list[tuple[str, str, str]]:
    """Return the titles as (text, style, key of the column); the one that the rows are sorted by has an arrow."""
    texts: list[tuple[str, str, str]] = []
    for index, (column, width) in enumerate(layout):
        sorted_by = order is not None and order[0] == column.key
        title = f"{cut(column.title, width - 2)} {'▼' if order and order[1] else '▲'}" if sorted_by else column.title
        title = fitted(title if width > 2 else "", width, right=column.align == "right")
        texts.append((" " * GAP * bool(index) + title, "strong" if sorted_by else "quiet", column.key))
    return texts


def row_texts(layout: Layout[T], row: T, over: tuple[str, str, str] | None = None) -> list[StyledText]:
    """Return the cells of a row, each with the gap before it.

    ``over`` is (key of a column, text, style): this text stands right of that column, over as many columns as it needs.
    """
    texts = []
    covered = 0
    for index, (column, width) in enumerate(layout):
        if covered:
            covered -= 1
            continue
        text, style = column.styled(row)
        texts.append((" " * GAP * bool(index) + column.fitted(text, width), style))
        if over is not None and column.key == over[0]:
            room = -GAP
            for _, more in layout[index + 1 :]:
                if room >= len(over[1]):
                    break
                covered, room = covered + 1, room + more + GAP
            texts += [(" " * GAP + fitted(over[1], room), over[2])] if covered else []
    return texts


def column_at(layout: Layout[T], x: int) -> str | None:
    """Return the key of the column whose title stands ``x`` cells from the left of the table."""
    end = 0
    for column, width in layout:
        end += width + GAP
        if 0 <= x < end:
            return column.key
    return None


# -- order


def sort_rows(columns: Sequence[ColumnSpec[T]], rows: Iterable[T], order: Order) -> list[T]:
    """Return the rows in order; those without a value come last either way, and equal ones stay as they stood."""
    key, descending = order
    sort = next(column.sort for column in columns if column.key == key)
    assert sort is not None
    keyed = [(sort(row), row) for row in rows]
    known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in known] + [row for value, row in keyed if value is None]


def turned(columns: Sequence[ColumnSpec[T]], order: Order, key: str) -> Order:
    """Return the order by this column; the other way round if it is the present one."""
    if order[0] == key:
        return key, not order[1]
    return key, any(column.descending for column in columns if column.key == key)


def following(columns: Sequence[ColumnSpec[T]], order: Order) -> Order:
    """Return the present order the other way round; if it is that already, the order by the next column."""
    keys = [column.key for column in columns if column.sort is not None]
    if not keys:
        return order
    if order[0] in keys and order == turned(columns, ("", False), order[0]):
        return turned(columns, order, order[0])
    return turned(columns, ("", False), keys[(keys.index(order[0]) + 1) % len(keys) if order[0] in keys else 0])


# -- text and JSON


def text_table(columns: Sequence[ColumnSpec[T]], rows: Sequence[T], *, wide: bool = False, width: int | None = None) -> Iterator[str]:
    """Return the lines of a table, the titles first: whole, or laid out in ``width`` cells (a terminal)."""
    shown = [column for column in columns if wide or not column.wide]
    texts = {column.key: [column.text(row) for row in rows] for column in shown}
    wanted = {key: max((len(text) for text in cells if text != NO_VALUE), default=0) for key, cells in texts.items()}
    layout: Layout[T]
    if width is None:
        layout = tuple((each, max(len(each.title), wanted[each.key])) for each in shown if wanted[each.key] or not each.optional)
    else:
        layout = lay_out(shown, wanted, width)
    yield "".join(text for text, _, _ in title_texts(layout, None)).rstrip()
    lines = [column_texts(column, texts[column.key], wanted[column.key], cells) for column, cells in layout]
    for line in zip(*lines, strict=True):
        yield (" " * GAP).join(line).rstrip()


def column_texts(column: ColumnSpec[T], texts: Iterable[str], widest: int, cells: int) -> list[str]:
    """Return the texts of a column in exactly ``cells`` cells; where all fit, in a third of the time."""
    if widest > cells:
        return [column.fitted(text, cells) for text in texts]
    pad = str.rjust if column.align == "right" else str.ljust
    return [pad(text, cells) for text in texts]


def json_object(columns: Iterable[ColumnSpec[T]], row: T) -> dict[str, Any]:
    """Return the JSON keys and values of a row."""
    return {column.json_key or column.key: column.json(row) for column in columns if column.json is not None}
