"""Sessions with Google Cloud: calls of every API with time limits, retries of reads only, cancellation and evidence."""

from __future__ import annotations

import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from heartbeat_core.cloud.auth import Login, Principal, anonymous, find_endpoint, find_login
from heartbeat_core.cloud.cancellation import Cancellation, Cancelled, Deadline, Timeout
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.json_fields import rows, text

if TYPE_CHECKING:
    from heartbeat_core.cloud.connection import HttpConnection

T = TypeVar("T")
Params = Mapping[str, "str | Sequence[str]"]

AGAIN = (429, 503)
MOST_PAGES = 200
MOST_CALLS = 200  # the latest of a session, which may live as long as the program


@dataclass(frozen=True)
class Limits:
    """Limits of one call: seconds to connect, without a byte and in total; tries of a read, and the wait after the first."""

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 10.0
    tries: int = 3
    backoff_s: float = 0.4


@dataclass(frozen=True)
class Evidence:
    """One call or look: what, as whom, the answer, and when in ISO 8601."""

    asked: str
    principal: str
    answered: str
    at: str
    took_ms: float

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "took_ms": round(self.took_ms, 1)}


@dataclass
class Exchange:
    """What one call sends, how often, and what comes back: the HTTP status and the object."""

    method: str = ""
    path: str = ""
    tries: int = 0
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)


