"""``heartbeat-tui backend``: build, list and remove the environments that backends run in."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from heartbeat_core.benchmark.backends import BACKENDS, load
from heartbeat_core.benchmark.xla_environment import DOWNLOAD_BYTES, INSTALLED_BYTES, Installed, XlaEnvironment, describe_python, in_gb
from heartbeat_core.settings import load_settings
from heartbeat_tui.commands.console import add_action, agreed, print_answer, print_json, print_status

SIZE = re.compile(r"^Downloading .*\((?P<number>[\d.]+) (?P<unit>bytes|[kMG]B)\)")
UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = "torch_xla needs another torch than the dashboard's, so it has an environment of its own."
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = add_action(actions, "list", list_backends, "show which interpreter each backend runs under")
    install = add_action(actions, "install", install_backend, "build the pinned torch_xla environment in your cache")
    remove = add_action(actions, "remove", remove_backend, "delete the environment")
    managed = tuple(info.name for info in BACKENDS.values() if info.environment)
    for action in (install, remove):
        action.add_argument("backend", choices=managed, help="a backend with an environment of its own")
    for action in (listing, install, remove):
        action.add_argument("--json", action="store_true", help="print one object of JSON")
    purpose = "build it from this Python, 3.10 to 3.13 (default: this one)"
    install.add_argument("--python", metavar="PY", default=sys.executable, help=purpose)
    install.add_argument("--yes", action="store_true", help="do not ask before downloading")
    remove.add_argument("--yes", action="store_true", help="do not ask before deleting")


def environment_of(backend: str) -> XlaEnvironment:
    """Return the environment that a backend runs in, built or not."""
    made: XlaEnvironment = load(BACKENDS[backend].environment)()
    return made


def install_backend(args: argparse.Namespace) -> int:
    """Build the environment after saying what it takes; return 1 where the user declines."""
    environment = environment_of(args.backend)
    base = describe_python(args.python)
    base.check()
    folder = environment.folder(base.short_version)
    if found := environment.read(folder):
        return report(args, found, "was already installed")
    print_status(f"torch 2.9 and torch_xla 2.9 for Python {base.short_version}, into {folder}")
    print_status(
        f"About {in_gb(DOWNLOAD_BYTES)} to download and {in_gb(INSTALLED_BYTES)} once installed: PyPI's torch for Linux brings CUDA along."
    )
    if not agreed(args, "Install it?"):
        return 1
    with progress(DOWNLOAD_BYTES) as on_line:
        installed = environment.install(on_line, args.python)
    return report(args, installed, "is installed")


def report(args: argparse.Namespace, installed: Installed, what: str) -> int:
    if args.json:
        versions = {"torch": installed.torch, "torch_xla": installed.torch_xla}
        print_json({"backend": args.backend, "python": str(installed.python), **versions})
    else:
        print_status(
            f"torch_xla {installed.torch_xla} with torch {installed.torch} {what}. Now: heartbeat-tui bench --backend {args.backend}"
        )
        print(installed.python)
    return 0


def remove_backend(args: argparse.Namespace) -> int:
    """Delete every environment of the backend; return 1 where the user declines."""
    environment = environment_of(args.backend)
    folders = environment.folders()
    for folder in folders:
        print_status(f"{folder} will be deleted.")
    if folders and not agreed(args, "Delete?"):
        return 1
    removed = [str(folder) for folder in environment.remove()]
    if args.json:
        print_json({"backend": args.backend, "removed": removed})
    else:
        print_status(f"{len(removed)} deleted." if removed else f"There is no {BACKENDS[args.backend].package} environment.")
    return 0


def list_backends(args: argparse.Namespace) -> int:
    """Show the interpreter of each backend and where that was decided."""
    rows = [describe(name) for name in BACKENDS]
    width = max(len(row["backend"]) for row in rows)
    lines = (f"{row['backend']:<{width}}  {row['python'] or 'not installed'}  ({row['source']})" for row in rows)
    print_answer(args, {"backends": rows}, lines)
    return 0


def describe(name: str) -> dict[str, Any]:
    """Return the interpreter of a backend and where that was decided."""
    settings = load_settings()
    key = f"backends.{name}.python"
    if settings[key]:
        return {"backend": name, "python": settings[key], "source": settings.source(key)}
    if not BACKENDS[name].environment:
        return {"backend": name, "python": sys.executable, "source": "this Python"}
    environment, install = environment_of(name), f"heartbeat-tui backend install {name}"
    if found := environment.find():
        return {"backend": name, "python": str(found), "source": install}
    unfinished = environment.folders()
    source = f"unfinished: {unfinished[0]}" if unfinished else f"{install} builds it"
    return {"backend": name, "python": None, "source": source}


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show pip's lines: a bar of bytes and the latest line on a terminal, else the lines as they come."""
    if not sys.stderr.isatty():
        yield print_status
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    whole, rest = Column(no_wrap=True), Column(no_wrap=True, overflow="ellipsis", ratio=1)
    line_of_pip = TextColumn("{task.description}", markup=False, table_column=rest)
    columns = (SpinnerColumn(), BarColumn(16), DownloadColumn(table_column=whole), TimeElapsedColumn(table_column=whole), line_of_pip)
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=total)
        begun = 0.0  # pip says a download's size when it begins: what was begun before it is done

        def on_line(line: str) -> None:
            nonlocal begun
            if match := SIZE.match(line):
                bar.update(task, completed=begun)
                begun += float(match["number"]) * UNITS[match["unit"]]
            elif line.startswith("Installing collected packages"):
                bar.update(task, completed=total)
            bar.update(task, description=line)

        yield on_line
