"""Checks of the network that the TPU VM joins, and of the organization's policies for it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import partial

from heartbeat_core.checks.check import EXISTS, Check, Finding, failed, not_applicable, passed, unknown, warned
from heartbeat_core.checks.context import DENIED, Context
from heartbeat_core.cloud import compute, projects
from heartbeat_core.cloud.compute import FirewallRule
from heartbeat_core.cloud.errors import CloudError, unless_missing
from heartbeat_core.cloud.projects import OrganizationPolicy
from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.diagnose import diagnose_exception
from heartbeat_core.diagnosis.model import Remedy

SSH = 22
ANYWHERE, IAP = ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("35.235.240.0/20")
FIREWALLS = "https://docs.cloud.google.com/firewall/docs/using-firewalls"
NETWORKS = "https://docs.cloud.google.com/vpc/docs/create-modify-vpc-networks"
NAT = "https://docs.cloud.google.com/nat/docs/overview"
POLICIES = "https://docs.cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints"


def network(context: Context) -> Finding:
    chosen, region, words = context.target.network, context.target.region, context.words
    name = chosen.value or "default"
    found = unless_missing(compute.get_network_regions, context.session, context.project, name)
    if found is None:
        why = f"A TPU VM joins the network {name}, set by {chosen.source}. Without it the VM cannot be created."
        rule = do.allow_ssh(words, str(IAP), "allow-ssh-from-iap", "Then allow ssh through IAP's tunnel.")
        return failed(f"there is no network {name}", why, do.create_network(words), rule)
    if not region:
        return unknown("could not tell: no zone is chosen, or its name contains no region")
    if region not in found:
        why = f"The network {name} has subnets in {', '.join(sorted(found)) or 'no region'} only."
        return failed(f"{name} has no subnet in {region}", why, do.create_subnet(words))
    subnet = context.target.subnetwork.value
    return passed(f"{name}, with a subnet in {region}") if not subnet else subnetwork(context, name, region, subnet)


def subnetwork(context: Context, network: str, region: str, name: str) -> Finding:
    """Find out whether the subnetwork that was chosen is one of the network, in the region."""
    why = f"A TPU VM joins the subnetwork {name}, set by {context.target.subnetwork.source}, of the network {network}."
    elsewhere = re.search(r"regions/([^/]+)/", name)
    if elsewhere and elsewhere[1] != region:
        return failed(f"{name} is in {elsewhere[1]}", f"{why} The zone is in {region}.", do.list_subnets(context.words))
    of = unless_missing(compute.network_of_subnet, context.session, context.project, region, name)
    if of is None:
        return failed(f"there is no subnetwork {name} in {region}", why, do.list_subnets(context.words))
    if of != compute.network_path(context.project, network):
        path = of[1] if of[0] == context.project else f"projects/{of[0]}/global/networks/{of[1]}"
        return failed(f"{name} is a subnetwork of the network {path}", f"{why} Give --network {path}.", do.list_subnets(context.words))
    return passed(f"{network}, with the subnetwork {name} in {region}")


def ssh(context: Context) -> Finding:
    """Find out whether the firewall lets ssh in, from anywhere or from IAP's tunnel."""
    name = context.target.network.value or "default"
    rules = [rule for rule in compute.list_firewall_rules(context.session, context.project, name) if rule.covers(SSH)]
    account = context.target.service_account.value or ""
    rules = [rule for rule in rules if not rule.targets or account in rule.targets]
    note = "Firewall policies of the organization are not read."
    tunnel = let_in(rules, IAP)
    iap_rule = do.allow_ssh(context.words, str(IAP), "allow-ssh-from-iap", "Allow ssh through IAP's tunnel.")
    if not context.target.external:
        if tunnel:
            return passed(f"{tunnel.name} lets IAP's tunnel in", note)
        why = f"A TPU VM without an external address is reached through IAP's tunnel, from {IAP}. {note}"
        return failed("no rule lets IAP's tunnel in", why, iap_rule)
    if rule := let_in(rules, ANYWHERE):
        return passed(f"{rule.name} lets tcp:22 in from anywhere", note)
    own = do.allow_ssh(context.words, "<SOURCE_RANGE>", "allow-ssh", "Allow ssh from your own address, such as 203.0.113.7/32.")
    if tunnel:
        why = "gcloud reaches the TPU VM with --tunnel-through-iap, heartbeat-tui with --way iap."
        return warned(f"only IAP's tunnel may use ssh ({tunnel.name})", why, own)
    sources = {source: ipaddress.ip_network(source, strict=False) for rule in rules if rule.allows for source in rule.ranges}
    if some := [source for source, network in sources.items() if not network.is_private and let_in(rules, network)]:
        why = f"Whether your own address is among these is not known here. {note}"
        return unknown(f"could not tell: ssh is allowed from {', '.join(some)} only", why, own, iap_rule)
    why = f"No rule of the network {name} that applies to the TPU VM lets tcp:22 in. {note}"
    return failed("the firewall lets no ssh in", why, own, iap_rule)


