"""``heartbeat-tui settings``: list and change settings, each with its source."""

from __future__ import annotations

import argparse
import os
import sys

from heartbeat_core.errors import sanitize_line
from heartbeat_core.settings import list_settings, load_settings, settings_file, text_of, write_settings
from heartbeat_tui.commands.console import print_json


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = "List every setting with its value and source: defaults < settings file < environment < command line."
    parser.add_argument("--json", action="store_true", help="print one object: schema, file, exists, settings")
    parts = parser.add_subparsers(title="parts", metavar="PART")
    path = parts.add_parser("path", help="print the path of the settings file")
    path.set_defaults(run=print_path)
    change = parts.add_parser("set", help="write a setting into the file; its comments are kept")
    change.add_argument("key", metavar="KEY", help="such as beat.iterations")
    change.add_argument("value", metavar="VALUE")
    change.set_defaults(run=lambda args: write(args.key, args.value))
    unset = parts.add_parser("unset", help="remove a setting from the file, so that the default applies")
    unset.add_argument("key", metavar="KEY")
    unset.set_defaults(run=lambda args: write(args.key, ""))


def run(args: argparse.Namespace) -> int:
    """Print the list; raise HeartbeatError for an invalid file or variable."""
    rows, path = list_settings(load_settings()), settings_file(os.environ)
    if args.json:
        print_json({"file": str(path), "exists": path.exists(), "settings": [vars(row) for row in rows]})
        return 0
    wide = max(len(row.key) for row in rows)
    print(f"{path}{'' if path.exists() else ' (not written yet)'}\n")
    for row in rows:
        value = sanitize_line(text_of(row.value)) or "–"
        default = "" if row.source == "default" else f", default {text_of(row.default) or '–'}"
        print(f"{row.key:<{wide}}  {value:<14}  {row.source}{default}")
    return 0


def print_path(_args: argparse.Namespace) -> int:
    print(settings_file(os.environ))
    return 0


def write(key: str, text: str) -> int:
    """Write one setting into the file; raise HeartbeatError for an unknown key or an invalid value."""
    path = settings_file(os.environ)
    write_settings(path, {key: text})
    settings = load_settings(file=path) if path.exists() else load_settings()
    now = sanitize_line(text_of(settings[key])) or "not set"
    print(f"{key} is {now} now, by {settings.source(key)}; written to {path}", file=sys.stderr)
    return 0
