"""Make the fixes: each an exact gcloud command where there is one. What is not known stands in it as <PROJECT>.

``words`` holds what is known: project, zone, region, accelerator_type, runtime_version, tpu_name, service, service_account,
principal (as policies write it: user:you@example.com), role, quota_id, quota_service, value, email, justification,
billing_account, network.
"""

from __future__ import annotations

import shlex

from heartbeat_core.cloud.accelerators import runtime_for
from heartbeat_core.diagnosis.model import MakeRemedy, Remedy, Words

CONSOLE = "https://console.cloud.google.com"
TPU_API = "tpu.googleapis.com"
SHORT = ("network", "constraint")  # what commands name without its path
HERE = "--project={project} --zone={zone}"
# Where a policy has conditions, gcloud asks for one, and refuses in a script.
BIND = "add-iam-policy-binding {0} --member={{principal}} --role={1} --condition=None"


class KnownWords(dict[str, str]):
    """Words, with a placeholder such as <PROJECT> for each that is not known."""

    def __init__(self, words: Words) -> None:
        super().__init__((name, value.rpartition("/")[2] if name in SHORT else value) for name, value in words.items() if value)

    def __missing__(self, name: str) -> str:
        return f"<{name.upper()}>"


def fix(
    text: str, command: str = "", *, page: str = "", changes: str = "", costs: bool | None = False, interactive: bool = False
) -> MakeRemedy:
    """Make a remedy out of texts with {names} of words; the command is written as in a shell, and split before it is filled."""
    arguments = shlex.split(command)

    def make(words: Words) -> Remedy:
        known = KnownWords(words)
        filled = tuple(argument.format_map(known) for argument in arguments)
        return Remedy(text.format_map(known), filled or None, page.format_map(known) or None, changes.format_map(known), costs, interactive)

    return make


# -- accounts and credentials
init = fix("Sign in to gcloud and choose account, project and zone.", "gcloud init", changes="gcloud's configuration", interactive=True)
login = fix("Sign in to gcloud.", "gcloud auth login", changes="gcloud's credentials here", interactive=True)
login_programs = fix(
    "Sign in for programs: they use separate credentials.", "gcloud auth application-default login",
    changes="the credentials of programs here", interactive=True,
)  # fmt: skip
list_accounts = fix("List the accounts of gcloud.", "gcloud auth list")


def login_adc(words: Words) -> Remedy:
    if file := words.get("credentials_file"):
        text = f"GOOGLE_APPLICATION_CREDENTIALS names {file}: correct that file, or unset the variable and sign in. Signing in alone does"
        return Remedy(f"{text} not help: gcloud auth application-default login")
    return login_programs(words)


def set_quota_project(words: Words) -> Remedy:
    """Set the project as quota project, unless Google has just denied its use (``denied``)."""
    project = KnownWords(words)["project"] if words.get("project") != words.get("denied") else "<QUOTA_PROJECT>"
    if words.get("credentials_file"):
        return Remedy(f"While GOOGLE_APPLICATION_CREDENTIALS is set: export GOOGLE_CLOUD_QUOTA_PROJECT={project}")
    command = "gcloud auth application-default set-quota-project {project}"
    text = "Set your own project as the quota project."
    return fix(text, command, changes="the credentials of programs here")({"project": project})


def perimeter(words: Words) -> Remedy:
    uid = words.get("uid")
    what = f"this identifier: {uid}" if uid else "the whole answer"
    return Remedy(f"Give an administrator of the organization {what}. It leads to the refusal in the audit log.")


# -- projects, billing and APIs
set_project = fix("Set the project for gcloud.", "gcloud config set project {project}", changes="gcloud's configuration")
set_zone = fix(
    "Set the zone for gcloud, or add --zone to the command.", "gcloud config set compute/zone {zone}", changes="gcloud's configuration"
)
list_projects = fix("List the projects you can see.", "gcloud projects list")
create_project = fix("Create a project.", "gcloud projects create {project}", changes="creates a project")
link_billing = fix(
    "Link a billing account to the project.", "gcloud billing projects link {project} --billing-account={billing_account}",
    changes="who pays for the project", costs=None,
)  # fmt: skip
billing_page = fix(
    "Or link one in the console.",
    page=f"{CONSOLE}/billing/linkedaccount?project={{project}}",
    changes="who pays for the project",
    costs=None,
)
suspended_page = fix("Appeal in the console.", page=f"{CONSOLE}/home/dashboard?project={{project}}")
list_billing_accounts = fix("List the billing accounts you can use.", "gcloud billing accounts list")
enable_api = fix(
    "Enable {service}; takes a few minutes to propagate.", "gcloud services enable {service} --project={project}",
    changes="enables {service} in the project",
)  # fmt: skip


