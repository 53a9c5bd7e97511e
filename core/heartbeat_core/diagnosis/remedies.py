"""Make the fixes: each an exact gcloud command where there is one. What is not known stands in it as <PROJECT>.

``words`` holds what is known: project, zone, region, accelerator_type, runtime_version, tpu_name, service, service_account,
principal (as policies write it: user:you@example.com), role, quota_id, quota_service, value, email, justification,
billing_account.
"""

from __future__ import annotations

from heartbeat_core.diagnosis.model import MakeRemedy, Remedy, Words

CONSOLE = "https://console.cloud.google.com"
TPU_API = "tpu.googleapis.com"
UNCONDITIONAL = "--condition=None"  # where a policy has conditions, gcloud asks for one, and refuses in a script


def word(words: Words, name: str) -> str:
    """Return a known value, or a placeholder such as <PROJECT>."""
    return words.get(name) or f"<{name.upper()}>"


def project_flag(words: Words) -> str:
    return f"--project={word(words, 'project')}"


def init(words: Words) -> Remedy:
    del words
    return Remedy(
        "Sign in to gcloud and choose account, project and zone.", ("gcloud", "init"), changes="gcloud's configuration", interactive=True
    )


def login(words: Words) -> Remedy:
    del words
    return Remedy("Sign in to gcloud.", ("gcloud", "auth", "login"), changes="gcloud's credentials here", interactive=True)


def login_adc(words: Words) -> Remedy:
    if file := words.get("credentials_file"):
        text = f"GOOGLE_APPLICATION_CREDENTIALS names {file}: correct that file, or unset the variable and sign in. Signing in alone does"
        return Remedy(f"{text} not help: gcloud auth application-default login")
    command = ("gcloud", "auth", "application-default", "login")
    return Remedy(
        "Sign in for programs: they use separate credentials.", command, changes="the credentials of programs here", interactive=True
    )


def list_accounts(words: Words) -> Remedy:
    del words
    return Remedy("List the accounts of gcloud.", ("gcloud", "auth", "list"))


def set_project(words: Words) -> Remedy:
    command = ("gcloud", "config", "set", "project", word(words, "project"))
    return Remedy("Set the project for gcloud.", command, changes="gcloud's configuration")


def set_zone(words: Words) -> Remedy:
    command = ("gcloud", "config", "set", "compute/zone", word(words, "zone"))
    return Remedy("Set the zone for gcloud, or add --zone to the command.", command, changes="gcloud's configuration")


def set_quota_project(words: Words) -> Remedy:
    """Set the project as quota project, unless Google has just denied its use (``denied``)."""
    project = word(words, "project") if words.get("project") != words.get("denied") else "<QUOTA_PROJECT>"
    if words.get("credentials_file"):
        return Remedy(f"While GOOGLE_APPLICATION_CREDENTIALS is set: export GOOGLE_CLOUD_QUOTA_PROJECT={project}")
    command = ("gcloud", "auth", "application-default", "set-quota-project", project)
    return Remedy("Set your own project as the quota project.", command, changes="the credentials of programs here")


def list_projects(words: Words) -> Remedy:
    del words
    return Remedy("List the projects you can see.", ("gcloud", "projects", "list"))


def create_project(words: Words) -> Remedy:
    return Remedy("Create a project.", ("gcloud", "projects", "create", word(words, "project")), changes="creates a project")


def link_billing(words: Words) -> Remedy:
    account = f"--billing-account={word(words, 'billing_account')}"
    command = ("gcloud", "billing", "projects", "link", word(words, "project"), account)
    return Remedy("Link a billing account to the project.", command, changes="who pays for the project", costs=None)


def upgrade_billing(words: Words) -> Remedy:
    del words
    return Remedy("Upgrade the billing account to a paid one.", page=f"{CONSOLE}/billing", changes="who pays for the project", costs=None)


def billing_page(words: Words) -> Remedy:
    page = f"{CONSOLE}/billing/linkedaccount?project={word(words, 'project')}"
    return Remedy("Or link one in the console.", page=page, changes="who pays for the project", costs=None)


def suspended_page(words: Words) -> Remedy:
    return Remedy("Appeal in the console.", page=f"{CONSOLE}/home/dashboard?project={word(words, 'project')}")


def list_billing_accounts(words: Words) -> Remedy:
    del words
    return Remedy("List the billing accounts you can use.", ("gcloud", "billing", "accounts", "list"))


