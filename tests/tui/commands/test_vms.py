"""``heartbeat-tui vms``, as its users run it, against emulators."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.emulation import EmulatorThread, start_emulator
from tests.program import Done, imported, run_program

from heartbeat_core.cloud.cancellation import Cancellation

PROGRAM = [sys.executable, "-m", "heartbeat_tui", "vms"]
SPEED = 200.0


def environ(**more: str) -> dict[str, str]:
    return {**os.environ, "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true", **more}


def vms(*arguments: str, **more: str) -> Done:
    return run_program("vms", *arguments, env=environ(**more))


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause as much shorter between two questions as the emulators' clocks run faster."""
    sleep = Cancellation.sleep
    monkeypatch.setattr(Cancellation, "sleep", lambda self, seconds: sleep(self, seconds / SPEED))


@pytest.fixture
def running() -> Iterator[EmulatorThread]:
    with start_emulator("running", speed=SPEED) as started:
        yield started


@pytest.fixture
def ready() -> Iterator[EmulatorThread]:
    with start_emulator("ready", speed=SPEED) as started:
        yield started


def at(emulator: EmulatorThread) -> list[str]:
    return ["--endpoint", emulator.url, "--project", "demo-project"]


def listed(emulator: EmulatorThread) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(vms("list", "--json", *at(emulator)).stdout)
    return made


def states(emulator: EmulatorThread) -> dict[str, str]:
    return {node["name"]: node["state"] for node in listed(emulator)["nodes"]}


def test_the_list_is_json_with_all_there_is(running: EmulatorThread) -> None:
    made = listed(running)
    assert made["schema"] == 1
    assert made["emulated"].startswith("EMULATED, at http://127.0.0.1:")
    node = made["nodes"][0]
    assert (node["name"], node["zone"], node["state"], node["health"]) == ("llm-tpu-vm", "us-central1-b", "READY", "HEALTHY")
    assert (node["accelerator_type"], node["chips"], node["generation"], node["topology"]) == ("v6e-1", 1, "v6e", "1x1")
    assert node["external_ips"][0].startswith("203.0.113.")
    assert node["per_hour_usd"] == 2.0
    assert node["cost_at_most_usd"] > 6
    assert {queued["state"] for queued in made["queued_resources"]} == {"WAITING_FOR_RESOURCES", "SUSPENDED"}
    assert made["unreachable"] == []
    assert made["prices"]["emulated"] is True


def test_the_list_as_text_points_out_what_is_worth_a_second_look() -> None:
    done = vms("list", "--demo", "unreachable-zone", "--wide")
    assert done.returncode == 0, done.stderr
    assert "DEMO unreachable-zone · 5 TPU VMs, 2 queued in all zones" in done.stdout
    assert "EMULATED, invented" in done.stdout
    assert "us-east5-b did not answer: there may be more" in done.stdout
    assert "maintained: UNHEALTHY_MAINTENANCE: The TPU is being maintained." in done.stdout
    assert "wrong-runtime: programs find no TPU" in done.stdout
    assert "forgotten: It holds its quota until it is deleted" in done.stdout
    assert "heartbeat-tpu@demo-project.iam.gserviceaccount.com" in done.stdout


def test_an_empty_list_says_why_that_may_be(ready: EmulatorThread) -> None:
    done = vms("list", *at(ready))
    assert done.returncode == 0
    assert "another project" in done.stdout
    assert "Compute Engine or GKE" in done.stdout
    assert "in another zone" in vms("list", "--zone", "us-west4-a", *at(ready)).stdout


def test_prices_that_cannot_be_had_are_said_not_to_be_known(tmp_path: Path) -> None:
    file = tmp_path / "no-billing.toml"
    file.write_text('description = "t"\nextends = "running"\n[faults]\nbroken = ["cloudbilling"]\n', encoding="utf-8")
    done = vms("list", "--demo", str(file))
    assert done.returncode == 0
    assert "prices not known: cloudbilling answered 500" in done.stdout


