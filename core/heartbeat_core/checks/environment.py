"""Detect the environment of the checks: flags, variables, gcloud's files, the metadata server, and the target."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from heartbeat_core.checks.context import CheckEnvironment
from heartbeat_core.cloud.auth import ENDPOINT_VARIABLE, check_endpoint
from heartbeat_core.cloud.gcloud_config import SourcedValue, read_gcloud
from heartbeat_core.cloud.metadata import on_google, read_metadata
from heartbeat_core.cloud.target import choose_target
from heartbeat_core.settings import Settings

if TYPE_CHECKING:
    from heartbeat_core.cloud.session import CloudSession, Limits


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

    ``flags`` maps the parts of a target to what was given; ``project`` is the default. Raise HeartbeatError for an invalid
    endpoint or provisioning model.
    """
    environ = os.environ if environ is None else environ
    settings = settings or Settings()
    named = endpoint or environ.get(ENDPOINT_VARIABLE) or None
    base = check_endpoint(named) if named else None
    gcloud = read_gcloud(environ)
    metadata = read_metadata(environ) if on_google(environ) else None
    target = choose_target(flags or {}, environ=environ, gcloud=gcloud, settings=settings, metadata=metadata, login_project=project)

    def open_() -> CloudSession:
        from heartbeat_core.cloud.session import open_session  # here: checks of this machine need none of it

        return open_session(endpoint=base, environ=environ, limits=limits)

    return CheckEnvironment(target, open_, gcloud, metadata, base, environ, xla_python=xla_python(settings))


def demo_environ(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without what chooses a target or credentials: a demo has its own."""
    environ = os.environ if environ is None else environ
    kept = {name: environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "TPU_LIBRARY_PATH") if name in environ}
    return {**kept, "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true"}


def xla_python(settings: Settings) -> Path | None:
    """Return the interpreter with torch_xla: the configured one, or that of the managed environment; None for neither."""
    from heartbeat_core.benchmark.backends import tpu_backend
    from heartbeat_core.benchmark.xla_environment import XlaEnvironment

    named = settings[f"backends.{tpu_backend().name}.python"]
    if not named:
        return XlaEnvironment().find()
    path = Path(named).expanduser()
    return Path(shutil.which(path) or path)