def enable_api(words: Words) -> Remedy:
    service = word(words, "service")
    command = ("gcloud", "services", "enable", service, project_flag(words))
    return Remedy(f"Enable {service}; takes a few minutes to propagate.", command, changes=f"enables {service} in the project")


def grant_role(words: Words) -> Remedy:
    """Grant ``role`` to ``principal`` in the project."""
    role = word(words, "role")
    command = (
        "gcloud",
        "projects",
        "add-iam-policy-binding",
        word(words, "project"),
        f"--member={word(words, 'principal')}",
        f"--role={role}",
        UNCONDITIONAL,
    )
    return Remedy(f"Ask an administrator of the project to grant {role}.", command, changes="who may do what in the project")


def grant(role: str) -> MakeRemedy:
    """Make the remedy that grants one role."""
    return lambda words: grant_role({**words, "role": role})


def enable(service: str) -> MakeRemedy:
    """Make the remedy that enables one API."""
    return lambda words: enable_api({**words, "service": service})


def grant_use_of_project(words: Words) -> Remedy:
    return grant_role({**words, "project": word(words, "denied"), "role": "roles/serviceusage.serviceUsageConsumer"})


def grant_token_creator(words: Words) -> Remedy:
    command = (
        "gcloud", "iam", "service-accounts", "add-iam-policy-binding", word(words, "impersonated_account"),
        f"--member={word(words, 'principal')}", "--role=roles/iam.serviceAccountTokenCreator", UNCONDITIONAL,
    )  # fmt: skip
    return Remedy("Grant the permission to impersonate it.", command, changes="who may act as the service account")


def list_keys(words: Words) -> Remedy:
    command = ("gcloud", "iam", "service-accounts", "keys", "list", f"--iam-account={word(words, 'key_account')}")
    return Remedy("List the keys of the account in the file (client_email).", command)


def show_clock(words: Words) -> Remedy:
    del words
    return Remedy("Compare the clock with the time elsewhere, and set it.", ("date", "-u"))


def describe_provider(words: Words) -> Remedy:
    command = (
        "gcloud", "iam", "workload-identity-pools", "providers", "describe", word(words, "provider"), "--location=global",
        f"--workload-identity-pool={word(words, 'pool')}",
    )  # fmt: skip
    return Remedy("Compare the provider's condition with the token; both names are in the credentials file (audience).", command)


def login_workforce(words: Words) -> Remedy:
    command = ("gcloud", "auth", "application-default", "login", f"--login-config={word(words, 'login_config')}")
    return Remedy("Sign in through the organization.", command, changes="the credentials of programs here", interactive=True)


def perimeter(words: Words) -> Remedy:
    uid = words.get("uid")
    what = f"this identifier: {uid}" if uid else "the whole answer"
    return Remedy(f"Give an administrator of the organization {what}. It leads to the refusal in the audit log.")


def grant_act_as(words: Words) -> Remedy:
    command = (
        "gcloud", "iam", "service-accounts", "add-iam-policy-binding", word(words, "service_account"), project_flag(words),
        f"--member={word(words, 'principal')}", "--role=roles/iam.serviceAccountUser", UNCONDITIONAL,
    )  # fmt: skip
    return Remedy("Grant the permission to act as that service account.", command, changes="who may act as the service account")


def list_service_accounts(words: Words) -> Remedy:
    return Remedy("List the service accounts of the project.", ("gcloud", "iam", "service-accounts", "list", project_flag(words)))


def create_service_account(words: Words) -> Remedy:
    name = word(words, "service_account").partition("@")[0]
    command = ("gcloud", "iam", "service-accounts", "create", name, project_flag(words))
    return Remedy("Create a service account for the TPU VM.", command, changes="creates a service account")


def pass_service_account(words: Words) -> Remedy:
    return create_vm(words, "Or create the TPU VM with another service account.", f"--service-account={word(words, 'service_account')}")


def create_service_agent(words: Words) -> Remedy:
    command = ("gcloud", "beta", "services", "identity", "create", f"--service={TPU_API}", project_flag(words))
    return Remedy("Create Cloud TPU's service agent; harmless if it exists.", command, changes="creates Google's service agent")