def test_foreign_words_cannot_move_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    nodes = 'id = "a"\nzone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    fields = 'fields = { runtimeVersion = "\\u001b[2J[red]GONE", healthDescription = "\\u009b31m", health = "ODD" }\n'
    file.write_text(f'description = "t"\nextends = "ready"\n[[nodes]]\n{nodes}{fields}', encoding="utf-8")
    done = vms("list", "--wide", "--demo", str(file))
    assert "[red]GONE" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x9b" not in done.stdout
    described = vms("describe", "a", "--demo", str(file))
    assert '" [2J[red]GONE"' in described.stdout
    assert "\x9b" not in described.stdout


def test_describe_shows_googles_own_answer(running: EmulatorThread) -> None:
    done = vms("describe", "llm-tpu-vm", *at(running))
    assert done.returncode == 0
    assert 'runtimeVersion: "v2-alpha-tpuv6e"' in done.stdout
    answer = json.loads(vms("describe", "waiting", "--json", *at(running)).stdout)["answer"]
    assert answer["state"]["state"] == "WAITING_FOR_RESOURCES"
    missing = vms("describe", "nope", *at(running))
    assert missing.returncode == 1
    assert "There are elsewhere, forgotten, llm-tpu-vm" in missing.stderr


def test_what_google_refuses_ends_in_its_diagnosis() -> None:
    done = vms("list", "--demo", "no-tpu-api")
    assert done.returncode == 3
    assert "gcloud services enable tpu.googleapis.com" in done.stderr
    assert done.stdout == ""


def test_create_shows_everything_asks_for_yes_and_makes_it(ready: EmulatorThread) -> None:
    refused = vms("create", *at(ready))
    assert refused.returncode == 2
    assert "Give --yes" in refused.stderr
    planned = vms("create", "--dry-run", "--spot", "--internal-ips", *at(ready))
    assert planned.returncode == 0
    for words in (
        "zone us-central1-b: 16 chips left of 16",
        "region us-central1: 16 chips",
        "about $1.00 an hour",
        "tunnel",
        "--spot --internal-ips",
    ):
        assert words in planned.stderr
    assert states(ready) == {}
    done = vms("create", "--yes", *at(ready), ACCELERATOR_TYPE="v6e-4", TPU_NAME="mine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:3] == ["mine", "us-central1-b", "READY"]
    assert "gcloud compute tpus tpu-vm create mine" in done.stderr
    assert "vms delete mine" in done.stderr
    assert states(ready) == {"mine": "READY"}
    again = vms("create", "mine", "--yes", "--json", *at(ready))
    assert again.returncode == 1
    made = json.loads(again.stdout)
    assert (made["node"], made["error"]["fate"]) == (None, "nothing")
    assert "there is already a TPU VM mine" in made["error"]["title"]


def test_a_wrong_pairing_is_refused_with_the_reason(ready: EmulatorThread) -> None:
    done = vms("create", "--yes", "--runtime-version", "tpu-ubuntu2204-base", *at(ready))
    assert done.returncode == 2
    assert "would come up READY, and programs on it would find no TPU" in done.stderr


@pytest.mark.parametrize(
    ("scenario", "title", "next_step"),
    [
        ("stockout", "there is no TPU of this type in us-central1-b now", "--keep-trying"),
        ("quota-zone-zero", "the quota of the zone us-central1-b is 0", "gcloud beta quotas preferences create"),
        ("no-tpu-admin", "a permission is missing: tpu.nodes.create", "roles/tpu.admin"),
    ],
)
def test_each_failure_ends_in_its_own_diagnosis_and_next_steps(scenario: str, title: str, next_step: str) -> None:
    with start_emulator(scenario, speed=SPEED) as emulator:
        done = vms("create", "--yes", "--skip-checks", *at(emulator))
    assert done.returncode == 1
    assert title in done.stderr
    assert next_step in done.stderr


def test_a_check_that_fails_stops_a_creation_with_its_fix() -> None:
    with start_emulator("quota-zone-zero", speed=SPEED) as emulator:
        planned = vms("create", "--dry-run", "--json", *at(emulator))
        assert planned.returncode == 0
        assert [check["id"] for check in json.loads(planned.stdout)["checks"] if check["status"] == "fail"] == ["quota.tpu-zone"]
        done = vms("create", "--yes", "--json", *at(emulator))
        assert done.returncode == 1
        assert json.loads(done.stdout)["error"]["title"] == "1 readiness check fails: quota.tpu-zone"
        assert "gcloud beta quotas preferences create" in done.stderr
        assert states(emulator) == {}
        elsewhere = vms("create", "--yes", "--keep-trying", "--zones", "us-central1-b,us-east5-b", *at(emulator))
        assert elsewhere.stdout.split()[1:3] == ["us-east5-b", "READY"]


def test_a_check_that_could_not_tell_stops_nothing() -> None:
    with start_emulator("org-policy-hidden", speed=SPEED) as emulator:
        done = vms("create", "--yes", *at(emulator))
    assert (done.returncode, "checks      ? policy.external-ip" in done.stderr) == (0, True)


def test_keep_trying_goes_round_the_zones_with_a_log() -> None:
    with start_emulator("stockout", speed=SPEED) as emulator:
        done = vms("create", "--yes", "--json", "--keep-trying", "--zones", "us-central1-b,us-west4-a,us-east5-b", *at(emulator))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["node"]["zone"], made["node"]["state"]) == ("us-east5-b", "READY")
    assert [step["detail"] for step in made["steps"] if step["what"] == "zone"] == ["us-central1-b", "us-west4-a", "us-east5-b"]
    assert "trying us-east5-b" in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--zones", "us-central1-b"], "--zones is for --keep-trying"),
        (["--keep-trying", "--queued"], "cannot go with --queued"),
        (["--keep-trying", "--no-wait"], "cannot go with --no-wait"),
        (["--keep-trying", "--zones", "us-central1-b,nowhere", "--dry-run"], "'nowhere' is no zone"),
        (["--labels", "x"], "is no list of labels"),
        (["--zone", "nowhere"], "is no zone"),
        (["--startup-script", "/nowhere/at-all"], "cannot be read"),
        (["--spot", "--reserved"], "exclude one another"),
    ],
)
def test_bad_usage_is_2(ready: EmulatorThread, flags: list[str], said: str) -> None:
    done = vms("create", "--yes", *flags, *at(ready))
    assert done.returncode == 2
    assert said in done.stderr


