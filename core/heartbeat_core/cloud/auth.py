"""Authentication to Google Cloud: the credentials that Google's own libraries would find, and whose they are."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.gcloud_config import SourcedValue, read_gcloud
from heartbeat_core.cloud.json_fields import text
from heartbeat_core.cloud.metadata import read_metadata
from heartbeat_core.errors import HeartbeatError

Sort = Literal["user", "service account", "external account", "metadata server", "anonymous"]

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
KEY_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
QUOTA_VARIABLE = "GOOGLE_CLOUD_QUOTA_PROJECT"
SORTS: dict[str | None, Sort] = {
    "authorized_user": "user",
    "service_account": "service account",
    "impersonated_service_account": "service account",
}


@dataclass(frozen=True)
class Principal:
    """The account that makes calls: ``name`` is an e-mail address, None if unknown; ``source`` is that of its credentials."""

    name: str | None
    sort: Sort
    source: str

    def __str__(self) -> str:
        if self.sort == "anonymous":
            return f"{self.name} (emulated)" if self.name else "anonymous (emulated)"
        return self.name or f"unknown ({self.sort}, from {self.source})"

    @property
    def member(self) -> str | None:
        """Return the principal as IAM policies write it."""
        service = self.sort in ("service account", "metadata server") or (self.name or "").endswith(".gserviceaccount.com")
        return f"{'serviceAccount' if service else 'user'}:{self.name}" if self.name else None


@dataclass(frozen=True)
class Login:
    """Credentials that were found."""

    credentials: Any = field(repr=False)
    principal: Principal
    quota_project: SourcedValue


def anonymous() -> Login:
    from google.auth.credentials import AnonymousCredentials

    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return Login(credentials, Principal(None, "anonymous", "an emulator"), SourcedValue(None, "not needed by an emulator"))


def find_login(environ: Mapping[str, str]) -> Login:
    """Find credentials where google.auth.default() does; raise CloudError where there are none or a file is broken.

    google.auth.default() itself starts gcloud for a project, and waits long for a metadata server.
    """
    quota = SourcedValue(environ.get(QUOTA_VARIABLE) or None, QUOTA_VARIABLE)
    if named := environ.get(KEY_VARIABLE):
        return from_file(Path(named), KEY_VARIABLE, quota)
    adc = read_gcloud(environ).adc_file
    if adc.is_file():
        return from_file(adc, "gcloud auth application-default login", quota)
    if metadata := read_metadata(environ):
        from google.auth import compute_engine

        if metadata.email:
            credentials = compute_engine.Credentials(scopes=SCOPES)  # type: ignore[no-untyped-call]
            credentials = credentials.with_quota_project(quota.value) if quota else credentials
            return Login(credentials, Principal(metadata.email, "metadata server", "the metadata server"), quota)
        raise CloudError("no credentials", "This VM has no service account, so its programs have no credentials.")
    raise CloudError(
        "no credentials",
        f"Your default credentials were not found: {KEY_VARIABLE} is not set, there is no {adc}, and this is no Google VM.",
    )


def from_file(path: Path, source: str, quota: SourcedValue) -> Login:
    from google.auth import load_credentials_from_file
    from google.auth.credentials import with_scopes_if_required
    from google.auth.exceptions import GoogleAuthError

    try:
        info = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CloudError("no credentials", f"{path} (from {source}) cannot be read: {error}") from error
    try:
        with warnings.catch_warnings():  # a check reports a missing quota project
            warnings.simplefilter("ignore")
            credentials, _ = load_credentials_from_file(str(path))  # type: ignore[no-untyped-call]
    except (GoogleAuthError, ValueError, TypeError, AttributeError, KeyError) as error:  # it does not validate the file
        raise CloudError("no credentials", f"The credentials in {path} (from {source}) cannot be used: {error}") from error
    credentials = with_scopes_if_required(credentials, SCOPES)  # type: ignore[no-untyped-call]
    if quota:
        credentials = credentials.with_quota_project(quota.value)
    else:
        quota = SourcedValue(getattr(credentials, "quota_project_id", None), str(path))
    sort = SORTS.get(text(info, "type"), "external account")
    email = text(info, "client_email") or text(info, "account") or getattr(credentials, "service_account_email", None)
    return Login(credentials, Principal(email or None, sort, f"{path} ({source})"), quota)


def email_of(id_token: object) -> str | None:
    """Return the e-mail address in an ID token, which Google sends when a user's token is refreshed.

    No permission depends on it, so its signature is not checked.
    """
    try:
        claims = str(id_token).split(".")[1]
        return text(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))), "email")
    except (IndexError, ValueError, RecursionError):
        return None


ENDPOINT_VARIABLE = "HEARTBEAT_CLOUD_ENDPOINT"
SERVICES = {
    name: f"https://{name}.googleapis.com"
    for name in ("cloudbilling", "cloudquotas", "cloudresourcemanager", "compute", "iam", "orgpolicy", "serviceusage", "tpu")
} | {"oauth2": "https://openidconnect.googleapis.com"}


def find_endpoint(named: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the base URL of the emulator that is named, or else set by the variable; None for Google.

    Raise HeartbeatError where it is invalid, or would send everything unencrypted.
    """
    endpoint = named or environ.get(ENDPOINT_VARIABLE)
    if not endpoint:
        return None
    problem = ""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
            problem = "An endpoint is one base URL, without a user or a query."
    except ValueError as error:
        problem = str(error)
    if problem:
        raise HeartbeatError(f"{endpoint!r} is no endpoint", problem, "Give one such as http://127.0.0.1:8080.")
    if parts.scheme == "http" and not is_loopback(host):
        raise HeartbeatError(
            f"{endpoint!r} is not encrypted",
            "Plain http is allowed for loopback addresses only.",
            "Use https, or an emulator on 127.0.0.1.",
        )
    return endpoint.rstrip("/")


def is_loopback(host: str) -> bool:
    import ipaddress  # here: only an emulator's address needs it

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
