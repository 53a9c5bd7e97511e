"""Real torch_xla, made to cheat: a fence that does not wait, a result that is kept, a product that is skipped."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import heartbeat_core
from heartbeat_core.benchmark.config import BenchmarkConfig, MatMul
from heartbeat_core.benchmark.protocol import Proof, Samples, decode

pytestmark = pytest.mark.xla

CHEATS = ("honest", "fence disabled", "caches", "skips every second")
WORKERS = """
import io, json, os, sys
from types import SimpleNamespace
os.environ.setdefault("PJRT_DEVICE", "CPU")
orders, sys.stdin = json.load(sys.stdin), SimpleNamespace(buffer=os.fdopen(os.pipe()[0], "rb"))
stdout = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
import torch
import torch_xla.core.xla_model as xm
from heartbeat_core.benchmark import worker
from heartbeat_core.benchmark.config import config_from_json
matmul, wait, kept = torch.matmul, xm.wait_device_ops, []

def cached(first, second):
    return dict(kept).get(id(first)) if id(first) in dict(kept) else keep(id(first), matmul(first, second))

def skipped(first, second):
    return kept[-1][1] if len(kept) % 2 and not kept.append(kept[-1]) else keep(0, matmul(first, second))

def keep(key, result):
    kept.append((key, result))
    return result

for cheat, config in orders:
    kept.clear()
    torch.matmul = {"caches": cached, "skips every second": skipped}.get(cheat, matmul)
    xm.wait_device_ops = (lambda: None) if cheat == "fence disabled" else wait
    file = io.BytesIO()
    worker.run(config_from_json(config), worker.Output(file), {})
    print(json.dumps(file.getvalue().decode().splitlines()), file=stdout, flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def proofs(xla_python: str) -> dict[str, tuple[Proof, float]]:
    """Run a worker of each kind; return its result check and the median time of a product."""
    config = BenchmarkConfig(MatMul(128, 1024, 1024), backend="xla", iterations=31)
    environ = {**os.environ, "PYTHONPATH": str(Path(heartbeat_core.__file__).parents[1])}
    orders = json.dumps([(cheat, config.to_json()) for cheat in CHEATS])
    command = [xla_python, "-c", WORKERS]
    done = subprocess.run(command, input=orders, capture_output=True, text=True, timeout=300, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[Proof, float]] = {}
    for cheat, line in zip(CHEATS, done.stdout.splitlines(), strict=True):
        records = [decode(each.encode()) for each in json.loads(line)]
        steady = [ns for record in records if isinstance(record, Samples) and record.phase == "steady" for ns in record.columns["total"]]
        (proof,) = [record for record in records if isinstance(record, Proof)]
        found[cheat] = proof, sorted(steady)[len(steady) // 2]
    return found


def test_an_honest_worker_passes(proofs: dict[str, tuple[Proof, float]]) -> None:
    proof, product_ns = proofs["honest"]
    assert proof.passed
    assert not proof.work_left(product_ns)
    assert proof.executed == proof.expected == 36  # the programs that rewrite the inputs are not counted


def test_a_fence_that_does_not_wait_leaves_work_behind(proofs: dict[str, tuple[Proof, float]]) -> None:
    proof, product_ns = proofs["fence disabled"]
    assert proof.work_left(product_ns)


@pytest.mark.parametrize("cheat", ["caches", "skips every second"])
def test_a_product_that_was_not_computed_is_wrong_and_not_counted(proofs: dict[str, tuple[Proof, float]], cheat: str) -> None:
    proof, _ = proofs[cheat]
    assert not proof.passed
    assert proof.executed is not None
    assert proof.expected is not None
    assert proof.executed < proof.expected
