"""What the pane shows before anything beats: the plan in plain words, and the key that starts it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Center, Container, Vertical

from heartbeat_core.benchmark.config import Plan
from heartbeat_core.units import format_bytes, scaled
from heartbeat_tui.widgets.key_button import KeyButton
from heartbeat_tui.widgets.text import Lines, ink
from heartbeat_tui.widgets.words import plan_sentence


def work_in_words(plan: Plan) -> str:
    work = plan.workload
    flop = scaled(work.flops, ((1.0, "FLOP"), (1e6, "MFLOP"), (1e9, "GFLOP"), (1e12, "TFLOP")))
    return f"One beat is {flop} and moves {format_bytes(work.bytes)}."


WAYS_IN = (  # key, what it does, action
    ("space", "Beat here, with nothing to set up", "begin"),
    ("g", "Take the tour of the handbook's first part", "tour"),
    ("1", "Get ready for a TPU: what is missing, what mends it", "app.switch_mode('readiness')"),
)
WELCOME = "Nothing is set up yet, and nothing has to be. Three ways in; none costs money or changes a project."


class Idle(Container):
    """The plan, and one obvious key; whoever is new here is told the three ways in."""

    def __init__(self, *, newcomer: bool = False) -> None:
        super().__init__()
        self.newcomer = newcomer

    def compose(self) -> ComposeResult:
        yield Lines(id="idle-plan")
        if self.newcomer:
            yield Lines(id="idle-welcome").with_text(ink(WELCOME, "plain"))
            with Center(), Vertical(id="idle-ways"):
                for key, what, action in WAYS_IN:
                    yield KeyButton(f"{key:^5}", what, action)
            return
        with Center(id="idle-keys"):
            yield KeyButton("space", "Start", "begin")
            yield KeyButton("e", "Change the plan", "edit")
            yield KeyButton("g", "Take the tour", "tour")

    def show(self, plan: Plan, vm: str = "") -> None:
        self.query_one("#idle-plan", Lines).set_lines([ink(plan_sentence(plan, vm), "strong"), ink(work_in_words(plan), "quiet")])
