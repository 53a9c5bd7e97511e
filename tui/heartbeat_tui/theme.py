"""The two themes of the program: one accent, two greys, and the colours of ok, attention and failed."""

from __future__ import annotations

from textual.theme import Theme

COLOURS = {  # of the dark theme, of the light one
    "accent": ("#5cc8e6", "#0b6f8c"),
    "success": ("#74c98a", "#1f7a3d"),
    "warning": ("#e3b25b", "#8a5a00"),
    "error": ("#f2716b", "#b3261e"),
    "foreground": ("#d9dce1", "#23272d"),
    "background": ("#14171b", "#fbfbf9"),
    "surface": ("#191d22", "#f4f4f1"),
    "panel": ("#20252b", "#ecece8"),
}
VARIABLES = {
    "rule": ("#3a414a", "#c3c7cc"),
    "text-muted": ("#8b939e", "#646b75"),
    "footer-background": COLOURS["background"],
    "footer-key-foreground": COLOURS["accent"],
    "series-a": COLOURS["accent"],
    "series-b": ("#e58fc4", "#a8327d"),
    "series-c": ("#b3a5f2", "#5b4bb5"),
    "series-d": ("#b8c16a", "#66661a"),
}
DARK, LIGHT = THEMES = tuple(
    Theme(
        name=name,
        dark=column == 0,
        primary=COLOURS["accent"][column],
        secondary=COLOURS["accent"][column],
        variables={key: colours[column] for key, colours in VARIABLES.items()},
        **{key: colours[column] for key, colours in COLOURS.items()},  # type: ignore[arg-type]
    )
    for column, name in enumerate(("heartbeat", "heartbeat-light"))
)