def request_quota(words: Words) -> Remedy:
    """Request ``value`` of ``quota_id`` in the zone, or in the region for a quota of regions."""
    place = "region" if "PerRegion" in words.get("quota_id", "") or "-per-project-region" in words.get("quota_id", "") else "zone"
    command = (
        "gcloud", "beta", "quotas", "preferences", "create", f"--service={words.get('quota_service') or TPU_API}", project_flag(words),
        f"--quota-id={word(words, 'quota_id')}", f"--preferred-value={word(words, 'value')}", f"--dimensions={place}={word(words, place)}",
        f"--email={word(words, 'email')}", f"--justification={word(words, 'justification')}",
    )  # fmt: skip
    return Remedy("Request the quota; Google answers in one or two days.", command, changes="requests quota from Google")


def quota_page(words: Words) -> Remedy:
    page = f"{CONSOLE}/iam-admin/quotas?project={word(words, 'project')}"
    return Remedy("See the quotas of the zone and of its region; both apply.", page=page)


def create_network(words: Words, name: str) -> tuple[Remedy, ...]:
    """Return the creation of an auto-mode network with a subnet in every region, and of its rule for ssh through IAP."""
    command = ("gcloud", "compute", "networks", "create", name.rpartition("/")[2], project_flag(words), "--subnet-mode=auto")
    made = Remedy("Create the network, with a subnet in every region.", command, changes="creates a network")
    rule = allow_ssh(words, name, "35.235.240.0/20", "allow-ssh-from-iap", "Then allow ssh through IAP's tunnel.")
    return made, rule


def create_subnet(words: Words, name: str) -> Remedy:
    command = (
        "gcloud", "compute", "networks", "subnets", "create", word(words, "subnet_name"), project_flag(words),
        f"--network={name.rpartition('/')[2]}", f"--region={word(words, 'region')}", f"--range={word(words, 'subnet_range')}",
    )  # fmt: skip
    return Remedy("Create a subnet in the region, or choose another zone or network.", command, changes="creates a subnet")


def allow_ssh(words: Words, network: str, source: str, rule: str, text: str) -> Remedy:
    command = (
        "gcloud", "compute", "firewall-rules", "create", rule, project_flag(words), f"--network={network.rpartition('/')[2]}",
        "--direction=INGRESS", "--allow=tcp:22", f"--source-ranges={source}",
    )  # fmt: skip
    return Remedy(text, command, changes="who may reach the VMs of the network by ssh")


def create_nat(words: Words, network: str) -> tuple[Remedy, ...]:
    where = (project_flag(words), f"--region={word(words, 'region')}")
    router = ("gcloud", "compute", "routers", "create", "heartbeat-router", *where, f"--network={network.rpartition('/')[2]}")
    nat = (
        "gcloud", "compute", "routers", "nats", "create", "heartbeat-nat", *where, "--router=heartbeat-router",
        "--auto-allocate-nat-external-ips", "--nat-all-subnet-ip-ranges",
    )  # fmt: skip
    return (
        Remedy("Create a router for Cloud NAT.", router, changes="creates a router"),
        Remedy("Then give it Cloud NAT.", nat, changes="creates Cloud NAT", costs=True),
    )


def list_queued(words: Words) -> Remedy:
    command = ("gcloud", "compute", "tpus", "queued-resources", "list", project_flag(words), f"--zone={word(words, 'zone')}")
    return Remedy("List suspended and failed queued resources.", command)


def delete_queued(words: Words) -> Remedy:
    command = (
        "gcloud", "compute", "tpus", "queued-resources", "delete", word(words, "queued_resource"), project_flag(words),
        f"--zone={word(words, 'zone')}",
    )  # fmt: skip
    return Remedy("Delete those that are not needed.", command, changes="deletes a queued resource", interactive=True)


def list_locations(words: Words) -> Remedy:
    return Remedy("List the zones that have TPUs.", ("gcloud", "compute", "tpus", "locations", "list", project_flag(words)))


def list_types(words: Words) -> Remedy:
    command = ("gcloud", "compute", "tpus", "accelerator-types", "list", project_flag(words), f"--zone={word(words, 'zone')}")
    return Remedy("List what the zone offers, or try other zones.", command)


def create_spot(words: Words) -> Remedy:
    return create_vm(words, "Or create a spot VM: cheaper, with its own quota, and preemptible.", "--spot")


