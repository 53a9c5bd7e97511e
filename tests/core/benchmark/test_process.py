"""Workers run at the priority that the program began with. In programs of their own, for a priority cannot be raised again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from heartbeat_core.benchmark.process import LOWERED_NICENESS, ProcessLauncher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="niceness belongs to a thread on Linux alone")

# Become a program without the right to raise a priority, as a user's is: prctl(PR_CAPBSET_DROP, CAP_SYS_NICE).
UNPRIVILEGED = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 23, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
TWO_RUNS = """
import json, os
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.run import Run
from heartbeat_core.benchmark.process import ProcessLauncher, lower_priority
process_launcher = ProcessLauncher()
lower_priority()
try:
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    may_take_back = True
    lower_priority()
except PermissionError:
    may_take_back = False
found = []
for _ in range(2):
    run = Run(BenchmarkConfig(), process_launcher)
    run.wait(60)
    found.append(run.report().environment.get("nice"))
    run.close()
process_launcher.shutdown()
print(json.dumps({"workers": found, "own": os.getpriority(os.PRIO_PROCESS, 0), "may_take_back": may_take_back}))
"""
# Just enough of torch for the worker to say what it is, and then to fail.
LITTLE_TORCH = """
__version__ = "0"
def device(name): return name
def get_num_threads(): return 1
def set_num_threads(count): pass
def matmul(first, second): raise AssertionError
"""


@pytest.mark.parametrize("privileged", [True, False])
def test_every_worker_runs_at_the_first_niceness_also_that_of_the_second_run(fake_torch: Callable[..., None], privileged: bool) -> None:
    if privileged and os.geteuid() != 0:
        pytest.skip("not privileged")
    fake_torch(torch=LITTLE_TORCH)
    first = os.getpriority(os.PRIO_PROCESS, 0)
    command = [sys.executable, "-c", *([] if privileged else [UNPRIVILEGED]), TWO_RUNS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    own = LOWERED_NICENESS if privileged else max(first, LOWERED_NICENESS)  # it goes back to 0 first where it may
    reported: dict[str, Any] = json.loads(done.stdout)
    assert reported == {"workers": [first, first], "own": own, "may_take_back": privileged}


def test_all_calls_are_made_by_one_thread_that_lives_on() -> None:
    import threading

    with ProcessLauncher() as process_launcher:
        threads = {process_launcher.call(threading.get_ident) for _ in range(5)}
        assert len(threads) == 1
        assert threading.get_ident() not in threads


def test_what_goes_wrong_in_a_call_reaches_the_caller() -> None:
    def fail() -> None:
        raise OSError("no such file")

    with ProcessLauncher() as process_launcher, pytest.raises(OSError, match="no such file"):
        process_launcher.call(fail)
