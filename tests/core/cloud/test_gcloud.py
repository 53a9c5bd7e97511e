"""gcloud's configuration, read from its files as gcloud itself reads them."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.gcloud_config import GcloudConfig, read_gcloud

NAMES = st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="%"), min_size=1)


def write(folder: Path, name: str, content: bytes) -> None:
    (folder / "configurations").mkdir(parents=True, exist_ok=True)
    (folder / "configurations" / f"config_{name}").write_bytes(content)


def read(folder: Path, **environ: str) -> GcloudConfig:
    return read_gcloud({"CLOUDSDK_CONFIG": str(folder), **environ})


def value(config: GcloudConfig, key: str) -> str | None:
    found = config.properties.get(key)
    return found.value if found else None


def test_the_active_configuration_is_read(tmp_path: Path) -> None:
    write(tmp_path, "default", b"[core]\nproject = theirs\n")
    write(tmp_path, "work", b"[core]\nproject = mine\naccount = you@example.com\n[compute]\nzone = us-central1-b\n")
    (tmp_path / "active_config").write_text("work")
    config = read(tmp_path)
    assert (config.name, config.account, config.problem) == ("work", "you@example.com", "")
    project = config.properties.get("core/project")
    assert project is not None
    assert (project.value, project.source) == ("mine", "gcloud configuration work")
    assert value(config, "compute/zone") == "us-central1-b"
    assert value(config, "compute/region") is None


def test_the_environment_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "work", b"[core]\nproject = filed\n")
    write(tmp_path, "other", b"[core]\nproject = other\n")
    (tmp_path / "active_config").write_text("work")
    config = read(tmp_path, CLOUDSDK_ACTIVE_CONFIG_NAME="other", CLOUDSDK_CORE_ACCOUNT="me@example.com", CLOUDSDK_PYTHON="python3")
    assert (config.name, value(config, "core/project"), config.account) == ("other", "other", "me@example.com")
    project = read(tmp_path, CLOUDSDK_CORE_PROJECT="set").properties.get("core/project")
    assert project is not None
    assert (project.value, project.source) == ("set", "CLOUDSDK_CORE_PROJECT")


def test_an_impersonated_account_is_who_gcloud_acts_as(tmp_path: Path) -> None:
    write(
        tmp_path, "default", b"[core]\naccount = you@example.com\n[auth]\nimpersonate_service_account = robot@p.iam.gserviceaccount.com\n"
    )
    assert read(tmp_path).account == "robot@p.iam.gserviceaccount.com"


def test_nothing_is_read_where_there_is_nothing(tmp_path: Path) -> None:
    config = read(tmp_path / "nothing")
    assert (config.name, config.account, dict(config.properties), config.accounts, config.problem) == ("default", None, {}, (), "")
    write(tmp_path, "NONE", b"[core]\nproject = x\n")
    assert not read(tmp_path, CLOUDSDK_ACTIVE_CONFIG_NAME="NONE").properties


@pytest.mark.parametrize("name", ["../../etc", "a/b", "Ä", "", "-a", "9", "a\n"])
def test_a_name_that_is_none_falls_back_to_the_default(tmp_path: Path, name: str) -> None:
    (tmp_path / "active_config").write_text(name)
    assert read(tmp_path).name == ("a" if name == "a\n" else "default")


@pytest.mark.parametrize(
    "content", [b"project = x\n", b"\xff\xfe", b"[core\n", b"[core]\nproject = 1\nproject = 2\n", b"[core]\nproject = %(x)s\n", b"\0"]
)
def test_a_broken_file_is_reported(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "default", content)
    config = read(tmp_path, CLOUDSDK_CORE_PROJECT="set")
    assert "config_default cannot be read" in config.problem
    assert "\n" not in config.problem
    assert value(config, "core/project") == "set"


def test_those_logged_in_are_named_and_nothing_else_is_read(tmp_path: Path) -> None:
    database = tmp_path / "credentials.db"
    with sqlite3.connect(database) as connection:
        connection.execute('CREATE TABLE "credentials" (account_id TEXT PRIMARY KEY, value BLOB)')
        connection.execute("INSERT INTO credentials VALUES ('you@example.com', 'secret'), ('a@b.c#example.universe', 'secret')")
    connection.close()
    config = read(tmp_path)
    assert config.accounts == ("a@b.c", "you@example.com")
    assert "secret" not in repr(config)
    database.write_bytes(b"no database")
    assert read(tmp_path).accounts is None


@given(st.dictionaries(st.sampled_from(("core", "compute", "auth")), st.dictionaries(NAMES, VALUES, min_size=1)))
def test_what_a_parser_writes_is_read_back(sections: dict[str, dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        parser = configparser.ConfigParser()
        parser.read_dict(sections)
        write(Path(folder), "default", b"")
        with (Path(folder) / "configurations" / "config_default").open("w", encoding="utf-8") as file:
            parser.write(file)
        config = read(Path(folder))
        assert {key: chosen.value for key, chosen in config.properties.items()} == {
            f"{section}/{name}": value.strip() for section, values in sections.items() for name, value in values.items()
        }


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_no_content_of_the_files_is_too_much(content: bytes, active: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "default", content)
        (Path(folder) / "active_config").write_bytes(active)
        (Path(folder) / "credentials.db").write_bytes(content)
        config = read(Path(folder))
        assert config.account is None or isinstance(config.account, str)


@pytest.mark.skipif(not shutil.which("gcloud"), reason="no gcloud here")
def test_gcloud_reads_the_same(tmp_path: Path) -> None:
    write(tmp_path, "default", b"[core]\nproject = other\n")
    write(tmp_path, "work", b"[core]\nproject = mine\naccount = you@example.com\n[compute]\nzone = us-central1-b\nregion=us-central1\n")
    (tmp_path / "active_config").write_text("work")
    environ = {"CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_COMPUTE_ZONE": "us-east5-a", "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false"}
    command = ["gcloud", "config", "list", "--format=json"]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    ours = read_gcloud(environ)
    for key in ("core/project", "core/account", "compute/zone", "compute/region"):
        section, _, name = key.partition("/")
        assert value(ours, key) == theirs[section][name]
