"""The target, the TPU VM to set up, and the source of each part of it.

In this order: flags, the environment (HEARTBEAT_CLOUD_…, then the handbook's names, then Google's own), the settings file,
gcloud's configuration, the credentials, the metadata server, a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from heartbeat_core.cloud.accelerators import Accelerator, Provisioning, find_accelerator
from heartbeat_core.cloud.gcloud_config import GcloudConfig, SourcedValue
from heartbeat_core.cloud.metadata import Metadata
from heartbeat_core.cloud.tpu import EVERYWHERE
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.settings import PREFIX, Settings

NOT_SET = SourcedValue(None, "not set anywhere")
ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z0-9]+")  # us-central1-b, and the AI zones, such as us-south1-ai1b
PROVISIONING: tuple[Provisioning, ...] = get_args(Provisioning)


@dataclass(frozen=True)
class Part:
    """One part of the target: its flag, the variables that set it, gcloud's property, and what holds otherwise."""

    name: str
    flag: str
    variables: tuple[str, ...] = ()
    gcloud: str = ""
    default: str | None = None
    setting: bool = True  # whether the settings have it too


PARTS = (
    Part("project", "--project", ("PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"), "core/project"),
    Part("zone", "--zone", ("ZONE",), "compute/zone", "us-central1-b"),
    Part("accelerator_type", "--accelerator-type", ("ACCELERATOR_TYPE",), "", "v6e-1"),
    Part("runtime_version", "--runtime-version", ("RUNTIME_VERSION",)),
    Part("provisioning", "--spot", (), "", "on-demand"),
    Part("tpu_name", "--tpu-name", ("TPU_NAME",), "", "llm-tpu-vm"),
    Part("service_account", "--service-account"),
    Part("network", "--network", default="default", setting=False),
    Part("subnetwork", "--subnetwork", setting=False),
    Part("external_ip", "--internal-ips", default="yes", setting=False),
)


@dataclass(frozen=True)
class Target:
    """The TPU VM to check for; each part knows its source."""

    project: SourcedValue = NOT_SET
    zone: SourcedValue = NOT_SET
    accelerator_type: SourcedValue = NOT_SET
    runtime_version: SourcedValue = NOT_SET
    provisioning: SourcedValue = NOT_SET
    tpu_name: SourcedValue = NOT_SET
    service_account: SourcedValue = NOT_SET
    network: SourcedValue = NOT_SET
    subnetwork: SourcedValue = NOT_SET
    external_ip: SourcedValue = NOT_SET

    @property
    def external(self) -> bool:
        """Return whether the TPU VM gets an external address."""
        return self.external_ip.value != "no"

    @property
    def region(self) -> str | None:
        """Return the region of the zone."""
        return (self.zone.value or "").rpartition("-")[0] or None

    @property
    def accelerator(self) -> Accelerator | None:
        """Return the accelerator, None for an unknown type."""
        return find_accelerator(self.accelerator_type.value)

    @property
    def model(self) -> Provisioning:
        return next(model for model in (*PROVISIONING, "on-demand") if model == (self.provisioning.value or model))

    def known(self) -> dict[str, str]:
        """Return the parts that are set, as values for fixes."""
        parts: dict[str, SourcedValue] = {part.name: getattr(self, part.name) for part in PARTS}
        words = {name: chosen.value for name, chosen in parts.items() if chosen.value}
        return words | ({"region": self.region} if self.region else {})

    def to_json(self) -> dict[str, Any]:
        parts: dict[str, SourcedValue] = {part.name: getattr(self, part.name) for part in PARTS}
        return {name: {"value": chosen.value, "source": chosen.source} for name, chosen in parts.items()}


def choose_target(
    flags: Mapping[str, str | None],
    *,
    environ: Mapping[str, str],
    gcloud: GcloudConfig,
    settings: Settings | None = None,
    metadata: Metadata | None = None,
    login_project: SourcedValue | None = None,
) -> Target:
    """Choose every part by the order above; ``flags`` maps the names of parts to what was given, None for nothing.

    Raise HeartbeatError for an invalid zone or provisioning model.
    """
    chosen: dict[str, SourcedValue] = {}
    for part in PARTS:
        given = candidates(part, flags, environ, gcloud, settings or Settings())
        chosen[part.name] = next((value for value in given if value), NOT_SET)
    if not chosen["project"] and login_project:
        chosen["project"] = login_project
    if metadata:
        chosen = {name: value or from_metadata(name, metadata) for name, value in chosen.items()}
    for part in PARTS:
        if not chosen[part.name] and part.default:
            chosen[part.name] = SourcedValue(part.default, "default")
    if not chosen["runtime_version"] and (accelerator := find_accelerator(chosen["accelerator_type"].value)):
        chosen["runtime_version"] = SourcedValue(accelerator.family.runtime, f"goes with {accelerator.type}")
    zone = chosen["zone"]
    if zone.value and zone.source == "--zone" and zone.value != EVERYWHERE and not ZONE.fullmatch(zone.value):
        raise HeartbeatError(
            f"{zone.value!r} is no zone", "A zone is named like us-central1-b or us-south1-ai1b.", "Try --zone us-central1-b."
        )
    model = chosen["provisioning"]
    if model.value not in PROVISIONING:
        raise HeartbeatError(
            f"{model.value!r} is no provisioning model", f"It is set by {model.source}.", f"It is {', '.join(PROVISIONING)}."
        )
    return Target(**chosen)


def candidates(
    part: Part, flags: Mapping[str, str | None], environ: Mapping[str, str], gcloud: GcloudConfig, settings: Settings
) -> Iterator[SourcedValue]:
    yield SourcedValue(flags.get(part.name), part.flag)
    key = f"cloud.{part.name}"
    setting = SourcedValue(settings[key] or None, settings.source(key)) if part.setting else NOT_SET
    if setting.source.startswith(PREFIX):
        yield setting
    for variable in part.variables:
        yield SourcedValue(environ.get(variable), variable)
    configured = gcloud.properties.get(part.gcloud) or NOT_SET
    if configured.source in environ:  # CLOUDSDK_CORE_PROJECT
        yield configured
    yield setting
    yield configured


def from_metadata(name: str, metadata: Metadata) -> SourcedValue:
    """Return a part as the metadata server knows it."""
    value = {"project": metadata.project, "zone": metadata.zone, "accelerator_type": metadata.accelerator_type}.get(name)
    value = value or metadata.tpu_env.get({"runtime_version": "RUNTIME_VERSION"}.get(name, ""))
    return SourcedValue(value, "the metadata server") if value else NOT_SET


@dataclass(frozen=True)
class TargetOffers:
    """What a target can be chosen from; empty for what could not be listed, and ``problem`` says why."""

    projects: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    accelerator_types: tuple[str, ...] = ()
    runtime_versions: tuple[str, ...] = ()
    problem: str = ""
