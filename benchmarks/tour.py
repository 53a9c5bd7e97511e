"""The tour: from its start to its last step, every step run for real, torch_xla in its own environment."""

from __future__ import annotations

import subprocess
from time import perf_counter

from benchmarks.figure import Figure, finish, program, quiet

LIMIT_S = 120.0


def main() -> None:
    with quiet():
        start = perf_counter()
        done = subprocess.run([*program(), "tour", "--text"], check=True, capture_output=True, text=True)
        took = perf_counter() - start
    if "stands in" in done.stderr:
        raise SystemExit("torch_xla is missing: heartbeat-tui backend install xla")
    finish([Figure("the whole tour, each step run for real", took, most=LIMIT_S, unit="s")])


if __name__ == "__main__":
    main()
