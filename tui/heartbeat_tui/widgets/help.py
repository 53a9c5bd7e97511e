"""The help: the keys that work now, read from the bindings, and the words of the pane."""

from __future__ import annotations

from collections.abc import Iterable
from configparser import ConfigParser
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content

from heartbeat_tui.widgets.dialogs import Modal
from heartbeat_tui.widgets.text import Lines, sentence, styled


def words_of(mode: str) -> list[tuple[str, str]]:
    """Return the words of a pane and what they mean, from ``words.ini``."""
    parser = ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]  # words keep their case
    parser.read_string(Path(__file__).with_name("words.ini").read_text(encoding="utf-8"))
    return parser.items(mode)


def key_rows(app: App[Any], bindings: Iterable[ActiveBinding]) -> list[tuple[str, str]]:
    """Return each command once with its keys and what it does now; those of the app come last."""
    keys: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for active in bindings:
        binding = active.binding
        if active.enabled and binding.id:
            name = binding.action if binding.action == "quit" else binding.id
            keys.setdefault(name, []).append(app.get_key_display(binding))
            texts.setdefault(name, binding.tooltip or binding.description)
    ordered = sorted(keys, key=lambda name: name.startswith("app.") or name == "quit")
    return [(", ".join(keys[name]), sentence(texts[name])) for name in ordered]


class Help(Modal[None]):
    """The dialog of keys and words."""

    DEFAULT_CSS = """
    Help .panel { width: 84; max-width: 90%; max-height: 90%; }
    Help .word { height: auto; }
    Help .term { width: 12; margin-right: 2; text-align: right; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "dismiss", "Close", key_display="esc")]

    def __init__(self, keys: list[tuple[str, str]], mode: str = "heartbeat") -> None:
        super().__init__()
        self.keys, self.words = keys, words_of(mode)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="panel") as box:
            box.border_title = "help"
            yield Lines().with_text(styled("Words", "strong"))
            yield from rows_of(self.words)
            yield Lines().with_text(Content(""), styled("Keys that work now", "strong"))
            yield from rows_of(self.keys)
            yield Lines().with_text(Content(""), styled("Esc closes. ctrl+p finds every command by name.", "quiet"))


def rows_of(pairs: Iterable[tuple[str, str]]) -> ComposeResult:
    """Return a row for each key or word and its meaning, which wraps in its own column."""
    for term, says in pairs:
        with Horizontal(classes="word"):
            yield Lines(classes="term").with_text(styled(term, "accent"))
            yield Lines().with_text(styled(says, "plain"))
