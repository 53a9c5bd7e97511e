"""What commands say beside their answer, on stderr: a line, a question; and how a long text is folded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from heartbeat_core.errors import HeartbeatError, plain

WIDTH = 110


def say(text: str, end: str = "\n") -> None:
    print(text, file=sys.stderr, end=end, flush=True)


def confirmed(question: str) -> bool:
    """Ask on the terminal: yes only where "y" or "yes" is typed."""
    say(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def agreed(args: argparse.Namespace, question: str) -> bool:
    """Ask unless --yes was given; raise HeartbeatError where there is no terminal to ask on."""
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise HeartbeatError("there is no terminal to ask on", question, "Give --yes to go ahead without being asked.")
    return confirmed(question)


def folded(text: str, first: str = "", rest: str = "", width: int = WIDTH) -> Iterator[str]:
    """Fold foreign text into lines of ``width`` columns, behind what begins the first line and each further one."""
    from textwrap import wrap

    for number, line in enumerate(wrap(plain(text), width, break_long_words=False, break_on_hyphens=False)):
        yield f"{rest if number else first}{line}"
