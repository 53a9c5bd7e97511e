"""``heartbeat-tui check``, as its users run it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.program import Done, imported, run_program

from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.result import CheckReport, Result
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_tui.commands.check import plan_lines, text_lines

IN_THE_CLOUD = ["--skip", "host"]


def check(*arguments: str, **environment: str) -> Done:
    environ = {**os.environ, "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true", **environment}
    return run_program("check", *arguments, env=environ)


def test_ready_is_0_and_the_json_says_all() -> None:
    done = check("--demo", "--json", *IN_THE_CLOUD)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["schema"], made["ready"], made["emulated"]) == (1, True, "DEMO ready")
    assert made["principal"] == "ada@example.com (emulated)"
    assert made["target"]["project"] == {"value": "demo-project", "source": "the scenario ready"}
    assert [found["id"] for found in made["checks"]] == [check.id for check in checks_for() if check.group != "host"]
    one = made["checks"][-1]
    assert set(one) == {
        "id", "group", "title", "question", "status", "summary", "why", "evidence", "remedies", "blocked_by", "permission", "link",
        "took_ms",
    }  # fmt: skip


def test_a_part_of_the_checklist_is_never_ready() -> None:
    done = check("--demo", "--only", "quota")
    assert done.returncode == 0
    assert done.stdout.startswith("DEMO ready · ready, as far as checked · ")


def test_the_whole_checklist_is_ready() -> None:
    results = tuple(Result(check.id, check.group, check.question, "pass", "") for check in checks_for())
    assert next(text_lines(CheckReport(results))) == "ready"
    assert next(text_lines(CheckReport(results[1:2]))) == "ready, as far as checked"


def test_not_ready_is_1_and_the_text_says_what_to_do_next() -> None:
    done = check("--demo", "quota-zone-zero", *IN_THE_CLOUD)
    assert done.returncode == 1
    headline, *lines = done.stdout.splitlines()
    assert headline.startswith("DEMO quota-zone-zero · 1 step left · v6e-1 in us-central1-b, on demand · project demo-project")
    (line,) = [line for line in lines if "← next" in line]
    assert line.split()[:3] == ["✗", "fail", "quota.tpu-zone"]
    assert any("gcloud beta quotas preferences create" in line for line in lines)
    assert any(line.startswith("quota ") and "4 pass  1 fail" in line for line in lines)


def test_could_not_tell_is_3() -> None:
    done = check("--demo", "no-service-agent", "--only", "iam")
    assert done.returncode == 3
    assert "could not tell" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "quota.tpu-zon"], "Did you mean quota.tpu-zone?"),
        (["--skip", "permissions"], "there is no check or group permissions"),
        (["--only", "host", "--skip", "host"], "no check is left"),
        (["--demo", "redy"], "Did you mean ready?"),
        (["--demo", "--endpoint", "http://127.0.0.1:1"], "exclude one another"),
        (["--endpoint", "http://example.com"], "not encrypted"),
        (["--timeout", "soon"], "is no duration"),
        (["--json", "--fix-plan"], "exclude one another"),
    ],
)
def test_bad_usage_is_2(arguments: list[str], said: str) -> None:
    done = check(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_only_a_group_shows_that_and_what_keeps_it_from_passing() -> None:
    done = check("--demo", "no-tpu-api", "--only", "zone", "--json")
    assert done.returncode == 1
    made = json.loads(done.stdout)
    assert {found["id"]: found["status"] for found in made["checks"]} == {
        "api.tpu": "fail", "zone.accelerator": "blocked", "zone.runtime": "blocked", "zone.pairing": "pass",
    }  # fmt: skip


def test_flags_stand_before_the_environment() -> None:
    made = json.loads(
        check("--only", "zone.pairing", "--json", "--zone", "us-east5-b", "--spot", ZONE="us-west1-c", PROJECT_ID="llm").stdout
    )
    assert made["target"]["zone"] == {"value": "us-east5-b", "source": "--zone"}
    assert made["target"]["project"] == {"value": "llm", "source": "PROJECT_ID"}
    assert made["target"]["provisioning"] == {"value": "spot", "source": "--spot"}


def test_without_anything_set_up_it_says_so_and_never_waits(tmp_path: Path) -> None:
    done = check("--json", *IN_THE_CLOUD, HOME=str(tmp_path), CLOUDSDK_CONFIG=str(tmp_path))
    assert done.returncode == 1
    statuses = {found["id"]: found["status"] for found in json.loads(done.stdout)["checks"]}
    assert statuses["account.gcloud"] == statuses["account.adc"] == "fail"
    assert statuses["project.exists"] == "blocked"


def test_this_machines_checks_start_no_google_client() -> None:
    said, loaded = imported("check", "--only", "host", "--json", env={**os.environ, "NO_GCE_CHECK": "true"})
    assert json.loads(said)["checks"]
    assert not loaded & {"google", "requests", "torch", "numpy", "textual", "rich", "starlette", "uvicorn", "asyncio"}


def commands_of(script: str) -> list[list[str]]:
    lines = [line for line in script.splitlines() if line and not line.startswith("#")]
    return [shlex.split(line) for line in lines if line != "set -eu"]


def test_the_plan_is_a_script_of_what_is_safe_with_the_rest_as_comments() -> None:
    done = check("--demo", "fresh", "--fix-plan", *IN_THE_CLOUD)
    assert done.returncode == 1
    assert done.stdout.startswith("#!/bin/sh\n")
    services = [f"{name}.googleapis.com" for name in ("cloudresourcemanager", "cloudbilling", "iam", "cloudquotas", "compute", "tpu")]
    assert commands_of(done.stdout) == [
        ["gcloud", "billing", "accounts", "list"],
        ["gcloud", "services", "enable", *services, "--project=demo-project"],
    ]
    link = "#? gcloud billing projects link demo-project"
    assert done.stdout.index(link) < done.stdout.index("gcloud services enable")
    assert "network.default: waits for api.compute" in done.stdout
    assert subprocess.run(["sh", "-n"], input=done.stdout, text=True, check=False).returncode == 0


def of(*remedies: Remedy, summary: str = "it is off") -> CheckReport:
    return CheckReport((Result("api.tpu", "api", "Is it on?", "fail", summary, remedies=remedies),))


def test_no_project_is_created_by_the_plan_unasked() -> None:
    done = check("--demo", "other-project", "--fix-plan", *IN_THE_CLOUD)
    assert commands_of(done.stdout) == [["gcloud", "projects", "list"], ["gcloud", "auth", "list"]]
    assert "#? gcloud projects create demo-project" in done.stdout


def test_every_role_that_lacks_is_granted_by_the_plan() -> None:
    account = "heartbeat-tpu@demo-project.iam.gserviceaccount.com"
    done = check("--demo", "expired-grant", "--fix-plan", "--only", "iam", "--service-account", account)
    grants = [command for command in commands_of(done.stdout) if "add-iam-policy-binding" in command]
    roles = ("tpu.viewer", "storage.objectAdmin")
    assert [command[-3:] for command in grants] == [
        [f"--member=serviceAccount:{account}", f"--role=roles/{role}", "--condition=None"] for role in roles
    ]


def test_what_costs_deletes_or_lacks_a_word_is_never_run_by_the_plan() -> None:
    remedies = (
        Remedy("Make it.", ("gcloud", "make"), changes="makes it", costs=True),
        Remedy("Remove it.", ("gcloud", "remove"), changes="deletes it"),
        Remedy("Ask for it.", ("gcloud", "ask", "<EMAIL>"), changes="asks"),
        Remedy("Or else.", ("gcloud", "else"), changes="it"),
        Remedy("Look.", ("gcloud", "look")),
        Remedy("Turn it on.", ("gcloud", "on", "a b"), changes="turns it on"),
        Remedy("Turn it on elsewhere.", ("gcloud", "on", "c"), changes="turns it on"),
    )
    lines = list(plan_lines(of(*remedies)))
    assert commands_of("\n".join(lines)) == [["gcloud", "look"], ["gcloud", "on", "a b"]]
    assert [line for line in lines if line.startswith("#? ")] == [
        "#? gcloud make", "#? gcloud remove", "#? gcloud ask '<EMAIL>'", "#? gcloud else", "#? gcloud on c",
    ]  # fmt: skip


def test_no_text_from_outside_becomes_a_command_or_drives_the_terminal() -> None:
    foreign = "off\nrm -rf ~\r\x1b[2J$(reboot)"
    readiness = of(Remedy(foreign, ("gcloud", "on", foreign), changes=foreign), summary=foreign)
    script = "\n".join(plan_lines(readiness))
    assert [command[:2] for command in commands_of(script)] == [["gcloud", "on"]]
    assert "\x1b" not in script
    assert "\x1b" not in "\n".join(text_lines(readiness))
    assert not any(line.startswith("rm") for line in "\n".join(text_lines(readiness)).splitlines())


def test_progress_goes_to_a_terminal_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from heartbeat_tui.cli import dispatch

    assert dispatch(["check", "--only", "zone.pairing", "--json"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert dispatch(["check", "--only", "zone.pairing", "--json"]) == 0
    captured = capsys.readouterr()
    assert "checking zone.pairing" in captured.err
    assert captured.err.endswith("\x1b[K")  # and is gone in the end
    assert json.loads(captured.out)["ready"] is True


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from heartbeat_core.checks import runner
    from heartbeat_tui.cli import dispatch

    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.CheckRound, "run", interrupt)
    assert dispatch(["check", "--only", "zone.pairing"]) == 130
    assert capsys.readouterr().out == ""


def test_one_reason_for_many_checks_is_said_once() -> None:
    remedy = Remedy("See whether the network is there.")
    results = [
        Result(name, "project", "?", "unknown", "could not tell", f"No network: {name}.googleapis.com.", remedies=(remedy,))
        for name in ("a.one", "a.two", "a.three")
    ]
    text = "\n".join(text_lines(CheckReport(tuple(results))))
    assert text.count("No network:") == 1
    assert text.count("See whether") == 1
    assert text.count("as for a.one") == 2
