"""Real torch_xla, made to cheat: a fence that does not wait, a result that is kept, a product that is skipped."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import heartbeat_core
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.protocol import decode
from heartbeat_core.benchmark.report import Report, report_of
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.workload import MatMul

pytestmark = pytest.mark.xla

DTYPES: tuple[Dtype, ...] = ("float16", "int8", "float8_e4m3")
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
def reports(xla_python: str) -> dict[str, Report]:
    """Run a worker of each kind; return what is reported of it."""
    config = BenchmarkConfig(MatMul(128, 1024, 1024), backend="xla", iterations=31)
    environ = {**os.environ, "PYTHONPATH": str(Path(heartbeat_core.__file__).parents[1])}
    small = {dtype: replace(config, workload=MatMul(32, 256, 128, dtype)) for dtype in DTYPES}
    orders = json.dumps([*((cheat, config.to_json()) for cheat in CHEATS), *(("honest", each.to_json()) for each in small.values())])
    command = [xla_python, "-c", WORKERS]
    done = subprocess.run(command, input=orders, capture_output=True, text=True, timeout=300, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    found: dict[str, Report] = {}
    for cheat, line in zip((*CHEATS, *DTYPES), done.stdout.splitlines(), strict=True):
        series = Series()
        for record in json.loads(line):
            series.apply(decode(record.encode()))
        found[cheat] = report_of(series)
    return found


def test_an_honest_worker_passes(reports: dict[str, Report]) -> None:
    proof = reports["honest"].proof
    assert proof is not None
    assert proof.passed
    assert proof.executed == proof.expected == 36  # the programs that rewrite the inputs are not counted
    assert reports["honest"].verdict.kind in ("plausible", "unknown")


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_few_bits_are_computed_by_the_device(reports: dict[str, Report], dtype: str) -> None:
    proof = reports[dtype].proof
    assert proof is not None
    assert proof.passed
    assert proof.executed == proof.expected == 36  # torch's own products of 8 bits would run on the host


def test_a_fence_that_does_not_wait_is_impossible(reports: dict[str, Report]) -> None:
    report = reports["fence disabled"]
    assert report.verdict.kind == report.quality.kind == "impossible"


@pytest.mark.parametrize("cheat", ["caches", "skips every second"])
def test_a_product_that_was_not_computed_is_wrong_and_not_counted(reports: dict[str, Report], cheat: str) -> None:
    proof = reports[cheat].proof
    assert proof is not None
    assert not proof.passed
    assert proof.executed is not None
    assert proof.expected is not None
    assert proof.executed < proof.expected
    assert reports[cheat].verdict.kind == "impossible"
