"""The ASGI application: every API on one address, and the faults of the scenario on the way."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from heartbeat_core.emulator import billing, compute, iam, operations, quotas, resource_manager, service_usage, tpu, tpu_locations
from heartbeat_core.emulator.http import ApiError, EmulatedCall, Json, numbered
from heartbeat_core.emulator.router import admit, find_route, routes_of
from heartbeat_core.emulator.scenario import Edit, Faults, Mishap
from heartbeat_core.emulator.state import Cloud, timestamp


def state(cloud: Cloud, call: EmulatedCall) -> Json:
    """Return what is emulated, so that clients can label its answers."""
    del call
    return {
        "emulator": "heartbeat-tui",
        "scenario": cloud.scenario.name,
        "description": cloud.scenario.description,
        "principal": cloud.scenario.principal,
        "projects": list(cloud.projects),
        "time": cloud.stamp(),
        "due": [timestamp(due.at) for due in sorted(cloud.agenda)],
    }


def advance(cloud: Cloud, call: EmulatedCall) -> Json:
    """Move the clock on by ``seconds``, or to when nothing is due any more."""
    seconds = call.body.get("seconds")
    if seconds is None:
        while cloud.agenda:
            cloud.clock.advance(max(0.0, cloud.agenda[0].at - cloud.clock.now()))
            cloud.settle()
    elif type(seconds) in (int, float) and seconds >= 0:
        cloud.clock.advance(seconds)
        cloud.settle()
    else:
        raise ApiError(400, "seconds is a number, not below 0")
    return state(cloud, call)


def userinfo(cloud: Cloud, call: EmulatedCall) -> Json:
    """Answer whose credentials these are."""
    del call
    if cloud.scenario.credentials == "expired":
        raise ApiError(401, "Invalid Credentials")
    return {"email": cloud.scenario.principal.partition(":")[2], "email_verified": True, "sub": "100000000000000000001"}


CONTROL = routes_of(
    "",
    ("GET", "/emulator", state, ""),
    ("POST", "/emulator:advance", advance, ""),
    ("GET", "/(oauth2/v1|oauth2/v3|v1|oauth2/v2)/(userinfo|tokeninfo)", userinfo, ""),
)
SERVICES = (billing, compute, iam, operations, quotas, resource_manager, service_usage, tpu, tpu_locations)
ROUTES = (*CONTROL, *(route for service in SERVICES for route in service.ROUTES))
LOOPBACK = ["127.0.0.1", "localhost"]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
MOST_BYTES = 1_000_000
Sleep = Callable[[float], Awaitable[None]]


class Emulator:
    """Answers calls against one Cloud, ``latency_s`` late."""

    def __init__(self, cloud: Cloud, latency_s: float = 0.0, sleep: Sleep = asyncio.sleep) -> None:
        self.cloud = cloud
        self.latency_s = latency_s
        self.sleep = sleep
        self.met = dict.fromkeys(cloud.scenario.faults.mishaps, 0)  # how often each has happened

    def answer(self, call: EmulatedCall) -> tuple[int, Json]:
        """Carry out one call; return the HTTP status and the body."""
        try:
            self.cloud.settle()
            route, found = find_route(ROUTES, call)
            admit(self.cloud, route, found)
            answer = route.handler(self.cloud, found)
        except ApiError as error:
            return error.http, error.to_json()
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what a body of the wrong shape leads to
            return 400, ApiError(400, f"Invalid JSON payload received. The emulator says: {error!r}").to_json()
        for edit in self.cloud.scenario.edits:
            if re.fullmatch(edit.path, call.path):
                answer = edited(answer, edit)
        by_number = route.service == tpu_locations.TPU and call.query.get("$alt", "").endswith("enum-encoding=int")
        return 200, numbered(answer) if by_number else answer

    async def endpoint(self, request: Request) -> Response:
        """Answer over HTTP, or fail as the scenario wants it."""
        call = await read(request)
        service = self.service(call) if call else ""
        faults = self.cloud.scenario.faults if service else Faults()
        late = faults.latency_s.get(service, faults.latency_s.get("default", 0.0)) + self.latency_s
        if late > 0:
            await self.sleep(late)
        if call is None:
            return refused(400, "Invalid JSON payload received. Unexpected token.")
        if mishap := self.mishap(call):
            return self.befall(call, mishap)
        lot = self.cloud.chance.random() if service else 1.0
        if service in faults.broken:
            return refused(500, "Internal error encountered.")
        for share, status, message in (
            (faults.too_many, 429, "Resource has been exhausted (e.g. check quota)."),
            (faults.unavailable, 503, "The service is currently unavailable."),
        ):
            if lot < share:
                return refused(status, message)
            lot -= share
        status, answer = self.answer(call)
        whole = respond(status, answer)
        if lot < faults.cut:
            return CutResponse(whole.body, status, media_type=whole.media_type)
        if lot < faults.cut + faults.truncated:
            return Response(bytes(whole.body)[: len(whole.body) // 2], status, media_type=whole.media_type)
        return whole

    def mishap(self, call: EmulatedCall) -> Mishap | None:
        """Find what befalls this request, None for nothing."""
        for mishap, met in self.met.items():
            if met < mishap.times and call.method == mishap.method and re.fullmatch(mishap.path, call.path):
                self.met[mishap] += 1
                return mishap
        return None

    def befall(self, call: EmulatedCall, mishap: Mishap) -> Response:
        if mishap.what == "forbid":
            return refused(403, f"Location {call.path.split('/')[5]} is not found or access is unauthorized.")
        if mishap.what == "late":
            self.cloud.later(mishap.seconds, partial(self.answer, call))
        if mishap.what == "cut":
            self.answer(call)
        return CutResponse(b"{}")

    def service(self, call: EmulatedCall) -> str:
        """Name the API a call is for, "tpu"; nothing for the emulator's own."""
        try:
            return find_route(ROUTES, call)[0].service.partition(".")[0]
        except ApiError:
            return ""


class CutResponse(Response):
    """Promises all of its body, sends half and hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[: len(self.body) // 2], "more_body": True})


async def read(request: Request) -> EmulatedCall | None:
    """Take in a request; None where its body is no JSON object, or too long to be read to its end."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MOST_BYTES:
            return None
    try:
        body: Any = json.loads(raw) if raw else {}
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    many = {name: request.query_params.getlist(name) for name in request.query_params}
    return EmulatedCall(request.method, request.url.path, dict(request.query_params), many, dict(request.headers), body)


def refused(http: int, message: str) -> Response:
    return respond(http, ApiError(http, message).to_json())


def respond(status: int, answer: Json) -> Response:
    return Response(json.dumps(answer, indent=1), status, media_type="application/json; charset=UTF-8")


def edited(value: Any, edit: Edit) -> Any:
    """Drop and replace what an edit names, at every depth."""
    if isinstance(value, dict):
        kept = {key: part for key, part in value.items() if key not in edit.remove}
        return {key: edit.replace[key] if key in edit.replace else edited(part, edit) for key, part in kept.items()}
    return [edited(part, edit) for part in value] if isinstance(value, list) else value


def make_app(emulator: Emulator) -> Starlette:
    """Make the application; requests that name another host than this machine are refused, so that no web page can reach it."""
    routes = [Route("/{path:path}", emulator.endpoint, methods=METHODS)]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False)])
