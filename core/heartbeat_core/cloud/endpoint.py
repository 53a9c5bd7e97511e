"""Where Google's APIs are, and the one base URL that an emulator has for all of them."""

from __future__ import annotations

from urllib.parse import urlsplit

from heartbeat_core.errors import HeartbeatError

ENDPOINT_VARIABLE = "HEARTBEAT_CLOUD_ENDPOINT"
SERVICES = {
    "cloudbilling": "https://cloudbilling.googleapis.com",
    "cloudquotas": "https://cloudquotas.googleapis.com",
    "cloudresourcemanager": "https://cloudresourcemanager.googleapis.com",
    "compute": "https://compute.googleapis.com",
    "iam": "https://iam.googleapis.com",
    "oauth2": "https://openidconnect.googleapis.com",
    "serviceusage": "https://serviceusage.googleapis.com",
    "tpu": "https://tpu.googleapis.com",
}


def check_endpoint(endpoint: str) -> str:
    """Take an emulator's base URL; raise HeartbeatError for one that is none, or would send everything in the clear."""
    problem = ""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
            problem = "It is one base URL, without a user or a query."
    except ValueError as error:
        problem = str(error)
    if problem:
        raise HeartbeatError(f"{endpoint!r} is no endpoint", problem, "Give one such as http://127.0.0.1:8080.")
    if parts.scheme == "http" and not is_loopback(host):
        raise HeartbeatError(
            f"{endpoint!r} would be asked in the clear",
            "Plain http is for this machine's own loopback addresses alone.",
            "Use https, or an emulator on 127.0.0.1.",
        )
    return endpoint.rstrip("/")


def is_loopback(host: str) -> bool:
    import ipaddress  # here, for only an emulator's address is looked at

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
