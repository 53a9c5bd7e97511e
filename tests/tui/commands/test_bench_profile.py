"""``bench --profile`` as its users run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.program import Done, run_program


def bench(*arguments: str) -> Done:
    return run_program("bench", *arguments)


def test_it_says_how_to_open_what_it_kept(fake_worker: Callable[[str], str], tmp_path: Path) -> None:
    folder = tmp_path / "profile"
    python = fake_worker(
        "start(); beat(1, *[1000] * 30); tell('proof', row=3, error=1e-7, implies='float32', passed=True)\n"
        "for name in ('trace.json', 'operators.txt'): open(f\"{order['profile']}/{name}\", 'w').write('{}')\n"
        "tell('profile', folder=order['profile'], files={'trace.json': 2, 'operators.txt': 2}, problem=''); tell('ended', reason='done')"
    )
    done = bench("--python", python, "--profile", str(folder))
    assert done.returncode == 0, done.stderr
    assert f"drop {folder}/trace.json on https://ui.perfetto.dev" in done.stdout
    assert f"less {folder}/operators.txt" in done.stdout
    again = bench("--python", python, "--profile", str(folder))
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
