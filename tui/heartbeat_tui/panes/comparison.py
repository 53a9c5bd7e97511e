"""A comparison of runs, over the pane from which it was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from heartbeat_tui.panes.chart_pane import ChartPane, chart_keys

if TYPE_CHECKING:
    from heartbeat_tui.compared import Compared
    from heartbeat_tui.widgets.comparison_body import ComparisonBody
    from heartbeat_tui.widgets.form import Form
    from heartbeat_tui.widgets.rate_form import RateForm

REHEARSAL = "rehearsal on the CPU: not a TPU"


def key(keys: str, action: str, label: str, tooltip: str, *, show: bool = True) -> Binding:
    return Binding(keys, action, label, tooltip=tooltip, show=show, id=f"comparison.{action}")


class ComparisonPane(ChartPane):
    """Draws one comparison."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", tooltip="back to where you came from", id="comparison.leave"),
        key("s", "swap", "Swap", "hold it the other way round"),
        *chart_keys("comparison"),
        key("u", "rates", "Cost …", "say what an hour of each device costs, to see what a million products cost", show=False),
        key("y", "copy", "Copy", "copy the comparison as text", show=False),
    ]

    def __init__(self, tabs: Iterable[tuple[str, str, str]], mode: str, compared: Compared) -> None:
        super().__init__(tabs, mode)
        self.compared = compared
        self.steady_only = True
        self.body: ComparisonBody | None = None
        self.form: RateForm | None = None

    async def fill(self) -> None:
        await self.mount_body()
        from textual.widgets import Footer

        await self.mount(Footer(show_command_palette=False, compact=True))
        self.show_labels(*([REHEARSAL] if any(side.rehearsal for side in self.compared.sides) else []))
        self.refresh_bindings()

    async def mount_body(self) -> None:
        from heartbeat_tui.widgets.comparison_body import ComparisonBody

        self.body = ComparisonBody(self.compared)
        await self.query_one("#pane").mount(self.body)
        self.draw()

    def draw(self) -> None:
        if self.body is not None:
            self.body.show(log=self.log_scale, steady_only=self.steady_only)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done in this state."""
        del parameters
        if self.form is not None and action in OFFERED:  # the keys are letters
            return False
        offered = {
            "swap": len(self.compared.comparisons) == 1,
            **self.chart_offers(charted=True, detailed=self.low),
        }
        return offered.get(action, True)

    async def action_leave(self) -> None:
        await self.dismiss(None)

    async def action_swap(self) -> None:
        await self.replace_body(self.compared.swapped())

    async def action_rates(self) -> None:
        from heartbeat_tui.widgets.rate_form import RateForm

        if self.form is None:
            devices = dict.fromkeys(side.device for side in self.compared.sides)
            self.form = RateForm(tuple(devices), self.compared.tariff.given)
            await self.query_one("#pane").mount(self.form, before=0)
            self.refresh_bindings()

    async def close_form(self) -> None:
        if self.form is not None:
            form, self.form = self.form, None
            await form.remove()
            self.refresh_bindings()

    async def on_rate_form_accepted(self, event: RateForm.Accepted) -> None:
        event.stop()
        await self.close_form()
        await self.replace_body(self.compared.at(event.rates))

    async def on_form_closed(self, event: Form.Closed) -> None:
        event.stop()
        await self.close_form()

    async def replace_body(self, compared: Compared) -> None:
        self.compared = compared
        if self.body is not None:
            with self.app.batch_update():
                await self.body.remove()
                await self.mount_body()

    def action_details(self) -> None:
        super().action_details()
        if self.body is not None:
            self.body.take_keys()

    def draw_anew(self) -> None:
        self.draw()

    def action_copy(self) -> None:
        from heartbeat_tui.widgets.comparison_words import comparison_text

        self.app.copy_to_clipboard(comparison_text(self.compared.comparisons, self.compared.doubts))
        self.notify("The comparison is on the clipboard.", markup=False)


OFFERED = frozenset(
    binding.action for binding in ComparisonPane.BINDINGS if isinstance(binding, Binding)
)  # while a form is open, its keys are letters
