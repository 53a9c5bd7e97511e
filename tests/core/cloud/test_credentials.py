"""Credentials: found where Google's libraries find them, refreshed once, named, and never told."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartbeat_core.cloud.auth import Principal, email_of, find_login
from heartbeat_core.cloud.errors import CloudError, redact
from heartbeat_core.cloud.session import CloudSession, Limits, open_session

ACCESS, REFRESH, SECRET = "ya29.THE-ACCESS-TOKEN", "1//THE-REFRESH-TOKEN-0123456789", "GOCSPX-THE-SECRET"
EMAIL = "you@example.com"


def id_token(claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.sig"


def user_file(path: Path, **more: object) -> Path:
    info = {"type": "authorized_user", "client_id": "id", "client_secret": SECRET, "refresh_token": REFRESH, **more}
    path.write_text(json.dumps(info))
    return path


@pytest.fixture(scope="module")
def private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def service_account_file(path: Path, key: str, token_uri: str) -> Path:
    info = {"type": "service_account", "project_id": "own", "private_key_id": "1", "private_key": key, "token_uri": token_uri}
    path.write_text(json.dumps({**info, "client_email": "robot@own.iam.gserviceaccount.com", "client_id": "1"}))
    return path


@pytest.fixture
def google(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send requests for tokens and APIs to the server, as to Google's."""
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{server.url}/token")
    for service in ("tpu", "oauth2"):
        monkeypatch.setitem(services(), service, server.url)
    return server


def services() -> dict[str, str]:
    from heartbeat_core.cloud.auth import SERVICES

    return SERVICES


def answering(answer: Any, token: dict[str, Any] | None = None, *, token_status: int = 200, **more: Any) -> Any:
    """Answer as Google does: a token at /token, and the API wherever else."""
    body = {"access_token": ACCESS, "expires_in": 3600, "token_type": "Bearer"} if token is None else token

    def give(asked: Any) -> Any:
        return answer(token_status, body) if asked.path == "/token" else answer(**more)

    return give


def open_as_user(path: Path, **environ: str) -> CloudSession:
    return open_session(environ={"GOOGLE_APPLICATION_CREDENTIALS": str(user_file(path / "adc.json")), **environ}, limits=Limits(tries=1))


def test_a_users_token_is_fetched_and_sent(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answering(answer, {"access_token": ACCESS, "expires_in": 3600, "id_token": id_token({"email": EMAIL})}, body={"a": 1}))
    session = open_as_user(tmp_path)
    assert session.principal.name is None
    assert session.get("tpu", "/v2/x") == {"a": 1}
    assert google.asked[-1].headers["Authorization"] == f"Bearer {ACCESS}"
    assert session.principal.name == EMAIL
    assert session.principal.member == f"user:{EMAIL}"
    assert [asked.path for asked in google.asked] == ["/token", "/v2/x"]


def test_many_calls_at_once_share_one_token(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answering(answer))
    session = open_as_user(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: session.get("tpu", f"/v2/{number}"), range(16)))
    assert [asked.path for asked in google.asked].count("/token") == 1


def test_an_expired_token_is_replaced_once(google: Any, answer: Any, tmp_path: Path) -> None:
    tokens = iter(("ya29.old", "ya29.new", "ya29.newer"))

    def give(asked: Any) -> Any:
        if asked.path == "/token":
            return answer(body={"access_token": next(tokens), "expires_in": 3600})
        return answer(401 if asked.headers["Authorization"] == "Bearer ya29.old" else 200)

    google.say(give)
    session = open_as_user(tmp_path)
    assert session.get("tpu", "/v2/x") == {}
    assert [asked.path for asked in google.asked] == ["/token", "/v2/x", "/token", "/v2/x"]


def test_a_token_refused_twice_is_a_refusal(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answering(answer, status=401))
    with pytest.raises(CloudError) as caught:
        open_as_user(tmp_path).get("tpu", "/v2/x")
    assert caught.value.status == 401
    assert [asked.path for asked in google.asked] == ["/token", "/v2/x"] * 2


def test_a_revoked_grant_is_no_credentials(google: Any, answer: Any, tmp_path: Path) -> None:
    body = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    google.say(answering(answer, body, token_status=400))
    with pytest.raises(CloudError, match="Token has been expired or revoked") as caught:
        open_as_user(tmp_path).identify()
    assert caught.value.kind == "no credentials"


