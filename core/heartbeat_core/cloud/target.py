"""The target, the TPU VM to set up, and the source of each part of it.

In this order: flags, the environment (HEARTBEAT_CLOUD_…, then the handbook's names, then Google's own), the settings file,
gcloud's configuration, a demo (its project), the metadata server, a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
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

    flag: str
    variables: tuple[str, ...]
    gcloud: str
    default: str | None
    setting: bool  # whether the settings have it too


def chosen_by(flag: str, *variables: str, gcloud: str = "", default: str | None = None, setting: bool = True) -> Any:
    """Make a field of the target that is chosen so."""
    return field(default=NOT_SET, metadata={"part": Part(flag, variables, gcloud, default, setting)})


@dataclass(frozen=True)
class Target:
    """The TPU VM to check for; each part knows its source."""

    project: SourcedValue = chosen_by("--project", "PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", gcloud="core/project")
    zone: SourcedValue = chosen_by("--zone", "ZONE", gcloud="compute/zone", default="us-central1-b")
    accelerator_type: SourcedValue = chosen_by("--accelerator-type", "ACCELERATOR_TYPE", default="v6e-1")
    runtime_version: SourcedValue = chosen_by("--runtime-version", "RUNTIME_VERSION")
    provisioning: SourcedValue = chosen_by("--spot", default="on-demand")
    tpu_name: SourcedValue = chosen_by("--tpu-name", "TPU_NAME", default="llm-tpu-vm")
    service_account: SourcedValue = chosen_by("--service-account")
    network: SourcedValue = chosen_by("--network", default="default", setting=False)
    subnetwork: SourcedValue = chosen_by("--subnetwork", setting=False)
    external_ip: SourcedValue = chosen_by("--internal-ips", default="yes", setting=False)

    @property
    def external(self) -> bool:
        return self.external_ip.value != "no"

    @property
    def region(self) -> str | None:
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
        words = {name: chosen.value for name, chosen in vars(self).items() if chosen.value}
        return words | ({"region": self.region} if self.region else {})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


PARTS: dict[str, Part] = {each.name: each.metadata["part"] for each in fields(Target)}


def choose_target(
    flags: Mapping[str, str | None],
    *,
    environ: Mapping[str, str],
    gcloud: GcloudConfig,
    settings: Settings | None = None,
    metadata: Metadata | None = None,
    demo_project: SourcedValue | None = None,
) -> Target:
    """Choose every part by the order above; ``flags`` maps the names of parts to what was given, None for nothing.

    Raise HeartbeatError for an invalid zone or provisioning model.
    """
    stored = settings or Settings()

    def candidates(name: str, part: Part) -> Iterator[SourcedValue]:
        """Yield what may set a part, in the order above; values may be missing."""
        key = f"cloud.{name}"
        yield SourcedValue(flags.get(name), part.flag)
        setting = SourcedValue(stored[key] or None, stored.source(key)) if part.setting else NOT_SET
        if setting.source.startswith(PREFIX):
            yield setting
        for variable in part.variables:
            yield SourcedValue(environ.get(variable), variable)
        configured = gcloud.properties.get(part.gcloud) or NOT_SET
        if configured.source in environ:  # CLOUDSDK_CORE_PROJECT
            yield configured
        yield setting
        yield configured
        if name == "project" and demo_project:
            yield demo_project
        if metadata:
            known = {**vars(metadata), "runtime_version": metadata.tpu_env.get("RUNTIME_VERSION")}
            yield SourcedValue(known.get(name), "the metadata server")
        yield SourcedValue(part.default, "default")

    chosen = {name: next(filter(None, candidates(name, part)), NOT_SET) for name, part in PARTS.items()}
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


@dataclass(frozen=True)
class TargetOffers:
    """What a target can be chosen from; empty for what could not be listed, and ``problem`` says why."""

    projects: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    accelerator_types: tuple[str, ...] = ()
    runtime_versions: tuple[str, ...] = ()
    problem: str = ""
