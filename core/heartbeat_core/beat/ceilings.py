"""Ceilings measured on this machine, kept with their date in the user's cache."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from heartbeat_core.beat.plan import Plan
from heartbeat_core.beat.records import CeilingMeasured
from heartbeat_core.folders import write_whole


@dataclass(frozen=True)
class Ceiling:
    """FLOP/s and bytes/s, and the day they were measured, "2026-11-22"."""

    flops_per_s: float
    bytes_per_s: float
    measured_on: str


def ceiling_key(plan: Plan, environment: dict[str, Any]) -> str:
    """Name what a ceiling holds for: another processor, device, dtype, precision or number of threads has its own."""
    parts = (
        environment.get("host"),
        environment.get("cpu"),
        plan.backend,
        environment.get("hardware") or environment.get("device"),
        plan.workload.dtype,
        environment.get("precision"),
        environment.get("threads"),
    )
    return "|".join(str(part) for part in parts)


class CeilingCache:
    """One JSON file; what cannot be read counts as not measured."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def knows(self, plan: Plan) -> bool:
        """Tell whether a ceiling was ever measured for the plan's backend, dtype and threads, on whatever device that was."""
        threads = "" if plan.threads is None else f"|{plan.threads}"
        return any(f"|{plan.backend}|" in key and f"|{plan.workload.dtype}|" in key and key.endswith(threads) for key in self.read())

    def load(self, key: str) -> Ceiling | None:
        values = self.read().get(key)
        try:
            kept = Ceiling(float(values["flops_per_s"]), float(values["bytes_per_s"]), str(values["measured_on"])) if values else None
        except (TypeError, KeyError, ValueError):
            return None
        return kept if kept and 0 < kept.flops_per_s < math.inf and 0 < kept.bytes_per_s < math.inf else None

    def store(self, key: str, measured: CeilingMeasured, day: date) -> Ceiling:
        """Keep a ceiling; raise OSError where the file cannot be written."""
        ceiling = Ceiling(measured.flops_per_s, measured.bytes_per_s, day.isoformat())
        kept = {**self.read(), key: asdict(ceiling)}
        write_whole(self.path, json.dumps(kept, indent=1))
        return ceiling

    def read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
