"""The emulator's time: as fast as wanted, or standing still until it is moved on."""

from __future__ import annotations

import time
from datetime import datetime, timezone


class Clock:
    """Seconds since the epoch, ``speed`` times as fast as the world's; at speed 0 it moves by ``advance`` alone."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self.speed = speed
        self.began = time.monotonic()
        self.origin = time.time() if start is None else start

    def now(self) -> float:
        return self.origin + (time.monotonic() - self.began) * self.speed

    def advance(self, seconds: float) -> None:
        self.origin += seconds


def timestamp(seconds: float) -> str:
    """Write a moment as Google's APIs do: 2026-11-22T10:00:00.000000Z."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
