"""Measures the figures named, or all of them, one after the other; exit 1 where a target was missed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
FIGURES = (
    "fidelity",
    "model_layer",
    "stream",
    "chart",
    "start",
    "memory",
    "priority",
    "readiness",
    "vms",
    "vms_pane",
    "fleet_scale",
    "fleet",
    "remote",
    "tour",
    "runs",
    "telemetry",
    "statistics",
)
SCRIPTS = {"statistics": "statistics_power"}  # a module of the first name would hide the standard library's


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what this program promises of itself. All of it takes about 15 minutes.")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; default: all")
    names = parser.parse_args().figures
    if unknown := sorted(set(names) - set(FIGURES)):
        parser.error(f"no such figure: {', '.join(unknown)}")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"WARNING: the load is {load:.1f} before anything has begun; figures need a quiet machine.")
    missed = []
    for name in names or FIGURES:
        print(f"\n{name}", flush=True)
        start = perf_counter()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{SCRIPTS.get(name, name)}"], cwd=ROOT, check=False).returncode:
            missed.append(name)
        print(f"({perf_counter() - start:.0f} s)", flush=True)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
