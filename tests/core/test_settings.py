"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import within_a_second

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import COMMAND_LINE, KEYS, OTHER_VARIABLES, SECTIONS, VARIABLES, Key, Settings, list_settings, load_settings


def load(text: str = "", environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None) -> Settings:
    """Load ``text`` as the settings file, and no setting of whoever runs the tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        file.write_bytes(text.encode())
        return load_settings(flags, environ=environ or {}, file=file)


def as_file(chosen: Mapping[str, object]) -> str:
    # JSON's text is TOML's but for DEL
    written = {key: json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") for key, value in chosen.items()}
    return "".join(f"{key} = {value}\n" for key, value in written.items())


def values_of(key: Key) -> st.SearchStrategy[object]:
    if key.choices:
        return st.sampled_from(key.choices)
    if key.type is bool:
        return st.booleans()
    if key.type is int:
        return st.integers(*key.range)
    return st.text(st.characters(exclude_categories=["Cs"]))  # all but halves of surrogate pairs, which UTF-8 does not have


SOME_SETTINGS = st.fixed_dictionaries({}, optional={name: values_of(key) for name, key in KEYS.items()})


@given(SOME_SETTINGS, SOME_SETTINGS, SOME_SETTINGS)
def test_flags_come_before_the_environment_the_file_and_the_defaults(
    filed: dict[str, object], set_outside: dict[str, object], flags: dict[str, object]
) -> None:
    environ = {variable: str(set_outside[key]) for variable, key in VARIABLES.items() if key in set_outside}
    settings = load(as_file(filed), environ, flags)
    for variable, key in VARIABLES.items():
        layers = ((flags, COMMAND_LINE), (set_outside, variable), (filed, "settings.toml"), ({key: Settings()[key]}, "default"))
        values, source = next((values, source) for values, source in layers if key in values)
        assert settings[key] == values[key]
        assert Path(settings.source(key)).name == source


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=5,
)
TABLES = st.dictionaries(
    st.sampled_from(sorted({key.partition(".")[0] for key in KEYS} | set(KEYS))) | st.text(min_size=1),
    VALUES | st.dictionaries(st.sampled_from(sorted({key.rpartition(".")[2] for key in KEYS})) | st.text(min_size=1), VALUES, max_size=3),
    max_size=4,
)


@pytest.mark.fuzz
@given(
    TABLES.map(lambda table: tomlkit.dumps(table).encode("utf-8", "surrogatepass")) | st.binary() | st.text().map(str.encode),
    st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text().filter(lambda text: "\0" not in text), max_size=2),
)
@within_a_second
def test_no_settings_are_too_strange(content: bytes, environ: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        file.write_bytes(content)
        try:
            settings = load_settings(environ=environ, file=file)
        except HeartbeatError as error:
            assert all((error.title, error.remedy))  # noqa: PT017
        else:
            assert list_settings(settings)


def test_a_flag_not_given_changes_nothing() -> None:
    assert load("[beat]\nwarmup = 7", flags={"beat.warmup": None})["beat.warmup"] == 7


def test_no_two_settings_share_a_variable_and_none_takes_the_name_of_another_thing() -> None:
    assert len(VARIABLES) == len(KEYS)
    assert not VARIABLES.keys() & OTHER_VARIABLES.keys()
    assert {"beat", "backends", "backends.xla"} <= SECTIONS


def test_nothing_set_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_settings(environ={}) == Settings()


def test_the_users_own_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda app: tmp_path / app)
    (tmp_path / "heartbeat-tui").mkdir()
    (tmp_path / "heartbeat-tui" / "settings.toml").write_text("screen.theme = 'nord'\n")
    assert load_settings(environ={}).screen.theme == "nord"


def test_a_file_named_by_the_environment_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[backends.xla]\npython = '/opt/xla/bin/python'\n")
    settings = load_settings(environ={"HEARTBEAT_SETTINGS": str(file)})
    assert settings.backends.xla.python == "/opt/xla/bin/python"
    assert settings.source("backends.xla.python") == str(file)


def test_variables_of_other_things_are_let_alone() -> None:
    assert load(environ={"HEARTBEAT_CLOUD_ENDPOINT": "http://127.0.0.1:8080", "HEARTBEATS": "x"}) == Settings()


@pytest.mark.parametrize(
    ("text", "environ", "flags", "said"),
    [
        ("[beat]\niteration = 3", {}, {}, ["there is no setting beat.iteration", "settings.toml", "Did you mean beat.iterations?"]),
        ("[beets]", {}, {}, ["there is no setting beets", "settings.toml"]),
        ("beat = 3", {}, {}, ["beat is a section", "beat.warmup"]),
        ("[beat.batch]\nx = 1", {}, {}, ["there is no setting beat.batch.x", "Did you mean beat.batch?"]),
        ("[beat.batch]", {}, {}, ["beat.batch is {}"]),
        ("[beat]\nwarmup = true", {}, {}, ["beat.warmup is True", "a whole number from 0 to", "settings.toml"]),
        ("[beat]\nwarmup = -1", {}, {}, ["beat.warmup is -1", "a whole number from 0 to"]),
        ("[beat]\nwarmup = 5.0", {}, {}, ["beat.warmup is 5.0", "a whole number"]),
        ("[beat]\nwarmup = 2026-11-22", {}, {}, ["beat.warmup is datetime.date(2026, 11, 22)"]),
        ("[recordings]\nsave = 1", {}, {}, ["recordings.save is 1", "true or false"]),
        ("[beat]\nbackend = 'tpu'", {}, {}, ["beat.backend is 'tpu'", f"one of auto, {', '.join(BACKENDS)}"]),
        ("[beat]\nbackend = \n", {}, {}, ["settings.toml is not TOML", "line 2"]),
        ("", {"HEARTBEAT_BEAT_WARMPU": "3"}, {}, ["HEARTBEAT_BEAT_WARMPU", "Did you mean HEARTBEAT_BEAT_WARMUP?"]),
        ("", {"HEARTBEAT_QQQ": "3"}, {}, ["HEARTBEAT_QQQ", "CLOUD_ENDPOINT"]),
        ("", {"HEARTBEAT_BEAT_WARMUP": "five"}, {}, ["beat.warmup is 'five'", "set by HEARTBEAT_BEAT_WARMUP"]),
        ("", {"HEARTBEAT_BEAT_WARMUP": ""}, {}, ["beat.warmup is ''", "set by HEARTBEAT_BEAT_WARMUP"]),
        ("", {"HEARTBEAT_SCREEN_REDUCED_MOTION": "si"}, {}, ["screen.reduced_motion is 'si'", "true or false"]),
        ("", {}, {"beat.dtype": "int3"}, ["beat.dtype is 'int3'", "set by the command line"]),
        ("", {}, {"beat.dtyp": None}, ["there is no setting beat.dtyp", "Did you mean beat.dtype?"]),
    ],
)
def test_what_is_wrong_is_named(text: str, environ: dict[str, str], flags: dict[str, object], said: list[str]) -> None:
    with pytest.raises(HeartbeatError) as caught:
        load(text, environ, flags)
    for words in said:
        assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_was_named_must_exist() -> None:
    with pytest.raises(HeartbeatError, match="there is no settings file"):
        load_settings(environ={"HEARTBEAT_SETTINGS": "/nonexistent/settings.toml"})


def test_a_folder_in_the_files_place_is_explained(tmp_path: Path) -> None:
    with pytest.raises(HeartbeatError, match="cannot be read"):
        load_settings(environ={}, file=tmp_path)


def test_a_file_that_is_not_utf8_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"screen.theme = '\xff'")
    with pytest.raises(HeartbeatError, match="is not TOML"):
        load_settings(environ={}, file=file)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False), ("no", False)])
def test_a_variable_says_yes_and_no_in_many_ways(text: str, value: bool) -> None:
    assert load(environ={"HEARTBEAT_RECORDINGS_SAVE": text}).recordings.save is value
