"""The Cloud TPU API through google-cloud-tpu, against a real server: what is sent, what goes wrong, and an end at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import google.auth.credentials
import pytest

from heartbeat_core.cloud import tpu
from heartbeat_core.cloud.auth import Login, Principal
from heartbeat_core.cloud.cancellation import Cancellation
from heartbeat_core.cloud.connection import HttpConnection
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.session import CloudSession, Limits

NODE = "projects/p/locations/z/nodes/"


class Tokens(google.auth.credentials.Credentials):
    """Hands out token-1, token-2, …"""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made = 0

    def refresh(self, request: Any) -> None:
        self.made += 1
        self.token = f"token-{self.made}"


def refused(session: CloudSession) -> CloudError:
    with pytest.raises(CloudError) as caught:
        tpu.get_node(session, "p", "z", "n")
    return caught.value


def test_a_call_is_evidence(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(503), answer(body={"name": NODE + "n", "state": 2}))
    assert tpu.get_node(session, "p", "z", "n").state == "READY"
    (call,) = session.calls
    assert (call.asked, call.answered) == (f"GET tpu /v2/{NODE}n", "200 after 2 tries")
    assert server.asked[0].headers["User-Agent"].startswith("heartbeat-tui/")
    assert "enum-encoding%3Dint" in server.asked[0].path
    server.say(answer(404))
    assert refused(session).status == 404
    assert session.calls[-1].answered == "404 refused"


def test_a_node_that_does_not_fit_costs_itself_only(server: Any, session: CloudSession, answer: Any) -> None:
    first = {"nodes": [{"name": NODE + "a"}, {"name": NODE + "b", "schedulingConfig": 7}], "nextPageToken": "2", "unreachable": ["y"]}
    server.say(answer(body=first), answer(body={"nodes": [{"name": NODE + "c", "labels": None}, {"name": NODE + "d", "symptoms": [None]}]}))
    found = tpu.list_nodes(session, "p")
    assert ([node.id for node in found.nodes], found.unreachable) == (["a", "c"], ("y", "z"))
    assert "pageToken=2" in server.asked[1].path


def test_no_control_character_comes_in(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"name": NODE + "n", "healthDescription": "\x1b[2Jgone", "labels": {"a": "\x9b1m"}}))
    node = tpu.get_node(session, "p", "z", "n")
    assert (node.health_description, node.labels, node.answer["healthDescription"]) == (" [2Jgone", {"a": " 1m"}, " [2Jgone")


def test_a_list_without_an_end_is_given_up(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(body={"nextPageToken": "2"}))
    with pytest.raises(CloudError, match="invalid answer"):
        tpu.list_queued_resources(session, "p")
    assert len(server.asked) == 2


@pytest.mark.parametrize("body", [b'{"state": "ACT', b"[]", b"null", pytest.param(b"[" * 100_000, id="deep"), {"schedulingConfig": 7}])
def test_an_answer_that_makes_no_sense_is_garbled(server: Any, session: CloudSession, answer: Any, body: Any) -> None:
    server.say(answer(body=body))
    assert refused(session).kind == "garbled"
    assert len(server.asked) == 1


@pytest.mark.parametrize(("body", "said"), [(b'{"error": "invalid_grant"}', "invalid_grant"), (b"<html><h1>Bad gateway", "Bad gateway")])
def test_any_body_of_a_refusal_is_read(server: Any, session: CloudSession, answer: Any, body: bytes, said: str) -> None:
    server.say(answer(403, body=body))
    assert said in refused(session).message


def test_a_redirect_is_not_followed(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(302, headers={"Location": "http://127.0.0.1:1/"}))
    assert refused(session).status == 302


def test_a_hung_call_is_cancelled_at_once(server: Any, session: CloudSession, answer: Any) -> None:
    server.say(answer(hold=True))
    cancellation, met = Cancellation(), []
    narrow = session.child_session(cancellation=cancellation)
    thread = threading.Thread(target=lambda: met.append(refused(narrow).kind))
    thread.start()
    assert server.held.acquire(timeout=30)
    cancellation.cancel()
    thread.join(30)
    assert met == ["cancelled"]
    assert (narrow.calls[0].asked, narrow.calls[0].answered) == (f"GET tpu /v2/{NODE}n", "cancelled")


def test_a_silent_server_and_a_dead_port_differ(server: Any, answer: Any, free_port: int) -> None:
    server.say(answer(hold=True))
    from heartbeat_core.cloud.session import open_session

    assert refused(open_session(endpoint=server.url, environ={}, limits=Limits(read_s=0.05))).kind == "timed out"
    assert refused(open_session(endpoint=f"http://127.0.0.1:{free_port}", environ={})).kind == "unreachable"


def test_a_token_that_is_refused_is_renewed_once(server: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    login = Login(Tokens(), Principal(None, "user", "a test"), SourcedValue(None, ""))
    session = CloudSession(HttpConnection(login, server.url), Limits())
    tpu.client_of(session.connection).transport._session.trust_env = True
    server.say(answer(401), answer(body={"name": NODE + "n"}))
    assert tpu.get_node(session, "p", "z", "n").id == "n"
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer token-1", "Bearer token-2"]
    server.say(answer(401))
    assert refused(session).status == 401
    assert len(server.asked) == 4


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"raw": b""}])
def test_a_change_is_sent_once_with_its_id(server: Any, session: CloudSession, answer: Any, fault: dict[str, Any]) -> None:
    server.say(answer(**fault))
    with pytest.raises(CloudError):
        tpu.create_queued_resource(session, "p", "z", "q", {"spot": {}})
    (asked,) = server.asked
    assert "queuedResourceId=q" in asked.path
    assert "requestId=" in asked.path
    assert asked.json == {"spot": {}}


def test_an_operation_says_why_it_failed_whatever_else_it_holds(server: Any, session: CloudSession, answer: Any) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "STOCKOUT", "metadata": {"zone": "z"}}
    error = {"code": 8, "message": "There is no more capacity", "details": [info]}
    metadata = {"@type": "type.googleapis.com/google.cloud.tpu.v2.OperationMetadata", "verb": "create", "target": NODE + "n"}
    body = {"name": "projects/p/locations/z/operations/o", "done": True, "error": error, "metadata": metadata}
    server.say(answer(body=body))
    found = tpu.get_operation(session, "projects/p/locations/z/operations/o")
    assert (found.verb, found.done, found.error and (found.error.code, found.error.reason)) == ("create", True, (8, "STOCKOUT"))
    server.say(answer(body={**body, "metadata": {"@type": "type.googleapis.com/google.cloud.tpu.v9.Unknown"}}))
    found = tpu.get_operation(session, "projects/p/locations/z/operations/o")
    assert (found.verb, found.done, found.error and found.error.message) == (None, True, "There is no more capacity")
