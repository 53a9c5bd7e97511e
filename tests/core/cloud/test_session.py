"""The session, against a real server: limits, retries, what failed how, and an end at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core import cloud
from heartbeat_core.cloud.cancellation import Cancellation
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession, Limits, open_session
from heartbeat_core.errors import HeartbeatError

QUICK_TRIES = 3


def error_body(status: int, message: str, reason: str = "", **metadata: str) -> dict[str, Any]:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}
    return {"error": {"code": status, "message": message, "status": "PERMISSION_DENIED", "details": [info] if reason else []}}


def refused(session: CloudSession, path: str = "/v2/x") -> CloudError:
    with pytest.raises(CloudError) as caught:
        session.get("tpu", path)
    return caught.value


def test_only_the_connection_needs_googles_libraries() -> None:
    folder = Path(cloud.__file__).parent
    names = [f"heartbeat_core.cloud.{path.stem}" for path in folder.glob("[a-z]*.py") if path.stem != "connection"]
    code = f"import sys, {', '.join(names)}; print([name for name in sys.modules if name.startswith(('google.', 'requests', 'urllib3'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_read_gives_the_object_and_notes_the_call(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"state": "ACTIVE"}))
    assert session.get("cloudresourcemanager", "/v3/projects/p", {"a": "b"}) == {"state": "ACTIVE"}
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/v3/projects/p?a=b")
    assert asked.headers["User-Agent"].startswith("heartbeat-tui/")
    assert "Authorization" not in asked.headers
    (call,) = session.calls
    assert (call.asked, call.answered) == ("GET cloudresourcemanager /v3/projects/p", "200")
    assert "anonymous" in call.principal


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_is_tried_again_when_the_server_asks_for_it(server: Any, session: CloudSession, answer: Any, status: int) -> None:
    server.say(answer(status), answer(status), answer(body={"a": 1}))
    assert session.get("tpu", "/v2/x") == {"a": 1}
    assert session.calls[0].answered == "200 after 3 tries"


def test_a_read_by_post_is_tried_again(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(503), answer(body={"permissions": ["a"]}))
    assert session.ask("iam", "/v1/x:testIamPermissions", {"permissions": ["a"]}) == {"permissions": ["a"]}
    assert [asked.json for asked in server.asked] == [{"permissions": ["a"]}] * 2


def test_retries_end(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(503))
    assert refused(session).status == 503
    assert len(server.asked) == QUICK_TRIES
    assert session.calls[0].answered == f"503 refused after {QUICK_TRIES} tries"


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500, 501, 504])
def test_nothing_else_is_tried_again(server: Any, session: CloudSession, answer: Any, status: int) -> None:
    server.say(answer(status, body=error_body(status, "no")))
    assert refused(session).status == status
    assert len(server.asked) == 1


def test_a_wait_longer_than_the_time_left_is_not_begun(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(429, headers={"Retry-After": "3600"}))
    assert refused(session).status == 429
    assert len(server.asked) == 1


def test_the_server_may_ask_for_a_longer_wait(session: CloudSession) -> None:
    assert session.wait(CloudError("refused", "", status=429, retry_after_s=7.0), 1) == 7.0
    waits = [session.wait(CloudError("refused", "", status=429), tries) for tries in (1, 2, 3)]
    assert all(0.0005 * 2**tries <= wait <= 0.001 * 2**tries for tries, wait in zip((1, 2, 3), waits, strict=True))


def test_an_error_of_google_is_read(server: Any, session: CloudSession, answer: Any) -> None:
    body = error_body(403, "Cloud TPU API has not been used", "SERVICE_DISABLED", consumer="projects/7", service="tpu.googleapis.com")
    server.say(answer(403, body=body))
    error = refused(session)
    assert (error.kind, error.status, error.code, error.reason) == ("refused", 403, "PERMISSION_DENIED", "SERVICE_DISABLED")
    assert error.metadata == {"consumer": "projects/7", "service": "tpu.googleapis.com"}
    assert (error.title, error.cause) == ("tpu answered 403 PERMISSION_DENIED", "Cloud TPU API has not been used")
    assert error.exit_code == 3
    assert session.calls[0].answered == "403 SERVICE_DISABLED"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "invalid_grant", "error_description": "Bad Request"}', "invalid_grant: Bad Request"),
        (b"<html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>", "502 Bad gateway"),
        (b"", "Forbidden"),
        (b"[]", "[]"),
        (b'[{"error": {"message": "wrapped"}}]', "wrapped"),
        (b'{"error": {"message": 7, "details": [3, {"@type": 5}]}}', "Forbidden"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        pytest.param(b"[" * 100_000, "[" * 2000, id="deep"),
    ],
)
def test_any_body_of_a_refusal_is_read(server: Any, session: CloudSession, answer: Any, body: bytes, said: str) -> None:
    server.say(answer(403, body=body))
    assert refused(session).message == said


@pytest.mark.parametrize("body", [b'{"state": "ACT', b"[]", b'"x"', b"null", b"\xff", pytest.param(b"[" * 100_000, id="deep"), b"<html>"])
def test_an_answer_that_makes_no_sense_is_garbled(server: Any, session: CloudSession, answer: Any, body: bytes) -> None:
    server.say(answer(body=body))
    assert refused(session).kind == "garbled"
    assert len(server.asked) == 1


def test_an_empty_answer_is_an_empty_object(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body=b""))
    assert session.get("tpu", "/v2/x") == {}


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"rubbish\r\n\r\n"])
def test_a_cut_connection_is_tried_again_by_reads(server: Any, session: CloudSession, answer: Any, raw: bytes) -> None:
    server.say(answer(raw=raw), answer(body={"a": 1}))
    assert session.get("tpu", "/v2/x") == {"a": 1}
    server.say(answer(raw=raw))
    assert refused(session).kind == "cut"


def test_a_redirect_is_not_followed(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(302, headers={"Location": "http://127.0.0.1:1/"}))
    assert refused(session).status == 302


def test_a_dead_port_is_unreachable(free_port: int) -> None:
    session = open_session(endpoint=f"http://127.0.0.1:{free_port}", environ={})
    error = refused(session)
    assert error.kind == "unreachable"
    assert "refused" in error.message.lower()
    assert session.calls[0].answered == "unreachable"


def test_a_silent_server_is_given_up(server: Any, answer: Any) -> None:
    server.say(answer(hold=True))
    session = open_session(endpoint=server.url, environ={}, limits=Limits(read_s=0.05))
    assert refused(session).kind == "timed out"


def test_a_server_that_drips_is_given_up_in_all(server: Any, answer: Any) -> None:
    server.say(answer(hold=True))
    session = open_session(endpoint=server.url, environ={}, limits=Limits(read_s=60, total_s=0.05))
    assert refused(session).kind == "timed out"


def test_a_narrow_session_has_one_limit_for_all_its_calls(server: Any, session: CloudSession, answer: Any) -> None:
    narrow = session.child_session(seconds=0.0)
    assert refused(narrow).kind == "timed out"
    assert not session.calls
    assert session.get("tpu", "/v2/x") == {}


def test_a_call_is_cancelled_at_once(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(hold=True))
    cancellation = Cancellation()
    narrow, met = session.child_session(cancellation=cancellation, seconds=3600), []
    thread = threading.Thread(target=lambda: met.append(refused(narrow).kind))
    thread.start()
    assert server.held.acquire(timeout=30)  # the server has the request and will never answer
    cancellation.cancel()
    thread.join(30)
    assert met == ["cancelled"]
    assert refused(narrow).kind == "cancelled"
    assert len(server.asked) == 1
    server.say(answer())
    assert session.get("tpu", "/v2/x") == {}


def test_a_wait_between_tries_is_cancelled_at_once(server: Any, answer: Any) -> None:
    server.say(answer(503, headers={"Retry-After": "3000"}))
    session = open_session(endpoint=server.url, environ={}, limits=Limits(total_s=3600))
    met: list[str] = []
    thread = threading.Thread(target=lambda: met.append(refused(session).kind))
    thread.start()
    while not server.asked:
        time.sleep(0)
    session.cancel()
    thread.join(30)
    assert met == ["cancelled"]


def test_a_list_is_read_to_its_last_page(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(
        answer(body={"nodes": [{"name": "a"}], "nextPageToken": "2"}),
        answer(body={"nextPageToken": "3"}),
        answer(body={"nodes": [{"name": "b"}, 7]}),
    )
    assert session.list("tpu", "/v2/nodes", "nodes", {"pageSize": "1"}) == ({"name": "a"}, {"name": "b"})
    assert [asked.path for asked in server.asked] == [
        "/v2/nodes?pageSize=1",
        "/v2/nodes?pageSize=1&pageToken=2",
        "/v2/nodes?pageSize=1&pageToken=3",
    ]


def test_a_list_without_an_end_is_given_up(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"nextPageToken": "2"}))
    with pytest.raises(CloudError, match="invalid answer"):
        session.list("tpu", "/v2/nodes", "nodes")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "http://",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1/?a",
    ],
)
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(HeartbeatError, match="is no endpoint") as caught:
        open_session(endpoint=endpoint or "x", environ={})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "127.0.0.1.example.com", "0.0.0.0", "localhost.example.com"])
def test_nothing_is_sent_in_the_clear_to_another_machine(host: str) -> None:
    with pytest.raises(HeartbeatError, match="not encrypted"):
        open_session(environ={"HEARTBEAT_CLOUD_ENDPOINT": f"http://{host}:8080"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8", "http://localhost:8/", "http://[::1]:8", "https://emulator.example.com"])
def test_an_endpoint_is_taken_from_the_environment(url: str) -> None:
    session = open_session(environ={"HEARTBEAT_CLOUD_ENDPOINT": url})
    assert session.endpoint == url.rstrip("/")
    assert session.emulated
    assert session.principal.sort == "anonymous"
    assert repr(session) == f"<CloudSession as anonymous (emulated) at {url.rstrip('/')}>"