def test_a_dead_token_endpoint_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"http://127.0.0.1:{free_port}/token")
    with pytest.raises(CloudError) as caught:
        open_as_user(tmp_path).get("tpu", "/v2/x")
    assert caught.value.kind == "unreachable"


def test_identify_asks_for_the_name_where_the_token_does_not_tell(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answering(answer, body={"email": EMAIL}))
    assert open_as_user(tmp_path).identify().name == EMAIL
    assert [asked.path for asked in google.asked] == ["/token", "/v1/userinfo"]


def test_a_name_that_cannot_be_learned_is_said_to_be_unknown(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answering(answer, status=401))
    principal = open_as_user(tmp_path).identify()
    assert principal.name is None
    assert str(principal).startswith("unknown (user, from ")


def test_the_quota_project_is_sent_along_and_its_source_known(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answering(answer))
    session = open_as_user(tmp_path)
    session.get("tpu", "/v2/x")
    assert "x-goog-user-project" not in google.asked[-1].headers
    assert session.login.quota_project.value is None

    session = open_as_user(tmp_path, GOOGLE_CLOUD_QUOTA_PROJECT="payer")
    session.get("tpu", "/v2/x")
    assert google.asked[-1].headers["x-goog-user-project"] == "payer"
    assert (session.login.quota_project.value, session.login.quota_project.source) == ("payer", "GOOGLE_CLOUD_QUOTA_PROJECT")

    file = user_file(tmp_path / "own.json", quota_project_id="mine")
    assert find_login({"GOOGLE_APPLICATION_CREDENTIALS": str(file)}).quota_project.value == "mine"


