"""From a path to the function that answers it, and what stands before every answer: credentials, API, billing, permission."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from heartbeat_core.emulator.catalogue import NEED_BILLING, SERVICES
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, page, permission_denied, refused, service_disabled
from heartbeat_core.emulator.state import Cloud, EmulatedProject

Handler = Callable[[Cloud, EmulatedCall], Json]

# gcloud calls these as a project of Google's own by default, so they need not be enabled in the user's.
SHARED_BY_GCLOUD = {
    "cloudbilling.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "serviceusage.googleapis.com",
}


@dataclass(frozen=True)
class Route:
    """One method of one API; ``pattern`` is a regular expression in which {name} stands for a part of the path."""

    method: str
    pattern: str
    service: str
    handler: Handler
    permission: str = ""

    @cached_property
    def expression(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", self.pattern))


def routes_of(service: str, *routes: tuple[str, str, Handler, str]) -> tuple[Route, ...]:
    """Make the routes of one API from (method, pattern, handler, permission)."""
    return tuple(Route(method, pattern, service, handler, permission) for method, pattern, handler, permission in routes)


def collection(
    path: str,
    key: str,
    permission: str,
    items: Callable[[Cloud, EmulatedCall], Mapping[str, Json]],
    missing: Callable[[EmulatedCall], ApiError],
    size: int = 100,
    **about: str,
) -> tuple[tuple[str, str, Handler, str], ...]:
    """Make the routes that list a collection and get one of its ``items`` by its name.

    ``permission`` has a {} for the verb; ``about`` is what a list says of itself, ``size`` what a page holds where the call does not say.
    """

    def list_items(cloud: Cloud, call: EmulatedCall) -> Json:
        return {**about, **page(list(items(cloud, call).values()), key, call, default=size)}

    def get_item(cloud: Cloud, call: EmulatedCall) -> Json:
        found = items(cloud, call).get(call.args["item"])
        if found is None:
            raise missing(call)
        return found

    return ("GET", path, list_items, permission.format("list")), ("GET", path + "/{item}", get_item, permission.format("get"))


def find_route(routes: Iterable[Route], call: EmulatedCall) -> tuple[Route, EmulatedCall]:
    """Find the first route of a call, and the names in its path; raise ApiError 404."""
    for route in routes:
        if route.method == call.method and (found := route.expression.fullmatch(call.path)):
            return route, replace(call, args=found.groupdict())
    raise ApiError(404, f"The emulator has no method {call.method} {call.path}.")


def admit(cloud: Cloud, route: Route, call: EmulatedCall) -> None:
    """Let a call through, or raise the ApiError that Google would answer before the method is even looked at."""
    if route.service not in SERVICES:
        return  # the emulator's own
    if cloud.scenario.credentials == "expired":
        raise refused("ACCESS_TOKEN_EXPIRED", route.service, method=route.handler.__name__)
    if reason := cloud.scenario.refusals.get(route.service, cloud.scenario.refusals.get("*")):
        raise refused(reason, route.service)
    named = call.args.get("project", "")
    project = cloud.find(named) if named else None
    check_consumer(cloud, route, call, project)
    if named not in ("", "-") and project is None and route.permission:
        if route.service == "cloudresourcemanager.googleapis.com":
            raise permission_denied(route.service, route.permission, call.resource)
        raise refused("CONSUMER_INVALID", route.service, consumer=f"projects/{named}")
    if project is None or not route.permission:
        return
    if route.permission not in cloud.granted(project):
        raise permission_denied(route.service, route.permission, call.resource)
    if project.state == "DELETE_REQUESTED" and call.method != "GET":
        raise ApiError(403, f"Project '{project.id}' is pending deletion.", status="PERMISSION_DENIED")


def check_consumer(cloud: Cloud, route: Route, call: EmulatedCall, project: EmulatedProject | None) -> None:
    """Hold the project that the call is counted to against its APIs and its billing."""
    named = call.headers.get("x-goog-user-project", "")
    if named:
        consumer = cloud.find(named)
        if consumer is None or "serviceusage.services.use" not in cloud.granted(consumer):
            raise refused("USER_PROJECT_DENIED", route.service, consumer=f"projects/{named}")
    else:
        by_gcloud = "google-cloud-sdk" in call.headers.get("user-agent", "")
        if by_gcloud and route.service in SHARED_BY_GCLOUD:
            return
        if cloud.scenario.foreign_consumer and not by_gcloud:
            raise service_disabled(route.service, SERVICES[route.service], cloud.scenario.foreign_consumer)
        consumer = project
    if consumer is None:
        return
    if route.service not in consumer.answering:
        raise service_disabled(route.service, SERVICES[route.service], consumer.number)
    if route.service in NEED_BILLING and not cloud.billed(consumer):
        raise refused("BILLING_DISABLED", route.service, consumer=f"projects/{consumer.number}")
