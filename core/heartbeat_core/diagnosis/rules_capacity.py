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
            r"There is no more capacity in the zone\b(?: \"?(?P<zone>[\w-]+))?",
            r"Insufficient reserved capacity",
            r"does not have enough resources available to fulfill the request",
            r"\bZONE_RESOURCE_POOL_EXHAUSTED",
            r"\b(?:GCE_)?STOCKOUT\b",
            r"\bGCE out of resources\b",
        ),
        link=QUEUED,
    ),
    DiagnosisRule(
        "quota-region-zero",
        "the quota of the region[ {region}] is 0",
        "Zone and region have separate quotas, and both apply: a grant for the zone alone is not enough.",
        (do.quota_page, do.request_quota),
        (r"Quota limit '(?P<quota_id>\w+PerRegion\w*)[\w,]*' has been exceeded\.? Limit: 0\b[\d,]*(?: in region (?P<region>[\w-]*\w))?",),
        link=QUOTA,
    ),
    DiagnosisRule(
        "quota-zone-zero",
        "the quota of the zone[ {zone}] is 0",
        "New projects start with a TPU quota of 0. Request quota for each zone and TPU type.",
        (do.request_quota, do.create_spot, do.list_types),
        (
            (
                r"Quota limit '(?P<quota_id>\w+PerZone\w*)[\w,]*'(?: has been exceeded\.?|.{0,40}?) Limit: 0\b[\d,]*"
                r"(?: in zone (?P<zone>[\w-]*\w))?"
            ),
        ),
        link=QUOTA,
    ),
    DiagnosisRule(
        "quota-exhausted",
        "the quota[ {quota_id}] is used up",
        "Running TPU VMs count, and so do suspended and failed queued resources until they are deleted.",
        (do.list_queued, do.delete_queued, do.quota_page),
        (
            rf"Quota '(?P<quota_id>[\w-]+)' exhausted\.? Limit:? (?P<limit>[\d.]+)(?: in {PLACE})?",
            rf"Quota limit '(?P<quota_id>[\w-]+)(?:,[\w-]+)*' has been exceeded\.?(?: Limit: (?P<limit>[\d.]+)[\d.,]*)?(?: in {PLACE})?",
            r"Quota '(?P<quota_id>[\w-]+)' exceeded",
            r"Quota (?:exceeded|exhausted) for '?(?P<quota_id>TPU\w+)",
            r"Insufficient (?:project|regional)? ?quota to satisfy (?:the )?request",
            r"\bGCE[ _]quota[ _]exceeded\b",
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
            r"Accelerator type (?P<accelerator_type>v\d[\w-]*) as preemptible .{0,80}is not available in zone (?P<zone>[\w-]*\w)",
            r"The requested zone \"(?P<zone>[\w-]+)\" is not supported",
        ),
        link=ZONES,
    ),
    DiagnosisRule(
        "reservation",
        "there is no such reservation",
        "A reserved TPU needs a reservation of the project in that zone and of that type.",
        ("Omit --reserved, or ask Google for a reservation.",),
        (r"reservation .{0,120}(?:not found|does not exist)",),
    ),
    DiagnosisRule(
        "tpu-node",
        "TPU Nodes are retired",
        "A TPU Node was a TPU without a VM of its own. Google no longer makes them: create a TPU VM and run the program on it.",
        (do.create_vm,),
        (
            r"request to provision TPU Node has been denied",
            r"migrate to TPU VM Architecture",
            r"only available for Cloud TPU VM nodes",
            r"\bgcloud (?:alpha |beta )?compute tpus create\b",
            r"\bctpu up\b",
        ),
        link=f"{DOCS}/system-architecture-tpu-vm",
    ),
    DiagnosisRule(
        "network-conflict",
        "the range of addresses is taken",
        "The range that was given for the TPU overlaps one that the network already uses.",
        ("Omit the range, so that Google chooses one, or give a free one.",),
        (r"conflicts with another subnet", r"'CIDR Range' value"),
    ),
    DiagnosisRule(
        "network-missing",
        "the project has no network[ {network}]",
        "A TPU VM is created in the network default unless another is named, and organizations often remove it.",
        (do.create_default_network, "Or name one that exists: --network and --subnetwork."),
        (
            r"networks?/(?P<network>[\w-]+)'?\"? (?:was|is) not found",
            r"network '?\"?(?P<network>[\w-]+)'?\"? (?:was |is )?(?:not found|does not exist)",
        ),
        link=f"{DOCS}/configure-networking-access",
    ),
    DiagnosisRule(
        "tpu-unhealthy",
        "the TPU VM is not healthy",
        "Google is still preparing it, maintains it, or its runtime has failed.",
        (do.describe_vm, do.wait, "If it stays so, stop and start it: heartbeat-tui vms stop, then start."),
        (
            r"is not HEALTHY yet",
            r"UNHEALTHY_(?:TENSORFLOW|MAINTENANCE)",
            r"health:? '?\"?UNHEALTHY",
            r"TPU .{0,40}in an unhealthy state",
            r"going through a maintenance event",
        ),
    ),
    DiagnosisRule(
        "vm-not-ready",
        "the TPU VM is not running[: it is {state}]",
        "Only a VM in the state READY can be reached. A new one takes minutes; a stopped one must be started.",
        (do.start_vm, do.describe_vm),
        (r"is in state '?\"?(?!READY)(?P<state>[A-Z]{5,20})\"?,? therefore the TPU may not be", r"TPU .{0,60} is not (?:READY|ready)\b"),
    ),
    DiagnosisRule(
        "preempted",
        "the TPU VM was preempted",
        "Google takes back spot and preemptible VMs at any time. What was only on its disk is gone.",
        ("Create it again; save checkpoints to a bucket.", do.queue, do.delete_vm),
        (r"(?:VM|TPU|node|instance)\b.{0,60}(?:was|been|is|got) preempted", r"state:? '?\"?PREEMPTED\b", r"in state PREEMPTED"),
        link=f"{DOCS}/spot",
    ),
    DiagnosisRule(
        "invalid-argument",
        "Cloud TPU refuses a value[: {field} cannot be {value}]",
        "The type, the runtime or another value of the request does not exist, or does not fit the rest.",
        (do.list_versions, do.list_types),
        (
            r"The field '?\"?(?P<field>[\w.]+)'?\"? cannot be '?\"?(?P<value>[^\"' ]+)",
            r"Cloud TPU received an? (?:invalid argument|bad request)",
            r"Runtime version .{0,80}(?:not found|does not exist|not supported|invalid)",
        ),
        link=f"{DOCS}/runtimes",
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
        (r"\bRESOURCE_EXHAUSTED\b", r"\bToo Many Requests\b", r"\bError 429\b"),
        googles=True,
        vague=True,
        instead=("hbm-full", "capacity-or-quota"),
        tell_apart="From a program on the TPU it means the TPU's memory; from gcloud or an API, a quota or capacity.",
    ),
)
