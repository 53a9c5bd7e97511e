"""The help: the keys that work now, read from the bindings, and the words of the pane."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content

from heartbeat_tui.widgets.dialogs import Modal
from heartbeat_tui.widgets.text import Lines, sentence, styled

WORDS = (
    ("iteration", "one timed matrix product"),
    ("cold", "the first iteration: caches, memory and programs are touched for the first time"),
    ("warm-up", "the iterations before the steady state, shown but not counted"),
    ("steady state", "all iterations after the warm-up: the figures are made of them"),
    ("95 % CI", "the true median lies in it with 95 % confidence"),
    ("IQR", "the middle half of the samples, as a share of the median: how noisy the run is"),
    ("p95", "19 of 20 iterations are faster; shown from 59 iterations on"),
    ("peak", "the most this device can do: published for a TPU, else measured here"),
    ("MFU, MBU", "the share of peak FLOP/s and of peak memory bandwidth that was reached"),
    ("badge", "the worst finding: ✓ plausible, ! noisy or suspicious, ✗ impossible or result wrong, ? unknown"),
    ("sweep", "one run for each value; ● are its points, the line is the roofline"),
    ("knee", "the batch at which compute, no longer memory, sets the time: decoding becomes prefill"),
    ("slow", "of several hosts: over the fleet's median by more than 3 %, and by more than healthy hosts differ"),
    ("◆ ◇ ✕", "on the chart: first iteration, warm-up, compiled"),
)

READINESS = (
    ("check", "one question; its id also works in heartbeat-tui check --only"),
    ("✓ pass", "as it should be"),
    ("! warn", "read it; a TPU VM can start nevertheless"),
    ("✗ fail", "to be fixed"),
    ("? unknown", "could not be seen, which is not a pass; the reason is shown"),
    ("… blocked", "waits for another check to be fixed"),
    ("– n/a", "not applicable here"),
    ("fix", "the exact command; it runs only after you have seen and confirmed it"),
    ("➤ next", "the next step"),
)
RUNS = (
    ("run", "one recording: made here, by heartbeat-tui bench, or copied into the folder from another machine"),
    ("95 % CI", "the true median lies in it with 95 % confidence"),
    ("✓", "before a run: it is marked"),
    ("◎", "before a run: the reference that others are compared with"),
    ("▸ ▾", "a group: runs that repeat one another, or the points of a sweep"),
    ("● ▲ ■ ◆", "in a comparison: the runs, the reference first"),
    ("↑", "in its chart: an iteration far above all others, beyond the top"),
    ("xla on CPU", "a rehearsal: torch_xla on this machine's CPU, not a TPU"),
    ("! incomplete", "the worker or the machine stopped during the run; what was recorded before is complete"),
    ("! newer", "recorded by a newer version; update to read it"),
    ("✗ broken", "it cannot be read; the reason is shown"),
)
VMS = (
    ("node", "a TPU VM in the Cloud TPU API; (queued) is a request that waits for one"),
    ("● ready", "running and charged; every state is shown as Google names it"),
    ("◐ …", "changing its state"),
    ("○ stopped", "not running; its disk stays and is charged"),
    ("✗ gone", "preempted, failed or suspended: it does not come back, and may use quota"),
    ("no driver", "its runtime does not fit its chips: programs find no TPU"),
    ("$/h", "an estimate from the public price list of the date shown; no discounts, no disks"),
    ("since start", "an upper bound since its creation, as if it had run all the time"),
    ("! age", "READY for more than 8 hours: it may have been forgotten"),
)
OF_PANES = {"readiness": READINESS, "vms": VMS, "heartbeat": WORDS, "runs": RUNS}


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
        self.keys, self.words = keys, OF_PANES.get(mode, WORDS)

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
