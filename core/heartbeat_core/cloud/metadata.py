"""The metadata server of a Google VM: which VM this is, where, and as whom it acts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heartbeat_core.cloud.json_fields import last
from heartbeat_core.errors import without_controls

HOST = "metadata.google.internal"
ADDRESS = "169.254.169.254"  # not its name: without such a server resolving that can take long
PRODUCT = Path("/sys/class/dmi/id/product_name")
TIMEOUT_S = 1.0
LONGEST = 2**20
FLAVOR = ("Metadata-Flavor", "Google")
LINE = re.compile(r"^\s*(\w+)\s*:\s*(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Metadata:
    """What the server knows of this VM, None for what it does not. ``tpu_env`` is empty on a VM without a TPU."""

    project: str | None = None
    zone: str | None = None
    email: str | None = None
    scopes: tuple[str, ...] | None = None
    accelerator_type: str | None = None
    tpu_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_tpu_vm(self) -> bool:
        return bool(self.accelerator_type or self.tpu_env)


def read_metadata(environ: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Metadata | None:
    """Read the server, None where there is none; each request has ``timeout_s``, and the first one decides."""
    if environ.get("NO_GCE_CHECK") == "true":
        return None
    host = environ.get("GCE_METADATA_HOST") or environ.get("GCE_METADATA_ROOT") or environ.get("GCE_METADATA_IP") or ADDRESS
    try:
        project = ask(host, "project/project-id", timeout_s)
    except OSError:
        return None

    def of_instance(path: str) -> str | None:
        with contextlib.suppress(OSError):
            return ask(host, f"instance/{path}", timeout_s)
        return None

    env = read_tpu_env(of_instance("attributes/tpu-env") or "")
    scopes = of_instance("service-accounts/default/scopes")
    return Metadata(
        project=project,
        zone=last(of_instance("zone")) or env.get("ZONE"),
        email=of_instance("service-accounts/default/email"),
        scopes=tuple(scopes.split()) if scopes is not None else None,
        accelerator_type=of_instance("attributes/accelerator-type") or env.get("ACCELERATOR_TYPE") or env.get("TPU_ACCELERATOR_TYPE"),
        tpu_env=env,
    )


def on_google(environ: Mapping[str, str]) -> bool:
    """Return whether this looks like a Google VM, without any request."""
    if environ.get("GCE_METADATA_HOST"):
        return True
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return PRODUCT.read_text().strip().startswith("Google")
    return False


def ask(host: str, path: str, timeout_s: float) -> str | None:
    """Return the answer to one request, None for none; raise OSError where this is no metadata server.

    No proxy is used: a VM reaches its metadata server directly.
    """
    import http.client  # here: it costs 20 ms, and only a Google VM needs it

    try:
        with contextlib.closing(http.client.HTTPConnection(host, timeout=timeout_s)) as connection:
            connection.request("GET", f"/computeMetadata/v1/{path}", headers=dict([FLAVOR]))
            answer = connection.getresponse()
            body = answer.read(LONGEST).decode("utf-8", "replace").strip()
    except (http.client.HTTPException, ValueError) as error:  # no HTTP, or no host
        raise OSError(str(error)) from error
    if answer.getheader(FLAVOR[0]) != FLAVOR[1]:
        raise OSError(f"{host} is no metadata server")
    body = without_controls(body)
    return body if answer.status == http.HTTPStatus.OK and body else None


def read_tpu_env(words: str) -> dict[str, str]:
    """Read the lines "NAME: 'value'" of tpu-env, which is nearly YAML."""
    return {name: value.strip("'\"") for name, value in LINE.findall(words)}
