"""The upper part of the pane: heart, figures, plan and progress, and what there is to do before anything beats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from heartbeat_tui.widgets.figures import Head
from heartbeat_tui.widgets.heart import Heart
from heartbeat_tui.widgets.idle import Idle
from heartbeat_tui.widgets.plan_line import PlanLine

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import Plan
    from heartbeat_core.benchmark.report import Report


class Front(Container):
    """What is there with and without a run."""

    SCOPED_CSS = False  # it depends on the classes of the screen
    DEFAULT_CSS = """
    Front { height: auto; }
    #head { height: 3; margin: 1 0 1 0; }
    Heart { width: 3; height: 3; padding: 1 0 0 0; }
    Head { width: 1fr; height: 3; }
    #median { width: 14; color: $accent; text-style: bold; text-align: right; margin-right: 1; }
    #figures { height: 3; }
    #figures-line { display: none; height: 1; width: 1fr; }
    PlanLine { height: 1; width: 1fr; }
    Idle { display: none; height: 1fr; align: center middle; }
    #idle-plan { width: 100%; text-align: center; padding: 0 4; }
    #idle-welcome { width: 100%; text-align: center; padding: 0 4; margin-top: 1; }
    #idle-ways { width: 64; max-width: 100%; height: auto; margin-top: 1; }
    #idle-keys { height: 1; width: 100%; margin-top: 2; layout: horizontal; align: center middle; }
    .-idle Front { height: 1fr; }
    .-idle Idle { display: block; }
    .-form Front { height: auto; }
    .-form Idle { display: none; }
    .-low #head { height: 1; margin: 0; }
    .-low Heart, .-low Head { height: 1; padding: 0; }
    .-low #median, .-low #figures { display: none; }
    .-low #figures-line { display: block; }
    """

    def __init__(self, *, newcomer: bool = False) -> None:
        super().__init__()
        self.newcomer = newcomer

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Heart()
            yield Head()
        yield PlanLine()
        yield Idle(newcomer=self.newcomer)

    def show(self, plan: Plan, report: Report | None, waiting: str = "", vm: str = "") -> None:
        self.query_one(Head).show(report)
        self.query_one(PlanLine).show(report.plan if report else plan, report, waiting)
        if report is None:
            self.query_one(Idle).show(plan, vm)

    def turn_heart(self, now: float) -> None:
        for heart in self.query(Heart):  # none while the screen is built or taken down
            heart.turn(now)

    def beat(self, *, beating: bool, iterations_per_s: float | None) -> None:
        self.query_one(Heart).show(beating=beating, iterations_per_s=iterations_per_s)
