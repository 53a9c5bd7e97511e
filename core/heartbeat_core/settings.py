"""Settings: defaults < the settings file < the environment < the command line, merged here only.

A key is its section and its name, ``beat.iterations``; its variable is ``HEARTBEAT_BEAT_ITERATIONS``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.config import LONGEST_RUN, Method, Precision
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.workload import LARGEST_DIMENSION
from heartbeat_core.errors import HeartbeatError, nearest
from heartbeat_core.paths import APP, config_folder, expanded, write_whole

PREFIX = "HEARTBEAT_"
FILE_VARIABLE = "HEARTBEAT_SETTINGS"
# Variables with our prefix that are not settings.
OTHER_VARIABLES: dict[str, str] = {
    FILE_VARIABLE: "the settings file to read instead of the user's own",
    "HEARTBEAT_CLOUD_ENDPOINT": "one base URL for every Google Cloud API, an emulator's",
}
COMMAND_LINE = "the command line"
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def setting(about: str, default: object, **limits: object) -> Any:
    """Return the dataclass field of a setting; ``about`` says what it does, ``limits`` are its ``range`` or ``choices``."""
    return field(default=default, metadata={"about": about, **limits})


@dataclass(frozen=True)
class BeatSettings:
    """The defaults of a run; "auto" is the TPU where the PCI bus shows one, else the CPU."""

    backend: str = setting("what computes the product", "auto", choices=("auto", *BACKENDS))
    method: Method = setting("how an iteration is timed", "synchronized")
    iterations: int = setting("timed iterations of a run", 100, range=(1, LONGEST_RUN))
    warmup: int = setting("iterations before the timed ones", 5, range=(0, LONGEST_RUN))
    batch: int = setting("rows of the input", 128, range=(1, LARGEST_DIMENSION))
    hidden: int = setting("columns of the input, rows of the weights", 4096, range=(1, LARGEST_DIMENSION))
    intermediate: int = setting("columns of the weights", 16384, range=(1, LARGEST_DIMENSION))
    dtype: Dtype = setting("the type of the numbers", "float32")
    precision: Precision = setting("of float32 products on a TPU", "default")
    threads: int | None = setting("CPU threads; empty: as torch chooses", None, range=(1, 4096))


@dataclass(frozen=True)
class BackendSettings:
    """The interpreter a backend's worker runs under; empty for the one it finds by itself."""

    python: str = setting("the Python of the worker; empty: found by itself", "")


if TYPE_CHECKING:
    BackendsSettings: TypeAlias = Any
else:  # a section for each row of the table of backends
    BackendsSettings = make_dataclass("BackendsSettings", [(name, BackendSettings, BackendSettings()) for name in BACKENDS], frozen=True)


@dataclass(frozen=True)
class RecordingsSettings:
    """Whether and where runs are kept; ``folder`` is empty for the user's data folder, the limit is for all together."""

    save: bool = setting("whether runs are kept", True)  # the default, as in field()
    limit_mib: int = setting("MiB of all recordings; then the oldest go", 1024, range=(0, 10**9))
    folder: str = setting("where runs are kept; empty: the user's data folder", "")


@dataclass(frozen=True)
class TelemetrySettings:
    """Whether runs on a TPU ask the chip for memory and duty cycle; a ``port`` set here is asked beside every run of the xla backend."""

    watch: bool = setting("ask a TPU for memory and duty cycle during runs", True)
    port: int | None = setting("where every run of xla asks; empty: libtpu's own", None, range=(1, 65535))


@dataclass(frozen=True)
class ScreenSettings:
    theme: str = setting("the colours; ctrl+p, Theme lists them", "")
    reduced_motion: bool = setting("whether nothing on the screen moves by itself", False)


@dataclass(frozen=True)
class CloudSettings:
    """The TPU VM to be ready for; what is empty is looked for where ``cloud.target`` says."""

    project: str = setting("the project; empty: gcloud's", "")
    zone: str = setting("the zone, such as us-central1-b", "")
    accelerator_type: str = setting("the TPU, such as v6e-1", "")
    runtime_version: str = setting("the software of the TPU VM", "")
    provisioning: Literal["", "on-demand", "spot", "reserved", "flex-start"] = setting("how the TPU is paid", "")
    tpu_name: str = setting("the name of the TPU VM", "")
    service_account: str = setting("the e-mail address the TPU VM runs as", "")


@dataclass(frozen=True)
class RemoteSettings:
    """How TPU VMs are reached, and what is where on them; "auto" is the external address.

    ``ssh_flags`` are split as a shell would. ``folder``, from the home there, holds what set-up brings; ``python`` is empty for
    the interpreter in it.
    """

    way: Literal["auto", "external", "internal", "iap"] = setting("the address that ssh uses", "auto")
    ssh_flags: str = setting("more flags of ssh", "")
    folder: str = setting("the folder on the TPU VM, from the home", ".heartbeat-tui")
    python: str = setting("the Python on the TPU VM; empty: from set-up", "")


