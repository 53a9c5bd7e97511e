"""Rules for failures of quota and of capacity, which one exception stands for."""

from __future__ import annotations

from heartbeat_core.diagnosis import remedies as do
from heartbeat_core.diagnosis.model import DOCS, DiagnosisRule

QUOTA = f"{DOCS}/quota"
ZONES = f"{DOCS}/regions-zones"
QUEUED = f"{DOCS}/queued-resources"
PLACE = r"(?:zone (?P<zone>[\w-]*\w)|region (?P<region>[\w-]*\w))"

CAPACITY_RULES = (
    DiagnosisRule(
        "stockout",
        "there is no TPU of this type[ in {zone}] now",
        "This is capacity, not quota: you are allowed one, but none is free. It can change within minutes.",
        (do.list_types, do.create_spot, do.queue),
        (
            r"There is no more capacity in the zone \"?(?P<zone>[\w-]+)?",
            r"Insufficient reserved capacity",
            r"does not have enough resources available to fulfill the request",
            r"\bZONE_RESOURCE_POOL_EXHAUSTED",
            r"\bSTOCKOUT\b",
        ),
        link=QUEUED,
    ),
    DiagnosisRule(
        "quota-region-zero",
        "the quota of the region[ {region}] is 0",
        "Zone and region have separate quotas, and both apply: a grant for the zone alone is not enough.",
        (do.quota_page, do.request_quota),
        (r"Quota limit '(?P<quota_id>\w+PerRegion\w*)' has been exceeded\.? Limit: 0\b(?: in region (?P<region>[\w-]*\w))?",),
        link=QUOTA,
    ),
    DiagnosisRule(
        "quota-zone-zero",
        "the quota of the zone[ {zone}] is 0",
        "New projects start with a TPU quota of 0. Request quota for each zone and TPU type.",
        (do.request_quota, do.create_spot, do.list_types),
        (r"Quota limit '(?P<quota_id>\w+PerZone\w*)'(?: has been exceeded\.?|.{0,40}?) Limit: 0\b(?: in zone (?P<zone>[\w-]*\w))?",),
        link=QUOTA,
    ),
    DiagnosisRule(
        "quota-exhausted",
        "the quota[ {quota_id}] is used up",
        "Running TPU VMs count, and so do suspended and failed queued resources until they are deleted.",
        (do.list_queued, do.delete_queued, do.quota_page),
        (
            rf"Quota '(?P<quota_id>[\w-]+)' exhausted\.? Limit:? (?P<limit>[\d.]+)(?: in {PLACE})?",
            rf"Quota limit '(?P<quota_id>[\w-]+)' has been exceeded\.?(?: Limit: (?P<limit>[\d.]+))?(?: in {PLACE})?",
            r"Quota '(?P<quota_id>[\w-]+)' exceeded",
        ),
        ("RESOURCE_QUOTA_EXCEEDED",),
        QUOTA,
    ),
    DiagnosisRule(
        "create-rate",
        "too many TPU VMs were created within a minute",
        "Google limits the rate of creation as well as the number.",
        (do.wait,),
        (r"Maximum number of Create\w+ requests per minute",),
    ),
    DiagnosisRule(
        "rate-limit",
        "too many calls within a minute",
        "The API limits the rate of calls.",
        (do.wait,),
        (r"\bRATE_LIMIT_EXCEEDED\b", r"Quota exceeded for quota metric '(?P<quota_metric>[^']+)'", r"rateLimitExceeded"),
        ("RATE_LIMIT_EXCEEDED",),
    ),
    DiagnosisRule(
        "flex-start",
        "flex-start is not available[ for {accelerator_type}][ in {zone}]",
        "Each provisioning model is available for certain types in certain zones.",
        (do.list_types, do.create_spot, do.queue),
        (
            (
                r"FLEX_START provisioning model is not supported for accelerator type \"(?P<accelerator_type>[\w-]+)\" "
                r"in location \"(?P<zone>[\w-]+)\""
            ),
        ),
        link=ZONES,
    ),
    DiagnosisRule(
        "zone-lacks-type",
        "the zone[ {zone}] does not offer this TPU type[, {accelerator_type}]",
        "Each zone offers only certain TPU types.",
        (do.list_types, do.list_locations),
        (
            r"the accelerator (?P<accelerator_type>v\d[\w-]*) was not found in zone (?P<zone>[\w-]*\w)",
            r"accelerator type, \"(?P<accelerator_type>[\w-]+)\", could not be found .{0,80}for \"(?P<zone>[\w-]+)\"",
            r"The requested zone \"(?P<zone>[\w-]+)\" is not supported",
        ),
        link=ZONES,
    ),
    DiagnosisRule(
        "capacity-or-quota",
        "out of capacity or quota",
        "The operation failed without naming a quota. Most likely no such TPU is available in the zone now.",
        (do.list_types, do.create_spot, do.queue, do.quota_page),
        link=QUEUED,
    ),
    DiagnosisRule(
        "too-many",
        "too many calls, or a quota is used up",
        "The call was refused before anything was created.",
        (do.wait, do.quota_page),
        (r"\bRESOURCE_EXHAUSTED\b", r"\bToo Many Requests\b"),
    ),
    DiagnosisRule(
        "reservation",
        "there is no such reservation",
        "A reserved TPU needs a reservation of the project in that zone and of that type.",
        ("Omit --reserved, or ask Google for a reservation.",),
        (r"reservation .{0,120}(?:not found|does not exist)",),
    ),
)
