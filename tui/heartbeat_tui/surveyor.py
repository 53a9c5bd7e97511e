"""Looks around for the readiness pane, and owns the emulator of a demo."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.checks.result import Result
    from heartbeat_core.checks.runner import Runner
    from heartbeat_core.cloud.session import CloudSession
    from heartbeat_core.cloud.target import Target
    from heartbeat_core.emulator.process import EmulatorProcess
    from heartbeat_core.settings import Settings

CHOSEN_HERE = "chosen here"


class Remembering:
    """Opens sessions; what one has learned of whom it acts as, the next one knows, as long as the credentials are the same."""

    def __init__(self, open_session: Callable[[], CloudSession]) -> None:
        self.open_session = open_session
        self.last: CloudSession | None = None

    def __call__(self) -> CloudSession:
        last, session = self.last, self.open_session()
        if last is not None and session.principal.name is None and alike(last, session):
            session.connection.learn(last.principal.name)
        self.last = session
        return session


def alike(one: CloudSession, other: CloudSession) -> bool:
    """Say whether both act by the same credentials."""

    def key(session: CloudSession) -> tuple[object, ...]:
        login = session.login
        return login.principal.sort, login.principal.source, getattr(login.credentials, "refresh_token", None)

    return key(one) == key(other)


class Surveyor:
    """Makes runners for the real Google Cloud, or for an emulator in the state ``demo`` names, which starts with the first.

    The emulator's time runs ``speed`` times as fast as ours.
    """

    def __init__(self, settings: Settings, flags: Mapping[str, str | None], *, demo: str | None = None, speed: float = 1.0) -> None:
        self.settings, self.flags, self.demo, self.speed = settings, dict(flags), demo, speed
        self.lock = threading.Lock()
        self.emulator: EmulatorProcess | None = None
        self.closed = False

    def __call__(self, choices: Mapping[str, str], *, on_result: Callable[[Result], None], on_start: Callable[[str], None]) -> Runner:
        """Look around and make a runner of all checks; raise HeartbeatError where the scenario or an endpoint is none."""
        from heartbeat_core.checks.environment import demo_environ, look_around
        from heartbeat_core.checks.registry import checks_for
        from heartbeat_core.checks.runner import Runner
        from heartbeat_core.cloud.gcloud_config import Chosen
        from heartbeat_core.settings import CloudSettings

        if self.demo is None:
            world = look_around(self.flags, settings=self.settings)
        else:
            project = Chosen(self.project(), "the demo")
            settings = replace(self.settings, cloud=CloudSettings(), sources={})
            world = look_around(self.flags, endpoint=self.url(), settings=settings, environ=demo_environ(), project=project)
        world = replace(world, target=chosen_here(world.target, choices), open_session=Remembering(world.open_session))
        return Runner(checks_for(), world, on_result=on_result, on_start=on_start)

    def project(self) -> str | None:
        """Name the project of the demo, which a scenario may not have created yet."""
        from heartbeat_core.emulator.scenario import load_scenario

        return load_scenario(self.demo or "").project.id or None

    def url(self) -> str:
        """Start the emulator, unless it runs."""
        from heartbeat_core.emulator.process import start_emulator
        from heartbeat_core.errors import HeartbeatError

        with self.lock:
            if self.closed:
                raise HeartbeatError("the demo is over", "", "Start it again.")
            if self.emulator is None:
                self.emulator = start_emulator(self.demo or "", speed=self.speed)
            return self.emulator.url

    def close(self) -> None:
        """End the emulator, where there is one."""
        with self.lock:
            self.closed = True
            if self.emulator is not None:
                self.emulator.close()
                self.emulator = None


def chosen_here(target: Target, choices: Mapping[str, str]) -> Target:
    """Put what was chosen on the screen in the place of what was found."""
    from heartbeat_core.cloud.gcloud_config import Chosen

    return replace(target, **{name: Chosen(value or None, CHOSEN_HERE) for name, value in choices.items()})
