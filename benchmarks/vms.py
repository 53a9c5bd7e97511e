"""TPU VMs: how soon `vms list` answers against gcloud, and whether a creation ever makes two or forgets one.

One of its own emulators stands behind each. Without gcloud the first figure is left out, and that is said.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.figure import Figure, finish, interleave, program, quiet, ratio

from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.cloud.session import CloudSession, Limits, open_session
from heartbeat_core.cloud.tpu import list_nodes
from heartbeat_core.emulator.process import gcloud_environment, start_emulator
from heartbeat_core.vms.create import create
from heartbeat_core.vms.operation import OperationStep, PollPolicy, VmError
from heartbeat_core.vms.request import CreateRequest
from heartbeat_core.vms.zone_search import search_zones

ROUNDS = 9
PROJECT, ZONE, ELSEWHERE = "demo-project", "us-central1-b", "us-east5-b"
CREATIONS = 200
SPEED = 1000.0
REQUEST = CreateRequest(PROJECT, ZONE, "vm", "v6e-1", "v2-alpha-tpuv6e")
QUICK = Limits(connect_s=1.0, read_s=1.0, total_s=1.0, tries=2, backoff_s=0.001)
PATIENCE = PollPolicy(
    poll_s=0.002, growth=1.2, longest_poll_s=0.01, total_s=30.0, absent_s=0.08, settle_s=5.0, round_s=0.01, longest_round_s=0.02
)
# What befalls the first requests to create, beside what comes by chance: the answer is lost, the request is, or it comes late.
MISHAPS = """
[[faults.mishaps]]
method = "POST"
path = ".*/{zone}/nodes"
what = "{what}"
times = {times}
seconds = {seconds}
"""


@dataclass(frozen=True)
class Outcome:
    """What was said of one creation, and the zones where there was a node after it."""

    said: str
    zones: tuple[str, ...]
    lost: bool

    @property
    def second(self) -> bool:
        return len(self.zones) > 1

    @property
    def forgotten(self) -> bool:
        """Return whether a TPU VM exists that was not reported, or one was reported that does not exist."""
        return (self.said == "nothing" and bool(self.zones)) or (self.said == "there" and not self.zones)


def run_s(command: list[str], environ: dict[str, str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    return perf_counter() - start


def against_gcloud() -> list[Figure]:
    """List the nodes of all zones, and ours the queued resources and prices as well."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        print("gcloud is not installed, so nothing is held against it")
        return []
    with start_emulator("running") as emulator, tempfile.TemporaryDirectory() as folder:
        alone = {**os.environ, "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true", "XDG_CONFIG_HOME": folder}
        ours = [*program(), "vms", "list", "--json", "--endpoint", emulator.url, "--project", PROJECT]
        theirs = [gcloud, "compute", "tpus", "tpu-vm", "list", "--format=json", "--zone=-", f"--project={PROJECT}"]
        environ = {**os.environ, **gcloud_environment(emulator.url, Path(folder))}
        run_s(theirs, environ)  # it fills its folder on its first start
        taken = interleave(ROUNDS, {"vms": partial(run_s, ours, alone), "gcloud": partial(run_s, theirs, environ)})
    return [ratio("vms list --json / gcloud's list", taken["vms"], taken["gcloud"], most=0.8)]


def faulty(folder: str) -> Path:
    """Write the flaky scenario with requests that are lost, answered into the void, or late, in both zones."""
    file = Path(folder, "faulty.toml")
    places = f"default = -1, {ZONE} = -1, {ELSEWHERE} = -1, us-central1 = -1, us-east5 = -1"
    names = (
        "TPUV6EPerProjectPerZoneForTPUAPI", "TPUV6EPerProjectPerRegionForTPUAPI", "HDB-TOTAL-GB-per-project-region",
        "IN-USE-ADDRESSES-per-project-region",
    )  # fmt: skip
    quotas = "\n".join(["[quotas]", *(f"{name} = {{ {places} }}" for name in names), ""])
    whats = ("cut", "drop", "late")
    mishaps = [
        MISHAPS.format(zone=zone, what=what, times=CREATIONS // 20, seconds=20 + number)
        for zone in (ZONE, ELSEWHERE)
        for number, what in enumerate(whats)
    ]
    file.write_text(f'description = "faulty"\nextends = "flaky"\n{quotas}{"".join(mishaps)}', encoding="utf-8")
    return file


def create_all() -> list[Figure]:
    """Create again and again, every other time round two zones, and count by a calm session what there is after each."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_emulator(str(faulty(folder)), speed=SPEED, seed=random.randrange(2**31)) as emulator,
    ):
        session = open_session(endpoint=emulator.url, environ={}, limits=QUICK)
        calm = open_session(endpoint=emulator.url, environ={}, limits=replace(QUICK, tries=50))
        outcomes = [one(session, calm, number) for number in range(CREATIONS)]
    said = Counter(outcome.said for outcome in outcomes)
    lost = sum(outcome.lost for outcome in outcomes)
    print(f"{', '.join(f'{number} {word}' for word, number in said.items())}; in {lost} a request or its answer was lost")
    return [
        Figure(f"second TPU VMs in {CREATIONS} faulty creations", sum(outcome.second for outcome in outcomes), most=0),
        Figure("TPU VMs nobody was told of, or told in error", sum(outcome.forgotten for outcome in outcomes), most=0),
    ]


def one(session: CloudSession, calm: CloudSession, number: int) -> Outcome:
    steps: list[OperationStep] = []
    request = replace(REQUEST, name=f"vm-{number}")
    try:
        if number % 2:
            search_zones(session, request, (ZONE, ELSEWHERE), steps.append, PATIENCE)
        else:
            create(session, request, steps.append, PATIENCE)
        said = "there"
    except VmError as error:
        said = error.outcome
    lost = any(step.what == "settling" for step in steps)
    return Outcome(said, zones_of(calm, request.name), lost)


def zones_of(calm: CloudSession, name: str) -> tuple[str, ...]:
    """Look where there is a node of that name, until an answer comes through whole."""
    for _ in range(100):
        with suppress(CloudError):
            return tuple(sorted(node.zone for node in list_nodes(calm, PROJECT).nodes if node.id == name))
    raise RuntimeError("the emulator did not answer a hundred times")


def main() -> None:
    with quiet():
        figures = [*against_gcloud(), *create_all()]
    finish(figures)


if __name__ == "__main__":
    main()
