"""What a comparison says, as (text, ink): the ratio for a glance, how sure it is, why, and both sides in figures. No Textual here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heartbeat_core.comparison.compare import between, change, p_words
from heartbeat_core.comparison.groups import costs
from heartbeat_core.units import NOTHING, format_bytes_rate, format_ns, format_rate, format_share
from heartbeat_tui.widgets.overlay import ink_of, marker_of
from heartbeat_tui.widgets.words import MARKS, sentence

if TYPE_CHECKING:
    from heartbeat_core.comparison.compare import Comparison, Difference
    from heartbeat_core.comparison.groups import Side

Piece = tuple[str, str]  # text, ink
INKS = {"faster": "ok", "slower": "attention", "same": "strong", "cannot tell": "attention"}
LABEL = 13  # cells of the names of the rows


@dataclass(frozen=True)
class Headline:
    """The ratio for a glance: a number to be drawn large, empty where there is none, and what stands beside it, line by line."""

    number: str
    lines: tuple[tuple[Piece, ...], ...]


def side_name(side: Side, number: int) -> Piece:
    """Name a side with its marker."""
    return f"{marker_of(number)} {side.title}", ink_of(number)


def headline(comparison: Comparison, number: int = 1) -> Headline:
    """Say by how much the candidate, side ``number``, is quicker or slower than the reference."""
    this, that = side_name(comparison.candidate, number), side_name(comparison.reference, 0)
    ink = INKS[comparison.kind]
    if comparison.kind == "cannot tell":
        return Headline("", ((("? ", ink), *sides(this, "and", that)), ((f"{comparison.sentence}.", ink),)))
    sure = sureness(comparison)
    took = times(comparison, number)
    if comparison.kind == "same":
        return Headline("", ((("= no difference that these runs can show: ", ink), *sides(this, "and", that)), took, sure))
    figure, _, rest = change(comparison.ratio.value).partition(" ")  # "7.9 % more", "3.21 × slower"
    words = rest if "×" in rest else f"{rest} time"
    return Headline(figure, (((f"{words}: ", ink), *sides(this, "than", that)), took, sure))


def times(comparison: Comparison, number: int) -> tuple[Piece, ...]:
    """Say what both take, and where."""
    this, that = comparison.candidate, comparison.reference
    return (
        (f"{marker_of(number)} {format_ns(this.ns)}", ink_of(number)),
        (f" on {this.where}", "plain"),
        (" · ", "quiet"),
        (f"{marker_of(0)} {format_ns(that.ns)}", ink_of(0)),
        (f" on {that.where}", "plain"),
    )


def sides(this: Piece, between_: str, that: Piece) -> tuple[Piece, ...]:
    return this, (f" {between_} ", "quiet"), that


def sureness(comparison: Comparison) -> tuple[Piece, ...]:
    """Say how sure the ratio is."""
    ratio = comparison.ratio
    if ratio.low is None or ratio.high is None:
        return ((ratio.lacking, "attention"),)
    return ((f"{between(ratio.low, ratio.high)} with 95 % confidence · {ratio.test}, {p_words(ratio.p_value)}", "quiet"),)


def gist(comparison: Comparison, number: int = 1) -> tuple[Piece, ...]:
    """Say the same in one line."""
    this, that = side_name(comparison.candidate, number), side_name(comparison.reference, 0)
    ink = INKS[comparison.kind]
    ratio = comparison.ratio
    if comparison.kind == "cannot tell":
        return (*sides(this, "and", that), (f": {comparison.sentence}.", ink))
    range_ = f"  ({between(ratio.low, ratio.high)})" if ratio.low and ratio.high else ""
    if comparison.kind == "same":
        return (("= no difference shown: ", ink), *sides(this, "and", that), (range_, "quiet"))
    said = change(ratio.value)
    verb = "is" if "×" in said else "takes"
    words = f" {said} than " if "×" in said else f" {said} time than "
    return this, (f" {verb}", "plain"), (words, ink), that, (range_, "quiet")


def why(comparison: Comparison) -> str:
    """Say in one sentence what the difference comes from, as far as it is known."""
    if comparison.why:
        return sentence(comparison.why)
    other = spelled(difference for difference in comparison.differences if difference.work)
    if other:
        return sentence(f"they did other work: {other}")
    differ = spelled(comparison.differences)
    same = "the same work"
    return sentence(f"{same}; what differs: {differ}" if differ else f"{same} on the same device, and nothing else is known to differ")


def spelled(differences: Iterable[Difference]) -> str:
    return ", ".join(f"{each.what} {each.reference} against {each.candidate}" for each in differences)


# -- both sides in figures


def table(comparisons: Sequence[Comparison]) -> list[tuple[str, list[Piece]]]:
    """Set the sides beside one another, row by row; what no side has is left out."""
    every = [comparisons[0].reference, *(comparison.candidate for comparison in comparisons)]
    rows: list[tuple[str, list[Piece]]] = [
        ("", [side_name(side, number) for number, side in enumerate(every)]),
        ("where", [(side.where, "plain") for side in every]),
        ("product", [(f"{side.workload.batch}×{side.workload.hidden}×{side.workload.intermediate}", "plain") for side in every]),
        ("dtype", [(side.workload.dtype, "plain") for side in every]),
        ("method", [(side.method, "plain") for side in every]),
        ("processes", [(str(side.processes) if side.processes > 1 else NOTHING, "plain") for side in every]),
        ("median", [(format_ns(side.ns), "strong") for side in every]),
        ("from … to", [(span(side), "quiet") for side in every]),
        ("samples", [(f"{side.n:,}", "plain") for side in every]),
    ]
    for name, label in (("cold", "first beat"), ("compile", "compile"), ("transfer", "transfer")):
        rows.append((label, [(ns_or_nothing(side.apart_ns.get(name)), "plain") for side in every]))
    rows += [
        ("computes", [(format_rate(side.flops_per_s), "plain") for side in every]),
        ("moves", [(format_bytes_rate(side.bytes_per_s), "plain") for side in every]),
        ("of its limit", [(NOTHING if side.share is None else format_share(side.share), "plain") for side in every]),
        ("verdict", [(f"{MARKS[side.verdict][0]} {side.verdict}", MARKS[side.verdict][1]) for side in every]),
        ("a million cost", [(text, "plain") for text in costs(every)]),
    ]
    return [row for row in rows if any(text != NOTHING for text, _ in row[1])]


def span(side: Side) -> str:
    return NOTHING if side.low_ns is None or side.high_ns is None else f"{format_ns(side.low_ns)} … {format_ns(side.high_ns)}"


def ns_or_nothing(ns: float | None) -> str:
    return NOTHING if ns is None else format_ns(ns)


def comparison_text(comparisons: Sequence[Comparison], doubts: Iterable[str]) -> str:
    """Write the comparison and what makes it doubtful as plain text, for the clipboard."""
    rows = table(comparisons)
    widths = [max(len(row[1][index][0]) for row in rows) for index in range(len(rows[0][1]))]
    lines = [
        f"{label:<15}" + "  ".join(f"{text:>{width}}" for (text, _), width in zip(cells, widths, strict=True)) for label, cells in rows
    ]
    for comparison in comparisons:
        lines += ["", f"{comparison.sentence}.", why(comparison)]
    return "\n".join(line.rstrip() for line in [*lines, *(f"warning: {warning}" for warning in doubts)]) + "\n"
