"""Sends requests to Google Cloud over HTTP: tokens, proxies, certificates, and every failure as a CloudError."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import google.auth.exceptions
import google.auth.transport.requests
import requests
import urllib3.exceptions

from heartbeat_core import __version__
from heartbeat_core.cloud.auth import SERVICES, Login, Principal, email_of
from heartbeat_core.cloud.cancellation import Timeout
from heartbeat_core.cloud.errors import CloudError, Kind, refusal
from heartbeat_core.errors import without_controls

CONNECTIONS = 32  # at most as many calls at the same time
UNAUTHORIZED = 401
Session = TypeVar("Session", bound=requests.Session)


class HttpConnection:
    """Sends requests, one at a time for each thread; proxies and certificates are those of the environment."""

    def __init__(self, login: Login, endpoint: str | None = None) -> None:
        self.login, self.endpoint = login, endpoint
        self.principal: Principal = login.principal
        self.lock = threading.Lock()
        self.http = self.prepare(requests.Session())
        self.tpu_client: Any = None  # that of google-cloud-tpu, from its first call on

    def prepare(self, http: Session) -> Session:
        """Set up a session of requests: as many connections as calls at the same time, our name, no proxy before an emulator."""
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
        for scheme in ("https://", "http://"):
            http.mount(scheme, adapter)
        http.headers["User-Agent"] = f"heartbeat-tui/{__version__}"
        http.auth = no_auth
        if self.endpoint and self.endpoint.startswith("http:"):  # this machine's own loopback, where no proxy leads
            http.trust_env = False
        return http

    def close(self) -> None:
        self.http.close()
        if self.tpu_client is not None:
            self.tpu_client.transport.close()

    def send(
        self,
        method: str,
        service: str,
        path: str,
        params: Mapping[str, str | Sequence[str]] | None,
        body: Mapping[str, Any] | None,
        timeout: Timeout,
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return status and object; raise CloudError otherwise, for a 401 only after a fresh token."""
        url = (self.endpoint or SERVICES[service]) + path
        refused: str | None = None
        while True:
            headers: dict[str, str] = {}
            token = self.authorize(headers, timeout, refused)
            with failures(service):
                answer = self.http.request(method, url, params=params, json=body, headers=headers, timeout=timeout, allow_redirects=False)
            if answer.status_code != UNAUTHORIZED or token is None or refused is not None:
                break
            refused = token
        if not answer.ok or answer.is_redirect:
            raise refusal(service, answer.status_code, answer.content, answer.headers.get("Retry-After"))
        return answer.status_code, read_object(answer.content, service)

    def authorize(self, headers: dict[str, str], timeout: Timeout, refused: str | None = None) -> str | None:
        """Write a token, other than ``refused``, into ``headers`` and return it, None where none is needed.

        Raise CloudError where there is no token.
        """
        credentials = self.login.credentials
        with self.lock, failures("oauth2"):
            if not credentials.valid or (refused is not None and credentials.token == refused):
                # over the same session: proxies and certificates apply to tokens too
                request = google.auth.transport.requests.Request(self.http)
                credentials.refresh(functools.partial(request, timeout=timeout))
                self.learn(email_of(getattr(credentials, "id_token", None)) or getattr(credentials, "service_account_email", None))
            credentials.apply(headers)
            token: str | None = credentials.token
        return token

    def learn(self, name: str | None) -> None:
        """Keep the principal's name, if it was not known."""
        if name and "@" in name and self.principal.name is None:
            self.principal = replace(self.principal, name=name)


def no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no authorization: otherwise a line in ~/.netrc would replace the token."""
    return request


@contextlib.contextmanager
def failures(service: str) -> Iterator[None]:
    """Turn every failure of requests and google.auth into a CloudError."""
    try:
        yield
    except google.auth.exceptions.TransportError as error:
        raise CloudError(kind_of(error.__cause__ or error), str(error), service=service) from None
    except google.auth.exceptions.GoogleAuthError as error:
        said = error.args[0] if error.args else error
        raise CloudError("no credentials", str(said), service=service) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # "from None": what these carry along is the request, and with it the token
        raise CloudError(kind_of(error), reason_of(error), service=service) from None


def kind_of(error: BaseException) -> Kind:
    if isinstance(error, requests.Timeout | TimeoutError):
        return "timed out"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "cut"
    # a connection that was there and ended before an answer, against one that never was
    if isinstance(error, requests.ConnectionError) and any(isinstance(part, urllib3.exceptions.ProtocolError) for part in error.args):
        return "cut"
    return "unreachable"


def reason_of(error: BaseException) -> str:
    """Return the innermost reason: the libraries wrap "Connection refused" three times."""
    reason: object = error
    for part in error.args[:1]:
        reason = getattr(part, "reason", None) or part
    return str(reason) or type(error).__name__


def read_object(body: bytes, service: str) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty one."""
    if not body.strip():
        return {}
    try:
        answer = without_controls(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise CloudError("garbled", f"not JSON: {error}", service=service) from None
    if not isinstance(answer, dict):
        raise CloudError("garbled", f"a {type(answer).__name__} where an object was due", service=service)
    return answer
