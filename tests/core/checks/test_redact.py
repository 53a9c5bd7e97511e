from __future__ import annotations

import json
import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heartbeat_core.checks.redact import NO_NAMES, Redactor

LETTERS = "abcdefghijklmnopqrstuvwxyz"
HEX = "0123456789ABCDEF"
WORD = st.text(LETTERS, min_size=4, max_size=10)
PROJECT = st.from_regex(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", fullmatch=True)
EMAIL = st.builds(lambda name, host: f"{name}@{host}.example.com", WORD, WORD)
NUMBER = st.integers(10**11, 10**13 - 1).map(str)
BILLING = st.builds("-".join, st.lists(st.text(HEX, min_size=6, max_size=6), min_size=3, max_size=3))
TOKEN = st.text(LETTERS + HEX + "-_", min_size=20, max_size=60).map("ya29.{}".format)
V4 = st.ip_addresses(v=4).filter(lambda address: not (address.is_loopback or address.is_unspecified)).map(str)
V6 = st.ip_addresses(v=6).filter(lambda address: not (address.is_loopback or address.is_unspecified)).map(str)

# How each is met: a sentence of Google's, a path, a command, evidence.
IN_TEXTS = {
    "project": (
        "GET tpu /v2/projects/{}/locations/-/nodes",
        "gcloud services enable tpu --project={}",
        "Permission denied on resource project/{}.",
    ),
    "email": ("as {}", "--member=user:{}", "{} lacks tpu.nodes.create", "policy of <{}>"),
    "number": ("consumer projects/{}", "project {} before or it is disabled", "service-{}@gcp-sa-tpu.iam.gserviceaccount.com"),
    "billing": ("paid by the billing account {}", "--billing-account={}"),
    "token": ("Bearer {}", "token {} refused"),
    "address": ("connection to {} refused", "[{}]"),
    "temporary path": ("python {}: no such file", "TMPDIR={}", "file://{}", "(see {})"),
}
TEMPORARY = st.builds("/{}/{}/{}".format, st.sampled_from(("tmp", "var/tmp", "var/folders/zz", "private/var/folders")), WORD, WORD)


@settings(deadline=None)
@given(st.data(), PROJECT, EMAIL, NUMBER, BILLING, TOKEN, V4, V6)
def test_no_secret_survives(data: st.DataObject, project: str, email: str, number: str, billing: str, token: str, v4: str, v6: str) -> None:
    path = data.draw(TEMPORARY)
    secrets = {
        "project": [project], "email": [email], "number": [number], "billing": [billing], "token": [token], "address": [v4, v6],
        "temporary path": [path],
    }  # fmt: skip
    tree = {
        kind: [data.draw(st.sampled_from(forms)).format(secret) for secret in values for _ in range(2)]
        for (kind, forms), values in zip(IN_TEXTS.items(), secrets.values(), strict=True)
    }
    made = Redactor({"email": [email]}).apply({"checks": tree, "again": f"{project} {email} {number} {billing} {v4}"})
    left = "\n".join([made["again"], *(text for texts in made["checks"].values() for text in texts)]).casefold()
    for values in secrets.values():
        for secret in values:
            assert not holds(left, secret)


def holds(text: str, secret: str) -> bool:
    """Return whether a text holds a secret as a token of its own; within another word it gives nothing away."""
    return bool(re.search(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", text, re.IGNORECASE))


SIDES = st.sampled_from(("", " ", "/", "-", "_", ".", "=", ":", '"', "'", "(", "@", ",", "\n", "%2F", "é", "x", "7", "S"))


@settings(deadline=None)
@given(st.lists(st.tuples(SIDES, st.sampled_from(("user", "home", "project", "host")), SIDES), min_size=1, max_size=20), WORD, PROJECT)
def test_a_text_full_of_secrets_keeps_none_and_its_other_words(pieces: list[tuple[str, str, str]], user: str, project: str) -> None:
    assume(user not in NO_NAMES)
    known = {"user": [user], "home": [f"/data/people/{user}"], "project": [project], "host": [f"{user}-laptop"]}
    text = "|".join(f"{before}{known[kind][0]}{after}" for before, kind, after in pieces)
    made = Redactor(known).apply(f"{text}|{user}urations|x{project}")
    for (value,) in known.values():
        hyphens = r"\w-" if len(value) < 6 else r"^\W_"  # a short word within others is no secret
        assert not re.search(rf"(?<![{hyphens}]){re.escape(value)}(?![{hyphens}])", made, re.IGNORECASE)
    assert made.endswith(f"|{user}urations|x{project}")


def test_the_same_thing_has_the_same_name_wherever_it_stands() -> None:
    tree = [
        "projects/llm-dev/nodes/one",
        {"a": "project llm-dev, LLM-DEV and llm-dev-bucket"},
        "as ada@example.com",
        "ada@example.com again",
        7,
        None,
    ]
    assert Redactor().apply(tree) == [
        "projects/[project 1]/nodes/[node 1]",
        {"a": "project [project 1], [project 1] and [project 1]-bucket"},
        "as [email 1]",
        "[email 1] again",
        7,
        None,
    ]


def test_what_is_known_is_replaced_though_nothing_tells_it_apart() -> None:
    made = Redactor({"project": ["llm-dev", None], "host": ["box"]}).apply(["llm-dev runs on box", "a boxer"])
    assert made == ["[project 1] runs on [host 1]", "a boxer"]  # short ones as whole words alone


def test_what_is_not_personal_stays() -> None:
    said = [
        "Python 3.11.7", "gcloud 528.0.0", "torch 2.9.1+cpu", "2026-11-22T12:00:00.123+00:00", "us-central1-b", "roles/tpu.admin",
        "http://127.0.0.1:40123", "TPUV6EPerProjectPerZoneForTPUAPI", "0000:00:04.0", "https://docs.cloud.google.com/tpu/docs/quota",
        "gcloud projects create <PROJECT>", "projects/-/locations", "6.12.0-x86_64",
    ]  # fmt: skip
    assert Redactor().apply(said) == said


def test_no_pseudonym_gives_away_what_it_stands_for() -> None:
    made = Redactor({"project": ["project"], "email": ["e-mail-1"]}).apply(["projects/project", "x e-mail-1"])
    assert "project" not in made[0].removeprefix("projects/")
    assert json.dumps(made)


def test_home_and_temporary_paths_are_replaced_whole() -> None:
    texts_ = ["/srv/ada/.config/gcloud and /srv/adam", "/tmp/pytest-of-ada/pytest-0/x.json", "/tmp is full", "/tmpfiles", "%2Fsrv%2Fada"]
    assert Redactor({"home": ["/srv/ada"], "user": ["ada"]}).apply(texts_) == [
        "[home 1]/.config/gcloud and /srv/adam", "[temporary path 1]", "/tmp is full", "/tmpfiles", "%2Fsrv%2F[user 1]",
    ]  # fmt: skip


def test_a_users_folder_is_redacted() -> None:
    assert Redactor().apply(["/home/grace/.config/gcloud", "/Users/grace/x"]) == ["/home/[user 1]/.config/gcloud", "/Users/[user 1]/x"]
