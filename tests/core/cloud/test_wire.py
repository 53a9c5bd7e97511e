"""Proxies and certificates are those the environment names."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.cloud.auth import anonymous
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession, Limits, open_session
from heartbeat_core.cloud.tpu import get_node

NO_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
NO_CA = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_PROXY + NO_CA:
        monkeypatch.delenv(name, raising=False)


def to_google() -> CloudSession:
    from heartbeat_core.cloud.connection import HttpConnection

    return CloudSession(HttpConnection(anonymous()), Limits(tries=1))


def test_google_is_asked_through_the_proxy_of_the_environment(server: Any, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.say(answer(403))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hush@127.0.0.1:{server.port}")
    with pytest.raises(CloudError) as caught:
        to_google().get("tpu", "/v2/x")
    assert [(asked.method, asked.path) for asked in server.asked] == [("CONNECT", "tpu.googleapis.com:443")]
    assert server.asked[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert caught.value.kind == "unreachable"
    assert "proxy" in caught.value.message.lower()
    assert "hush" not in str(caught.value)


def test_googles_client_goes_through_the_same_proxy(server: Any, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.say(answer(403))
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hush@127.0.0.1:{server.port}")
    with pytest.raises(CloudError) as caught:
        get_node(to_google(), "p", "z", "n")
    assert [(asked.method, asked.path) for asked in server.asked] == [("CONNECT", "tpu.googleapis.com:443")]
    assert caught.value.kind == "unreachable"
    assert "hush" not in str(caught.value)


def test_no_proxy_stands_before_our_own_loopback(server: Any, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    assert open_session(endpoint=server.url, environ={}).get("tpu", "/v2/x") == {}


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Make a certificate that signs itself, for 127.0.0.1, with its key in the same file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a company's own")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, pem = tmp_path / "authority.pem", serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(pem))
    return file


@pytest.fixture
def secure_server(authority: Path) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads, made.block_on_close = True, False
    made.socket = context.wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()


def test_a_companys_own_authority_is_believed_when_named(secure_server: str, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CloudError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        open_session(endpoint=secure_server, environ={}).get("tpu", "/v2/x")
    assert caught.value.kind == "unreachable"
    with pytest.raises(CloudError, match="CERTIFICATE_VERIFY_FAILED"):
        get_node(open_session(endpoint=secure_server, environ={}), "p", "z", "n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    assert get_node(open_session(endpoint=secure_server, environ={}), "p", "z", "n").state is None
    assert open_session(endpoint=secure_server, environ={}).get("tpu", "/v2/x") == {}


def test_an_authority_that_is_not_there_is_named(secure_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/authority.pem")
    with pytest.raises(CloudError, match=r"/nonexistent/authority\.pem"):
        open_session(endpoint=secure_server, environ={}).get("tpu", "/v2/x")


def test_a_line_in_netrc_takes_no_tokens_place(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session = open_session(endpoint=server.url, environ={})
    session.connection.http.trust_env = True
    session.get("tpu", "/v2/x")
    assert "Authorization" not in server.asked[0].headers
