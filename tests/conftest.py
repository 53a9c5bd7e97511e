"""What all tests share: folders of their own, small plans, workers that misbehave on purpose."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.process import ProcessLauncher
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.target import LocalTarget
from heartbeat_core.benchmark.workload import MatMul
from heartbeat_core.benchmark.xla_environment import XlaEnvironment

XLA_PYTHON = os.environ.get("HEARTBEAT_BACKENDS_XLA_PYTHON") or str(XlaEnvironment().find() or "")  # before the folders change
PATIENCE_S = 60.0  # far more than any of this takes
FOLDERS = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
OF_LIBRARIES = ("PJRT_DEVICE", "XLA_USE_BF16", "XLA_DOWNCAST_BF16", "TPU_SKIP_MDS_QUERY", "TORCH_DEVICE_BACKEND_AUTOLOAD")

# No test may fail because the machine was busy: examples have no deadline.
settings.register_profile("unhurried", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
# ``make fuzz`` selects this one, with --hypothesis-profile; ``within_a_second`` is its deadline.
settings.register_profile("fuzz", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# What stands before the body of a fake worker: it has read its order and can tell records.
PRELUDE = """
import json, os, signal, subprocess, sys
order = json.loads(sys.stdin.readline())
def tell(type, **values):
    print(json.dumps({"type": type, "at_ns": 0, **values}), flush=True)
def start():
    tell("started", schema=1, version="0", pid=os.getpid(), time="2026-11-22T12:00:00+00:00", plan=order["plan"])
def beat(start, *ns, phase="steady"):
    import array, base64
    tell("samples", phase=phase, start=start, columns={"total": base64.b64encode(array.array("q", ns)).decode()})
def die(number):
    os.kill(os.getpid(), number)
    signal.pause()
"""


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start: a shell has it ignored in its background jobs, and children inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow the tests that start real ssh connections, Ray, torch_xla or gcloud more time than the others, and begin with them."""
    here = Path(__file__).parent
    slow = {item for item in items if any(item.path.is_relative_to(here / folder) for folder in ("xla", "remote", "referee", "fleet_ray"))}
    for item in slow:
        item.add_marker(pytest.mark.timeout(300))
    items.sort(key=lambda item: item not in slow)


def leave_no_trace(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Point every folder of the user's into ``home``, and unset what would change a run."""
    for name in [name for name in os.environ if name.startswith("HEARTBEAT_")]:
        patch.delenv(name)
    for name in OF_LIBRARIES:
        patch.delenv(name, raising=False)
    for name in FOLDERS:
        patch.setenv(name, str(home / name.lower()))


@pytest.fixture(scope="session")
def xla_python() -> str:
    """Return the interpreter that has torch_xla; skip the test if there is none."""
    if not XLA_PYTHON:
        pytest.skip("no torch_xla here: heartbeat-tui backend install xla")
    return XLA_PYTHON


@pytest.fixture(scope="session", autouse=True)
def _no_trace_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        leave_no_trace(patch, tmp_path_factory.mktemp("session"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_wait_after_a_failure() -> Iterator[None]:
    """End a program whose test fails or times out within ``with Popen(…)``, which else waits for the program without a limit."""
    leave = subprocess.Popen.__exit__

    def kill_and_leave(
        program: subprocess.Popen[Any], kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (AssertionError, pytest.fail.Exception)):
            program.kill()
        leave(program, kind, error, trace)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__exit__", kill_and_leave)
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Number folders; ``mktemp`` lists all that there are for each that it makes, which takes half of the time of a short test."""
    root = tmp_path_factory.mktemp("homes")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of this test's settings, caches and recordings."""
    folder = next(homes)
    folder.mkdir()
    leave_no_trace(monkeypatch, folder)
    return folder


@pytest.fixture(scope="session")
def process_launcher() -> Iterator[ProcessLauncher]:
    with ProcessLauncher() as made:
        yield made


@pytest.fixture(scope="session")
def small() -> Callable[..., BenchmarkConfig]:
    """Make plans of a product that takes microseconds, on one thread."""

    def make(**values: Any) -> BenchmarkConfig:
        return BenchmarkConfig(**{"workload": MatMul(8, 64, 64), "threads": 1, "iterations": 20, **values})

    return make


@pytest.fixture
def begin(process_launcher: ProcessLauncher) -> Iterator[Callable[..., Run]]:
    """Start runs that are over when the test is."""
    with ExitStack() as stack:
        yield lambda plan, *, python=None, **options: stack.enter_context(
            closing(Run(plan, process_launcher, **{"place": LocalTarget(python), **options}))
        )


@pytest.fixture
def fake_worker(tmp_path: Path) -> Callable[[str], str]:
    """Write a program that stands where a worker's Python should, and does what its body says."""

    def make(body: str) -> str:
        path = tmp_path / f"python{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!{sys.executable} -IS\n{PRELUDE}{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def watch_process() -> Iterator[Callable[[int], Callable[[], bool]]]:
    """Watch a process that need not be our child: the call that is given back waits for its end, and tells whether it came."""
    if sys.platform != "linux":
        pytest.skip("needs pidfd_open")
    with ExitStack() as stack:

        def watch(pid: int) -> Callable[[], bool]:
            pidfd = os.pidfd_open(pid)
            stack.callback(os.close, pidfd)
            return lambda: bool(select.select([pidfd], [], [], PATIENCE_S)[0])

        yield watch


@pytest.fixture
def fake_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put modules in the place of torch, for every worker that this test starts."""

    def make(**bodies: str) -> None:
        for name, body in bodies.items():
            path = tmp_path / "modules" / name / "__init__.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path / "modules"), *sys.path)))

    return make
