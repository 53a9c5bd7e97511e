"""A comparison of runs, over the pane from which it was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from heartbeat_tui.panes.chart_pane import ChartPane, chart_keys
from heartbeat_tui.panes.pane import pane_key

if TYPE_CHECKING:
    from heartbeat_tui.compared import Compared
    from heartbeat_tui.widgets.comparison_body import ComparisonBody
    from heartbeat_tui.widgets.rate_form import RateForm

REHEARSAL = "rehearsal on the CPU: not a TPU"

key = partial(pane_key, "comparison")


class ComparisonPane(ChartPane):
    """Draws one comparison."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "leave", "Back", "back to where you came from"),
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

    async def fill(self) -> None:
        await self.mount_body()
        await self.mount_foot()
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

    def offered(self) -> dict[str, bool]:
        return {
            "swap": len(self.compared.comparisons) == 1,
            **self.chart_offers(charted=True, detailed=self.low),
        }

    async def action_leave(self) -> None:
        await self.dismiss(None)

    async def action_swap(self) -> None:
        await self.replace_body(self.compared.swapped())

    async def action_rates(self) -> None:
        from heartbeat_tui.widgets.rate_form import RateForm

        devices = dict.fromkeys(side.device for side in self.compared.sides)
        await self.open_form(RateForm(tuple(devices), self.compared.tariff.given), before=0)

    async def on_rate_form_accepted(self, event: RateForm.Accepted) -> None:
        event.stop()
        await self.close_form()
        await self.replace_body(self.compared.at(event.rates))

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

    def action_copy(self) -> None:
        from heartbeat_tui.widgets.comparison_words import comparison_text

        self.app.copy_to_clipboard(comparison_text(self.compared.comparisons, self.compared.doubts))
        self.notify("The comparison is on the clipboard.", markup=False)