@dataclass(frozen=True)
class Settings:
    """Every setting, and in ``sources`` where each that is not a default came from."""

    beat: BeatSettings = BeatSettings()
    backends: BackendsSettings = field(default_factory=BackendsSettings)
    recordings: RecordingsSettings = RecordingsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    screen: ScreenSettings = ScreenSettings()
    cloud: CloudSettings = CloudSettings()
    remote: RemoteSettings = RemoteSettings()
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __getitem__(self, key: str) -> Any:
        """Return the value of ``key``; raise HeartbeatError for an unknown setting."""
        known(key)
        return attrgetter(key)(self)

    def source(self, key: str) -> str:
        """Return the source of ``key``: "default", the file's path, the variable or "the command line"."""
        known(key)
        return self.sources.get(key, "default")


@dataclass(frozen=True)
class Key:
    """What a setting may hold."""

    type: type[bool | int | str]
    choices: tuple[str, ...] = ()
    range: tuple[int, int] = (0, 0)
    about: str = ""

    @property
    def expected(self) -> str:
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.type is int:
            return f"a whole number from {self.range[0]:,} to {self.range[1]:,}"
        return "true or false" if self.type is bool else "text"

    def accepts(self, value: object) -> bool:
        if type(value) is not self.type:  # not isinstance: True is an int to Python
            return False
        if self.choices:
            return value in self.choices
        return not isinstance(value, int) or self.type is bool or self.range[0] <= value <= self.range[1]

    def parse(self, text: str) -> object:
        """Return the value of a variable's text, or the text itself, for ``accepts`` to refuse."""
        if self.type is bool:
            word = text.strip().lower()
            return word in YES if word in YES + NO else text
        if self.type is int:
            try:
                return int(text)
            except ValueError:
                return text
        return text


def keys_of(section: type[Any], prefix: str = "") -> dict[str, Key]:
    """Return the settings below ``section`` with what each may hold, in order."""
    found: dict[str, Key] = {}
    hints = get_type_hints(section)
    for entry in fields(section):
        hint, key = hints[entry.name], prefix + entry.name
        if is_dataclass(hint) and isinstance(hint, type):
            found.update(keys_of(hint, f"{key}."))
        elif prefix:
            found[key] = key_of(hint, entry.metadata)
    return found


def key_of(hint: Any, limits: Mapping[str, Any]) -> Key:
    """Make a key from the type of a field and its limits: a ``range`` of numbers, or ``choices``."""
    parts = get_args(hint) if get_origin(hint) not in (Literal, None) else (hint,)
    choices = limits.get("choices") or tuple(choice for part in parts if get_origin(part) is Literal for choice in get_args(part))
    kinds = [part for part in parts if part in (bool, int, str)]
    return Key(kinds[0] if kinds else str, choices, limits.get("range", (0, 0)), limits.get("about", ""))


KEYS: dict[str, Key] = keys_of(Settings)
SECTIONS = {key.rsplit(".", depth)[0] for key in KEYS for depth in range(1, key.count(".") + 1)}
VARIABLES: dict[str, str] = {PREFIX + key.replace(".", "_").upper(): key for key in KEYS}


