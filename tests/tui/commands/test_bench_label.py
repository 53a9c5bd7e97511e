"""``bench --name``, ``--note`` and ``--tag``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.program import Done, run_program

from heartbeat_core.recordings.recording import load

DONE = (
    "start(); tell('environment', values={'host': 'h'}); beat(0, 9, phase='cold'); beat(1, *range(300, 340)); tell('ended', reason='done')"
)


def bench(*arguments: str) -> Done:
    return run_program("bench", *arguments)


def test_a_run_is_recorded_under_its_label(fake_worker: Callable[[str], str], home: Path) -> None:
    python = fake_worker(DONE)
    assert bench("--python", python, "--name", "base", "--note", "a quiet room", "--tag", "cpu", "--tag", "old").returncode == 0
    (recording,) = home.rglob("*.jsonl")
    label = load(recording).series.label
    assert label is not None
    assert (label.name, label.note, label.tags) == ("base", "a quiet room", ("cpu", "old"))


def test_a_label_that_cannot_be_kept_is_refused_before_the_run(fake_worker: Callable[[str], str], home: Path) -> None:
    python = fake_worker(DONE)
    for arguments, words in ((("--name", "base", "--no-save"), "no recording to label"), (("--name", "a/b"), "has a /")):
        refused = bench("--python", python, *arguments)
        assert refused.returncode == 2
        assert words in refused.stderr
    assert not list(home.rglob("*.jsonl"))


def test_a_label_typed_under_the_plain_c_locale_is_kept_and_found(fake_worker: Callable[[str], str], home: Path) -> None:
    typed = "größer".encode().decode("ascii", "surrogateescape")  # as Python reads it there
    assert bench("--python", fake_worker(DONE), "--name", typed, "--note", typed, "--tag", typed).returncode == 0
    (recording,) = home.rglob("*.jsonl")
    label = load(recording).series.label
    assert label is not None
    assert (label.name, label.note, label.tags) == ("größer", "größer", ("größer",))
    assert run_program("runs", "tag", typed, "--remove", typed).returncode == 0
    assert "größer" not in run_program("runs", "show", typed).stdout.partition("tags")[2]