def test_ctrl_c_during_a_creation_says_what_goes_on_and_how_to_delete_it() -> None:
    with start_emulator("ready") as emulator:
        command = [*PROGRAM, "create", "--yes", *at(emulator)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ())
        assert process.stderr is not None
        said = ""
        while "CREATING" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "goes on at Google" in rest
        assert "gcloud compute tpus tpu-vm delete llm-tpu-vm --project=demo-project --zone=us-central1-b" in rest
        assert states(emulator) == {"llm-tpu-vm": "CREATING"}


def test_start_stop_and_delete_several_at_once(running: EmulatorThread) -> None:
    assert vms("stop", "llm-tpu-vm", *at(running)).returncode == 2
    done = vms("stop", "llm-tpu-vm", "maintained", "--yes", *at(running))
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n"))[1:] == ["llm-tpu-vm  us-central1-b  stopped", "maintained  us-central1-b  stopped"]
    assert vms("start", "maintained", "--yes", *at(running)).returncode == 0
    refused = vms("stop", "stopped", "maintained", "--yes", *at(running))
    assert refused.returncode == 1
    assert "What that state allows is: delete, start." in refused.stderr
    assert states(running)["maintained"] == "READY"
    gone = vms("delete", "llm-tpu-vm", "waiting", "elsewhere", "--yes", "--json", *at(running))
    assert gone.returncode == 0, gone.stderr
    assert [result["ok"] for result in json.loads(gone.stdout)["results"]] == [True, True, True]
    assert "gcloud compute tpus queued-resources delete waiting" in gone.stderr
    assert set(states(running)) == {"stopped", "preempted", "maintained", "wrong-runtime"}


def test_watch_is_for_scripts(running: EmulatorThread) -> None:
    assert vms("watch", "llm-tpu-vm", *at(running)).returncode == 0
    ended = vms("watch", "preempted", "--until", "ready", "--json", *at(running))
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["outcome"] == "ended"
    late = vms("watch", "llm-tpu-vm", "--until", "STOPPED", "--timeout", "300ms", *at(running))
    assert late.returncode == 3
    assert "is not STOPPED yet: READY" in late.stdout
    vms("create", "new", "--yes", "--no-wait", *at(running))
    assert vms("watch", "new", "--until", "READY", *at(running)).returncode == 0
    assert vms("watch", "new", "--until", "GONE", "--timeout", "200ms", *at(running)).returncode == 3