def queue(words: Words) -> Remedy:
    command = (
        "gcloud", "compute", "tpus", "queued-resources", "create", word(words, "queued_resource"), f"--node-id={word(words, 'tpu_name')}",
        project_flag(words), f"--zone={word(words, 'zone')}", f"--accelerator-type={word(words, 'accelerator_type')}",
        f"--runtime-version={word(words, 'runtime_version')}",
    )  # fmt: skip
    return Remedy("Or create a queued resource.", command, changes="creates a TPU VM as soon as one is available", costs=True)


def create_vm(words: Words, text: str = "Create the TPU VM.", *more: str) -> Remedy:
    command = (
        "gcloud", "compute", "tpus", "tpu-vm", "create", word(words, "tpu_name"), project_flag(words), f"--zone={word(words, 'zone')}",
        f"--accelerator-type={word(words, 'accelerator_type')}", f"--version={word(words, 'runtime_version')}", *more,
    )  # fmt: skip
    return Remedy(text, command, changes="creates a TPU VM", costs=True)


def delete_vm(words: Words) -> Remedy:
    command = (
        "gcloud",
        "compute",
        "tpus",
        "tpu-vm",
        "delete",
        word(words, "tpu_name"),
        project_flag(words),
        f"--zone={word(words, 'zone')}",
    )
    return Remedy("Delete the TPU VM with all data on it.", command, changes="deletes the TPU VM", interactive=True)


def describe_vm(words: Words) -> Remedy:
    command = (
        "gcloud",
        "compute",
        "tpus",
        "tpu-vm",
        "describe",
        word(words, "tpu_name"),
        project_flag(words),
        f"--zone={word(words, 'zone')}",
    )
    return Remedy("See the VM's state, health, type and runtime.", command)


def start_vm(words: Words) -> Remedy:
    command = (
        "gcloud",
        "compute",
        "tpus",
        "tpu-vm",
        "start",
        word(words, "tpu_name"),
        project_flag(words),
        f"--zone={word(words, 'zone')}",
    )
    return Remedy("Start it, if it is stopped.", command, changes="starts the TPU VM", costs=True)


def ssh_verbose(words: Words) -> Remedy:
    command = (
        "gcloud", "compute", "tpus", "tpu-vm", "ssh", word(words, "tpu_name"), project_flag(words), f"--zone={word(words, 'zone')}",
        "--ssh-flag=-vvv",
    )  # fmt: skip
    return Remedy("Connect by hand and let ssh say what it does.", command, changes="may add your key to the VM", interactive=True)


def run_on_all(words: Words) -> Remedy:
    command = (
        "gcloud", "compute", "tpus", "tpu-vm", "ssh", word(words, "tpu_name"), project_flag(words), f"--zone={word(words, 'zone')}",
        "--worker=all", f"--command={word(words, 'command')}",
    )  # fmt: skip
    return Remedy("Start the program on every host at the same time.", command, changes="runs the command on all hosts", interactive=True)


def list_versions(words: Words) -> Remedy:
    command = ("gcloud", "compute", "tpus", "tpu-vm", "versions", "list", project_flag(words), f"--zone={word(words, 'zone')}")
    return Remedy("List the runtimes of the zone.", command)


def open_ssh(words: Words) -> Remedy:
    """Let the hosts of a network reach one another; 10.128.0.0/9 is what a network with automatic subnets uses."""
    return allow_ssh(words, "default", "10.128.0.0/9", "allow-ssh-between-hosts", "Allow ssh between the hosts of the network.")


def create_default_network(words: Words) -> Remedy:
    return create_network(words, "default")[0]


def show_policy(words: Words) -> Remedy:
    constraint = word(words, "constraint").removeprefix("constraints/")
    command = ("gcloud", "org-policies", "describe", constraint, project_flag(words), "--effective")
    return Remedy("See the policy that holds here; only an administrator of the organization changes it.", command)


def create_within_policy(words: Words) -> Remedy:
    """Create the VM as the policy allows: without an external address, or as a shielded VM."""
    if "vmExternalIpAccess" in words.get("constraint", ""):
        return create_vm(words, "Create the TPU VM without an external address.", "--internal-ips")
    return create_vm(words, "Create the TPU VM with secure boot.", "--shielded-secure-boot")


def grant_bucket(words: Words) -> Remedy:
    account = words.get("account")
    member = f"serviceAccount:{account}" if account else word(words, "principal")
    command = (
        "gcloud", "storage", "buckets", "add-iam-policy-binding", f"gs://{word(words, 'bucket')}", f"--member={member}",
        "--role=roles/storage.objectAdmin",
    )  # fmt: skip
    return Remedy("Let the account read and write objects of the bucket.", command, changes="who may use the bucket")