def test_a_service_account_acts_by_its_key(google: Any, answer: Any, tmp_path: Path, private_key: str) -> None:
    google.say(answering(answer))
    file = service_account_file(tmp_path / "key.json", private_key, f"{google.url}/token")
    session = open_session(environ={"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert session.principal.name == "robot@own.iam.gserviceaccount.com"
    assert session.principal.member == "serviceAccount:robot@own.iam.gserviceaccount.com"
    session.get("tpu", "/v2/x")
    assert [asked.path for asked in google.asked] == ["/token", "/v2/x"]  # and nothing in the background
    assert google.asked[-1].headers["Authorization"] == f"Bearer {ACCESS}"


def test_the_same_file_is_found_as_google_finds_it(tmp_path: Path) -> None:
    user_file(tmp_path / "application_default_credentials.json")
    environ = {"CLOUDSDK_CONFIG": str(tmp_path), "PATH": ""}
    code = "import google.auth, warnings; warnings.simplefilter('ignore'); print(google.auth.default()[0].refresh_token)"
    theirs = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True).stdout.strip()
    login = find_login(environ)
    assert login.credentials.refresh_token == theirs == REFRESH
    assert "gcloud auth application-default login" in login.principal.source


def test_the_variable_comes_before_gclouds_file(tmp_path: Path) -> None:
    user_file(tmp_path / "application_default_credentials.json", account="gcloud@example.com")
    named = user_file(tmp_path / "named.json", account="named@example.com")
    environ = {"CLOUDSDK_CONFIG": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": str(named)}
    assert find_login(environ).principal.name == "named@example.com"


def test_a_vm_acts_as_its_service_account(server: Any, answer: Any, tmp_path: Path) -> None:
    """In a process of its own: google.auth reads GCE_METADATA_HOST when it is imported."""
    email = "1-compute@developer.gserviceaccount.com"
    told = {
        "project/project-id": "llm",
        "instance/zone": "projects/1/zones/us-central1-b",
        "instance/service-accounts/default/email": email,
    }

    def give(asked: Any) -> Any:
        path = asked.path.removeprefix("/computeMetadata/v1/")
        flavor = {"Metadata-Flavor": "Google"}
        if path.startswith("instance/service-accounts/") and "token" in path:
            return answer(body={"access_token": ACCESS, "expires_in": 3600, "token_type": "Bearer"}, headers=flavor)
        if path.startswith("instance/service-accounts/") and "recursive" in path:
            return answer(body={"email": email, "scopes": ["s"], "aliases": ["default"]}, headers=flavor)
        if path in told:
            return answer(body=told[path].encode(), headers={**flavor, "Content-Type": "text/plain"})
        if not asked.path.startswith("/computeMetadata"):
            return answer(body={"authorization": asked.headers.get("authorization")})
        return answer(404, headers=flavor)

    server.say(give)
    code = (
        "import sys; from heartbeat_core.cloud import auth, session; auth.SERVICES['tpu'] = sys.argv[1]\n"
        "s = session.open_session(); print(s.principal.name, s.principal.sort)\n"
        "print(s.get('tpu', '/v2/x')['authorization'], s.principal.member)"
    )
    environ = {"GCE_METADATA_HOST": f"127.0.0.1:{server.port}", "CLOUDSDK_CONFIG": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, server.url], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{email} metadata server", f"Bearer {ACCESS} serviceAccount:{email}"]


def test_no_account_is_found_without_credentials(tmp_path: Path, free_port: int) -> None:
    with pytest.raises(CloudError, match="were not found") as caught:
        find_login({"CLOUDSDK_CONFIG": str(tmp_path), "GCE_METADATA_HOST": f"127.0.0.1:{free_port}"})
    assert caught.value.kind == "no credentials"


BROKEN = [
    b"", b"{", b"[]", b"7", b"null", b"\xff", b"{}", b'{"type": "authorized_user"}', b'{"type": "service_account"}', b'{"type": 7}',
    b'{"type": "external_account"}', b'{"type": "impersonated_service_account"}', b'{"type": "unheard of"}',
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_explained(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key.json"
    file.write_bytes(content)
    with pytest.raises(CloudError) as caught:
        find_login({"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert caught.value.kind == "no credentials"
    assert str(file) in caught.value.message


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="cannot be read"):
        find_login({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "nothing.json")})


def test_nothing_secret_is_logged(google: Any, answer: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    google.say(answering(answer, status=500, body={"error": {"message": f"what is {ACCESS}? Bearer {ACCESS}"}}))
    session = open_as_user(tmp_path)
    with pytest.raises(CloudError) as caught:
        session.get("tpu", "/v2/x")
    google.say(answering(answer, raw=b""))
    with pytest.raises(CloudError) as cut:
        session.get("tpu", "/v2/x")
    errors = [part for error in (caught.value, cut.value) for part in (str(error), repr(error), repr(error.__dict__))]
    told = "\n".join([caplog.text, repr(session), repr(session.login), repr(session.calls), repr(session.connection), *errors])
    for secret in (ACCESS, REFRESH, SECRET):
        assert secret not in told
    for error in (caught.value, cut.value):
        assert error.__cause__ is None
    assert cut.value.__suppress_context__  # what lies behind carries the request along


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("a ya29.a0Af_B-x.y b", "a [secret] b"),
        ("Authorization: Bearer abc.def-g", "Authorization: Bearer [secret]"),
        ("https://x/y?access_token=abc&z=1", "https://x/y?access_token=[secret]&z=1"),
        ("proxy http://me:pass@proxy:3128/ failed", "proxy http://[secret]@proxy:3128/ failed"),
        ("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nx", "[secret]\nx"),
        ("projects/llm-dev as you@example.com", "projects/llm-dev as you@example.com"),
        ("https://console.developers.google.com/apis/api/tpu.googleapis.com/overview?project=7", None),
    ],
)
def test_secrets_are_taken_out_of_words(words: str, told: str | None) -> None:
    assert redact(words) == (words if told is None else told)


@given(st.text() | st.none() | st.builds(lambda text: f"a.{text}.b", st.text()))
def test_any_id_token_is_read(token: str | None) -> None:
    assert email_of(token) is None or isinstance(email_of(token), str)


def test_the_name_in_an_id_token_is_read() -> None:
    assert email_of(id_token({"email": EMAIL})) == EMAIL
    assert email_of(id_token({"email": 7})) is None
    assert email_of(id_token([])) is None


def test_a_refresh_in_the_background_delays_no_call(google: Any, answer: Any, tmp_path: Path) -> None:
    google.say(answer(hold=True))
    session = open_as_user(tmp_path).child_session(seconds=3600)
    met: list[str] = []

    def ask() -> None:
        with pytest.raises(CloudError) as caught:
            session.get("tpu", "/v2/x")
        met.append(caught.value.kind)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert google.held.acquire(timeout=30)
    session.cancel()
    for thread in threads:
        thread.join(30)
    assert met == ["cancelled"] * 3


def test_members_are_written_as_policies_do() -> None:
    assert Principal("a@b.iam.gserviceaccount.com", "external account", "x").member == "serviceAccount:a@b.iam.gserviceaccount.com"
    assert Principal(None, "user", "x").member is None
    assert str(Principal("you@example.com", "anonymous", "x")) == "you@example.com (emulated)"
