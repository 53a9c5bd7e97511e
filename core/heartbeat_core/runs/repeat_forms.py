"""A repeat as JSON."""

from __future__ import annotations

from typing import Any

from heartbeat_core.runs.ratio import Interval
from heartbeat_core.runs.repeat import Candidate, Repeated

CONFIDENCE = "95 %, Student's t on the logarithms of the processes' medians"


def repeat_json(repeated: Repeated) -> dict[str, Any]:
    """Make the one object that ``bench --repeat --json`` prints: schema 1. Times in nanoseconds, spreads relative."""
    return {
        "schema": 1,
        "repeat": repeated.repeat,
        "seed": repeated.seed,
        "group": repeated.group,
        "order": list(repeated.order),
        "interval": CONFIDENCE,
        "candidates": [candidate_json(candidate) for candidate in repeated.candidates],
        "comparisons": [
            {
                "reference": ratio.reference,
                "candidate": ratio.candidate,
                "ratio": interval_json(ratio.interval),
                "pairs": ratio.pairs,
                "same_work": ratio.same_work,
                "sentence": ratio.sentence,
            }
            for ratio in repeated.ratios()
        ],
    }


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    error = candidate.error
    return {
        "name": candidate.name,
        "plan": candidate.plan.to_json(),
        "labels": list(dict.fromkeys(label for p in candidate.measured if p.report for label in p.report.labels)),
        "typical_ns": interval_json(candidate.typical),
        "between_processes": candidate.between,
        "within_a_process": candidate.within,
        "too_narrow": candidate.too_narrow,
        "problem": " ".join(part for part in (error.title, error.cause) if part) if error else None,
        "processes": [
            {
                "round": process.round,
                "median_ns": process.ns,
                "half_interval": process.half,
                "n": process.report.statistics.n if process.report and process.report.statistics else 0,
                "verdict": process.report.verdict.kind if process.report else None,
                "recording": str(process.path) if process.path else None,
            }
            for process in candidate.processes
        ],
    }


def interval_json(interval: Interval | None) -> dict[str, float] | None:
    return {"value": interval.value, "low": interval.low, "high": interval.high} if interval else None
