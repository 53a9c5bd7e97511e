"""The error of a failed call to Google Cloud, and the reader of refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Literal, ParamSpec, TypeVar

from heartbeat_core.cloud.json_fields import labels, rows, text
from heartbeat_core.errors import COULD_NOT_TELL, HeartbeatError, without_controls

P = ParamSpec("P")
T = TypeVar("T")
Kind = Literal["refused", "unreachable", "cut", "timed out", "garbled", "no credentials", "cancelled"]

LONGEST_MESSAGE = 2000
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
SECRETS = re.compile(
    r"ya29\.[\w.-]+"  # access tokens
    r"|\b1//[\w-]{20,}"  # refresh tokens
    r"|\bGOCSPX-[\w-]+"  # client secrets
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|(?<=\bBearer )[\w.~+/=-]+"
    r"|(?<=access_token=)[^&\s\"']+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",  # a proxy's user and password
    re.DOTALL | re.IGNORECASE,
)


class CloudError(HeartbeatError):
    """A failed call.

    ``status`` is the HTTP status and ``code`` Google's name of it ("PERMISSION_DENIED"); ``reason`` and ``metadata`` are
    those of google.rpc.ErrorInfo. All but ``kind`` and ``message`` may be missing.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        service: str = "",
        status: int | None = None,
        code: str | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.message = redact(message)[:LONGEST_MESSAGE]
        self.service, self.status, self.code = service, status, code
        self.reason, self.metadata, self.retry_after_s = reason, dict(metadata or {}), retry_after_s
        super().__init__(self.headline(), self.message, "", exit_code=COULD_NOT_TELL)

    def headline(self) -> str:
        who = self.service or "Google Cloud"
        if self.kind == "refused":
            words = " ".join(str(part) for part in (self.status, self.code or phrase(self.status)) if part)
            return f"{who} answered {words}"
        return {
            "unreachable": f"{who} could not be reached",
            "cut": f"the connection to {who} was cut",
            "timed out": f"{who} did not answer in time",
            "garbled": f"{who} sent an invalid answer",
            "no credentials": "there are no working credentials for Google Cloud",
            "cancelled": f"the call to {who} was cancelled",
        }[self.kind]


def unless_missing(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Return what ``read`` reads, None where Google answers that it does not exist; raise any other CloudError."""
    try:
        return read(*args, **kwargs)
    except CloudError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def phrase(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""


def redact(words: str) -> str:
    """Return ``words`` without what looks like a token, a key or a password."""
    return SECRETS.sub("[secret]", words)


def refusal(service: str, status: int, body: bytes, retry_after: str | None = None) -> CloudError:
    """Return the error of an unsuccessful answer, whatever its body holds.

    Google's own reader (google.api_core.exceptions.from_http_response) raises AttributeError where "error" is a text, as
    OAuth and proxies send it, and takes 100 ms to import.
    """
    words = without_controls(body.decode("utf-8", "replace"))
    try:
        answer = without_controls(json.loads(words))
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, list):  # some APIs wrap the object
        answer = next((part for part in answer if isinstance(part, dict)), None)
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):  # OAuth: {"error": "invalid_grant", "error_description": "…"}; a proxy: a page of HTML
        parts = [error, text(answer, "error_description")] if isinstance(error, str) else [sentence_of(words)]
        said = ": ".join(part for part in parts if part)
        return CloudError("refused", said or phrase(status), service=service, status=status, retry_after_s=seconds(retry_after))
    info = next((detail for detail in rows(error, "details") if detail.get("@type") == ERROR_INFO), {})
    return CloudError(
        "refused",
        text(error, "message") or phrase(status),
        service=service,
        status=status,
        code=text(error, "status"),
        reason=text(info, "reason"),
        metadata=labels(info, "metadata"),
        retry_after_s=seconds(retry_after),
    )


def sentence_of(words: str) -> str:
    """Return the text of a page of HTML, which proxies and load balancers answer with."""
    if "<html" in words[:1000].lower():
        words = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", words[:100_000], flags=re.DOTALL | re.IGNORECASE)
    return " ".join(words.split())


def seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header; a date is ignored."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