def let_in(rules: Iterable[FirewallRule], source: ipaddress.IPv4Network | ipaddress.IPv6Network) -> FirewallRule | None:
    """Return the rule that lets all of ``source`` in, None where none does or an earlier rule denies some of it."""
    for rule in rules:
        for text in rule.ranges:
            named = ipaddress.ip_network(text, strict=False)
            if named.version != source.version or not named.overlaps(source):
                continue
            if not rule.allows:
                return None
            if source.subnet_of(named):  # type: ignore[arg-type]  # of one version, as seen above
                return rule
    return None


def internet(context: Context) -> Finding:
    """Look for Cloud NAT where the TPU VM has no external address."""
    if context.target.external:
        return not_applicable("the TPU VM has an external address")
    region, name = context.target.region or "", context.target.network.value or "default"
    if compute.has_nat(context.session, context.project, region, name):
        return passed(f"Cloud NAT in {region}")
    why = "Without an external address and without Cloud NAT it cannot download packages from PyPI or Ubuntu."
    return warned("the TPU VM will not reach the internet", why, do.create_router(context.words), do.create_nat(context.words))


# -- the organization's policies


def policy(context: Context, constraint: str, restricted: Callable[[Context, OrganizationPolicy], Finding]) -> Finding:
    """Read one constraint of Organization Policy; ``restricted`` returns the finding where it holds."""
    if context.fetch(projects.get_project).parent is None:
        return passed("the project is in no organization")
    describe = ("gcloud", "org-policies", "describe", constraint, "--effective", f"--project={context.project}")
    ask = Remedy("Ask an administrator of the organization (roles/orgpolicy.policyViewer), who can run this.", describe)
    try:
        found = projects.get_organization_policy(context.session, context.project, constraint)
    except CloudError as error:
        if diagnose_exception(error, "call", context.words).id in DENIED:
            return unknown("could not tell: you may not see the organization's policies", error.message, ask)
        raise
    if found.restricts is None:
        return unknown(f"could not tell: {constraint} depends on a condition", "", ask)
    if found.restricts:
        return restricted(context, found)
    service = constraint.partition(".")[0]
    return passed(f"{constraint} does not restrict the project", f"Managed constraints ({service}.managed.*) are not read.")


def shielded(context: Context, _: OrganizationPolicy) -> Finding:
    create = do.create_vm(context.words, "Create the TPU VM with secure boot.", "--shielded-secure-boot")
    return failed("only shielded VMs are allowed", "A TPU VM without secure boot is refused.", create)


def external_address(context: Context, found: OrganizationPolicy) -> Finding:
    if not context.target.external:
        return passed("external addresses are restricted, and the TPU VM has none")
    why = f"Only these VMs may have one: {', '.join(found.allowed)}." if found.allowed else "No VM may have one."
    create = do.create_vm(context.words, "Create the TPU VM without an external address.", "--internal-ips")
    return failed("external addresses are forbidden", why, create)


def members(_: Context, found: OrganizationPolicy) -> Finding:
    return warned(f"roles may be granted to members of {', '.join(found.allowed) or 'no customer'} only", "Other grants are refused.")


def account_creation(context: Context, _: OrganizationPolicy) -> Finding:
    why = "Choose an existing one with --service-account, or ask an administrator of the organization to create one."
    return warned("service accounts may not be created", why, do.list_service_accounts(context.words))


CHECKS = (
    Check(
        "network.default", "Network", "Is there the network that the TPU VM joins?", network, EXISTS, "compute.networks.get",
        link=NETWORKS,
    ),
    Check(
        "network.ssh", "ssh allowed", "Does the firewall let ssh in?", ssh, ("network.default",), "compute.firewalls.list",
        link=FIREWALLS,
    ),
    Check(
        "network.external-ip", "Internet access", "Does the TPU VM reach the internet?", internet, ("network.default",),
        "compute.routers.list", link=NAT,
    ),
    Check(
        "policy.shielded-vm", "Shielded VMs", "May a TPU VM be created without secure boot?",
        partial(policy, constraint="compute.requireShieldedVm", restricted=shielded), EXISTS, "orgpolicy.policy.get", link=POLICIES,
    ),
    Check(
        "policy.external-ip", "External address allowed", "May the TPU VM have an external address?",
        partial(policy, constraint="compute.vmExternalIpAccess", restricted=external_address), EXISTS, "orgpolicy.policy.get",
        link=POLICIES,
    ),
    Check(
        "policy.members", "Allowed members", "May roles be granted to any member?",
        partial(policy, constraint="iam.allowedPolicyMemberDomains", restricted=members), EXISTS, "orgpolicy.policy.get", link=POLICIES,
    ),
    Check(
        "policy.service-accounts", "Service account creation", "May service accounts be created?",
        partial(policy, constraint="iam.disableServiceAccountCreation", restricted=account_creation), EXISTS, "orgpolicy.policy.get",
        link=POLICIES,
    ),
)  # fmt: skip
