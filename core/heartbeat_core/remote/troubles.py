"""What ssh and gcloud say when they fail, as errors that people understand."""

from __future__ import annotations

from heartbeat_core.diagnosis.diagnose import diagnose_text
from heartbeat_core.errors import HeartbeatError

# What ssh says beside its errors.
CHATTER = ("Warning: Permanently added", "Pseudo-terminal will not be allocated", "** WARNING: connection is not using")


def told(said: str) -> str:
    """Take out of what was said the lines that tell something, the last ones."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(CHATTER)]
    return " / ".join(lines[-3:])[:400]


def cannot_reach(label: str, said: str) -> HeartbeatError:
    """Explain why a host could not be reached."""
    words = told(said)
    found = diagnose_text(words)
    if found is None:
        remedy = "Try it by hand: heartbeat-tui vms ssh NAME."
        return HeartbeatError(f"{label} cannot be reached", words or "ssh said nothing.", remedy, exit_code=3)
    remedy = found.remedies[0].shell or found.remedies[0].text
    return HeartbeatError(f"{label} cannot be reached: {found.title}", f"{found.cause} ssh said: {words}", remedy, exit_code=3)


def gcloud_failed(said: str) -> HeartbeatError:
    """Explain why gcloud refused to name the way, or could not bring the key there."""
    words = told(said)
    found = diagnose_text(words)
    if found is None:
        return HeartbeatError(
            "gcloud does not connect", words or "It said nothing.", "Try it by hand: heartbeat-tui vms ssh NAME.", exit_code=3
        )
    remedy = found.remedies[0].shell or found.remedies[0].text
    return HeartbeatError(f"gcloud does not connect: {found.title}", f"{found.cause} gcloud said: {words}", remedy, exit_code=3)
