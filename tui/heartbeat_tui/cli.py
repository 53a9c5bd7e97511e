"""The command line: all commands, and where errors become messages and exit codes."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path

from heartbeat_core import __version__
from heartbeat_core.errors import COULD_NOT_TELL, INTERRUPTED, HeartbeatError, sanitize_line
from heartbeat_tui.commands.console import CommandParser, print_error, print_status, replace_unencodable
from heartbeat_tui.commands.options import add_config_flags, make_config, make_launcher

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
COMMANDS = {  # each a module in heartbeat_tui.commands, imported when it is used
    "bench": "time the product without a screen",
    "tour": "take a guided tour of the handbook's first part",
    "devices": "list the devices that runs can use here",
    "fleet": "find the slow hosts of a fleet, or say that there is none",
    "runs": "list, label, compare, check and export recorded runs",
    "chips": "show memory and duty cycle of the TPU's chips",
    "replay": "watch a recorded run again",
    "backend": "build, list and remove the environments that backends run in",
    "emulator": "run a local Google Cloud",
    "explain": "explain an error message and what fixes it",
    "check": "check whether project, account and machine are ready for a TPU",
    "vms": "list, create, watch, connect to, set up, start, stop and delete TPU VMs",
    "settings": "list and change settings, each with its source",
    "completion": "print the completion for bash, zsh or fish",
    "report": "print a report to attach to an issue, without personal data",
}
EPILOG = (
    "Exit codes: 0 yes, 1 no (impossible, failed), 2 bad usage, 3 could not tell, 130 interrupted, 141 where the reader of a pipe has gone."
)


def main() -> None:
    """Run the command line and exit with its code."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the caller has closed it
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run
    sys.exit(dispatch(sys.argv[1:]))


def dispatch(arguments: list[str]) -> int:
    """Run one command line; return the exit code, and print errors on stderr."""
    replace_unencodable(sys.stdout, sys.stderr)
    try:
        try:
            return carry_out(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of the pipe has ended
        drop_output()
        return 128 + signal.SIGPIPE
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        return 128 + signal.SIGPIPE  # rich would exit with 1
    except OSError as error:
        if error.errno not in FULL:
            raise
        drop_output()
        print_error(HeartbeatError("the output cannot be written", str(error), "Free the disk, or write elsewhere."))
        return COULD_NOT_TELL


def carry_out(arguments: list[str]) -> int:
    try:
        args = make_parser(arguments).parse_args(arguments)
        code: int = args.run(args)
    except HeartbeatError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        print_status("interrupted")
        return INTERRUPTED
    return code


def drop_output() -> None:
    """Discard what Python still buffers for stdout, or its last flush would fail too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_parser(arguments: list[str]) -> argparse.ArgumentParser:
    """Return the parser of these arguments: it lists every command, and imports only those that occur."""
    parser = CommandParser(
        prog="heartbeat-tui",
        description="One matrix product, timed live on CPU or TPU, with every number checked. Without a command: the screen.",
        epilog=EPILOG,
        allow_abbrev=not any(name in arguments for name in COMMANDS),  # what abbreviates an option of ours may be the command's own
    )
    parser.add_argument("--version", action="version", version=f"heartbeat-tui {__version__}")
    parser.add_argument("--start", action="store_true", help="start a run immediately")
    parser.add_argument("--demo", nargs="?", const="fresh", metavar="SCENARIO", help="open the screen on an emulated Google Cloud")
    parser.add_argument("--project", metavar="ID", help="the project to check")
    add_config_flags(parser)
    parser.set_defaults(run=show_screen, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name in arguments or "completion" in arguments:
            module = import_module(f"heartbeat_tui.commands.{name}")
            command.set_defaults(run=getattr(module, "run", None))  # a command with actions has one for each
            module.register(command)
    return parser


def show_screen(args: argparse.Namespace) -> int:
    with closing(make_launcher(args)) as launcher:
        config = make_config(args, launcher)
        from heartbeat_tui.bootstrap import open_screen

        check = "".join(f" --{name} {sanitize_line(value)}" for name in ("demo", "project") if (value := getattr(args, name)) is not None)
        instead = f"heartbeat-tui check{check}" if check and not args.start else "heartbeat-tui bench"
        return open_screen(launcher, config, instead=instead, start=args.start, project=args.project, demo=args.demo)
