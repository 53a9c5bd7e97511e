"""Checks of the zone: that it offers the accelerator and the runtime, and that the two match."""

from __future__ import annotations

from os.path import commonprefix

from heartbeat_core.checks.check import EXISTS, Check, Finding, failed, passed, unknown
from heartbeat_core.checks.context import Context
from heartbeat_core.cloud import tpu
from heartbeat_core.cloud.accelerators import RUNTIMES_SOURCE, runtime_fits
from heartbeat_core.cloud.errors import CloudError
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import Remedy

ZONES = "https://docs.cloud.google.com/tpu/docs/regions-zones"
PARALLEL = 16
SHOWN = 5


def accelerator(context: Context) -> Finding:
    zone, wanted = context.target.zone.value, context.target.accelerator_type.value
    if not zone or not wanted:
        return unknown("could not tell: no zone or no accelerator type is chosen")
    try:
        offered = context.fetch(tpu.list_accelerator_types, zone)
    except CloudError as error:
        if error.kind == "refused" and error.status in (403, 404) and zone not in tpu.list_zones(context.session, context.project):
            return not_offered(context, f"{zone} has no TPUs", zone, wanted)
        raise
    kind = context.target.accelerator
    if wanted in offered or (kind and kind.type in offered):
        return passed(f"{zone} offers {wanted}", "Offered is not the same as free capacity.")
    if not offered:
        return unknown(f"could not tell: {zone} lists no accelerator types", "", do.list_types(context.words))
    return not_offered(context, f"{zone} has no {wanted}", zone, wanted)


def not_offered(context: Context, summary: str, zone: str, wanted: str) -> Finding:
    """Return the failure with the zones that do offer it, the nearest first."""
    found, unreachable = zones_offering(context, zone, wanted)
    words = context.words
    shown = f"{', '.join(found[:SHOWN])}{' and others' * (len(found) > SHOWN)}"
    why = f"{wanted} is offered in {shown}." if found else f"No zone offers {wanted}."
    if unreachable:
        why += f" {unreachable} zones did not answer."
    nearest = (do.set_zone({**words, "zone": found[0]}),) if found else ()
    return failed(summary, why, *nearest, do.list_types(words), do.list_locations(words))


def zones_offering(context: Context, zone: str, wanted: str) -> tuple[list[str], int]:
    """Return the other zones that offer ``wanted``, those of the region and the continent first, and how many did not answer."""
    from concurrent.futures import ThreadPoolExecutor

    session, project = context.session, context.project
    others = [name for name in tpu.list_zones(session, project) if name != zone]

    def ask(name: str) -> bool | None:
        try:
            return wanted in tpu.list_accelerator_types(session, project, name)
        except CloudError:
            return None

    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        answers = dict(zip(others, pool.map(ask, others), strict=True))
    # by the letters that names begin alike with: the continent, its part, the region
    found = sorted((name for name in others if answers[name]), key=lambda name: (-len(commonprefix((zone, name))), name))  # noqa: RUF071
    return found, sum(answer is None for answer in answers.values())


def runtime(context: Context) -> Finding:
    zone, wanted = context.target.zone.value, context.target.runtime_version.value
    if not zone or not wanted:
        return unknown("could not tell: no zone or no runtime version is chosen")
    offered = tpu.list_runtime_versions(context.session, context.project, zone)
    if wanted in offered:
        return passed(f"{zone} offers {wanted}")
    if not offered:
        return unknown(f"could not tell: {zone} lists no runtime versions")
    kind = context.target.accelerator
    fitting = f" {kind.family.runtime} is the runtime for {kind.type}." if kind else ""
    command = ("gcloud", "compute", "tpus", "tpu-vm", "versions", "list", f"--project={context.project}", f"--zone={zone}")
    why = f"A TPU VM cannot be created with it.{fitting}"
    return failed(f"{zone} has no runtime {wanted}", why, Remedy("List the runtime versions of the zone.", command))


def pairing(context: Context) -> Finding:
    kind, wanted = context.target.accelerator, context.target.runtime_version
    if kind is None or not wanted.value:
        return unknown(f"could not tell: {context.target.accelerator_type} and {wanted} are not both known")
    fits = runtime_fits(kind, wanted.value)
    if fits:
        return passed(f"{wanted.value} is for {kind.type}")
    if fits is None:
        return unknown(f"could not tell: the runtime {wanted.value} is unknown", f"{kind.family.runtime} is for {kind.type}.")
    why = f"A {kind.type} with it becomes READY without a driver for its chips. It is set by {wanted.source}."
    remedy = Remedy(f"Use the matching runtime: --runtime-version {kind.family.runtime}")
    return failed(f"{wanted.value} is not for {kind.type}, {kind.family.runtime} is", why, remedy)


CHECKS = (
    Check(
        "zone.accelerator", "Accelerator offered", "Does the zone offer the accelerator?", accelerator, EXISTS,
        "tpu.acceleratortypes.list", link=ZONES,
    ),
    Check(
        "zone.runtime", "Runtime offered", "Does the zone offer the runtime version?", runtime, EXISTS, "tpu.runtimeversions.list",
        link=RUNTIMES_SOURCE,
    ),
    Check("zone.pairing", "Runtime matches", "Does the runtime version match the accelerator?", pairing, link=RUNTIMES_SOURCE),
)  # fmt: skip
