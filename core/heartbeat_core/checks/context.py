"""The context of a check: its environment, sessions, shared queries and evidence."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from heartbeat_core.cloud.auth import Principal, find_endpoint
from heartbeat_core.cloud.cancellation import Cancellation, Deadline
from heartbeat_core.cloud.gcloud_config import GcloudConfig, SourcedValue, read_gcloud
from heartbeat_core.cloud.metadata import Metadata, on_google, read_metadata
from heartbeat_core.cloud.session import CloudSession, Evidence, Limits, open_session
from heartbeat_core.cloud.target import Target, choose_target
from heartbeat_core.paths import expanded
from heartbeat_core.settings import Settings

T = TypeVar("T")
DENIED = ("forbidden", "permission", "tpu-permission")  # diagnoses: the call itself was not allowed
THIS_MACHINE = "this machine"


class Blocked(Exception):
    """Raised within a check that finds out that another one has to pass first."""

    def __init__(self, by: str, summary: str) -> None:
        super().__init__(summary)
        self.by = by


@dataclass(frozen=True)
class CheckEnvironment:
    """What the checks look at: the target, this machine's files below ``root``, gcloud's configuration and Google Cloud.

    ``open_session`` may take long and raise CloudError. ``endpoint`` is the emulator's, None for Google; ``xla_python`` the
    interpreter with torch_xla, None for this one.
    """

    target: Target
    open_session: Callable[[], CloudSession]
    gcloud: GcloudConfig
    metadata: Metadata | None = None
    endpoint: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = Path("/")
    xla_python: Path | None = None

    @property
    def emulated(self) -> bool:
        return self.endpoint is not None


class SharedQueries:
    """The session and the answers that the checks of one round share."""

    def __init__(self, environment: CheckEnvironment, cancellation: Cancellation, limit_s: float) -> None:
        self.environment, self.cancellation, self.limit_s = environment, cancellation, limit_s
        self.lock = threading.Lock()
        self.answers: dict[str, Future[object]] = {}
        self.calls: dict[str, Sequence[Evidence]] = {}
        self.opened: CloudSession | None = None

    def get(self, key: str, work: Callable[[], T]) -> T:
        """Run ``work`` once a round, in the first caller's thread; return its result, or raise its error, to every caller."""
        with self.lock:
            first = key not in self.answers
            future = self.answers.setdefault(key, Future())
        if first:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  # every waiting caller raises it
                future.set_exception(error)
        return cast("T", future.result())

    def session(self) -> CloudSession:
        """Return the round's session; raise CloudError where there are no credentials."""
        self.opened = self.get("session", self.environment.open_session)
        return self.opened

    @property
    def principal(self) -> Principal | None:
        """Return the principal of the session, None until one is opened."""
        return self.opened.principal if self.opened else None

    def close(self) -> None:
        if self.opened:
            self.opened.close()


class Context:
    """One check's view of a round; each of its calls becomes evidence."""

    def __init__(self, shared: SharedQueries, limit_s: float) -> None:
        self.shared, self.limit_s = shared, limit_s
        self.began, self.deadline = time.monotonic(), Deadline(limit_s)
        self.environment = shared.environment
        self.cancellation = Cancellation()
        self.noted: list[Evidence] = []  # only ever added to, which threads may do at the same time

    @property
    def took_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def target(self) -> Target:
        return self.environment.target

    @property
    def project(self) -> str:
        """Return the project's id; raise Blocked where none is chosen."""
        if not self.target.project.value:
            raise Blocked("project.exists", "no project is chosen")
        return self.target.project.value

    @property
    def session(self) -> CloudSession:
        """Open a session that ends with this check; raise CloudError where there are no credentials."""
        made = self.shared.session().child_session(cancellation=self.cancellation, seconds=self.limit_s)
        made.calls = self.noted
        return made

    def fetch_once(self, key: str, work: Callable[[CloudSession], T]) -> T:
        """Make a query that other checks of this round make too, once for all of them; raise what it raises."""
        session = self.shared.session()

        def fetch() -> T:
            # not this check's own session: when it ends, other checks still wait for the answer
            child = session.child_session(cancellation=self.shared.cancellation, seconds=self.shared.limit_s)
            self.shared.calls[key] = child.calls
            return work(child)

        try:
            return self.shared.get(key, fetch)
        finally:
            self.noted.extend(self.shared.calls.get(key, ()))

    def fetch(self, query: Callable[..., T], *more: object) -> T:
        """Make a query about the project, with ``more`` arguments, once for all checks of this round; raise what it raises."""
        project = self.project
        return self.fetch_once(f"{query.__name__} {more}", lambda session: query(session, project, *more))

    def note(self, asked: str, answered: str) -> None:
        """Add evidence of this machine."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self.noted.append(Evidence(asked, THIS_MACHINE, answered, now, 0.0))

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all evidence so far, in order of time."""
        return tuple(sorted(self.noted, key=lambda evidence: evidence.at))

    @property
    def words(self) -> dict[str, str]:
        """Return the known values for placeholders of fixes."""
        principal = self.shared.principal
        known = self.target.known()
        if key_file := self.environment.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            known["credentials_file"] = key_file
        return known | ({"principal": principal.member} if principal and principal.member else {})


def detect_environment(
    flags: Mapping[str, str | None] | None = None,
    *,
    endpoint: str | None = None,
    settings: Settings | None = None,
    environ: Mapping[str, str] | None = None,
    project: SourcedValue | None = None,
    limits: Limits | None = None,
) -> CheckEnvironment:
    """Return the environment of the checks. The only call is to the metadata server, on a Google VM.

    ``flags`` maps the parts of a target to what was given; ``project`` is that of a demo. Raise HeartbeatError for an invalid
    endpoint or provisioning model.
    """
    environ = os.environ if environ is None else environ
    settings = settings or Settings()
    base = find_endpoint(endpoint, environ)
    gcloud = read_gcloud(environ)
    metadata = read_metadata(environ) if on_google(environ) else None
    target = choose_target(flags or {}, environ=environ, gcloud=gcloud, settings=settings, metadata=metadata, demo_project=project)
    open_ = partial(open_session, endpoint=base, environ=environ, limits=limits)
    return CheckEnvironment(target, open_, gcloud, metadata, base, environ, xla_python=xla_python(settings))


def demo_environ() -> dict[str, str]:
    """Return the environment without what chooses a target or credentials: a demo has its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "TPU_LIBRARY_PATH") if name in os.environ}
    return {**kept, "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true"}


def xla_python(settings: Settings) -> Path | None:
    """Return the interpreter with torch_xla: the configured one, or that of the managed environment; None for neither."""
    from heartbeat_core.benchmark.backends import tpu_backend
    from heartbeat_core.benchmark.xla_environment import XlaEnvironment

    named = settings[f"backends.{tpu_backend().name}.python"]
    if not named:
        return XlaEnvironment().find()
    path = expanded(named)
    return Path(shutil.which(path) or path)
