"""``heartbeat-tui explain``: texts as arguments and on stdin, known and unknown."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from heartbeat_tui.cli import dispatch

STOCKOUT = 'There is no more capacity in the zone "us-east5-a"; you can try in another zone where Cloud TPU Nodes are offered'
HEAVY = {"requests", "textual", "rich", "numpy", "torch", "urllib3"}


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PROJECT_ID", "ZONE", "TPU_NAME", "ACCELERATOR_TYPE", "RUNTIME_VERSION", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))


def give_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_known_text_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", STOCKOUT]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("There is no TPU of this type in us-east5-a now.\ncause     This is capacity, not quota")
    assert "gcloud compute tpus accelerator-types list '--project=<PROJECT>' --zone=us-east5-a" in out
    assert "fill in <PROJECT>" in out
    assert "costs money" in out
    assert err == ""


def test_an_unknown_text_is_said_to_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", "the", "cat", "sat"]) == 3
    assert "not in the catalogue" in capsys.readouterr().out


def test_the_handbooks_commands_may_be_given_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    words = "gcloud compute tpus tpu-vm create $TPU_NAME -project=$PROJECT_ID --zone=$ZONE --version=$RUNTIME_VERSION"
    assert dispatch(["explain", *words.split()]) == 0
    assert capsys.readouterr().out.startswith("-project needs two dashes.")
    pip = ["pip", "install", "torch", "torch_xla[tpu]", "-f", "https://storage.googleapis.com/libtpu-releases/index.html"]
    assert dispatch(["explain", *pip]) == 0
    assert "'torch==2.9.*' 'torch_xla[tpu]==2.9.*'" in capsys.readouterr().out


def test_a_log_may_come_on_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    give_stdin(monkeypatch, b"12:03 \xff\x1b[31mE " + STOCKOUT.encode() + b"\x1b[0m\n")
    assert dispatch(["explain"]) == 0
    out = capsys.readouterr().out
    assert "us-east5-a" in out
    assert "\x1b" not in out


def test_an_error_anywhere_in_a_long_log_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    much = b"step 12: all well\n" * 100_000
    give_stdin(monkeypatch, much + STOCKOUT.encode() + b"\n" + much)
    assert dispatch(["explain"]) == 0
    assert "us-east5-a" in capsys.readouterr().out


def test_of_a_log_that_is_too_long_the_ends_are_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("heartbeat_core.diagnosis.pasted.LONGEST", 20_000)
    much = b"step 12: all well\n" * 200_000
    give_stdin(monkeypatch, much + STOCKOUT.encode() + b"\n" + much[:9_000])
    assert dispatch(["explain"]) == 0
    assert "us-east5-a" in capsys.readouterr().out
    give_stdin(monkeypatch, much)
    assert dispatch(["explain"]) == 3
    assert "Only its first and last 10,000 characters were read" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_what_powershell_writes_is_read(encoding: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    give_stdin(monkeypatch, f"creating…\r\n{STOCKOUT}\r\n".encode(encoding))
    assert dispatch(["explain"]) == 0
    assert "us-east5-a" in capsys.readouterr().out


def test_an_ambiguous_text_has_alternatives(capsys: pytest.CaptureFixture[str]) -> None:
    text = "ERROR: (gcloud.compute.tpus.tpu-vm.ssh) [/usr/bin/ssh] exited with return code [255]."
    assert dispatch(["explain", "--json", text]) == 0
    diagnosis = json.loads(capsys.readouterr().out)["diagnosis"]
    assert [set(other) for other in diagnosis["alternatives"]] == [{"id", "title"}] * 2
    assert diagnosis["tell_apart"]
    dispatch(["explain", text])
    out = capsys.readouterr().out
    assert f"perhaps   {diagnosis['alternatives'][0]['title']}" in out
    assert "which     " in out


@pytest.mark.parametrize("arguments", [["--json", STOCKOUT], [*STOCKOUT.split(), "--json"]])
def test_json_carries_it_all(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", *arguments]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["known"], answer["diagnosis"]["id"]) == (1, True, "stockout")
    assert set(answer["diagnosis"]) == {"id", "title", "cause", "evidence", "remedies", "link", "alternatives", "tell_apart"}
    assert answer["diagnosis"]["remedies"][0]["command"][0] == "gcloud"


def test_json_says_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["explain", "--json", "hm"]) == 3
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "known": False, "diagnosis": None}


def test_no_text_is_bad_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    give_stdin(monkeypatch, b" \n")
    assert dispatch(["explain"]) == 2
    assert "there is no text to explain" in capsys.readouterr().err


def test_remedies_name_what_is_set_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "configurations").mkdir()
    (tmp_path / "configurations" / "config_default").write_text("[core]\nproject = llm-dev\naccount = you@example.com\n")
    assert dispatch(["explain", "Permission 'tpu.nodes.get' denied on 'projects/x'"]) == 0
    assert "gcloud projects add-iam-policy-binding llm-dev --member=user:you@example.com --role=roles/tpu.viewer" in capsys.readouterr().out
    monkeypatch.setenv("PROJECT_ID", "set-here")
    dispatch(["explain", "Permission 'tpu.nodes.get' denied on 'projects/x'"])
    assert "add-iam-policy-binding set-here" in capsys.readouterr().out


def test_explaining_starts_nothing_heavy() -> None:
    code = "import sys; from heartbeat_tui.cli import dispatch; dispatch(['explain', 'hm']); print(*{n.split('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())
