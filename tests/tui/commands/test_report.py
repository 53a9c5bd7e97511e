"""``heartbeat-tui report``: everything that helps, and nothing personal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.program import Done, run_program

from heartbeat_core import __version__
from heartbeat_core.benchmark.backends import BACKENDS

PERSONAL = ("ada@example.com", "demo-project", "123456789012", "0123AB-4567CD-89EF01", "heartbeat-tpu@", "forgotten")


def report(*arguments: str, env: dict[str, str] | None = None) -> Done:
    return run_program("report", *arguments, env=env)


def test_it_has_versions_checks_and_devices_and_nothing_personal(fake_worker: Any) -> None:
    python = fake_worker("tell('environment', values={'backend': 'cpu', 'torch': '2.9', 'threads': 2}); tell('ended', reason='done')")
    done = report("--demo", "quota-used", "--python", python)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["schema"] == 1
    assert made["versions"]["heartbeat-tui"] == __version__
    assert made["versions"]["packages"]["textual"]
    assert made["readiness"]["checks"][0]["id"] == "host.python"
    assert made["readiness"]["ready"] is False
    assert [device["backend"] for device in made["devices"]["devices"]] == list(BACKENDS)
    assert made["last_errors"] == []
    values = json.dumps(made["readiness"]["checks"]) + json.dumps(made["readiness"]["target"])
    for word in PERSONAL[:-1]:
        assert word not in values, word
    assert made["readiness"]["principal"] == "[email 1] (emulated)"
    assert made["readiness"]["target"]["project"]["value"] == "[project 1]"


@pytest.mark.parametrize("scenario", ["no-tpu-admin", "no-service-account-roles", "other-project", "inherited-roles"])
def test_refusals_of_google_contain_no_name(scenario: str) -> None:
    done = report("--demo", scenario, "--no-devices")
    assert done.returncode == 0
    for word in (*PERSONAL[:-1], "mallory", "grace@example.com"):
        assert word not in done.stdout, word
    assert json.loads(done.stdout)["devices"] is None


def test_the_command_that_creates_the_service_account_does_not_tell_its_name() -> None:
    done = report("--demo", "no-service-account", "--no-devices", "--service-account", "adas-tpu@demo-project.iam.gserviceaccount.com")
    assert '"create"' in done.stdout
    assert "adas-tpu" not in done.stdout


def test_the_last_errors_of_runs_are_listed(fake_worker: Any, home: Path) -> None:
    python = fake_worker("start(); tell('failed', kind='backend', title='ada@example.com broke it', cause='at 203.0.113.5', remedy='')")
    ran = run_program("bench", "--python", python)
    assert ran.returncode != 0
    done = report("--demo", "--no-devices")
    (error,) = json.loads(done.stdout)["last_errors"]
    assert error["title"].endswith("broke it")
    assert "ada@example.com" not in done.stdout
    assert "203.0.113.5" not in done.stdout


def test_the_report_of_somebody_without_a_project_works_too() -> None:
    environ = {**os.environ, "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true"}
    done = report("--no-devices", env=environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["readiness"]["ready"] is False