def test_what_may_be_in_a_zone_that_is_silent_is_not_taken_to_be_gone() -> None:
    done = vms("watch", "elsewhere", "--until", "GONE", "--demo", "unreachable-zone")
    assert (done.returncode, done.stdout) == (3, "")
    assert "did not answer" in done.stderr


def test_a_name_in_two_zones_is_asked_for_its_zone(ready: EmulatorThread) -> None:
    for zone in ("us-central1-b", "us-east5-b"):
        assert vms("create", "twin", "--yes", "--zone", zone, *at(ready)).returncode == 0
    both = vms("delete", "twin", "--yes", *at(ready))
    assert both.returncode == 2
    assert "us-central1-b, us-east5-b" in both.stderr
    assert vms("delete", "twin", "--yes", "--zone", "us-east5-b", *at(ready)).returncode == 0
    assert states(ready) == {"twin": "READY"}


def test_the_list_imports_no_screen(running: EmulatorThread) -> None:
    said, loaded = imported("vms", "list", "--json", *at(running), env=environ())
    assert not {"textual", "rich", "numpy", "torch", "starlette"} & loaded
    assert json.loads(said)["schema"] == 1


def test_without_a_project_it_says_how_to_name_one() -> None:
    done = vms("list", "--endpoint", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert "no project is chosen" in done.stderr


def test_the_zone_named_by_itself_is_the_first_of_those_gone_round(ready: EmulatorThread) -> None:
    done = vms("create", "--dry-run", "--keep-trying", "--zone", "us-east5-b", "--zones", "us-central1-b", *at(ready))
    assert done.returncode == 0, done.stderr
    assert "one of us-east5-b, us-central1-b" in done.stderr


def test_a_cost_that_is_not_known_says_why(ready: EmulatorThread) -> None:
    done = vms("create", "--dry-run", "--reserved", *at(ready))
    assert "cost        not known: reserved TPUs are paid for by contract" in done.stderr


@pytest.mark.parametrize("verb", [["delete", "nope", "--queued", "--yes"], ["delete", "nope", "--yes"], ["watch", "nope"]])
def test_where_queued_resources_could_not_be_listed_nothing_is_said_not_to_be_there(tmp_path: Path, verb: list[str]) -> None:
    file = tmp_path / "queues.toml"
    mishap = 'method = "GET"\npath = ".*/queuedResources.*"\nwhat = "forbid"\ntimes = 1000\n'
    file.write_text(f'description = "t"\nextends = "running"\n[[faults.mishaps]]\n{mishap}', encoding="utf-8")
    done = vms(*verb, "--demo", str(file))
    assert (done.returncode, done.stdout) == (3, "")
    assert "it is not known whether there is" in done.stderr
    assert "Queued resources could not be listed: " in done.stderr
    assert "next: " in done.stderr


def test_a_queued_resource_with_two_tpu_vms_is_deleted_once(tmp_path: Path) -> None:
    kind = 'zone = "us-central1-b"\naccelerator_type = "v6e-1"\nruntime_version = "v2-alpha-tpuv6e"\n'
    nodes = "".join(f'[[nodes]]\nid = "{name}"\nqueued_resource = "both"\n{kind}' for name in ("one", "two"))
    file = tmp_path / "two.toml"
    file.write_text(f'description = "t"\nextends = "ready"\n[[queued]]\nid = "both"\nstate = "ACTIVE"\n{kind}{nodes}', encoding="utf-8")
    with start_emulator(str(file), speed=SPEED) as emulator:
        done = vms("delete", "one", "two", "--yes", "--json", *at(emulator))
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("request sent: both in us-central1-b") == 1
        assert done.stderr.count("gcloud compute tpus queued-resources delete both") == 1
        assert [result["ok"] for result in json.loads(done.stdout)["results"]] == [True, True]
        assert states(emulator) == {}


def test_a_state_that_is_mistyped_is_not_waited_for(running: EmulatorThread) -> None:
    done = vms("watch", "llm-tpu-vm", "--until", "redy", *at(running))
    assert done.returncode == 2
    assert "Did you mean READY?" in done.stderr
