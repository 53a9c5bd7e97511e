"""Checks of the Ray cluster that RAY_ADDRESS names. A child process looks at it; nothing joins it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from heartbeat_core.benchmark.process import module_command
from heartbeat_core.checks.check import Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import Context
from heartbeat_core.diagnosis.model import Remedy
from heartbeat_core.errors import sanitize_line

CLUSTER = "heartbeat_core.fleet.ray_cluster"  # a module that the child runs; it imports Ray
LIMIT_S = 20.0
NO_ADDRESS = "RAY_ADDRESS names no cluster"
FLEETS = "https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/tpu.html"


def look(context: Context) -> dict[str, Any]:
    """Return what the child saw, once a round; raise OSError, ValueError or TimeoutExpired where it saw nothing."""

    def ask() -> dict[str, Any]:
        command = [*module_command(sys.executable, CLUSTER), context.environment.environ["RAY_ADDRESS"]]
        done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
        if done.returncode:
            said = "".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
            raise ValueError(f"It ended with exit code {done.returncode}. {sanitize_line(said)}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return context.shared.get("ray", ask)


def cluster(context: Context) -> Finding:
    address = context.environment.environ.get("RAY_ADDRESS")
    if not address:
        return not_applicable(NO_ADDRESS)
    if find_spec("ray") is None:
        return failed("Ray is not installed here", "Only the extra `ray` brings it.", Remedy("pip install 'heartbeat-tui[ray]'"))
    try:
        found = look(context)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return unknown("could not tell: the look at the cluster ended", str(error), Remedy("Try it by hand: ray status."))
    context.note(f"the cluster at {address}", json.dumps(found))
    if "title" in found:
        return failed(found["title"], found["cause"], Remedy(found["remedy"]))
    return passed(f"{found['nodes']} nodes at {found['head']}")


def version(context: Context) -> Finding:
    if not context.environment.environ.get("RAY_ADDRESS"):
        return not_applicable(NO_ADDRESS)
    found = look(context)
    there = f"Ray {found['ray']}, Python {found['python']}"
    if found["ray"] == found["ours"] and found["python"].split(".")[:2] == found["our_python"].split(".")[:2]:
        return passed(there)
    here = f"This program has Ray {found['ours']} and Python {found['our_python']}. Ray joins the same version only."
    return failed(f"the cluster has {there}", here, Remedy("Run heartbeat-tui on the head node, in its own Python.", page=FLEETS))


def devices(context: Context) -> Finding:
    if not context.environment.environ.get("RAY_ADDRESS"):
        return not_applicable(NO_ADDRESS)
    totals = look(context)["totals"]
    offered = ", ".join(f"{count} {name}" for name, count in totals.items() if count) or "nothing"
    if totals["TPU"]:
        return passed(offered)
    why = "Ray counts the chips of a host as its resource TPU. Without them only a rehearsal on CPUs, or GPUs, can be measured."
    return warned(f"no TPU: the cluster offers {offered}", why, Remedy("Add hosts with TPUs.", page=FLEETS))


CHECKS = (
    Check("ray.cluster", "Ray cluster", "Does the Ray cluster answer?", cluster, limit_s=LIMIT_S),
    Check("ray.version", "Ray version", "Has it this version of Ray and Python?", version, needs=("ray.cluster",), limit_s=LIMIT_S),
    Check("ray.devices", "TPUs of the cluster", "Does it offer TPUs?", devices, needs=("ray.cluster",), limit_s=LIMIT_S),
)