# -- roles and service accounts
grant_role = fix(
    "Ask an administrator of the project to grant {role}.", f"gcloud projects {BIND.format('{project}', '{role}')}",
    changes="who may do what in the project",
)  # fmt: skip
grant_act_as = fix(
    "Grant the permission to act as that service account.",
    f"gcloud iam service-accounts {BIND.format('{service_account} --project={project}', 'roles/iam.serviceAccountUser')}",
    changes="who may act as the service account",
)
list_service_accounts = fix("List the service accounts of the project.", "gcloud iam service-accounts list --project={project}")
create_service_agent = fix(
    "Create Cloud TPU's service agent; harmless if it exists.",
    f"gcloud beta services identity create --service={TPU_API} --project={{project}}",
    changes="creates Google's service agent",
)


def grant_use_of_project(words: Words) -> Remedy:
    return grant_role({**words, "project": KnownWords(words)["denied"], "role": "roles/serviceusage.serviceUsageConsumer"})


def create_service_account(words: Words) -> Remedy:
    name = KnownWords(words)["service_account"].partition("@")[0]
    command = "gcloud iam service-accounts create {name} --project={project}"
    return fix("Create a service account for the TPU VM.", command, changes="creates a service account")({**words, "name": name})


def grant_bucket(words: Words) -> Remedy:
    account = words.get("account")
    return fix(
        "Let the account read and write objects of the bucket.",
        "gcloud storage buckets add-iam-policy-binding gs://{bucket} --member={principal} --role=roles/storage.objectAdmin",
        changes="who may use the bucket",
    )({**words, "principal": f"serviceAccount:{account}" if account else words.get("principal", "")})


# -- quota
quota_page = fix("See the quotas of the zone and of its region; both apply.", page=f"{CONSOLE}/iam-admin/quotas?project={{project}}")


def request_quota(words: Words) -> Remedy:
    """Request ``value`` of ``quota_id`` in the zone, or in the region for a quota of regions."""
    place = "region" if "PerRegion" in words.get("quota_id", "") or "-per-project-region" in words.get("quota_id", "") else "zone"
    return fix(
        "Request the quota; Google answers in one or two days.",
        "gcloud beta quotas preferences create --service={quota_service} --project={project} --quota-id={quota_id} "
        f"--preferred-value={{value}} --dimensions={place}={{{place}}} --email={{email}} --justification={{justification}}",
        changes="requests quota from Google",
    )({**words, "quota_service": words.get("quota_service") or TPU_API})


# -- the network
create_network = fix(
    "Create the network, with a subnet in every region.", "gcloud compute networks create {network} --project={project} --subnet-mode=auto",
    changes="creates a network",
)  # fmt: skip
create_subnet = fix(
    "Create a subnet in the region, or choose another zone or network.",
    "gcloud compute networks subnets create {subnet_name} --project={project} --network={network} --region={region} --range={subnet_range}",
    changes="creates a subnet",
)
list_subnets = fix(
    "Choose a subnetwork of the region, and its network.", "gcloud compute networks subnets list --project={project} --regions={region}"
)
create_router = fix(
    "Create a router for Cloud NAT.",
    "gcloud compute routers create heartbeat-router --project={project} --region={region} --network={network}",
    changes="creates a router",
)
create_nat = fix(
    "Then give it Cloud NAT.",
    "gcloud compute routers nats create heartbeat-nat --project={project} --region={region} --router=heartbeat-router "
    "--auto-allocate-nat-external-ips --nat-all-subnet-ip-ranges",
    changes="creates Cloud NAT", costs=True,
)  # fmt: skip


