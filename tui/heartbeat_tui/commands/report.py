"""``heartbeat-tui report``: print versions, checks, devices and last errors as JSON, without personal data."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from heartbeat_core import __version__
from heartbeat_core.benchmark.devices import take_inventory
from heartbeat_core.benchmark.target import WorkerExit, explain
from heartbeat_core.checks.context import CheckEnvironment
from heartbeat_core.checks.redact import Redactor
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.launcher import Launcher
from heartbeat_core.recordings.files import OURS
from heartbeat_core.recordings.recording import load
from heartbeat_core.settings import load_settings
from heartbeat_tui.commands.check import make_runner
from heartbeat_tui.commands.console import print_json
from heartbeat_tui.commands.devices import inventory_json
from heartbeat_tui.commands.options import add_cloud_flags, open_environment

OPEN_FOLDERS = ("/tmp", "/var/tmp", "/")  # noqa: S108  # of everyone; what is below them is replaced by its pattern
MOST_RUNS = 5  # the last ones are searched for errors
PACKAGES = (
    "torch", "torch_xla", "libtpu", "tpu-info", "jax", "numpy", "textual", "rich", "google-auth", "requests", "starlette", "uvicorn",
)  # fmt: skip


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print one object of JSON: versions, checks, devices and the last errors. Projects, addresses, accounts, tokens, "
        "billing ids, the home folder and temporary paths are replaced by pseudonyms, the same value by the same one everywhere. Read it "
        "before you send it."
    )
    parser.add_argument("--python", metavar="PATH", default=argparse.SUPPRESS, help="detect the devices with this Python")
    parser.add_argument("--no-devices", action="store_true", help="do not start a process for each backend to detect its device")
    add_cloud_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report; return 0 whatever the checks say."""
    with closing(Launcher(load_settings(), python=args.python or "")) as launcher, open_environment(args) as (environment, label):
        runner = make_runner(checks_for(), environment, args.timeout)
        checking = threading.Thread(target=runner.run, name="checks", daemon=True)
        checking.start()
        try:
            devices = None if args.no_devices else inventory_json(take_inventory(launcher.interpreter, sys.executable))
            checking.join()
        finally:
            runner.cancel()
        report = runner.report()
        tree = {
            "emulated": label or None,
            "versions": versions(),
            "readiness": report.to_json(),
            "devices": devices,
            "last_errors": last_errors(launcher.recordings()),
        }
    print_json(Redactor(secrets(environment, report)).apply(tree))
    return 0


def versions() -> dict[str, Any]:
    """Return the versions that may matter, without importing the packages."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {
        "heartbeat-tui": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "terminal": {name: os.environ.get(name) for name in ("TERM", "COLORTERM", "TERM_PROGRAM", "LANG")},
        "packages": found,
    }


def last_errors(folder: Path) -> list[dict[str, Any]]:
    """Return the outcomes of the last runs that failed, the latest first."""
    errors: list[dict[str, Any]] = []
    paths = sorted((path for path in folder.glob("*.jsonl") if OURS.fullmatch(path.name)), reverse=True)
    for path in paths[:MOST_RUNS]:
        try:
            series = load(path)
        except HeartbeatError as error:
            errors.append({"recording": path.name, "title": error.title, "cause": error.cause or None})
            continue
        ending = explain(series, WorkerExit(None))
        if series.cut_off:
            errors.append({"recording": path.name, "title": "the recording is incomplete", "cause": None})
        elif ending.kind not in ("done", "stopped"):
            errors.append({"recording": path.name, "title": ending.title, "cause": ending.cause or None})
    return errors


def secrets(environment: CheckEnvironment, report: CheckReport) -> dict[str, list[str | None]]:
    """Return the values that are known to be personal."""
    target, principal, gcloud, metadata = environment.target, report.principal, environment.gcloud, environment.metadata
    account, _, domain = (target.service_account.value or "").partition("@")
    return {
        "email": [
            principal.name if principal else None,
            gcloud.account,
            target.service_account.value,
            metadata.email if metadata else None,
            *(gcloud.accounts or ()),
        ],
        "project": [
            target.project.value,
            metadata.project if metadata else None,
            *(found.value for key in ("core/project", "billing/quota_project") if (found := gcloud.properties.get(key))),
        ],
        "account": [account if domain.endswith(".iam.gserviceaccount.com") else None],  # the command that creates it has only this part
        "tpu": [target.tpu_name.value if target.tpu_name.source != "default" else None],
        "configuration": [gcloud.name if gcloud.name not in ("default", "NONE") else None],
        "host": [platform.node()],
        "home": [str(home), str(home.resolve()), os.environ.get("HOME")] if (home := Path.home()) != Path(home.anchor) else [],
        "temporary folder": [folder for folder in (tempfile.gettempdir(), os.environ.get("TMPDIR")) if folder not in OPEN_FOLDERS],
        "user": [name for name in (os.environ.get("USER"), os.environ.get("LOGNAME"), home.name) if name != "root"],
    }
