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
    return explained(f"{label} cannot be reached", "ssh", said)


def gcloud_failed(said: str) -> HeartbeatError:
    """Explain why gcloud refused to name the way, or could not bring the key there."""
    return explained("gcloud does not connect", "gcloud", said)


def explained(title: str, speaker: str, said: str) -> HeartbeatError:
    words = told(said)
    found = diagnose_text(words)
    if found is None:
        return HeartbeatError(title, words or f"{speaker} said nothing.", "Try it by hand: heartbeat-tui vms ssh NAME.", exit_code=3)
    return HeartbeatError(f"{title}: {found.title}", f"{found.cause} {speaker} said: {words}", found.advice, exit_code=3)
