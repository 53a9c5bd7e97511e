"""The configuration of gcloud, read from its files: running gcloud would take half a second."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SourcedValue:
    """A value and its source, such as "--zone" or "PROJECT_ID"; ``value`` is None where none is set."""

    value: str | None
    source: str

    def __bool__(self) -> bool:
        return bool(self.value)

    def __str__(self) -> str:
        return f"{self.value} ({self.source})" if self.value else "not set"


NONE = "NONE"  # the configuration without properties
DEFAULT = "default"
NAME = re.compile(r"[a-z][-a-z0-9]*")
SECTIONS = ("core", "compute", "auth", "billing")  # those that anything here asks for


@dataclass(frozen=True)
class GcloudConfig:
    """The active configuration: ``properties`` maps keys such as "core/project" to values of the environment or the file.

    ``problem`` is why the file could not be read; ``accounts`` are those signed in, None if unknown.
    """

    folder: Path
    name: str
    properties: Mapping[str, SourcedValue]
    accounts: tuple[str, ...] | None
    problem: str = ""

    @property
    def account(self) -> str | None:
        found = self.properties.get("auth/impersonate_service_account") or self.properties.get("core/account")
        return found.value if found else None

    @property
    def file(self) -> Path:
        return self.folder / "configurations" / f"config_{self.name}"

    @property
    def adc_file(self) -> Path:
        """Return the file that ``gcloud auth application-default login`` writes."""
        return self.folder / "application_default_credentials.json"


def read_gcloud(environ: Mapping[str, str] | None = None) -> GcloudConfig:
    """Read the active configuration as gcloud does: the environment before the file."""
    environ = os.environ if environ is None else environ
    folder = config_folder(environ)
    name = active_name(folder, environ)
    from_file, problem = ({}, "") if name == NONE else read_properties(folder / "configurations" / f"config_{name}")
    source = f"gcloud configuration {name}"
    properties = {key: SourcedValue(value, source) for key, value in from_file.items()}
    properties.update(from_environment(environ))
    return GcloudConfig(folder, name, properties, signed_in(folder), problem)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return gcloud's folder, whether it exists or not."""
    if named := environ.get("CLOUDSDK_CONFIG"):
        return Path(named)
    home = environ.get("HOME")
    with contextlib.suppress(RuntimeError):  # a user without a home
        return (Path(home) if home else Path.home()) / ".config" / "gcloud"
    return Path(".config", "gcloud")


def active_name(folder: Path, environ: Mapping[str, str]) -> str:
    """Return the name of the active configuration; a name that leads out of the folder is ignored."""
    named = environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME", "")
    if not named:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            named = (folder / "active_config").read_text("utf-8").strip()
    return named if named == NONE or NAME.fullmatch(named) else DEFAULT


def read_properties(path: Path) -> tuple[dict[str, str], str]:
    """Return the properties of a file, empty for a missing one, and the problem of a broken one."""
    parser = configparser.ConfigParser()
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        return {f"{section}/{name}": value for section in parser.sections() for name, value in parser.items(section)}, ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        return {}, f"{path} cannot be read: {' '.join(str(error).split())}"


def from_environment(environ: Mapping[str, str]) -> dict[str, SourcedValue]:
    """Find the properties that variables set: CLOUDSDK_CORE_PROJECT is core/project."""
    found = {}
    for variable, value in environ.items():
        section, _, name = variable.removeprefix("CLOUDSDK_").lower().partition("_")
        if variable.startswith("CLOUDSDK_") and section in SECTIONS and name and value:
            found[f"{section}/{name}"] = SourcedValue(value, variable)
    return found


def signed_in(folder: Path) -> tuple[str, ...] | None:
    """Return the names of the accounts with credentials in gcloud, None where its database cannot be read."""
    database = folder / "credentials.db"
    if not database.is_file():
        return ()
    import sqlite3  # here: only a database needs it

    try:
        with contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            found = connection.execute("SELECT account_id FROM credentials ORDER BY account_id").fetchall()
    except sqlite3.Error:
        return None
    # outside Google's own universe the name is followed by "#" and the universe
    return tuple(str(account).partition("#")[0] for (account,) in found)
