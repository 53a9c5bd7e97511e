"""Failures of quota and of stock: what is allowed and what there is are two things, and one exception stands for both."""

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
        "there is no TPU of this kind left[ in {zone}] just now",
        "This is capacity, not quota: you may have one, and there is none. It can change within minutes.",
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
        "Zone and region have quotas of their own, and both hold: a grant for the zone alone is not enough.",
        (do.quota_page, do.request_quota),
        (r"Quota limit '(?P<quota_id>\w+PerRegion\w*)' has been exceeded\.? Limit: 0\b(?: in region (?P<region>[\w-]*\w))?",),
        link=QUOTA,
    ),
    DiagnosisRule(
        "quota-zone-zero",
        "the quota of the zone[ {zone}] is 0",
        "New projects start without TPUs: quota has to be asked for, by zone and by kind.",
        (do.request_quota, do.create_spot, do.list_types),
        (r"Quota limit '(?P<quota_id>\w+PerZone\w*)'(?: has been exceeded\.?|.{0,40}?) Limit: 0\b(?: in zone (?P<zone>[\w-]*\w))?",),
        link=QUOTA,
    ),
    DiagnosisRule(
        "quota-exhausted",
        "the quota[ {quota_id}] is used up",
        "What runs counts, and so do suspended and failed queued resources, which hold their quota until they are deleted.",
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
        "Google limits how often, not only how many.",
        (do.wait,),
        (r"Maximum number of Create\w+ requests per minute",),
    ),
    DiagnosisRule(
        "rate-limit",
        "too many calls within a minute",
        "The API limits how often it is asked.",
        (do.wait,),
        (r"\bRATE_LIMIT_EXCEEDED\b", r"Quota exceeded for quota metric '(?P<quota_metric>[^']+)'", r"rateLimitExceeded"),
        ("RATE_LIMIT_EXCEEDED",),
    ),
    DiagnosisRule(
        "flex-start",
        "flex-start is not to be had[ for {accelerator_type}][ in {zone}]",
        "Each provisioning model exists for certain types in certain zones.",
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
        "the zone[ {zone}] does not have this type of TPU[, {accelerator_type}]",
        "Each zone offers certain types of TPU, and only those.",
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
        "there was too little of something",
        "It was refused while it was being made, without a word of a quota: most likely there is no such TPU left in the zone just now.",
        (do.list_types, do.create_spot, do.queue, do.quota_page),
        link=QUEUED,
    ),
    DiagnosisRule(
        "too-many",
        "too much was asked for",
        "The call was refused before anything was made: a quota, or too many calls at once.",
        (do.wait, do.quota_page),
        (r"\bRESOURCE_EXHAUSTED\b", r"\bToo Many Requests\b"),
    ),
    DiagnosisRule(
        "reservation",
        "there is no such reservation",
        "A reserved TPU comes out of a reservation of the project's, in that zone and of that type.",
        ("Leave --reserved away, or ask Google for a reservation.",),
        (r"reservation .{0,120}(?:not found|does not exist)",),
    ),
)
