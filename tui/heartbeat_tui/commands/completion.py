"""``heartbeat-tui completion``: the completion of our commands and flags, for a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from heartbeat_tui.commands.console import CommandParser

SHELLS = {
    "bash": "~/.local/share/bash-completion/completions/heartbeat-tui",
    "zsh": "a file _heartbeat-tui in a folder of $fpath",
    "fish": "~/.config/fish/completions/heartbeat-tui.fish",
}
PATHS = ("FILE", "DIR", "PATH", "PY")  # what stands for a path in --help


def register(parser: argparse.ArgumentParser) -> None:
    where = "; ".join(f"{shell}: {place}" for shell, place in SHELLS.items())
    parser.description = f"Print the completion of commands and flags for a shell, to be kept where the shell looks. {where}."
    parser.add_argument("shell", choices=tuple(SHELLS), metavar="SHELL", help=", ".join(SHELLS))


def run(args: argparse.Namespace) -> int:
    """Print the completion that shtab makes of the parser of all commands."""
    import shtab

    for action in actions_of(args.parser):
        if action.type is Path or action.metavar in PATHS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab reads it there
    print(shtab.complete(args.parser, args.shell))
    return 0


def actions_of(parser: CommandParser) -> Iterator[argparse.Action]:
    """Yield every flag and argument of a parser and of those below it."""
    yield from parser._actions  # noqa: SLF001 - argparse lists them nowhere else
    for below in parser.commands().values():
        yield from actions_of(below)
