"""What commands write beside their answer, on stderr: errors, progress and questions; and how a long text is folded."""

from __future__ import annotations

import argparse
import codecs
import io
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeAlias

from heartbeat_core.errors import HeartbeatError, nearest, sanitize_line

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Remedy


WIDTH = 110


# What a terminal without UTF-8 shows: one character for one, so that columns stay aligned. First whole blocks: lines, areas, dots.
BLOCKS = ((0x2500, 0x2580, "+"), (0x2580, 0x25A0, "#"), (0x2801, 0x2900, "*"), (0x1FB00, 0x1FBAF, "#"))
SIMILAR = {ord(one): ascii_one for names, ascii_one in (
    ("×✗✕", "x"), ("✓", "v"), ("·…“”◌", "."), ("–─━╌╴╶╸╺┄┈", "-"), ("│┃╎╵╷▏▎┆┊", "|"), ("→▸▶➤", ">"), ("←◂", "<"), ("↑▲△", "^"),
    ("↓▼▾", "v"), ("✚±", "+"), ("■▮", "#"), ("▪▄▃▂▁", "_"), ("●○◎◐◆◇□", "o"), ("♥♡▖▗▘▝", "*"), ("µ", "u"), ("²", "2"), ("Σ", "S"),
    ("√", "V"), ("≥", ">"), ("≤", "<"), ("’", "'"), ("σ", "s"), ("\u2800", " "),
) for one in names}  # fmt: skip