def configure_docker(words: Words) -> Remedy:
    command = ("gcloud", "auth", "configure-docker", word(words, "registry"))
    return Remedy("Let Docker use gcloud's credentials.", command, changes="~/.docker/config.json", interactive=True)


def gcloud_help(words: Words) -> Remedy:
    command = words.get("gcloud", "gcloud.compute.tpus.tpu-vm").replace(".", " ")
    return Remedy(f"See what the command takes: {command} --help.")


def wait(words: Words) -> Remedy:
    del words
    return Remedy("Wait a minute and try again.")


def holder(words: Words) -> Remedy:
    del words
    return Remedy(
        "List the processes that use the chip; heartbeat-tui never ends another program.",
        ("sudo", "lsof", "-w", "/dev/vfio/0", "/dev/accel0"),
    )


def holder_of_lock(words: Words) -> Remedy:
    del words
    return Remedy("List the processes that hold the lock.", ("sudo", "lsof", "-w", "/tmp/libtpu_lockfile"))  # noqa: S108  # libtpu's own


def remove_lock(words: Words) -> Remedy:
    del words
    command = ("sudo", "rm", "/tmp/libtpu_lockfile")  # noqa: S108  # libtpu's own
    return Remedy("Remove the lock file, only if no process holds it.", command, changes="deletes a file")


def process(words: Words) -> Remedy:
    command = ("ps", "-o", "pid,user,lstart,args", "-p", word(words, "pid"))
    return Remedy("Show that process; end it yourself if it is yours and not needed.", command)


def install_openblas(words: Words) -> Remedy:
    del words
    return Remedy("Install OpenBLAS.", ("sudo", "apt-get", "install", "-y", "libopenblas-dev"), changes="installs a package")


def install_pair(words: Words) -> Remedy:
    del words
    command = ("pip", "install", "torch==2.9.*", "torch_xla[tpu]==2.9.*")
    return Remedy("Install versions that match.", command, changes="replaces torch and torch_xla in this Python")


def pip(text: str, *packages: str) -> MakeRemedy:
    """Make the remedy that installs packages into this Python."""
    remedy = Remedy(text, ("python3", "-m", "pip", "install", *packages), changes="packages in this Python")
    return lambda words: remedy  # noqa: ARG005  # each remedy is made from words


install_jax = pip("Install JAX for TPUs, with the libtpu that it needs.", "-U", "jax[tpu]")
install_cpu_torch = pip(
    "Install torch for the CPU; torch_xla brings the TPU.", "torch==2.9.*", "--index-url", "https://download.pytorch.org/whl/cpu"
)
install_numpy = pip("Install the older NumPy.", "numpy<2")
install_vllm = pip("Install vLLM for TPUs in a new virtual environment.", "vllm-tpu")
upgrade_pip = pip("Bring pip up to date; an old one does not see new wheels.", "-U", "pip")


def install_quoted(words: Words) -> Remedy:
    return pip("Put quotes around it.", words.get("package", "<PACKAGE>"))(words)


def show_python(words: Words) -> Remedy:
    del words
    return Remedy("See which Python and pip these are.", ("python3", "-m", "pip", "--version"))


def install_pip(words: Words) -> Remedy:
    del words
    command = ("sudo", "apt-get", "install", "-y", "python3-pip", "python3-venv")
    return Remedy("Install pip and venv.", command, changes="installs packages")


def make_venv(words: Words) -> Remedy:
    del words
    return Remedy("Make a virtual environment.", ("python3", "-m", "venv", "tpu"), changes="creates a folder")


def shorter_model_len(words: Words) -> Remedy:
    return Remedy(f"Start the server with --max-model-len={words.get('length') or '4096, or less'}.")


def listeners(words: Words) -> Remedy:
    del words
    return Remedy("List the programs that listen.", ("sudo", "ss", "-ltnp"))


def run_privileged(words: Words) -> Remedy:
    command = ("docker", "run", "--rm", "--privileged", "--net=host", word(words, "image"))
    return Remedy("Run the container with the host's devices and network.", command, changes="starts a container")


def built_for_you(words: Words) -> Remedy:
    del words
    command = ("heartbeat-tui", "backend", "install", "xla")
    return Remedy(
        "Or let heartbeat-tui build an environment with both.", command, changes="builds an environment in your cache", interactive=True
    )
