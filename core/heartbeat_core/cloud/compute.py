"""Compute Engine: regions and their quotas, networks and firewall rules (compute.googleapis.com, v1).

One GET replaces all that is needed of google-cloud-compute, which takes a second to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heartbeat_core.cloud.json_fields import flag, last, real, rows, segment, table, text, texts, whole
from heartbeat_core.cloud.session import CloudSession

SERVICE = "compute"


@dataclass(frozen=True)
class RegionQuota:
    """None where Google does not say."""

    limit: float | None
    usage: float | None


def get_region_quotas(session: CloudSession, project: str, region: str) -> Mapping[str, RegionQuota]:
    """Read the quotas of a region by metric (IN_USE_ADDRESSES, CPUS, HDB_TOTAL_GB): one that is missing is unknown, not 0."""
    answer = session.get(SERVICE, f"/compute/v1/projects/{segment(project)}/regions/{segment(region)}")
    return {metric: RegionQuota(real(row, "limit"), usage_of(row)) for row in rows(answer, "quotas") if (metric := text(row, "metric"))}


@dataclass(frozen=True)
class FirewallRule:
    """A rule for incoming traffic that applies to every VM of the network, or only to those with ``targets`` (tags or accounts).

    ``ranges`` are the sources it names, empty where it names tags or accounts instead.
    """

    name: str
    priority: int
    allows: bool
    ports: tuple[tuple[str, str], ...]  # protocol and "22", "0-65535", or "" for all
    ranges: tuple[str, ...]
    targets: tuple[str, ...]

    def covers(self, port: int) -> bool:
        """Return whether the rule is about this port of TCP."""
        for protocol, wanted in self.ports:
            first, _, last_port = wanted.partition("-")
            if protocol in ("tcp", "6", "all") and (not wanted or int(first) <= port <= int(last_port or first)):
                return True
        return False


def get_network_regions(session: CloudSession, project: str, network: str) -> frozenset[str]:
    """Read in which regions a network has a subnet; its path, projects/p/global/networks/n, may be of another project."""
    where, name = network_path(project, network)
    answer = session.get(SERVICE, f"/compute/v1/projects/{segment(where)}/global/networks/{segment(name)}")
    return frozenset(link.split("/regions/")[-1].partition("/")[0] for link in texts(answer, "subnetworks"))


def network_of_subnet(session: CloudSession, project: str, region: str, subnetwork: str) -> tuple[str, str]:
    """Return the project and the name of the network of a subnetwork in a region, given by its name or by its path."""
    where, name = network_path(project, subnetwork)
    path = f"/compute/v1/projects/{segment(where)}/regions/{segment(region)}/subnetworks/{segment(name)}"
    return network_path(project, text(session.get(SERVICE, path), "network") or "")


def network_path(project: str, network: str) -> tuple[str, str]:
    parts = network.split("/")
    return parts[parts.index("projects") + 1] if "projects" in parts[:-1] else project, parts[-1]


def list_firewall_rules(session: CloudSession, project: str, network: str) -> tuple[FirewallRule, ...]:
    """List the enabled rules for incoming IPv4 traffic of one network, in the order in which they apply."""
    where, name = network_path(project, network)
    found = session.list(SERVICE, f"/compute/v1/projects/{segment(where)}/global/firewalls", "items", {"maxResults": "500"})
    rules = [
        firewall_rule_of(row)
        for row in found
        if last(text(row, "network")) == name and text(row, "direction") in (None, "INGRESS") and not flag(row, "disabled")
    ]
    return tuple(sorted(rules, key=lambda rule: (rule.priority, rule.allows)))  # at one priority a denial wins


def firewall_rule_of(row: Mapping[str, Any]) -> FirewallRule:
    allowed, denied = rows(row, "allowed"), rows(row, "denied")
    named = texts(row, "sourceTags") or texts(row, "sourceServiceAccounts")
    return FirewallRule(
        name=text(row, "name") or "",
        priority=1000 if (priority := whole(row, "priority")) is None else priority,
        allows=bool(allowed),
        ports=tuple((text(part, "IPProtocol") or "", port) for part in (allowed or denied) for port in (texts(part, "ports") or ("",))),
        ranges=texts(row, "sourceRanges") or (() if named else ("0.0.0.0/0",)),
        targets=texts(row, "targetTags") + texts(row, "targetServiceAccounts"),
    )


def has_nat(session: CloudSession, project: str, region: str, network: str) -> bool:
    """Return whether a router of the region gives the network Cloud NAT."""
    where, name = network_path(project, network)
    found = session.list(SERVICE, f"/compute/v1/projects/{segment(where)}/regions/{segment(region)}/routers", "items")
    return any(last(text(router, "network")) == name and rows(router, "nats") for router in found)


def usage_of(row: Mapping[str, Any]) -> float | None:
    """Read the usage, which JSON leaves out where it is 0 beside a limit."""
    return real(row, "usage") if "usage" in row or "limit" not in row else 0.0


TPU_MACHINES = ("ct4p", "ct5l", "ct5p", "ct6e", "tpu7x")  # the beginnings of machine types with TPUs


def list_tpu_zones(session: CloudSession, project: str) -> tuple[str, ...]:
    """List the zone of each VM with TPUs that was made in Compute Engine or by GKE, which the Cloud TPU API does not show."""
    asked = {
        "filter": " OR ".join(f"machineType:{machine}" for machine in TPU_MACHINES),
        "fields": "items/*/instances(machineType,zone),nextPageToken",
        "returnPartialSuccess": "true",
    }
    pages = session.pages(SERVICE, f"/compute/v1/projects/{segment(project)}/aggregated/instances", "items", asked)
    found = (each for page in pages for scope in table(page, "items").values() for each in rows(scope, "instances"))
    return tuple(last(text(each, "zone")) for each in found if last(text(each, "machineType")).startswith(TPU_MACHINES))
