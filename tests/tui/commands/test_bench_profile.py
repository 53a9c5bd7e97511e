"""``bench --profile`` as its users run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.program import Done, run_program

SMALL = ["--batch", "8", "--hidden", "64", "--intermediate", "64", "--threads", "1", "--backend", "cpu"]


def bench(*arguments: str) -> Done:
    return run_program("bench", *arguments)


@pytest.mark.torch
def test_it_says_how_to_open_what_it_kept(tmp_path: Path) -> None:
    folder = tmp_path / "profile"
    done = bench(*SMALL, "--profile", str(folder))
    assert done.returncode == 0, done.stderr
    assert f"drop {folder}/trace.json on https://ui.perfetto.dev" in done.stdout
    assert f"less {folder}/operators.txt" in done.stdout
    json.loads((folder / "trace.json").read_text())
    again = bench(*SMALL, "--profile", str(folder))
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    assert again.stdout == ""


def test_a_profile_with_a_problem_is_said_and_the_run_counts(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    body = (
        "start(); beat(1, *[1000] * 30); tell('proof', row=3, error=1e-7, implies='float32', passed=True)\n"
        "tell('profile', folder=order['profile'], files={}, problem='OSError: No space left on device'); tell('ended', reason='done')"
    )
    done = bench("--python", fake_worker(body), "--profile", str(tmp_path / "new"))
    assert done.returncode == 0
    assert "profile: not whole: OSError: No space left on device. The run itself counts." in " ".join(done.stdout.split())


def test_a_run_that_takes_none_says_so(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    done = bench(
        "--python", fake_worker("start(); beat(1, *[1000] * 30); tell('ended', reason='stopped')"), "--profile", str(tmp_path / "new")
    )
    assert "no profile was taken" in done.stderr


@pytest.mark.parametrize("other", [["--sweep", "batch=1,2"], ["--repeat", "3"], ["--compare-methods"], ["--on", "vm"]])
def test_a_profile_is_of_one_run_on_this_machine(other: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "new"
    done = bench("--profile", str(folder), *other)
    assert done.returncode == 2
    assert "--profile" in done.stderr
    assert not folder.exists()