def allow_ssh(words: Words, source: str, rule: str, text: str) -> Remedy:
    command = (
        "gcloud compute firewall-rules create {rule} --project={project} --network={network} --direction=INGRESS --allow=tcp:22 "
        "--source-ranges={source}"
    )
    return fix(text, command, changes="who may reach the VMs of the network by ssh")({**words, "rule": rule, "source": source})


# -- TPU VMs and queued resources
list_queued = fix("List suspended and failed queued resources.", f"gcloud compute tpus queued-resources list {HERE}")
delete_queued = fix(
    "Delete those that are not needed.", f"gcloud compute tpus queued-resources delete {{queued_resource}} {HERE}",
    changes="deletes a queued resource", interactive=True,
)  # fmt: skip
list_locations = fix("List the zones that have TPUs.", "gcloud compute tpus locations list --project={project}")
list_types = fix("List what the zone offers, or try other zones.", f"gcloud compute tpus accelerator-types list {HERE}")
delete_vm = fix(
    "Delete the TPU VM with all data on it.", f"gcloud compute tpus tpu-vm delete {{tpu_name}} {HERE}",
    changes="deletes the TPU VM", interactive=True,
)  # fmt: skip


def create_vm(words: Words, text: str = "Create the TPU VM.", more: str = "") -> Remedy:
    """Create the TPU VM; ``more`` are further flags."""
    command = f"gcloud compute tpus tpu-vm create {{tpu_name}} {HERE} --accelerator-type={{accelerator_type}} --version={{runtime_version}}"
    return fix(text, f"{command} {more}", changes="creates a TPU VM", costs=True)(words)


def create_spot(words: Words) -> Remedy:
    return create_vm(words, "Or create a spot VM: cheaper, with its own quota, and preemptible.", "--spot")


def pass_service_account(words: Words) -> Remedy:
    return create_vm(words, "Or create the TPU VM with another service account.", "--service-account={service_account}")


def create_within_policy(words: Words) -> Remedy:
    """Create the VM as the policy allows: without an external address, or as a shielded VM."""
    if "vmExternalIpAccess" in words.get("constraint", ""):
        return create_vm(words, "Create the TPU VM without an external address.", "--internal-ips")
    return create_vm(words, "Create the TPU VM with secure boot.", "--shielded-secure-boot")


def create_fitting(words: Words) -> Remedy:
    """Create a VM with the runtime that fits its accelerator: v6e's, where none is known."""
    kind = words.get("accelerator_type") or "v6e-1"
    text = "If it does not fit, create the VM with the one that fits, after the old one is deleted or under another name."
    return create_vm({**words, "accelerator_type": kind, "runtime_version": runtime_for(kind) or ""}, text)


def two_dashes(words: Words) -> Remedy:
    """Write the whole command where one was to be created, the flag alone in any other."""
    text = f"Write --{words.get('flag', 'project')} with two dashes."
    return create_vm(words, text) if words.get("creates") else Remedy(text)


# -- on a TPU VM
wait = fix("Wait a minute and try again.")
holder = fix("List the processes that use the chip; heartbeat-tui never ends another program.", "sudo lsof -w /dev/vfio/0 /dev/accel0")
process = fix("Show that process; end it yourself if it is yours and not needed.", "ps -o pid,user,lstart,args -p {pid}")


def gcloud_help(words: Words) -> Remedy:
    command = words.get("gcloud", "gcloud.compute.tpus.tpu-vm").replace(".", " ")
    return Remedy(f"See what the command takes: {command} --help.")


def shorter_model_len(words: Words) -> Remedy:
    return Remedy(f"Start the server with --max-model-len={words.get('length') or '4096, or less'}.")


# -- packages
install_openblas = fix("Install OpenBLAS.", "sudo apt-get install -y libopenblas-dev", changes="installs a package")
install_pair = fix(
    "Install versions that match.", "pip install torch==2.9.* torch_xla[tpu]==2.9.*", changes="replaces torch and torch_xla in this Python"
)
built_for_you = fix(
    "Or let heartbeat-tui build an environment with both.", "heartbeat-tui backend install xla",
    changes="builds an environment in your cache", interactive=True,
)  # fmt: skip
