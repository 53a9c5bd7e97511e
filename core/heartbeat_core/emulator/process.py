"""An emulator in a process of its own, and how clients are pointed at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from heartbeat_core.errors import HeartbeatError
from heartbeat_core.paths import emulated_gcloud_folder

ENDPOINT = "HEARTBEAT_CLOUD_ENDPOINT"
OVERRIDDEN = ("TPU", "SERVICEUSAGE", "CLOUDRESOURCEMANAGER", "CLOUDBILLING", "IAM", "CLOUDQUOTAS", "ORGPOLICY")
END_LIMIT_S = 5.0


def gcloud_environment(url: str, config: Path) -> dict[str, str]:
    """Return the variables that point gcloud at an emulator; ``config`` is a folder for gcloud's own files."""
    environment = {
        "CLOUDSDK_CONFIG": str(config),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "True",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    }
    for api in OVERRIDDEN:
        environment[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"] = f"{url}/"
    environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] = f"{url}/compute/v1/"
    return environment


class EmulatorProcess(AbstractContextManager["EmulatorProcess"]):
    """A running emulator; it ends with ``close``, and with the process that started it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, errors: IO[bytes]) -> None:
        self.process, self.url, self.errors = process, url, errors

    def close(self) -> None:
        """End it; harmless when it has ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __exit__(self, *_failure: object) -> None:
        self.close()


def command_environ(endpoint: str | None, folder: Path | None = None) -> dict[str, str]:
    """Return the environment of a gcloud command: our own, or one that points gcloud only at the emulator at ``endpoint``.

    ``folder`` is then gcloud's configuration folder, separate from the user's.
    """
    if endpoint is None:
        return dict(os.environ)
    folder = folder or emulated_gcloud_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLOUDSDK_")},
        **gcloud_environment(endpoint, folder),
    }


def require_server() -> None:
    """Raise HeartbeatError where the libraries of the emulator's server are not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise HeartbeatError(
            "the emulated Google Cloud is not installed",
            f"Its server needs {' and '.join(missing)}, which the extra demo brings.",
            "Run: pip install 'heartbeat-tui[demo]'",
        )


def last_words(errors: IO[bytes]) -> str:
    """Read the last line of what a process had to say."""
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "none."


def start_emulator(scenario: str = "ready", latency_s: float = 0.0, *, speed: float = 1.0, seed: int | None = None) -> EmulatorProcess:
    """Start an emulator and wait until it answers; raise HeartbeatError where it cannot.

    Its clock runs ``speed`` times as fast as ours; ``seed`` is for faults that come by chance, the scenario's own where None.
    """
    require_server()
    command = [sys.executable, "-m", "heartbeat_core.emulator", f"--scenario={scenario}", f"--latency={latency_s}", f"--speed={speed}"]
    command += [] if seed is None else [f"--seed={seed}"]
    errors = tempfile.TemporaryFile()  # noqa: SIM115  # the terminal may be a screen; closed with the process
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        message = json.loads(line)
    except ValueError:
        cause = f"Its process ended with code {process.wait()}."
        message = {"error": ["the emulator did not start", cause, f"Its last words: {last_words(errors)}"]}
    started = EmulatorProcess(process, message.get("url", ""), errors)
    if "error" in message:
        started.close()
        raise HeartbeatError(*message["error"])
    return started
