"""Cloud Billing v1: which account pays for a project, and a price list with invented prices."""

from __future__ import annotations

from heartbeat_core.emulator.catalogue import FAMILIES, ZONES, TpuGeneration
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, page
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.state import Cloud

COMPUTE, TPU = "6F81-5844-456A", "E000-3F24-B8AA"
# Invented, round and in the order of the real ones only in kind: per chip and hour, on demand.
INVENTED_RATES = {"v2": 1, "v3": 2, "v4": 3, "v5e": 1, "v5p": 4, "v6e": 2}
NAMES = {"v5e": "TpuV5e", "v5p": "TpuV5p", "v6e": "TpuV6e"}


def get_info(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    answer: Json = {"name": f"projects/{project.id}/billingInfo", "projectId": project.id}
    if project.billing_account:
        answer["billingAccountName"] = f"billingAccounts/{project.billing_account}"
    answer["billingEnabled"] = cloud.billed(project)
    return answer


def update_info(cloud: Cloud, call: EmulatedCall) -> Json:
    """Link an account, or none."""
    project = cloud.project(call)
    account = str(call.body.get("billingAccountName", "")).removeprefix("billingAccounts/")
    if account and account not in cloud.billing_accounts:
        raise ApiError(403, "The caller does not have permission")
    if account and not cloud.billing_accounts[account]:
        raise ApiError(400, "Precondition check failed.", status="FAILED_PRECONDITION")
    project.billing_account = account
    return get_info(cloud, call)


def list_accounts(cloud: Cloud, call: EmulatedCall) -> Json:
    about = {"displayName": "Emulated billing account", "currencyCode": "USD"}
    accounts = [{"name": f"billingAccounts/{name}", "open": is_open, **about} for name, is_open in cloud.billing_accounts.items()]
    return page(accounts, "billingAccounts", call)


def list_skus(cloud: Cloud, call: EmulatedCall) -> Json:
    skus = [
        sku(family, region, model, moment=cloud.stamp())
        for family in FAMILIES
        if (family.name in NAMES) == (call.args["service"] == COMPUTE)
        for region in sorted({zone.rpartition("-")[0] for zone, offered in ZONES.items() if family.name in offered})
        for model in ("OnDemand", "Preemptible", "DWS")
    ]
    if call.args["service"] not in (COMPUTE, TPU):
        raise ApiError(404, "Requested entity was not found.")
    return page(skus, "skus", call, default=5000)


def sku(family: TpuGeneration, region: str, model: str, *, moment: str) -> Json:
    """Describe one price as the real list does; the invented rate is whole dollars, spot and Flex-start (DWS) a half."""
    rate = INVENTED_RATES[family.name]
    units, nanos = (str(rate), 0) if model == "OnDemand" else (str(rate // 2), 500_000_000 * (rate % 2))
    name = NAMES.get(family.name, f"Tpu-{family.name}")
    description = {
        "OnDemand": f"{name} running in {region}",
        "Preemptible": f"{name} attached to Spot Preemptible VMs running in {region}",
        "DWS": f"DWS Defined Duration {name.removeprefix('Tpu')} running in {region}",
    }[model]
    number = f"EMULATED-{family.name}-{region}-{model}"
    expression = {
        "usageUnit": "h", "usageUnitDescription": "hour", "baseUnit": "s", "baseUnitConversionFactor": 3600, "displayQuantity": 1,
        "tieredRates": [{"startUsageAmount": 0, "unitPrice": {"currencyCode": "USD", "units": units, "nanos": nanos}}],
    }  # fmt: skip
    return {
        "name": f"services/{COMPUTE if family.name in NAMES else TPU}/skus/{number}",
        "skuId": number,
        "description": description,
        "category": {
            "serviceDisplayName": "Compute Engine" if family.name in NAMES else "Cloud TPU",
            "resourceFamily": "Compute",
            "resourceGroup": "TPU",
            "usageType": "Preemptible" if model == "Preemptible" else "OnDemand",
        },
        "serviceRegions": [region],
        "pricingInfo": [{"summary": "an invented price of the emulator", "pricingExpression": expression, "effectiveTime": moment}],
        "serviceProviderName": "Google",
    }


ROUTES = routes_of(
    "cloudbilling.googleapis.com",
    ("GET", "/v1/projects/{project}/billingInfo", get_info, "resourcemanager.projects.get"),
    ("PUT", "/v1/projects/{project}/billingInfo", update_info, "resourcemanager.projects.createBillingAssignment"),
    ("GET", "/v1/billingAccounts", list_accounts, ""),
    ("GET", "/v1/services/{service}/skus", list_skus, ""),
)
