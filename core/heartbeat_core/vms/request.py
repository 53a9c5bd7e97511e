"""The request for a TPU VM: its problems, the body it is sent as, and the gcloud command that sends the same."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from heartbeat_core.cloud.accelerators import RUNTIMES_SOURCE, Accelerator, Provisioning, find_accelerator, runtime_fits, runtime_for
from heartbeat_core.cloud.gcloud_config import SourcedValue
from heartbeat_core.cloud.session import CloudSession
from heartbeat_core.cloud.target import ZONE, Target, TargetOffers
from heartbeat_core.cloud.tpu import list_accelerator_types, list_runtime_versions
from heartbeat_core.errors import HeartbeatError, nearest
from heartbeat_core.paths import expanded, state_folder, write_whole
from heartbeat_core.units import some

NAME = re.compile(r"[a-z]([-a-z0-9]{0,60}[a-z0-9])?")
IN_COMPUTE_ENGINE = re.compile(r"tpu\d|v?7x|ct\d", re.IGNORECASE)
COMPUTE_ENGINE_SOURCE = "https://docs.cloud.google.com/compute/docs/tpus/create-tpu-vm-instance"
EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
NETWORK = re.compile(r"[-\w./:]+")
LABEL_KEY, LABEL_VALUE = re.compile(r"[a-z][-_a-z0-9]{0,62}"), re.compile(r"[-_a-z0-9]{0,63}")
FLEX_START = "--provisioning-model=flex-start"
MOST_NAMES = 12  # in a sentence
MOST_SCRIPT_BYTES = 256 * 1024  # that one value of metadata holds
WORDS: dict[Provisioning, str] = {"on-demand": "on demand", "spot": "spot", "reserved": "reserved", "flex-start": "Flex-start"}
RUN_TIME, LONGEST_RUN_S, DEFAULT_RUN_TIME = re.compile(r"([1-9]\d{0,6})([smhd])"), 7 * 86400, "4h"


Problem = tuple[str, HeartbeatError]  # the field, and what is wrong with it


def wrong(field_: str, title: str, why: str, remedy: str) -> Problem:
    return field_, HeartbeatError(title, why, remedy)


def fetch_offers(session: CloudSession, project: str, zone: str) -> TargetOffers:
    """Ask for accelerator types and runtime versions side by side; raise CloudError."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="runtimes") as pool:
        versions = pool.submit(list_runtime_versions, session, project, zone)
        types = list_accelerator_types(session, project, zone)
        return TargetOffers(accelerator_types=types, runtime_versions=versions.result())