def replace_unencodable(*streams: TextIO) -> None:
    """Let these streams write a similar ASCII character, or "?", for one that their encoding lacks, instead of failing."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        from unicodedata import normalize

        assert isinstance(error, UnicodeEncodeError)
        shown = ""
        for one in error.object[error.start : error.end]:
            block = next((ascii_one for first, end, ascii_one in BLOCKS if first <= ord(one) < end), "?")
            base = normalize("NFD", one)[0]  # a letter without its accent
            shown += SIMILAR.get(ord(one)) or (base if base.isascii() else block)
        return shown, error.end

    codecs.register_error("similar", replace)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="similar")


def print_json(values: Mapping[str, Any], *, indent: int | None = 1) -> None:
    """Print the answer of a command as JSON, with its schema; raise ValueError for NaN and infinity, which are none."""
    import json  # not for --help

    print(json.dumps({"schema": 1, **values}, allow_nan=False, indent=indent))


def print_answer(args: argparse.Namespace, values: Mapping[str, Any], lines: Iterable[str], *, indent: int | None = 1) -> None:
    """Print the answer of a command: with --json the values, else the lines."""
    if args.json:
        print_json(values, indent=indent)
        return
    for line in lines:
        print(line)


def print_status(text: str, end: str = "\n") -> None:
    print(f"{text}{end}", file=sys.stderr, end="", flush=True)  # one write, for threads


def print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print_status(f"note: {note}")


def confirmed(question: str) -> bool:
    """Return whether the user answers "y" or "yes" on the terminal."""
    print_status(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def check_tty(args: argparse.Namespace, cause: str) -> None:
    """Raise HeartbeatError where --yes is not given and stdin cannot be asked."""
    if not args.yes and not sys.stdin.isatty():
        raise HeartbeatError("stdin is not a TTY", cause, "Give --yes to go ahead without being asked.")


def agreed(args: argparse.Namespace, question: str) -> bool:
    """Return whether to go ahead: by --yes, or by asking; raise HeartbeatError where stdin is not a TTY."""
    check_tty(args, f"It cannot be asked: {question}")
    return args.yes or confirmed(question)


def folded(text: str, first: str = "", rest: str = "", width: int = WIDTH) -> Iterator[str]:
    """Yield foreign text as lines of ``width`` columns, with prefixes for the first and the other lines."""
    from textwrap import wrap

    for number, line in enumerate(wrap(sanitize_line(text), width, break_long_words=False, break_on_hyphens=False)):
        yield f"{rest if number else first}{line}"


@contextmanager
def first_interrupt(first: Callable[[], object] = lambda: None) -> Iterator[threading.Event]:
    """Yield what the first Ctrl-C sets, for the caller to stop between two steps; a second one interrupts as usual.

    An exception in the middle of a library would leave a cursor hidden or an output redirected. ``first`` is then called in a
    thread: it may end what the caller waits for.
    """
    came, before = threading.Event(), signal.getsignal(signal.SIGINT)

    def take(_number: int, _frame: FrameType | None) -> None:
        if came.is_set():
            raise KeyboardInterrupt
        came.set()
        threading.Thread(target=first, daemon=True).start()  # the main thread may hold a lock that it needs

    if before is not signal.SIG_IGN:  # a background job of a shell is not interrupted
        signal.signal(signal.SIGINT, take)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


# What argparse says of a wrong command line, and how it reads as what happened and why.
CHOICE = r"invalid choice: (?P<value>.*) \(choose from (?P<choices>.*)\)"
USAGE_ERRORS = (
    (rf"argument (?P<name>[A-Z]+): {CHOICE}", "there is no {name} {value}", "It is one of {choices}."),
    (rf"argument (?P<name>.+?): {CHOICE}", "{name} is {value}", "It is one of {choices}."),
    (r"argument (?P<name>.+?): invalid int value: (?P<value>.*)", "{name} is {value}", "It is a whole number."),
    (r"argument (?P<name>.+?): invalid float value: (?P<value>.*)", "{name} is {value}", "It is a number."),
    (r"argument (?P<name>.+?): expected (?P<value>.+)", "{name} has no value", "It expects {value}."),
    (r"argument (?P<name>.+?): not allowed with argument (?P<value>.+)", "{name} and {value} exclude one another", "Give one of them."),
    (r"argument (?P<name>.+?): (?P<value>.+); try (?P<example>.+)", "{name}: {value}", "It is written like {example}."),
    (r"unrecognized arguments: (?P<value>.+)", "unrecognized: {value}", "{prog} does not take it."),
    (r"the following arguments are required: (?P<value>.+)", "missing: {value}", "{prog} needs it."),
    (r"ambiguous option: (?P<name>\S+) could match (?P<value>.+)", "{name} is ambiguous", "It could be {value}."),
)


Actions: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001  # it has no public name
CommandRun: TypeAlias = Callable[[argparse.Namespace], int]


def add_action(actions: Actions, name: str, run: CommandRun, what: str, description: str = "", **more: Any) -> argparse.ArgumentParser:
    """Add an action of a command; its purpose is its description as well, as a sentence, where none is given."""
    description = description or f"{what[0].upper()}{what[1:]}."
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what, description=description, **more)
    parser.set_defaults(run=run)
    return parser


class CommandParser(argparse.ArgumentParser):
    """Parse a command line; raise HeartbeatError where it is wrong, instead of printing the whole usage."""

    def format_help(self) -> str:
        """Return the help with two examples at its end."""
        from heartbeat_tui.commands.examples import examples_of

        return f"{super().format_help()}\nexamples:\n{examples_of(self.prog)}"

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write the help or the version; argparse itself hides that the reader of a pipe has gone."""
        (file or sys.stdout).write(message)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, but refuse what is left over here: the parser of the command knows its name and its options."""
        self.given = list(args)
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse an option that this parser lacks before what follows it, which argparse takes for the name of a command."""
        if action.nargs == argparse.PARSER and value not in self.commands():
            before = self.given[: self.given.index(value)]
            for at, option in enumerate(before):
                if option.startswith("-") and not any(known.startswith(option.partition("=")[0]) for known in self.options()):
                    self.error(f"unrecognized arguments: {' '.join([*before[at:], value])}")
        super()._check_value(action, value)

    def options(self) -> Iterable[str]:
        return self._option_string_actions

    def commands(self) -> dict[str, CommandParser]:
        """Return the parsers of its commands, by their names."""
        return next((dict(action.choices or {}) for action in self._actions if action.nargs == argparse.PARSER), {})

    def suggestion(self, word: str) -> str:
        """Return which option of this parser an unknown one may mean, or which command takes it; empty where neither is known."""
        option, parser = word.partition("=")[0], self
        for name in self.given:
            parser = parser.commands().get(name, parser)
            if option in parser.options():
                return f"{parser.prog} takes it: give it after that name. "
        options = {known.lstrip("-"): known for known in self.options()}
        near = nearest(option.lstrip("-"), options)
        return f"Did you mean {options[near]}? " if near else ""

    def error(self, message: str) -> NoReturn:
        """Raise the HeartbeatError of a message of argparse's."""
        title, cause, near = message, f"{self.prog} cannot be run like this.", ""
        for pattern, what, why in USAGE_ERRORS:
            if match := re.fullmatch(pattern, message, re.DOTALL):
                parts = {name: value.replace("'", "") or "''" for name, value in match.groupdict().items()}
                if parts.get("name", "").isupper():  # the placeholder of a command: ACTION
                    parts["name"] = parts["name"].lower()
                title, cause = what.format(prog=self.prog, **parts), why.format(prog=self.prog, **parts)
                if what.startswith("unrecognized"):
                    near = self.suggestion(parts["value"].split(" ")[0])
                elif "choices" in parts and (word := nearest(parts["value"], parts["choices"].split(", "))):
                    near = f"Did you mean {word}? "
                break
        raise HeartbeatError(title, cause, f"{near}See {self.prog} --help.")


def print_error(error: HeartbeatError) -> None:
    """Print on stderr what happened, why, and what to do; the last from the catalogue where the error does not know it itself."""
    remedy = error.remedy
    if not remedy:
        from heartbeat_core.diagnosis.diagnose import diagnose_exception

        remedy = diagnose_exception(error).advice
    print_status("\n  ".join(part for part in (f"heartbeat-tui: {error.title}", error.cause, remedy) if part))


def consequences(fix: Remedy) -> str:
    """Return what a fix changes, costs and needs."""
    notes = [f"changes: {fix.changes}" if fix.changes else "changes nothing"]
    notes.append({True: "costs money", False: "costs nothing", None: "may cost money"}[fix.costs])
    notes += ["interactive"] if fix.interactive else []
    notes += [f"fill in {', '.join(fix.missing)}"] if fix.missing else []
    return sanitize_line(f"({' · '.join(notes)})")
