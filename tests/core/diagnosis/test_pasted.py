"""What people paste: frames, log prefixes, broken lines, JSON and long logs; the words of the text; and words that are not Google's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.diagnosis.catalogue import read_rules
from heartbeat_core.diagnosis.diagnose import diagnose_text
from heartbeat_core.diagnosis.model import Diagnosis
from heartbeat_core.diagnosis.pasted import REACH, compiled, decode, find, needle, readings

MEMORY = "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. Used 21.95G of 15.48G hbm."
WORDS = MEMORY.split(" ")
LINES = [" ".join(WORDS[:6]), " ".join(WORDS[6:11]), " ".join(WORDS[11:])]
WRAPPED = [MEMORY[at : at + 40] for at in range(0, len(MEMORY), 40)]  # as a terminal of 40 columns wraps it
KNOWN = {
    "project": "default-project", "zone": "us-central1-b", "region": "us-central1", "accelerator_type": "v6e-1",
    "runtime_version": "v2-alpha-tpuv6e", "tpu_name": "llm-tpu-vm", "principal": "user:me@example.com",
}  # fmt: skip


def found(text: str, known: dict[str, str] | None = None) -> Diagnosis:
    diagnosis = diagnose_text(text, known)
    assert diagnosis
    return diagnosis


SHAPES = {
    "quoted": "\n".join(f"> > {line}" for line in LINES),
    "framed": "\n".join(["╭──────╮", *(f"│ {line:<50} │" for line in LINES), "╰──────╯"]),
    "coloured": "\n".join(f"\x1b[31m{line}\x1b[0m" for line in LINES),
    "with times": "\n".join(f"2026-01-26T17:51:44.123Z {line}" for line in LINES),
    "vllm": "\n".join(f"(EngineCore pid=289) ERROR 01-26 17:51:44 [core.py:387] {line}" for line in LINES),
    "absl": "\n".join(f"E0929 17:42:48.594192 1044529 client.cc:332] {line}" for line in LINES),
    "docker compose": "\n".join(f"server-1  | {line}" for line in LINES),
    "several hosts": "\n".join(f"[3] {line}" for line in LINES),
    "wrapped": "\n".join(WRAPPED),
    "wrapped in a frame": "\n".join(f"│{line:<40}│" for line in WRAPPED),
    "json": json.dumps({"message": f"failed:\n{MEMORY}"}),
    "json in json": json.dumps({"log": json.dumps({"message": "\n".join(LINES)})}),
    "windows": MEMORY.replace(" ", "\r\n"),
    "zero bytes": "\0".join(MEMORY.split(" ")),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_the_shape_of_a_text_does_not_matter(text: str) -> None:
    diagnosis = found(text)
    assert (diagnosis.id, diagnosis.title) == ("hbm-full", "the program needs more memory than the TPU has: 21.95G of 15.48G")
    assert diagnosis.evidence.isprintable()


def test_quotes_of_json_do_not_hide_the_names() -> None:
    answer = {"error": {"message": 'There is no more capacity in the zone "us-east5-a"; you can try in another zone'}}
    assert found(json.dumps(json.dumps(answer))).title == "there is no TPU of this type in us-east5-a now"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_bytes_are_read_as_what_they_are(encoding: str) -> None:
    assert decode(f"É {MEMORY}".encode(encoding)).strip("\ufeff") == f"É {MEMORY}"


@given(st.binary(max_size=300))
def test_any_bytes_become_text(data: bytes) -> None:
    decode(data)


def test_the_names_of_the_text_come_before_defaults() -> None:
    text = (
        "HttpError 429 when requesting https://tpu.googleapis.com/v2/projects/paid-project/locations/us-south1-ai1b/nodes?nodeId=x "
        "There is no more capacity in the zone. acceleratorType: v5litepod-8"
    )
    queue = [remedy.shell for remedy in found(text, KNOWN).remedies if remedy.shell and "queued-resources create" in remedy.shell]
    assert queue == [
        (
            "gcloud compute tpus queued-resources create '<QUEUED_RESOURCE>' --node-id=llm-tpu-vm --project=paid-project "
            "--zone=us-south1-ai1b --accelerator-type=v5litepod-8 --runtime-version=v2-alpha-tpuv5-lite"
        )
    ]


def test_a_default_does_not_contradict_the_region_of_the_text() -> None:
    text = "Quota 'TPUV5sPreemptibleLitepodPerProjectPerRegionForTPUAPI' exhausted. Limit 10000 in region us-west4"
    assert found(text, KNOWN).remedies[0].missing == ("<ZONE>",)
    assert found(text.replace("us-west4", "us-central1"), KNOWN).remedies[0].missing == ()


def test_the_name_next_to_the_error_counts() -> None:
    text = f"tried projects/p-first/locations/us-east5-a {'x ' * 300} the accelerator v4-128 was not found in zone us-central2-b [EID: 0x9]"
    diagnosis = found(text, KNOWN)
    assert diagnosis.title == "the zone us-central2-b does not offer this TPU type, v4-128"
    assert "--zone=us-central2-b" in (diagnosis.remedies[0].shell or "")


NOT_GOOGLES = [
    "HTTP 403 Forbidden: nginx", "404 Not Found", "429 Too Many Requests", "ConnectionRefusedError: [Errno 111] Connection refused",
    "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='example.com', port=443): Read timed out.", "503 Service Unavailable",
    "409 Conflict: the branch has moved", "Connection reset by peer", "jaxlib.xla_extension.XlaRuntimeError: NOT_FOUND: key 'a'",
    "XlaRuntimeError: DEADLINE_EXCEEDED: step 3", "curl: (6) Name or service not known: example.com", "INTERNAL: failed",
    "Collecting torch from https://storage.googleapis.com/libtpu-releases/index.html ... 404 Not Found",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_GOOGLES)
def test_generic_words_are_not_googles_by_themselves(text: str) -> None:
    assert diagnose_text(text) is None


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("GET https://tpu.googleapis.com/v2/projects/p/locations: 403 Forbidden", "forbidden"),
        ("ERROR: (gcloud.compute.tpus.tpu-vm.list) 404 Not Found", "not-found"),
        ("google.api_core.exceptions.TooManyRequests: 429 Too Many Requests", "too-many"),
        ("https://compute.googleapis.com/compute/v1: 503 Service Unavailable", "google-failed"),
        ("PERMISSION_DENIED", "forbidden"),
    ],
)
def test_they_are_where_the_text_shows_google(text: str, id_: str) -> None:
    assert found(text).id == id_


def test_memory_comes_before_a_bare_status() -> None:
    assert found(f"{MEMORY} https://tpu.googleapis.com").id == "hbm-full"
    bare = found("RESOURCE_EXHAUSTED")
    assert (bare.id, [other.id for other in bare.alternatives]) == ("too-many", ["hbm-full", "capacity-or-quota"])
    assert bare.tell_apart


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (r"\[(?:/\w+)*/(?:ssh|scp)\] exited with return code \[\d+\]", " exited with return code "),
        (r"Quota '(?P<quota_id>[\w-]+)' exceeded", "' exceeded"),
        (r"No module named '?\"?(?P<module>\w[\w.]*)", "no module named "),
        (r"libtpu(?:\.so)? (?:was )?not found", "not found"),
        (r"(?:one|two) words", " words"),
        (r"colou?rs{2,}", "colo"),
        (r"one|two", ""),
    ],
)
def test_a_needle_is_what_every_match_holds(pattern: str, part: str) -> None:
    assert needle(pattern) == part


def test_no_needle_hides_an_error() -> None:
    for text in (row["text"] for row in map(json.loads, Path(__file__).with_name("pasted.jsonl").read_text("utf-8").splitlines())):
        for reading in readings(text):
            for pattern in (pattern for rule in read_rules().values() for pattern in rule.patterns):
                assert bool(compiled(pattern).search(reading)) == any(find(pattern, reading, reading.lower())), pattern


def test_a_pattern_is_found_wherever_its_needle_is() -> None:
    refused = "connect to host 10.0.0.{} port 22: Connection refused"
    text = f"{'x' * 3 * REACH} {refused.format(1)} {'y' * 3 * REACH} {refused.format(2)}"
    matches = find(r"connect to host (\S+) port \d+: Connection refused", text, text.lower())
    assert [match[1] for match in matches] == ["10.0.0.1", "10.0.0.2"]