@dataclass(frozen=True)
class CreateRequest:
    """One TPU VM to create; with ``queued`` as a queued resource of the same name.

    Empty fields are left to Google: its default network, its default service account. ``startup_script`` is the path of a file.
    ``max_run_time``, such as 4h, is when a Flex-start TPU VM is deleted.
    """

    project: str
    zone: str
    name: str
    accelerator_type: str
    runtime_version: str
    provisioning: Provisioning = "on-demand"
    queued: bool = False
    external_ip: bool = True
    network: str = ""
    subnetwork: str = ""
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    startup_script: str = ""
    max_run_time: str = ""

    @property
    def accelerator(self) -> Accelerator | None:
        return find_accelerator(self.accelerator_type)

    @property
    def parts(self) -> dict[str, str]:
        """Return the parts of the target that it is, for the checks."""
        return {
            **{name: getattr(self, name) for name in ("project", "zone", "accelerator_type", "runtime_version", "provisioning")},
            "tpu_name": self.name,
            "service_account": self.service_account,
            "network": self.network or "default",
            "subnetwork": self.subnetwork,
            "external_ip": "yes" if self.external_ip else "no",
        }

    @property
    def model(self) -> str:
        """Return the provisioning model in words: how long Flex-start runs, and whether the request is queued."""
        until = f" for {self.max_run_time or DEFAULT_RUN_TIME}" if self.provisioning == "flex-start" else ""
        return f"{WORDS[self.provisioning]}{until}{', queued' * self.queued}"

    def summary(self) -> str:
        address = "external address" if self.external_ip else "no external address"
        return f"{self.name}: {self.accelerator_type} in {self.zone}, {self.model}, {self.runtime_version}, {address}"

    def reach(self) -> str:
        if self.external_ip:
            return "By ssh at its external address."
        return (
            "It has no external address: from here only through Google's tunnel (gcloud alpha compute tpus tpu-vm ssh "
            "--tunnel-through-iap) or from a machine in its network. It reaches the internet only where its network has Cloud NAT."
        )

    def problems(self, offers: TargetOffers | None = None) -> dict[str, HeartbeatError]:
        """Return what is wrong, by the name of the field, also by what the zone offers if that is known."""
        offers = offers or TargetOffers()
        found = (*self.wrong_names(), *self.wrong_kind(offers), *self.wrong_rest())
        return dict(reversed(found))  # the first of each field counts

    def wrong_names(self) -> Iterator[Problem]:
        if not self.project:
            yield wrong("project", "no project is chosen", "A TPU VM belongs to a project.", "Give --project, or set PROJECT_ID.")
        if not NAME.fullmatch(self.name):
            why = "It begins with a small letter, goes on in small letters, digits and hyphens, and ends in none of these; 62 at most."
            yield wrong("name", f"{self.name!r} is no name for a TPU VM", why, "Give one such as llm-tpu-vm.")
        if not ZONE.fullmatch(self.zone):
            yield wrong("zone", f"{self.zone!r} is no zone", "It is a region and an ending.", "Give one such as us-central1-b.")

    def wrong_kind(self, offers: TargetOffers) -> Iterator[Problem]:
        kind, types, versions = self.accelerator, offers.accelerator_types, offers.runtime_versions
        if IN_COMPUTE_ENGINE.match(self.accelerator_type):
            yield "accelerator_type", self.made_elsewhere()
            return
        if not self.accelerator_type or (types and self.accelerator_type not in types):
            title = f"{self.zone} does not offer {self.accelerator_type}" if self.accelerator_type else "no accelerator type is chosen"
            yield wrong("accelerator_type", title, offer_of(self.zone, types), near(self.accelerator_type, types))
        if not self.runtime_version or (versions and self.runtime_version not in versions):
            fitting = f"{kind.family.runtime} goes with {kind.type}." if kind else near(self.runtime_version, versions)
            title = f"{self.zone} has no runtime {self.runtime_version}" if self.runtime_version else "no runtime version is chosen"
            yield wrong("runtime_version", title, offer_of(self.zone, versions), fitting)
        if kind and runtime_fits(kind, self.runtime_version) is False:
            yield wrong(
                "runtime_version",
                f"the runtime {self.runtime_version} has no driver for {kind.type}",
                f"The TPU VM would come up READY, and programs on it would find no TPU ({RUNTIMES_SOURCE}).",
                f"Take {kind.family.runtime}, which goes with {kind.type}.",
            )

    def made_elsewhere(self) -> HeartbeatError:
        """Return why the Cloud TPU API cannot create it, and the command of Compute Engine that can."""
        machine = self.accelerator_type if "-standard-" in self.accelerator_type else "tpu7x-standard-4t"
        where = (f"--project={self.project}", f"--zone={self.zone}")
        command = shlex.join(("gcloud", "compute", "instances", "create", self.name, *where, f"--machine-type={machine}"))
        return HeartbeatError(
            f"{self.accelerator_type} is made in Compute Engine or GKE",
            "The Cloud TPU API has no TPU7x and later, and knows no machine types.",
            f"{command} (for its image and network see {COMPUTE_ENGINE_SOURCE}).",
        )

    def wrong_rest(self) -> Iterator[Problem]:
        if self.provisioning not in WORDS:
            known = ", ".join(WORDS)
            yield wrong("provisioning", f"{self.provisioning!r} is no provisioning model", f"It is one of {known}.", "Choose one of them.")
        if self.provisioning == "flex-start":
            yield from self.wrong_flex_start()
        if self.service_account and not EMAIL.fullmatch(self.service_account):
            why, form = "A service account is named by its e-mail address.", "Give NAME@PROJECT.iam.gserviceaccount.com."
            yield wrong("service_account", f"{self.service_account!r} is no service account", why, form)
        for name, value in (("network", self.network), ("subnetwork", self.subnetwork)):
            if value and not NETWORK.fullmatch(value):
                why = "It is a name, or a path such as projects/p/global/networks/n."
                yield wrong(name, f"{value!r} is no {name}", why, f"{why} List them: gcloud compute networks list.")
        for key, value in self.labels.items():
            if not (LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value)):
                why = "Key and value are small letters, digits, hyphens and underscores, 63 at most; a key begins with a letter."
                yield wrong("labels", f"{key}={value} is no label", why, f"Use {why[0].lower()}{why[1:]}")
        if self.startup_script and (problem := unreadable(self.startup_script)):
            yield "startup_script", problem

    def wrong_flex_start(self) -> Iterator[Problem]:
        if not self.queued:
            yield wrong("queued", "Flex-start waits for capacity", "It is a queued resource.", "Set queued to yes.")
        if shutil.which("gcloud") is None:
            why = "Only gcloud's alpha commands request it: google-cloud-tpu does not."
            yield wrong("provisioning", "Flex-start needs gcloud", why, "Install it: https://cloud.google.com/sdk/docs/install")
        time = RUN_TIME.fullmatch(self.max_run_time or DEFAULT_RUN_TIME)
        if time is None or int(time[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[time[2]] > LONGEST_RUN_S:
            why = "Flex-start runs at most 7 days."
            yield wrong("max_run_time", f"{self.max_run_time!r} is no run time", why, "Give one such as 90m, 4h or 2d.")

    def command(self) -> tuple[str, ...]:
        """Return the gcloud command that requests exactly this."""
        where = (f"--project={self.project}", f"--zone={self.zone}")
        if self.queued:
            start: tuple[str, ...] = ("queued-resources", "create", self.name, f"--node-id={self.name}")
            kind = (f"--accelerator-type={self.accelerator_type}", f"--runtime-version={self.runtime_version}")
        else:
            start = ("tpu-vm", "create", self.name)
            kind = (f"--accelerator-type={self.accelerator_type}", f"--version={self.runtime_version}")
        script = (f"--metadata-from-file=startup-script={expanded(self.startup_script)}",) if self.startup_script else ()
        alpha = ("alpha",) if self.provisioning == "flex-start" else ()
        return ("gcloud", *alpha, "compute", "tpus", *start, *where, *kind, *self.options(), *script)

    def own_command(self) -> tuple[str, ...]:
        """Return our own command that requests this, without its zone and how it is waited for."""
        kind = (f"--accelerator-type={self.accelerator_type}", f"--runtime-version={self.runtime_version}")
        script = (f"--startup-script={expanded(self.startup_script)}",) if self.startup_script else ()
        options = ("--flex-start" if option == FLEX_START else option for option in self.options())
        return ("heartbeat-tui", "vms", "create", self.name, f"--project={self.project}", *kind, *options, *script)

    def options(self) -> Iterator[str]:
        """Yield the flags that gcloud and we have in common."""
        if self.provisioning == "flex-start":
            yield from (FLEX_START, f"--max-run-duration={self.max_run_time or DEFAULT_RUN_TIME}")
        elif self.provisioning != "on-demand":
            yield f"--{self.provisioning}"
        if not self.external_ip:
            yield "--internal-ips"
        for flag, value in (("network", self.network), ("subnetwork", self.subnetwork), ("service-account", self.service_account)):
            if value:
                yield f"--{flag}={value}"
        if self.labels:
            yield "--labels=" + ",".join(f"{key}={self.labels[key]}" for key in sorted(self.labels))

    def body(self) -> dict[str, Any]:
        """Return the node or queued resource to create, as gcloud asks for it; raise HeartbeatError if the script cannot be read."""
        network = {"enable_external_ips": self.external_ip, "network": self.network or "default", "subnetwork": self.subnetwork}
        node: dict[str, Any] = {
            "accelerator_type": self.accelerator_type,
            "runtime_version": self.runtime_version,
            "network_config": network,
            "metadata": {"startup-script": read_script(self.startup_script)} if self.startup_script else {},
            "labels": dict(self.labels),
        }
        if self.service_account or self.queued:
            node["service_account"] = {"email": self.service_account}
        if not self.queued:
            scheduling = {"reserved": self.provisioning == "reserved", "spot": self.provisioning == "spot"}
            return {**node, "scheduling_config": scheduling, "shielded_instance_config": {"enable_secure_boot": False}}
        place = f"projects/{self.project}/locations/{self.zone}"
        queued: dict[str, Any] = {"tpu": {"node_spec": [{"parent": place, "node_id": self.name, "node": node}]}}
        if self.provisioning == "spot":
            queued["spot"] = {}
        if self.provisioning == "reserved":
            queued["reservation_name"] = f"{place}/reservations/-"
        return queued

    def words(self) -> dict[str, str]:
        """Return what remedies may name."""
        return {name: value for name, value in self.parts.items() if value}


def offer_of(zone: str, names: Sequence[str]) -> str:
    if not names:
        return f"What {zone} offers is not known."
    return f"{zone} offers {some(names, MOST_NAMES)}."


def near(name: str, names: Iterable[str]) -> str:
    found = nearest(name, names)
    return f"Did you mean {found}?" if found else "Choose one that the zone offers."


def unreadable(path: str) -> HeartbeatError | None:
    try:
        read_script(path)
    except HeartbeatError as error:
        return error
    return HeartbeatError(f"{path!r} cannot be given to gcloud", "Its name holds a comma.", "Rename it.") if "," in path else None


def read_script(path: str) -> str:
    """Return a start-up script; raise HeartbeatError. A pipe is refused, for the file is read once to check it and again to send it."""
    file = expanded(path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise HeartbeatError(f"the start-up script {path} is no file", "It is a folder, a device or a pipe.", "Name a file of text.")
        if status.st_size > MOST_SCRIPT_BYTES:
            raise HeartbeatError(
                f"the start-up script {path} is too long", f"It may have {MOST_SCRIPT_BYTES // 1024} KiB.", "Let it download the rest."
            )
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise HeartbeatError(f"the start-up script {path} cannot be read", str(error), "Name a file of text.") from error


SCHEMA = 1
EMPTY = CreateRequest("", "", "", "", "")


def first_request(target: Target, last: CreateRequest | None = None) -> CreateRequest:
    """Return the request to begin with: what flags, environment and settings name, else the last one, else the defaults."""
    last = last or replace(EMPTY, provisioning=target.model)

    def pick(name: str, kept: str) -> str:
        chosen: SourcedValue = getattr(target, name)
        return (chosen.value if chosen and not by_default(chosen) else kept or chosen.value) or ""

    kind = pick("accelerator_type", last.accelerator_type)
    runtime = target.runtime_version
    if by_default(runtime):  # it goes with the default type, which may not be the one that was picked
        kept = last.runtime_version if last.accelerator_type == kind else None
        runtime = SourcedValue(kept or runtime_for(kind), "goes with the type")
    return replace(
        last,
        project=target.project.value or last.project,
        zone=pick("zone", last.zone),
        name=pick("tpu_name", last.name),
        accelerator_type=kind,
        runtime_version=runtime.value or "",
        provisioning=last.provisioning if by_default(target.provisioning) else target.model,
        service_account=pick("service_account", last.service_account),
        subnetwork=pick("subnetwork", last.subnetwork),
    )


def by_default(chosen: SourcedValue) -> bool:
    """Return whether it was not chosen."""
    return chosen.source == "default" or chosen.source.startswith(("goes with", "not set"))


def last_request(path: Path | None = None) -> CreateRequest | None:
    """Return the last request that was kept, None if there is none that can be read."""
    try:
        table: Any = json.loads((path or state_file()).read_bytes())
        if table["schema"] != SCHEMA:
            return None
        kept = table["create"]
        request = CreateRequest(**{name: kept[name] for name in vars(EMPTY) if name in kept})
        alike = all(type(value) is type(getattr(EMPTY, name)) for name, value in vars(request).items())
        return request if alike and all(isinstance(part, str) for pair in request.labels.items() for part in pair) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_request(request: CreateRequest, path: Path | None = None) -> None:
    """Keep a request for the next time; if that fails, the next one begins with the defaults."""
    with contextlib.suppress(OSError):
        write_whole(path or state_file(), json.dumps({"schema": SCHEMA, "create": asdict(request)}, indent=1))


def state_file() -> Path:
    return state_folder() / "last-vm.json"
