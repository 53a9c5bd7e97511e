"""Failures of the way to Google, and answers that say little by themselves."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.entry import Entry

ENTRIES = (
    Entry(
        "certificate",
        "the certificate was not believed",
        "Something between here and Google answers with a certificate of its own, most likely a company's proxy.",
        ("Name the company's authority: export REQUESTS_CA_BUNDLE=/path/to/it.pem (gcloud: core/custom_ca_certs_file).",),
        (r"CERTIFICATE_VERIFY_FAILED", r"certificate verify failed", r"invalid path: \S+\.pem", r"TLS CA certificate bundle"),
    ),
    Entry(
        "proxy",
        "the proxy did not let the call through",
        "HTTPS_PROXY names a proxy that cannot be reached, or that refuses.",
        ("Check HTTPS_PROXY, and NO_PROXY for what needs none.",),
        (r"Unable to connect to proxy", r"Cannot connect to proxy", r"Tunnel connection failed", r"Proxy Authentication Required"),
    ),
    Entry(
        "unreachable",
        "Google cannot be reached from here",
        "No connection came about: no network, a name that does not resolve, a firewall, or an emulator that does not run.",
        ("Check the network, and HTTPS_PROXY if you are behind a proxy.", do.wait),
        (
            r"Connection refused",
            r"Name or service not known",
            r"Temporary failure in name resolution",
            r"nodename nor servname provided",
            r"Network is unreachable",
            r"No route to host",
            r"Failed to establish a new connection",
        ),
    ),
    Entry(
        "timed-out",
        "there was no answer in time",
        "Slow, overloaded, or lost on the way.",
        (do.wait,),
        (r"Read timed out", r"\bDEADLINE_EXCEEDED\b"),
    ),
    Entry(
        "cut",
        "the connection was cut",
        "It ended before the answer was complete.",
        (do.wait,),
        (r"Connection aborted", r"RemoteDisconnected", r"Connection reset by peer", r"IncompleteRead"),
    ),
    Entry(
        "garbled", "the answer makes no sense", "Something on the way answers in Google's place, or the answer was cut short.", (do.wait,)
    ),
    Entry(
        "forbidden",
        "you may not do that",
        "Google says no more than that: a missing role, a wrong account or project, or an API that is off.",
        (do.list_accounts, do.list_projects),
        (r"\bPERMISSION_DENIED\b", r"\b403 Forbidden\b"),
    ),
    Entry(
        "not-found",
        "it is not there",
        "There is nothing of that name in that place, or you may not see it. Just after it was made it can take a moment to appear.",
        (do.wait, "Check name, zone and project."),
        (r"\bNOT_FOUND\b", r"\b404 Not Found\b"),
    ),
    Entry(
        "exists",
        "it is there already",
        "Something of that name exists in that place.",
        ("Take another name, or use what is there.",),
        (r"\bALREADY_EXISTS\b", r"\b409 Conflict\b"),
    ),
    Entry(
        "google-failed",
        "Google failed",
        "The fault is on Google's side, and mostly passes.",
        (do.wait, "See whether Google knows of it: https://status.cloud.google.com"),
        (
            r"\b50[0234] (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)\b",
            r"\bStatusCode\.(?:INTERNAL|UNAVAILABLE)\b",
        ),
    ),
)