def open_session(
    *,
    endpoint: str | None = None,
    environ: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> CloudSession:
    """Open a session with the credentials found, or an anonymous one with the emulator at ``endpoint``; raise CloudError for none.

    No call is made yet. Without ``endpoint`` HEARTBEAT_CLOUD_ENDPOINT is used, if set.
    """
    environ = os.environ if environ is None else environ
    base = find_endpoint(endpoint, environ)
    from heartbeat_core.cloud.connection import HttpConnection  # here: it imports google.auth and requests

    login = anonymous() if base else find_login(environ)
    return CloudSession(HttpConnection(login, base), limits or Limits())


class CloudSession:
    """Calls Google Cloud; ``child_session`` makes one for a single task, over the same connection."""

    def __init__(
        self,
        connection: HttpConnection,
        limits: Limits,
        *,
        cancellation: Cancellation | None = None,
        seconds: float | None = None,
    ) -> None:
        self.connection = connection
        self.limits = limits
        self.cancellation = cancellation or Cancellation()
        self.deadline = Deadline(seconds)
        self.calls: MutableSequence[Evidence] = deque(maxlen=MOST_CALLS)

    def __repr__(self) -> str:
        return f"<CloudSession as {self.principal}{f' at {self.endpoint}' if self.endpoint else ''}>"

    def child_session(self, *, cancellation: Cancellation | None = None, seconds: float | None = None) -> CloudSession:
        """Return a session with its own cancellation, its own list of calls, and ``seconds`` for all of them together."""
        return CloudSession(self.connection, self.limits, cancellation=cancellation, seconds=seconds)

    def close(self) -> None:
        """Close the connections; a running call keeps its own until it ends."""
        self.connection.close()

    def cancel(self) -> None:
        """Make every running and later call raise CloudError."""
        self.cancellation.cancel()

    @property
    def login(self) -> Login:
        return self.connection.login

    @property
    def endpoint(self) -> str | None:
        """Return the address of the emulator, None for Google."""
        return self.connection.endpoint

    @property
    def emulated(self) -> bool:
        return self.endpoint is not None

    @property
    def principal(self) -> Principal:
        """Return the principal, as far as known without a call."""
        return self.connection.principal

    def identify(self) -> Principal:
        """Get a token and return its principal, with one more call where the credentials do not name it.

        Raise CloudError where there is no token.
        """
        deadline = self.due()
        self.limited(lambda: self.connection.authorize({}, self.timeout(deadline)), "oauth2", deadline)
        if self.principal.name is None:
            try:
                answer = self.get("oauth2", "/v1/userinfo")
            except CloudError as error:
                # Google answers 401 to a valid token without the scope for a name
                if error.kind == "cancelled" or (self.emulated and error.status == 401):
                    raise
            else:
                self.connection.learn(text(answer, "email"))
        return self.principal

    def get(self, service: str, path: str, params: Params | None = None) -> dict[str, Any]:
        """Read; raise CloudError."""
        return self.call("GET", service, path, params)

    def ask(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Read by a POST that changes nothing, such as testIamPermissions; raise CloudError."""
        return self.call("POST", service, path, body=body)

    def list(self, service: str, path: str, key: str, params: Params | None = None) -> tuple[Mapping[str, Any], ...]:
        """Read the items of every page of the list called ``key``; raise CloudError."""
        return tuple(item for answer in self.pages(service, path, key, params) for item in rows(answer, key))

    def pages(self, service: str, path: str, key: str, params: Params | None = None) -> Iterator[Mapping[str, Any]]:
        """Read page after page; raise CloudError."""
        return every_page(
            lambda token: self.get(service, path, {**(params or {}), **({"pageToken": token} if token else {})}), service, key
        )

    def call(
        self, method: str, service: str, path: str, params: Params | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Read: send a request, and return the object; raise CloudError."""
        exchange = Exchange(method, path)

        def send(timeout: Timeout) -> dict[str, Any]:
            exchange.status, answer = self.connection.send(method, service, path, params, body, timeout)
            return answer

        return self.carry_out(service, send, exchange, reads=True)

    def carry_out(self, service: str, send: Callable[[Timeout], T], exchange: Exchange, *, reads: bool) -> T:
        """Call ``send`` with the times to connect and to read, for a read up to ``limits.tries`` times; record it, and raise CloudError."""
        from google.api_core.retry import retry_target  # here: it imports requests

        at, begun = datetime.now(timezone.utc).isoformat(timespec="milliseconds"), time.monotonic()
        deadline, outcome, waits = self.due(), "cancelled", [0.0]

        def once() -> T:
            exchange.tries += 1
            return send(self.timeout(deadline))

        def again(error: Exception) -> bool:
            if not (reads and isinstance(error, CloudError)) or self.cancellation.cancelled:
                return False
            waits[0] = self.wait(error, exchange.tries)
            passing = error.kind == "cut" or error.status in AGAIN
            return passing and exchange.tries < self.limits.tries and waits[0] < deadline.left_s

        try:
            answer: T = self.limited(lambda: retry_target(once, again, iter(lambda: waits[0], None)), service, deadline)
            outcome = str(exchange.status)
        except CloudError as error:
            outcome = f"{error.status or ''} {error.reason or error.code or error.kind}".strip()
            raise
        finally:
            asked = f"{exchange.method} {service} {exchange.path}"
            answered = f"{outcome} after {exchange.tries} tries" if exchange.tries > 1 else outcome
            self.calls.append(Evidence(asked, str(self.principal), answered, at, 1e3 * (time.monotonic() - begun)))
        return answer

    def limited(self, work: Callable[[], T], service: str, deadline: Deadline) -> T:
        """Run ``work`` in a thread of its own, within the time left and until cancelled; raise CloudError."""
        try:
            return self.cancellation.run(work, deadline.left_s)
        except Cancelled:
            raise CloudError("cancelled", "the call was cancelled before its answer came", service=service) from None
        except TimeoutError as error:
            raise CloudError("timed out", str(error), service=service) from None

    def timeout(self, deadline: Deadline) -> Timeout:
        """Return the seconds to connect and to wait for a byte from now on."""
        left_s = max(0.001, deadline.left_s)
        return min(self.limits.connect_s, left_s), min(self.limits.read_s, left_s)

    def due(self) -> Deadline:
        """Return the deadline of a call that begins now."""
        return Deadline(min(self.limits.total_s, self.deadline.left_s))

    def wait(self, error: CloudError, tries: int) -> float:
        """Return the seconds before the next try: the server's Retry-After, or an exponential backoff with jitter."""
        longest = self.limits.backoff_s * 2**tries
        own: float = longest * random.uniform(0.5, 1.0)
        return max(error.retry_after_s or 0.0, own)


def every_page(read: Callable[[str], T], service: str, key: str, answer_of: Callable[[T], Any] = lambda page: page) -> Iterator[T]:
    """Yield what ``read`` returns for each page of the list ``key``; raise CloudError where they do not end."""
    token = ""
    for _ in range(MOST_PAGES):
        page = read(token)
        yield page
        previous, token = token, text(answer_of(page), "nextPageToken") or ""
        if not token:
            return
        if token == previous:
            break
    raise CloudError("garbled", f"the pages of {key} do not end", service=service)
