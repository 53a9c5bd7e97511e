"""Readiness: how soon `check` answers against the same questions asked through gcloud, and what faults do to it.

One of its own emulators stands behind each. Without gcloud the first figure is left out, and that is said.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, finish, interleave, program, quiet, ratio

from heartbeat_core.checks.context import demo_environ, detect_environment
from heartbeat_core.checks.registry import checks_for
from heartbeat_core.checks.runner import Runner
from heartbeat_core.cloud.session import Limits
from heartbeat_core.emulator.process import gcloud_environment, start_emulator

ROUNDS = 3
LATENCY_S = 0.15
CHAIN = 5  # calls that wait for one another: who am I, the project, its policy, its service accounts, may I act as it
BARE = "import requests, sys; session = requests.Session(); [session.get(sys.argv[1]) for _ in range(int(sys.argv[2]))]"
PROJECT, ZONE, ROBOT = "demo-project", "us-central1-b", "heartbeat-tpu@demo-project.iam.gserviceaccount.com"
FAULTY_RUNS = 1000
LIMIT_S = 0.5
QUOTA = "beta quotas info describe {quota} --service={service} --project=" + PROJECT
# The questions of the checklist that gcloud has a command for.
QUESTIONS = (
    f"projects describe {PROJECT}",
    f"billing projects describe {PROJECT}",
    f"services list --enabled --project={PROJECT}",
    f"projects get-iam-policy {PROJECT}",
    f"iam service-accounts list --project={PROJECT}",
    f"iam service-accounts describe {ROBOT} --project={PROJECT}",
    f"iam service-accounts get-iam-policy {ROBOT} --project={PROJECT}",
    QUOTA.format(quota="TPUV6EPerProjectPerZoneForTPUAPI", service="tpu.googleapis.com"),
    QUOTA.format(quota="TPUV6EPerProjectPerRegionForTPUAPI", service="tpu.googleapis.com"),
    f"compute regions describe us-central1 --project={PROJECT}",
    f"compute tpus tpu-vm list --zone={ZONE} --project={PROJECT}",
    f"compute tpus queued-resources list --zone={ZONE} --project={PROJECT}",
    f"compute tpus accelerator-types list --zone={ZONE} --project={PROJECT}",
    f"compute tpus tpu-vm versions list --zone={ZONE} --project={PROJECT}",
)


def run_s(*commands: list[str], environ: dict[str, str] | None = None) -> float:
    start = perf_counter()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    return perf_counter() - start


def against_gcloud() -> list[Figure]:
    """Ask everything by `check` and, where there is one, by gcloud, each answer 150 ms late; and as many calls as are in a row alone."""
    gcloud = shutil.which("gcloud")
    with start_emulator("ready", latency_s=LATENCY_S) as emulator, tempfile.TemporaryDirectory() as folder:
        ours = [*program(), "check", "--json", "--skip", "host", "--endpoint", emulator.url, "--project", PROJECT]
        chain = [sys.executable, "-c", BARE, f"{emulator.url}/", str(CHAIN)]
        runs = {"check": partial(run_s, ours), "chain": partial(run_s, chain)}
        if gcloud:
            environ = {**os.environ, **gcloud_environment(emulator.url, Path(folder))}
            commands = [[gcloud, *question.split(), "--format=json"] for question in QUESTIONS]
            run_s(commands[0], environ=environ)  # it fills its folder on its first start
            runs["gcloud"] = partial(run_s, *commands, environ=environ)
        else:
            print("gcloud is not installed, so nothing is held against it")
        taken = interleave(ROUNDS, runs)
    note = f"{statistics.median(taken['check']):.2f} s"
    figures = [ratio("check --json / its longest chain of calls alone", taken["check"], taken["chain"], most=2.5, note=note)]
    return ([ratio("check --json / gcloud, one after the other", taken["check"], taken["gcloud"], most=0.2)] if gcloud else []) + figures


def this_machine() -> Figure:
    python = [sys.executable, "-c", "pass"]
    ours = [*program(), "check", "--only", "host", "--json"]
    taken = interleave(15, {"pass": partial(run_s, python), "check": partial(subprocess_s, ours)})
    return ratio("check --only host --json / python -c pass", taken["check"], taken["pass"], most=10)


def subprocess_s(command: list[str]) -> float:
    """Time a command whose exit code is its answer."""
    start = perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def faults() -> list[Figure]:
    """Check a Cloud that fails by chance and where one quota is 0, again and again; count what must never be."""
    checks = tuple(check for check in checks_for() if check.group != "host")
    limits, wrong, late = Limits(tries=2, backoff_s=0.001), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "faulty.toml")
        quota = "[quotas]\nTPUV6EPerProjectPerZoneForTPUAPI = { us-central1-b = 0 }\n"
        file.write_text(f'description = "faulty"\nextends = "flaky"\n{quota}', encoding="utf-8")
        with start_emulator(str(file), seed=random.randrange(2**31)) as emulator:
            environment = detect_environment({"project": PROJECT}, endpoint=emulator.url, environ=demo_environ(), limits=limits)
            for _ in range(FAULTY_RUNS):
                start = perf_counter()
                readiness = Runner(checks, environment, limit_s=LIMIT_S).run()
                late = max(late, perf_counter() - start)
                statuses = {result.id: result.status for result in readiness.results}
                wrong += readiness.ready is True or statuses["quota.tpu-zone"] == "pass" or len(statuses) != len(checks)
    longest = CHAIN * LIMIT_S  # every step of the chain may use all of its own limit
    return [
        Figure(f"wrong passes in {FAULTY_RUNS:,} faulty runs", wrong, most=0),
        Figure("the slowest of them / its limits in a row", late / longest, most=1),
    ]


def main() -> None:
    with quiet():
        figures = [*against_gcloud(), this_machine(), *faults()]
    finish(figures)


if __name__ == "__main__":
    main()
