"""Work that was not done is refuted: workers that cheat in each way, on the CPU and on an accelerator, and honest ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig, Method
from heartbeat_core.benchmark.protocol import Proof, decode
from heartbeat_core.benchmark.report import Report, report_of
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.workload import MatMul

pytestmark = pytest.mark.torch

WORK = MatMul(128, 256, 512)
METHODS: tuple[Method, ...] = get_args(Method)
CHEATS = (
    "caches",
    "keeps the first",
    "skips every second",
    "computes 8 of 128 rows",
    "computes the last row alone",
    "computes in bfloat16",
)
# Runs real workers one after another, each with another matmul and, for the accelerator, a torch that sees a device of its own.
WORKERS = """
import io, json, os, sys
from types import SimpleNamespace
import torch
from heartbeat_core.benchmark import worker
from heartbeat_core.benchmark.config import config_from_json
sys.stdin_of_test = sys.stdin
real = torch.matmul

class Pending:
    "A result that is computed when the device is waited for, or when it is read."
    alive = []
    def __init__(self, first, second):
        self.first, self.second, self.value = first, second, None
        Pending.alive.append(self)
    def compute(self):
        if self.value is None:
            self.value = real(self.first, self.second)
        return self.value
    def cpu(self):
        for each in Pending.alive:
            each.compute()
        Pending.alive.clear()
        return self.compute()

def wait():
    for each in Pending.alive:
        each.compute()
    Pending.alive.clear()

def accelerator(fence):
    torch.matmul = Pending
    torch.accelerator = SimpleNamespace(is_available=lambda: True, current_accelerator=lambda: torch.device("cpu"), synchronize=fence)
    torch.cpu.get_device_name = lambda: "a device of the test"

def calls(product):
    seen = []
    def matmul(first, second):
        seen.append(product(len(seen), seen[-1] if seen else None, first, second))
        return seen[-1]
    return matmul

def some_rows(number, last, first, second):
    out = torch.zeros(first.shape[0], second.shape[1])
    out[:8] = real(first[:8], second)
    return out

by_address = {}
def memoised(number, last, first, second):
    return by_address.setdefault(first.data_ptr(), real(first, second) if first.data_ptr() not in by_address else None)

def last_row(number, last, first, second):
    out = memoised(number, last, first, second)
    out[-1] = first[-1] @ second
    return out

class Read(Pending):
    "A result that is computed when it is read, alone."
    def cpu(self):
        return self.compute()

CHEATS = {
    "honest": lambda: None,
    "caches": lambda: setattr(torch, "matmul", calls(memoised)),
    "keeps the first": lambda: setattr(torch, "matmul", calls(lambda n, last, a, b: real(a, b) if last is None else last)),
    "skips every second": lambda: setattr(torch, "matmul", calls(lambda n, last, a, b: last if n % 2 else real(a, b))),
    "computes 8 of 128 rows": lambda: setattr(torch, "matmul", calls(some_rows)),
    "computes the last row alone": lambda: setattr(torch, "matmul", calls(last_row)),
    "computes in bfloat16": lambda: setattr(torch, "matmul", lambda a, b: real(a.bfloat16(), b.bfloat16()).float()),
    "computes when it is read": lambda: setattr(torch, "matmul", Read),
    "honest accelerator": lambda: accelerator(wait),
    "returns early from its fence": lambda: accelerator(lambda: None),
}
HONEST_ACCELERATOR = torch.accelerator
sys.stdin = SimpleNamespace(buffer=os.fdopen(os.pipe()[0], "rb"))  # no orders, and no end of them
for line in json.load(sys.stdin_of_test):
    cheat, config = line
    torch.matmul, torch.accelerator = real, HONEST_ACCELERATOR
    by_address.clear()
    CHEATS[cheat]()
    file = io.BytesIO()
    worker.run(config_from_json(config), worker.Output(file), {})
    print(json.dumps(file.getvalue().decode().splitlines()), flush=True)
os._exit(0)
"""


def config_of(backend: str, method: Method) -> BenchmarkConfig:
    return BenchmarkConfig(WORK, backend=backend, method=method, iterations=30, window=5, repeats=3, threads=1)


CASES: dict[tuple[str, Method], tuple[str, str]] = {
    **{(cheat, method): ("cpu", cheat) for cheat in CHEATS for method in METHODS if method != "handbook"},
    **{("honest", method): ("cpu", "honest") for method in METHODS},
    **{("honest accelerator", method): ("accelerator", "honest accelerator") for method in METHODS},
    **{("computes when it is read", method): ("cpu", "computes when it is read") for method in METHODS if method != "handbook"},
    **{("returns early", method): ("accelerator", "returns early from its fence") for method in METHODS if method != "handbook"},
}


Reports = dict[tuple[str, Method], Report]


@pytest.fixture(scope="module")
def reports() -> Reports:
    """Run every case; return what is reported of it."""
    orders = [(cheat, config_of(backend, method).to_json()) for (_, method), (backend, cheat) in CASES.items()]
    command = [sys.executable, "-c", WORKERS]
    done = subprocess.run(command, input=json.dumps(orders), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: Reports = {}
    for case, line in zip(CASES, done.stdout.splitlines(), strict=True):
        series = Series()
        for record in json.loads(line):
            series.apply(decode(record.encode()))
        found[case] = report_of(series)
    return found


def proof_of(report: Report) -> Proof:
    assert report.proof is not None
    return report.proof


@pytest.mark.parametrize("method", ["synchronized", "pipelined"])
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_result_that_was_not_computed_is_wrong(reports: Reports, cheat: str, method: Method) -> None:
    report = reports[cheat, method]
    assert not proof_of(report).passed
    assert proof_of(report).rows == 128
    assert report.verdict.kind != "plausible"
    assert report.quality.kind in ("impossible", "wrong result")


@pytest.mark.parametrize("worker", ["honest", "honest accelerator"])
@pytest.mark.parametrize("method", METHODS)
def test_an_honest_worker_passes(reports: Reports, worker: str, method: Method) -> None:
    report = reports[worker, method]
    proof = proof_of(report)
    assert proof.passed
    assert proof.inputs == {"synchronized": 2, "pipelined": 5, "handbook": 1}[method]
    assert proof.iteration is not None
    if method != "handbook":  # its clock stops before an accelerator does
        assert report.verdict.kind in ("plausible", "unknown")


@pytest.mark.parametrize("method", ["synchronized", "pipelined"])
@pytest.mark.parametrize("cheat", ["returns early", "computes when it is read"])
def test_work_left_to_the_first_read_is_impossible(reports: Reports, cheat: str, method: Method) -> None:
    report = reports[cheat, method]
    assert report.verdict.kind == report.quality.kind == "impossible"
