"""The emulator's own page, and who the caller is."""

from __future__ import annotations

from heartbeat_core.emulator.answers import ApiError, Call, Json
from heartbeat_core.emulator.clock import timestamp
from heartbeat_core.emulator.routing import routes_of
from heartbeat_core.emulator.state import Cloud


def state(cloud: Cloud, call: Call) -> Json:
    """Say what is emulated, so that whoever shows its answers can say so too."""
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


def advance(cloud: Cloud, call: Call) -> Json:
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


def userinfo(cloud: Cloud, call: Call) -> Json:
    """Answer whose credentials these are."""
    del call
    if cloud.scenario.credentials == "expired":
        raise ApiError(401, "Invalid Credentials")
    return {"email": cloud.scenario.principal.partition(":")[2], "email_verified": True, "sub": "100000000000000000001"}


ROUTES = routes_of(
    "",
    ("GET", "/emulator", state, ""),
    ("POST", "/emulator:advance", advance, ""),
    ("GET", "/(oauth2/v1|oauth2/v3|v1|oauth2/v2)/(userinfo|tokeninfo)", userinfo, ""),
)
