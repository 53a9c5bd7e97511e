"""The fixes of the checks, run by the real gcloud against the emulator: each makes its check pass."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.emulation import EmulatorThread, start_emulator
from tests.referee.conftest import SPEED

from heartbeat_core.checks.context import demo_environ, detect_environment
from heartbeat_core.checks.fix_plan import chain_of
from heartbeat_core.checks.fix_runner import fill_in
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import CheckReport
from heartbeat_core.checks.runner import Runner
from heartbeat_core.emulator.process import gcloud_environment
from heartbeat_tui.commands.check import plan_lines

IN_THE_CLOUD = tuple(check for check in checks_for() if check.group not in ("host", "account") or check.id == "account.adc")
VALUES = {
    "<BILLING_ACCOUNT>": "000000-AAAAAA-111111", "<EMAIL>": "ada@example.com", "<JUSTIFICATION>": "to learn",
    "<SOURCE_RANGE>": "8.8.8.8/32",
}  # fmt: skip
ROUNDS = 4


@pytest.fixture
def run(gcloud_config: Path, tmp_path: Path) -> Callable[[EmulatorThread, list[str]], None]:
    """Run commands or a script with gcloud pointed at the emulator, then let all that is due happen."""

    def run_(emulator: EmulatorThread, command: list[str]) -> None:
        environ = {**os.environ, **gcloud_environment(emulator.url, gcloud_config)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        request = urllib.request.Request(f"{emulator.url}/emulator:advance", data=b"{}", method="POST")
        urllib.request.urlopen(request).close()

    return run_


def check(emulator: EmulatorThread, names: tuple[str, ...] | None = None) -> CheckReport:
    environment = detect_environment({"project": "demo-project"}, endpoint=emulator.url, environ=demo_environ())
    return Runner(IN_THE_CLOUD, environment).run(names)


def filled(script: str) -> str:
    """Decide as a user would: link the billing account and ask for the quota; leave the alternatives alone."""
    for place, value in VALUES.items():
        script = script.replace(place, value)
    wanted = ("#? gcloud billing projects link", "#? gcloud beta quotas preferences create")
    return "\n".join(line.removeprefix("#? ") if line.startswith(wanted) else line for line in script.splitlines())


def test_the_plan_of_a_fresh_project_runs_from_top_to_bottom_and_ends_ready(run: Callable[..., None]) -> None:
    with start_emulator("fresh", speed=SPEED) as emulator:
        for _ in range(ROUNDS):
            report = check(emulator)
            if report.ready:
                break
            run(emulator, ["sh", "-c", filled("\n".join(plan_lines(report)))])
        assert report.ready, [(result.id, result.summary) for result in report.results if result.status in ("fail", "unknown", "blocked")]


@pytest.mark.parametrize(
    ("scenario", "check_id", "status"),
    [
        ("no-network", "network.default", "pass"),
        ("no-ssh-rule", "network.ssh", "unknown"),  # from one's own address only, which the check cannot know
        ("no-service-agent", "iam.service-agent", "pass"),
    ],
)
def test_a_fix_makes_its_check_pass(scenario: str, check_id: str, status: str, run: Callable[..., None]) -> None:
    with start_emulator(scenario, speed=SPEED) as emulator:
        # the emulator's user may do everything that the fix needs
        result = check(emulator, (check_id,)).get(check_id)
        assert result is not None
        assert result.status in ("fail", "unknown")
        for remedy in chain_of(result.remedies):
            run(emulator, list(fill_in(remedy, VALUES).command or ()))
        again = check(emulator, (check_id,)).get(check_id)
        assert again is not None
        assert again.status == status, again.summary
