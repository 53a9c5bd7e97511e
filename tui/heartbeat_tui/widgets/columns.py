"""Columns of a list: which there is room for, and text cut to fit one. No Textual here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAP = 2  # cells between two columns


@dataclass(frozen=True)
class Column:
    """``least`` and ``most`` are cells; one of low ``worth`` goes first where there is no room for all."""

    name: str
    title: str
    least: int
    most: int
    worth: int
    right: bool = False


Layout = tuple[tuple[Column, int], ...]


def lay_out(columns: Sequence[Column], wanted: Mapping[str, int], width: int) -> Layout:
    """Choose the columns that fit into ``width`` cells, in their order, each as wide as it wants to be if there is room.

    The most worthy come in at their least; what is left over then goes to the most worthy that want more.
    """
    widths: dict[str, int] = {}
    worthy = sorted(columns, key=lambda column: -column.worth)
    left = width + GAP
    for column in worthy:
        if column.least + GAP > left:
            break
        widths[column.name] = column.least
        left -= column.least + GAP
    for column in worthy:
        if column.name in widths:
            more = min(left, max(0, min(wanted.get(column.name, 0), column.most) - column.least))
            widths[column.name] += more
            left -= more
    return tuple((column, widths[column.name]) for column in columns if column.name in widths)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(0, most - 1)]}…"[:most]


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Cut or pad a text to ``width`` cells."""
    text = cut(text, width)
    return text.rjust(width) if right else text.ljust(width)
