"""How an error is said on the command line."""

from __future__ import annotations

import sys

from heartbeat_core.errors import HeartbeatError


def complain(error: HeartbeatError) -> None:
    """Say on stderr what happened, why, and what to do."""
    print(f"heartbeat-tui: {error.title}", file=sys.stderr)
    for line in (error.cause, error.remedy):
        if line:
            print(f"  {line}", file=sys.stderr)
