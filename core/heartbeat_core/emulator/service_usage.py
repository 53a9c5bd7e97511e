"""Service Usage v1 and v1beta1: which APIs a project has on; turning one on takes a while, and a while more to be felt."""

from __future__ import annotations

from collections.abc import Callable

from heartbeat_core.emulator.catalogue import NEED_BILLING, SERVICES
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, error_info, page, precondition_failure
from heartbeat_core.emulator.operations import begin
from heartbeat_core.emulator.router import routes_of
from heartbeat_core.emulator.seed import add_default_account, agent_email
from heartbeat_core.emulator.state import Cloud, EmulatedProject

DOMAIN = "serviceusage.googleapis.com"
PREFIX = "type.googleapis.com/google.api.serviceusage."


def service_json(project: EmulatedProject, name: str) -> Json:
    return {
        "name": f"projects/{project.number}/services/{name}",
        "parent": f"projects/{project.number}",
        "config": {"name": name, "title": SERVICES[name], "documentation": {}, "quota": {}, "authentication": {}, "usage": {}},
        "state": "ENABLED" if name in project.enabled else "DISABLED",
    }


def known(names: list[str]) -> list[str]:
    """Return the names as they are; raise ApiError where one is no API's."""
    unknown = [name for name in names if name not in SERVICES]
    if not unknown:
        return names
    message = f"Not found or permission denied for service(s): {', '.join(unknown)}."
    failure = precondition_failure("googleapis.com", "220002", message)
    info = error_info("SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED", DOMAIN, services=",".join(unknown))
    raise ApiError(403, message, failure, info)


def get(cloud: Cloud, call: EmulatedCall) -> Json:
    return service_json(cloud.project(call), *known([call.args["service"]]))


def list_services(cloud: Cloud, call: EmulatedCall) -> Json:
    project = cloud.project(call)
    wanted = call.query.get("filter", "").replace(" ", "").replace("=", ":").removeprefix("state:").upper()
    services = [service_json(project, name) for name in SERVICES]
    return page([service for service in services if wanted in ("", service["state"])], "services", call, default=50)


def batch_get(cloud: Cloud, call: EmulatedCall) -> Json:
    """Answer for up to 30 names in one call."""
    project = cloud.project(call)
    names = [name.rpartition("/")[2] for name in call.many.get("names", [])]
    if not 0 < len(names) <= 30:
        raise ApiError(400, "Request must name at least 1 and at most 30 services.")
    return {"services": [service_json(project, name) for name in known(names)]}


def enable(cloud: Cloud, call: EmulatedCall) -> Json:
    """Enable the API in the path, or those in the body; the operation of APIs that are on is done immediately."""
    project, one = cloud.project(call), call.args.get("service")
    names = known([one] if one else [str(name) for name in call.body.get("serviceIds", [])])
    missing = set(names) - project.enabled
    if NEED_BILLING & missing and not cloud.billed(project):
        raise billing_not_found(project, sorted(NEED_BILLING & missing))

    def answering() -> None:
        project.answering |= missing & project.enabled

    def finish() -> Json:
        project.enabled |= missing
        if "compute.googleapis.com" in missing:
            add_default_account(cloud, project)
        cloud.later(cloud.scenario.timings.propagate_s, answering)
        services = [service_json(project, name) for name in names]
        if one:
            return {"@type": PREFIX + "v1.EnableServiceResponse", "service": services[0]}
        return {"@type": PREFIX + "v1.BatchEnableServicesResponse", "services": services}

    if not missing:
        return {"name": "operations/noop.DONE_OPERATION", "metadata": {}, "done": True, "response": finish()}
    return started(cloud, project, names, finish)


def started(cloud: Cloud, project: EmulatedProject, names: list[str], finish: Callable[[], Json]) -> Json:
    """Start the operation that turns APIs on or off."""
    resources = [f"projects/{project.number}/services/{name}" for name in names]
    metadata = {"@type": PREFIX + "v1.OperationMetadata", "resourceNames": resources}
    name = f"operations/acat.p2-{project.number}-{next(cloud.numbers)}"
    return begin(cloud, name, metadata, cloud.scenario.timings.enable_s, finish)


def billing_not_found(project: EmulatedProject, names: list[str]) -> ApiError:
    listed = ",".join(names)
    message = (
        f"Billing account for project '{project.number}' is not found. Billing must be enabled for activation of service(s) "
        f"'{listed}' to proceed."
    )
    subject = f"?error_code=390001&project={project.number}&services={listed}"
    failure = precondition_failure("googleapis.com/billing-enabled", subject, message)
    info = error_info("UREQ_PROJECT_BILLING_NOT_FOUND", f"{DOMAIN}/billing-enabled", project=project.number, services=listed)
    return ApiError(400, message, failure, info, status="FAILED_PRECONDITION")


def disable(cloud: Cloud, call: EmulatedCall) -> Json:
    project, (name,) = cloud.project(call), known([call.args["service"]])

    def finish() -> Json:
        project.enabled.discard(name)
        project.answering.discard(name)
        return {"@type": PREFIX + "v1.DisableServiceResponse", "service": service_json(project, name)}

    return started(cloud, project, [name], finish)


def generate_identity(cloud: Cloud, call: EmulatedCall) -> Json:
    """Create the service agent of the TPU API, without its role; asked again it answers the same. Other APIs have none here."""
    project, (name,) = cloud.project(call), known([call.args["service"]])
    if name not in project.enabled:
        raise ApiError(400, f"Service {name} is not enabled for consumer 'project:{project.number}'.", status="FAILED_PRECONDITION")
    email = agent_email(project, "gcp-sa-tpu" if name == "tpu.googleapis.com" else name.partition(".")[0])
    return {
        "name": f"operations/finished.DONE_OPERATION.{next(cloud.numbers)}",
        "metadata": {"@type": PREFIX + "v1beta1.OperationMetadata"},
        "done": True,
        "response": {"@type": PREFIX + "v1beta1.ServiceIdentity", "email": email, "uniqueId": cloud.unique_id()},
    }


ROUTES = routes_of(
    DOMAIN,
    ("GET", "/(v1|v1beta1)/projects/{project}/services", list_services, "serviceusage.services.list"),
    ("GET", "/v1/projects/{project}/services:batchGet", batch_get, "serviceusage.services.get"),
    ("POST", "/v1/projects/{project}/services:batchEnable", enable, "serviceusage.services.enable"),
    ("GET", "/(v1|v1beta1)/projects/{project}/services/{service}", get, "serviceusage.services.get"),
    ("POST", "/(v1|v1beta1)/projects/{project}/services/{service}:enable", enable, "serviceusage.services.enable"),
    ("POST", "/(v1|v1beta1)/projects/{project}/services/{service}:disable", disable, "serviceusage.services.disable"),
    ("POST", "/v1beta1/projects/{project}/services/{service}:generateServiceIdentity", generate_identity, "serviceusage.services.enable"),
)
