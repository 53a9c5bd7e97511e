"""The keys of every pane that draws latencies: how much of a run, on which scale, and on a low screen what of it at a time."""

from __future__ import annotations

from textual.binding import Binding

from heartbeat_tui.panes.pane import Pane, pane_key


def chart_keys(pane: str) -> tuple[Binding, ...]:
    """Make the bindings; their ids begin with the name of the pane."""
    return tuple(
        pane_key(pane, *key)
        for key in (
            ("z", "zoom", "Steady", "show the steady state alone"),
            ("z", "unzoom", "Whole run", "show the first beats and the warm-up as well"),
            ("l", "linear", "Linear", "draw latencies on a linear scale"),
            ("l", "log", "Log", "draw latencies on a logarithmic scale"),
            ("d", "details", "Details", "show the figures and what they mean"),
            ("d", "chart", "Chart", "show the chart"),
        )
    )


class ChartPane(Pane):
    """Draws a whole run or its steady state, on a linear scale or a logarithmic one."""

    steady_only, log_scale = False, True

    def draw_anew(self) -> None:
        """Draw what a key has changed."""
        self.draw()

    def chart_offers(self, *, charted: bool, detailed: bool) -> dict[str, bool]:
        """Tell which of the keys do something: with a chart, and with more to show than there is room for."""
        return {
            "zoom": charted and not self.steady_only,
            "unzoom": charted and self.steady_only,
            "linear": charted and self.log_scale,
            "log": charted and not self.log_scale,
            "details": detailed and not self.has_class("-details"),
            "chart": detailed and self.has_class("-details"),
        }

    @property
    def low(self) -> bool:
        """Tell whether the screen has no room for everything at once."""
        return self.app.size.height < 34

    def action_zoom(self) -> None:
        self.steady_only = True
        self.draw_anew()

    def action_unzoom(self) -> None:
        self.steady_only = False
        self.draw_anew()

    def action_linear(self) -> None:
        self.log_scale = False
        self.draw_anew()

    def action_log(self) -> None:
        self.log_scale = True
        self.draw_anew()

    def action_details(self) -> None:
        self.add_class("-details")
        self.refresh_bindings()

    def action_chart(self) -> None:
        self.remove_class("-details")
        self.refresh_bindings()
