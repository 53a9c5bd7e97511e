"""The dialog of fixes: each exact command, what it changes and costs, and its output once it is confirmed; then the next step."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from heartbeat_core.checks.fix_plan import FixStep, follows
from heartbeat_core.checks.fix_runner import FixRun, fill_in, fix_mode
from heartbeat_core.checks.result import Result
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_tui.checks.text import STATUS_STYLES, costs, labelled
from heartbeat_tui.widgets.dialogs import CommandScreen, DialogBox
from heartbeat_tui.widgets.text import Lines, styled, styled_line

if TYPE_CHECKING:
    from textual.content import Content

    from heartbeat_tui.checks.monitor import Checklist

EXAMPLES = {
    "<EMAIL>": "an address that Google can write to",
    "<JUSTIFICATION>": "what you need it for, in a sentence",
    "<PRINCIPAL>": "user:you@example.com",
    "<BILLING_ACCOUNT>": "0123AB-4567CD-89EF01",
    "<PROJECT>": "the id of the project",
    "<VALUE>": "how much",
    "<SOURCE_RANGE>": "203.0.113.7/32",
    "<QUEUED_RESOURCE>": "its name",
}
# What the output of a step may hold for the next one.
CARRIED = {
    "<BILLING_ACCOUNT>": re.compile(r"\b([0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6})\b.*\bTrue\b"),  # an open account
    "<QUEUED_RESOURCE>": re.compile(r"^(\S+)\s.*\b(?:SUSPENDED|FAILED)\b"),
}
RunInTerminal = Callable[[tuple[str, ...], dict[str, str], str], object]  # command, environment, id of the check
OnEnd = Callable[[str, int], object]  # id of the check, exit code


class FixDialog(CommandScreen):
    """Shows a command, and runs exactly that once it is confirmed; then shows the next one, with what the output says for it."""

    DEFAULT_CSS = """
    FixDialog .fix-row { height: auto; }
    FixDialog #fix-text { margin: 1 0; }
    FixDialog .command { margin-bottom: 1; }
    FixDialog Input { width: 1fr; background: $panel; }
    FixDialog #fix-blanks { height: auto; margin-top: 1; }
    FixDialog .fix-label-wide { width: 16; }
    FixDialog.-running #fix-blanks, FixDialog.-running #fix-how { display: none; }
    FixDialog.-listed #output { display: block; max-height: 8; }
    """
    DONE = "done"
    CANCELLED = "cancelled; what it did before stays done"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "Run", tooltip="run exactly this command", id="fix.run"),
        Binding("y", "copy", "Copy", tooltip="copy the command", id="fix.copy"),
        Binding("tab", "another(1)", "Another", tooltip="the next field, then the next fix", id="fix.another", priority=True),
        Binding("shift+tab", "another(-1)", "Another", show=False, id="fix.other", priority=True),
        Binding("escape", "close", "Close", tooltip="stop the command if it runs, else go back", id="fix.close"),
    ]

    def __init__(
        self, steps: Sequence[FixStep], environ: dict[str, str], *, run_in_terminal: RunInTerminal, on_end: OnEnd, emulated: bool = False
    ) -> None:
        super().__init__()
        self.steps, self.environ, self.emulated = tuple(steps), environ, emulated
        self.run_in_terminal, self.on_end = run_in_terminal, on_end
        self.number = 0
        self.values: dict[str, str] = {}
        self.code: int | None = None

    def compose(self) -> ComposeResult:
        with DialogBox("fix", demo=self.emulated):
            with VerticalScroll(classes="scroll", can_focus=False):
                yield Lines(id="fix-text")
                yield Lines(id="fix-command", classes="command")
                yield Lines(id="fix-effects")
                yield Lines(id="fix-how")
                yield Vertical(id="fix-blanks")
                with VerticalScroll(id="output"):
                    yield Lines(id="lines")
                yield Lines(id="state")
            yield Horizontal(classes="keys")

    async def on_mount(self) -> None:
        await self.show_fix()

    # -- what is shown

    @property
    def result(self) -> Result:
        return self.steps[self.number].result

    @property
    def fix(self) -> Remedy:
        return self.steps[self.number].remedy

    @property
    def ready(self) -> Remedy:
        return fill_in(self.fix, self.values)

    @property
    def way(self) -> str:
        return fix_mode(self.fix, emulated=self.emulated).way

    async def show_fix(self) -> None:
        blanks = self.query_one("#fix-blanks", Vertical)
        await blanks.remove_children()
        fields = self.fix.missing if self.way != "copy" else ()
        for place in fields:
            name = place.strip("<>").lower().replace("_", " ")
            field = Input(self.values.get(place, ""), placeholder=EXAMPLES.get(place, ""), compact=True, name=place)
            await blanks.mount(Horizontal(Lines(classes="fix-label-wide").with_text(styled(name, "plain")), field, classes="fix-row"))
        if fields:
            blanks.query(Input).first().focus()
        else:
            self.set_focus(None)
        self.draw()
        await self.draw_keys()

    def draw(self) -> None:
        fix, many = self.ready, len(self.steps)
        counted = f"{self.number + 1} of {many}  " if many > 1 else ""
        how, how_style = self.how(), "attention" if self.emulated else "quiet"

        def effects(width: int, _: int) -> list[Content]:
            changes = labelled("changes", fix.changes or "nothing", width, style="quiet")
            price = labelled("costs", costs(fix).removeprefix("costs "), width, style="quiet" if fix.costs is False else "attention")
            return [styled_line(line) for line in (*changes, *price)]

        show = self.query_one
        show("#fix-text", Lines).set_lines([styled(self.result.question, "quiet"), styled(f"{counted}{fix.text}", "strong")])
        show("#fix-command", Lines).set_lines([styled(fix.shell or fix.page or "no command", "command")])
        show("#fix-effects", Lines).show_sized(effects)
        show("#fix-how", Lines).show_sized(lambda width, _: [styled_line(line) for line in labelled("runs", how, width, style=how_style)])

    def how(self) -> str:
        manner = fix_mode(self.fix, emulated=self.emulated)
        if manner.way == "copy":
            return f"not from here. {manner.reason}"
        if self.emulated:
            return "against the emulator: nothing of Google's is reached or changed."
        return manner.reason or "exactly as shown, with your own gcloud and your own account."

    async def draw_keys(self) -> None:
        wanted = []
        if self.state == "shown":
            if self.way != "copy":
                wanted.append(("enter", "Run it", "run"))
            wanted.append(("y", "Copy", "copy"))
            if len(self.steps) > 1:
                wanted.append(("tab", "Next fix", "another(1)"))
        wanted.append(("escape", "Cancel" if self.state == "running" else "Close", "close"))
        await self.show_keys(*wanted)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave fields their keys, and offer only what can be done."""
        del parameters
        offered = {
            "another": self.state == "shown",
            "run": self.state == "shown" and self.way != "copy",
            "copy": not isinstance(self.focused, Input),
        }
        return offered.get(action, True)

    def show_checklist(self, checklist: Checklist) -> None:
        """Show the state of the check, once the command has succeeded."""
        result = checklist.report.get(self.result.id)
        if self.code != 0 or result is None:
            return
        word, kind = result.status.replace("_", " "), STATUS_STYLES[result.status]
        if result.id in checklist.asking:
            self.say(f"✓ done. Checking {result.id} again …", "ok")
        elif result.status == "pass":
            self.say(f"✓ done. The check passes: {result.summary}", "ok")
        elif checklist.watch is not None:
            self.say(f"✓ done. The check repeats until it passes; now {word}: {result.summary}", kind)

    # -- what the keys do

    async def action_another(self, by: int) -> None:
        """Go to the next field, from the last one to the next fix."""
        fields = list(self.query(Input))
        index = fields.index(self.focused) + by if isinstance(self.focused, Input) else len(fields)
        if 0 <= index < len(fields) or len(self.steps) == 1:
            if fields:
                fields[index % len(fields)].focus()
            return
        self.number = (self.number + by) % len(self.steps)
        self.say("", "plain")
        await self.show_fix()

    def action_copy(self) -> None:
        if text := self.ready.shell or self.ready.page:
            self.app.copy_to_clipboard(text)
            self.say("Copied.", "quiet")

    async def action_run(self) -> None:
        blank = [place.strip("<>").lower().replace("_", " ") for place in self.ready.missing]
        command = self.ready.command
        if blank or command is None:
            self.app.bell()
            self.say(f"Fill in {' and '.join(blank)} first.", "attention")
            return
        if self.way == "terminal":
            self.run_in_terminal(command, self.environ, self.result.id)
            return
        self.set_focus(None)
        self.output.clear()
        await self.begin(FixRun(command, self.line, self.environ))

    async def on_command_screen_over(self, event: CommandScreen.Over) -> None:
        """Post the end of the command, so that the check is watched; show the next step, if one follows."""
        self.code = event.code
        if event.code is not None and self.fix.changes:
            self.on_end(self.result.id, event.code)
        if event.code == 0 and self.goes_on():
            event.prevent_default()  # it has not ended
            await self.go_on()

    def goes_on(self) -> bool:
        """Return whether the next fix is a further step, not another way to fix the same check."""
        if self.number + 1 >= len(self.steps):
            return False
        following = self.steps[self.number + 1]
        return not self.fix.changes or following.result is not self.result or follows(following.remedy)

    async def go_on(self) -> None:
        listed = not self.fix.changes
        for place, pattern in CARRIED.items():
            found = next((match[1] for line in self.output if (match := pattern.search(line))), None)
            if found:
                self.values.setdefault(place, found)
        self.number, self.state, self.code = self.number + 1, "shown", None
        self.remove_class("-running")
        self.set_class(listed, "-listed")  # what was listed is there to choose from
        await self.show_fix()
        self.say("✓ done. This is the next step:", "ok")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.values[event.input.name or ""] = event.value.strip()
        self.draw()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next field, from the last one run the command."""
        event.stop()
        if self.ready.missing and event.value:
            self.focus_next(Input)
        else:
            await self.action_run()
