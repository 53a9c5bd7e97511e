"""Referees: the real gcloud and Google's own Python clients, against the emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.emulation import EmulatorThread, start_emulator

from heartbeat_core.emulator.process import gcloud_environment

SPEED = 1000.0  # a creation of 20 s takes 20 ms: referees wait for operations by themselves
LIMIT_S = 120


@dataclass(frozen=True)
class Gcloud:
    """Runs gcloud against one emulator."""

    path: str
    environment: dict[str, str]

    def run(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        arguments = [self.path, *command.split(), *more]
        return subprocess.run(arguments, capture_output=True, text=True, check=False, env=self.environment, timeout=LIMIT_S)

    def __call__(self, command: str, *more: str) -> Any:
        """Run a command that must succeed; return its answer."""
        done = self.run(command, *more, "--format=json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def all(self, *commands: str) -> list[Any]:
        """Run commands that do not depend on one another, some at a time; return their answers in order."""
        with ThreadPoolExecutor(max_workers=4) as pool:
            return list(pool.map(self, commands))

    def refused(self, command: str, *more: str) -> str:
        """Run a command that must fail; return what it says."""
        done = self.run(command, *more)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with start_emulator("ready", speed=SPEED) as started:
        yield started


@pytest.fixture(scope="session")
def gcloud_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One configuration for all: gcloud fills it on its first start."""
    return tmp_path_factory.mktemp("gcloud")


@pytest.fixture
def gcloud_for(gcloud_config: Path) -> Any:
    path = shutil.which("gcloud")
    if path is None:
        pytest.skip("gcloud is not installed: https://cloud.google.com/sdk/docs/install")

    def make(started: EmulatorThread) -> Gcloud:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDSDK_")}
        project = {"CLOUDSDK_CORE_PROJECT": "demo-project", "CLOUDSDK_COMPUTE_ZONE": "us-central1-b"}
        return Gcloud(path, {**kept, **gcloud_environment(started.url, gcloud_config), **project})

    return make


@pytest.fixture
def gcloud(gcloud_for: Any, emulator: EmulatorThread) -> Gcloud:
    made: Gcloud = gcloud_for(emulator)
    return made
