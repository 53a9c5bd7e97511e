"""The two themes of the program: one accent, two greys, and the colours of ok, attention and failed."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="heartbeat",
    dark=True,
    primary="#5cc8e6",
    secondary="#5cc8e6",
    accent="#5cc8e6",
    success="#74c98a",
    warning="#e3b25b",
    error="#f2716b",
    foreground="#d9dce1",
    background="#14171b",
    surface="#191d22",
    panel="#20252b",
    variables={
        "rule": "#3a414a",
        "text-muted": "#8b939e",
        "footer-background": "#14171b",
        "footer-key-foreground": "#5cc8e6",
        "series-a": "#5cc8e6",
        "series-b": "#e58fc4",
        "series-c": "#b3a5f2",
        "series-d": "#b8c16a",
    },
)
LIGHT = Theme(
    name="heartbeat-light",
    dark=False,
    primary="#0b6f8c",
    secondary="#0b6f8c",
    accent="#0b6f8c",
    success="#1f7a3d",
    warning="#8a5a00",
    error="#b3261e",
    foreground="#23272d",
    background="#fbfbf9",
    surface="#f4f4f1",
    panel="#ecece8",
    variables={
        "rule": "#c3c7cc",
        "text-muted": "#646b75",
        "footer-background": "#fbfbf9",
        "footer-key-foreground": "#0b6f8c",
        "series-a": "#0b6f8c",
        "series-b": "#a8327d",
        "series-c": "#5b4bb5",
        "series-d": "#66661a",
    },
)
THEMES = (DARK, LIGHT)