def load_settings(
    flags: Mapping[str, object] | None = None, *, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Merge all sources; raise HeartbeatError for an unknown key, an invalid value or an unreadable file.

    ``flags`` maps keys to values, None for a flag not given. Without ``file`` it is the one HEARTBEAT_SETTINGS names,
    which must exist, or else the user's own, which need not.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, object] = {}
    sources: dict[str, str] = {}

    def put(key: str, value: object, source: str) -> None:
        known(key, source)
        if not KEYS[key].accepts(value):
            raise HeartbeatError(f"{key} is {value!r}", f"It must be {KEYS[key].expected}.", f"Correct it: it is set by {source}.")
        values[key], sources[key] = value, source

    path = file or settings_file(environ)
    for key, value in flatten(read_toml(path, must_exist=file is not None or bool(environ.get(FILE_VARIABLE)))).items():
        put(key, value, str(path))
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in OTHER_VARIABLES:
            key = VARIABLES.get(variable) or unknown_variable(variable)
            put(key, KEYS[key].parse(environ[variable]), variable)
    for key, value in (flags or {}).items():
        known(key, COMMAND_LINE)
        if value is not None:
            put(key, value, COMMAND_LINE)
    settings = Settings(sources=sources)
    for key, value in values.items():
        settings = with_value(settings, key, value)
    return settings


def settings_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the settings file, whether it exists or not."""
    if named := environ.get(FILE_VARIABLE):
        return expanded(named)
    return config_folder() / "settings.toml"


def read_toml(path: Path, *, must_exist: bool) -> dict[str, Any]:
    """Read a file of TOML, empty where it is missing and need not exist."""
    import sys

    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        if not must_exist:
            return {}
        raise HeartbeatError(f"there is no settings file {path}", str(error), f"Write it, or unset {FILE_VARIABLE}.") from error
    except OSError as error:
        raise HeartbeatError(f"the settings file {path} cannot be read", str(error), "Correct its permissions, or move it.") from error
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(text.decode())
    except ValueError as error:  # not UTF-8, or not TOML
        raise HeartbeatError(f"the settings file {path} is not TOML", str(error), "Correct that line, or move the file.") from error
    return table


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Return nested tables as dotted keys; an empty table that is no section is kept, to be refused."""
    found: dict[str, object] = {}
    for name, value in table.items():
        key = prefix + name
        if isinstance(value, dict) and (value or key in SECTIONS):
            found.update(flatten(value, f"{key}."))
        else:
            found[key] = value
    return found


def known(key: str, source: str = COMMAND_LINE) -> None:
    """Raise HeartbeatError for an unknown ``key``, with the nearest known one."""
    if key in KEYS:
        return
    below = sorted(name for name in KEYS if name.startswith(f"{key}."))
    near = nearest(key, KEYS)
    cause = f"It is set by {source}."
    if below:
        raise HeartbeatError(f"{key} is a section, not a setting", cause, f"It holds {', '.join(below)}.")
    raise HeartbeatError(f"there is no setting {key}", cause, f"Did you mean {near}?" if near else f"Settings are {', '.join(KEYS)}.")


def unknown_variable(variable: str) -> str:
    names = sorted(name.removeprefix(PREFIX) for name in {*VARIABLES, *OTHER_VARIABLES})
    near = nearest(variable.removeprefix(PREFIX), names)
    raise HeartbeatError(
        f"there is no setting behind the variable {variable}",
        f"Variables that begin with {PREFIX} are settings of {APP}.",
        f"Did you mean {PREFIX}{near}?" if near else f"Unset it; after {PREFIX} may stand {', '.join(names)}.",
    )


def with_value(section: Any, key: str, value: object) -> Any:
    """Return a section with the value of a key below it."""
    name, _, below = key.partition(".")
    return replace(section, **{name: with_value(getattr(section, name), below, value) if below else value})


DEFAULTS = Settings()


@dataclass(frozen=True)
class SettingRow:
    """One setting; ``source`` is "default", the file's path, the variable or "the command line"."""

    key: str
    value: object
    default: object
    source: str
    expected: str
    about: str


def list_settings(settings: Settings) -> tuple[SettingRow, ...]:
    """Return every setting in the order of the documentation."""
    return tuple(
        SettingRow(key, settings[key], DEFAULTS[key], settings.source(key), kind.expected, kind.about) for key, kind in KEYS.items()
    )


def text_of(value: object) -> str:
    """Return a value as it is typed, empty where it is not set."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def value_of(key: str, text: str) -> object:
    """Return the value typed for ``key``, None for the default; raise HeartbeatError for an invalid one."""
    known(key)
    kind = KEYS[key]
    if not text.strip() and not (kind.type is str and DEFAULTS[key] == ""):
        return None
    value = kind.parse(text.strip())
    if not kind.accepts(value):
        raise HeartbeatError(f"{key} is {text.strip()!r}", f"It must be {kind.expected}.", "Correct it, or leave it empty for the default.")
    return value


def write_settings(path: Path, changes: Mapping[str, str]) -> None:
    """Write ``changes``, keys to typed texts, into the file atomically; raise HeartbeatError where that fails."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    values = {key: value_of(key, text) for key, text in changes.items()}
    read_toml(path, must_exist=False)  # raises for an unreadable file
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
        for key, value in values.items():
            put(document, key, value)
        write_whole(path, tomlkit.dumps(document))
    except (OSError, UnicodeError, TOMLKitError) as error:
        raise HeartbeatError(
            f"the settings file {path} cannot be written", str(error), f"Correct that, or name another file by {FILE_VARIABLE}."
        ) from error


def put(document: Any, key: str, value: object) -> None:
    """Set a key in its table, which is created if missing; remove a value that equals the default."""
    import tomlkit

    *sections, name = key.split(".")
    table = document
    for section in sections:
        if section not in table:
            if value in (None, DEFAULTS[key]):
                return
            table[section] = tomlkit.table(is_super_table=section != sections[-1])
        table = table[section]
    if value in (None, DEFAULTS[key]):
        table.pop(name, None)
    else:
        table[name] = value
