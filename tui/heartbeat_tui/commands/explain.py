"""``heartbeat-tui explain``: the cause of an error message, and what fixes it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from heartbeat_core.errors import COULD_NOT_TELL, HeartbeatError
from heartbeat_tui.commands.console import folded, print_json

if TYPE_CHECKING:
    from heartbeat_core.diagnosis.model import Diagnosis

CHUNK = 1 << 20  # bytes; even, so that UTF-16 is not cut within a character
WIDTH = 100
INDENT = " " * 10


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Find an error message of gcloud, Google Cloud, ssh, pip, Docker, libtpu, torch_xla, JAX or vLLM in the catalogue. "
        "Nothing is sent anywhere. Exit 0 where it is known, else 3."
    )
    parser.add_argument("--json", action="store_true", help="print one object: schema, known, diagnosis")
    parser.add_argument("text", nargs=argparse.REMAINDER, metavar="TEXT", help="the message, or a command; without it: what comes on stdin")


def run(args: argparse.Namespace) -> int:
    """Explain one text; return 0 where the catalogue knows it, 3 otherwise. Raise HeartbeatError where there is none."""
    from heartbeat_core.diagnosis.diagnose import diagnose_text
    from heartbeat_core.diagnosis.pasted import LONGEST

    words: list[str] = args.text
    as_json = args.json or words[-1:] == ["--json"]  # the rest of the line is the text, but that one is meant for us
    text = " ".join(words[:-1] if as_json and not args.json else words) or read_stdin()
    if not text.strip():
        remedy = "Give it as an argument, or on stdin: heartbeat-tui explain < log.txt"
        raise HeartbeatError("there is no text to explain", "Neither the command line nor stdin holds any.", remedy)
    diagnosis = diagnose_text(text, known_words())
    if as_json:
        print_json({"known": diagnosis is not None, "diagnosis": diagnosis.to_json() if diagnosis else None})
    elif diagnosis:
        print_diagnosis(diagnosis)
    else:
        print("This text is not in the catalogue.")
        print("Try the first line of the error, or the line that names a cause, instead of a whole log.")
        if len(text) > LONGEST:
            print(f"Only its first and last {LONGEST // 2:,} characters were read.")
    return 0 if diagnosis else COULD_NOT_TELL


def read_stdin() -> str:
    """Read stdin; of a log that is too long keep the two ends, with the command and the error."""
    from heartbeat_core.diagnosis.pasted import LONGEST, decode

    if sys.stdin.isatty():
        print("Paste the text, then press Ctrl-D on a line of its own.", file=sys.stderr)
    first, last = sys.stdin.buffer.read(LONGEST), b""
    while more := sys.stdin.buffer.read(CHUNK):
        last = (last + more)[-LONGEST:]
    return decode(first + last)


def known_words() -> dict[str, str]:
    """Return the known values for fixes without any call: the target and the account of gcloud."""
    from heartbeat_core.cloud.gcloud_config import read_gcloud
    from heartbeat_core.cloud.target import choose_target
    from heartbeat_core.settings import load_settings

    gcloud = read_gcloud()
    words = choose_target({}, environ=os.environ, gcloud=gcloud, settings=load_settings()).known()
    if gcloud.account:
        kind = "serviceAccount" if gcloud.account.endswith(".gserviceaccount.com") else "user"
        words["principal"] = f"{kind}:{gcloud.account}"
    return words


def print_diagnosis(diagnosis: Diagnosis) -> None:
    print(f"{diagnosis.title[:1].upper()}{diagnosis.title[1:]}.")
    show("cause", diagnosis.cause)
    show("evidence", diagnosis.evidence)
    for number, fix in enumerate(diagnosis.remedies):
        show("fix" if number == 0 else "or", fix.text)
        if fix.shell or fix.page:
            print(f"{INDENT}{fix.shell or fix.page}")
        costs = "" if fix.costs is False else "costs money" if fix.costs else "may cost money"
        missing = f"fill in {', '.join(fix.missing)}" if fix.missing else ""
        if notes := [note for note in (fix.changes and f"changes: {fix.changes}", costs, missing) if note]:
            print(f"{INDENT}({'; '.join(notes)})")
    for number, other in enumerate(diagnosis.alternatives):
        show("perhaps" if number == 0 else "", f"{other.title} ({other.id})")
    if diagnosis.tell_apart:
        show("which", diagnosis.tell_apart)
    if diagnosis.link:
        show("more", diagnosis.link)


def show(label: str, text: str) -> None:
    print("\n".join(folded(text, f"{label:<{len(INDENT)}}", INDENT, WIDTH - len(INDENT))))
