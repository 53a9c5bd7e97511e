from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import DEFAULTS, KEYS, list_settings, load_settings, text_of, value_of, write_settings

OURS = """# mine
[beat]
iterations = 50  # few
warmup = 3

# where it runs
[backends.xla]
python = "/usr/bin/python3"
"""


def test_comments_and_the_rest_of_the_file_stay(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(OURS)
    write_settings(file, {"beat.iterations": "60", "screen.reduced_motion": "true"})
    written = file.read_text()
    assert "iterations = 60  # few" in written
    assert written.startswith("# mine\n[beat]\n")
    assert "# where it runs\n[backends.xla]\n" in written
    settings = load_settings(environ={}, file=file)
    assert (settings.beat.iterations, settings.beat.warmup, settings.screen.reduced_motion) == (60, 3, True)


def test_a_setting_without_a_value_is_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(OURS)
    write_settings(file, {"beat.iterations": "", "backends.xla.python": ""})
    settings = load_settings(environ={}, file=file)
    assert (settings.beat.iterations, settings.source("beat.iterations"), settings.source("backends.xla.python")) == (
        100,
        "default",
        "default",
    )


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("beat.iterations", "many", "a whole number"),
        ("beat.iterations", "0", "from 1 to"),
        ("beat.dtype", "int3", "one of float32"),
        ("recordings.save", "maybe", "true or false"),
    ],
)
def test_what_cannot_be_is_refused_and_the_file_is_left_alone(key: str, text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(OURS)
    with pytest.raises(HeartbeatError) as refused:
        write_settings(file, {"beat.warmup": "9", key: text})
    assert said in refused.value.cause
    assert file.read_text() == OURS


def test_a_file_that_is_no_toml_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("iterations 50")
    with pytest.raises(HeartbeatError, match="is not TOML"):
        write_settings(file, {"beat.warmup": "9"})
    assert file.read_text() == "iterations 50"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HeartbeatError, match="cannot be"):
        write_settings(tmp_path / "file" / "settings.toml", {"beat.warmup": "9"})


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(OURS)
    link = tmp_path / "settings.toml"
    link.symlink_to("real.toml")
    write_settings(link, {"beat.warmup": "9"})
    assert link.is_symlink()
    assert "warmup = 9" in (tmp_path / "real.toml").read_text()


@pytest.mark.parametrize("key", KEYS)
def test_every_default_reads_back_as_it_is_written(key: str) -> None:
    assert value_of(key, text_of(DEFAULTS[key])) == DEFAULTS[key]


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30))
def test_any_text_survives_the_file(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        write_settings(file, {"cloud.tpu_name": text})
        if file.exists():
            assert load_settings(environ={}, file=file).cloud.tpu_name == text.strip()


def test_the_list_says_where_each_came_from(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(OURS)
    settings = load_settings({"beat.batch": 7}, environ={"HEARTBEAT_BEAT_WARMUP": "2"}, file=file)
    rows = {row.key: row for row in list_settings(settings)}
    assert set(rows) == set(KEYS)
    assert (rows["beat.iterations"].value, rows["beat.iterations"].source, rows["beat.iterations"].default) == (50, str(file), 100)
    assert rows["beat.warmup"].source == "HEARTBEAT_BEAT_WARMUP"
    assert rows["beat.batch"].source == "the command line"
    assert rows["beat.hidden"].source == "default"
