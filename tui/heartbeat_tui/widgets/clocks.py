"""The handbook's clock beside the honest one, on the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content

from heartbeat_core.benchmark.report import explain_gap
from heartbeat_core.units import format_ns, format_rate
from heartbeat_tui.messages import Clocks
from heartbeat_tui.widgets.text import Lines, ink
from heartbeat_tui.widgets.words import MARKS

if TYPE_CHECKING:
    from heartbeat_core.benchmark.report import Report


BEFORE = "The handbook's loop runs first, then the same work with every product waited for."


def box(report: Report | None, counted: str) -> list[Content]:
    """Say in three lines what one clock read."""
    if report is None:
        return [ink("not read yet", "quiet")]
    if report.iteration_ns is None:
        return [ink((report.ending.title or "no reading") if report.ending else "measuring …", "quiet")]
    rate = format_rate(report.flops_per_s) if report.flops_per_s else ""
    hard = report.verdict.kind == "impossible"
    glyph, kind = MARKS[report.verdict.kind]
    return [
        Content.assemble(ink(format_ns(report.iteration_ns), "strong"), " per iteration"),
        ink(counted, "quiet"),
        Content.assemble(f"{'needs ' if hard else ''}{rate}  ", ink(f"{glyph} {report.verdict.kind}", kind)),
    ]


def handbook_counted(report: Report | None) -> str:
    clock = report.handbook if report else None
    if clock is None:
        return ""
    finished = f"{clock.launched if clock.finished else 0} finished at the stop"
    asked = "traced" if clock.launched < clock.products else "called"  # what runs at once is never traced
    return f"{clock.products} {asked} · {clock.launched} launched · {finished}"


def honest_counted(report: Report | None) -> str:
    proof = report.proof if report else None
    if report is None or proof is None:
        return ""
    executed = f"{proof.executed} executed" if proof.executed is not None else f"{report.count} waited for"
    error = f", error {proof.error:.0e}" if proof.error is not None else ""
    return f"{executed} · proof {'holds' if proof.passed else 'fails'}: row {proof.row}{error}"


class ClocksView(Container):
    """Both boxes, and the sentence that explains them."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Lines(classes="panel", id="handbook-clock")
            yield Lines(classes="panel", id="honest-clock")
        yield Lines(id="clocks-why")

    def show(self, clocks: Clocks) -> None:
        left, right = self.query_one("#handbook-clock", Lines), self.query_one("#honest-clock", Lines)
        left.border_title, right.border_title = "the handbook's clock", "the fenced clock"
        left.set_lines(box(clocks.handbook, handbook_counted(clocks.handbook)))
        right.set_lines(box(clocks.honest, honest_counted(clocks.honest)))
        why = explain_gap(clocks.handbook, clocks.honest) if clocks.handbook else BEFORE
        self.query_one("#clocks-why", Lines).set_lines([ink(why, "plain")])
