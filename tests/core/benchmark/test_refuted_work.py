"""Work that was not done is refuted: workers that cheat in each way, on the CPU and on an accelerator, and honest ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest

from heartbeat_core.benchmark.bandwidth import Stream, Transfer
from heartbeat_core.benchmark.config import BenchmarkConfig, Method
from heartbeat_core.benchmark.dtypes import Dtype
from heartbeat_core.benchmark.layer import Layer, ModelShape
from heartbeat_core.benchmark.protocol import Proof, decode
from heartbeat_core.benchmark.report import Report, report_of
from heartbeat_core.benchmark.series import Series
from heartbeat_core.benchmark.workload import MatMul, Workload

pytestmark = pytest.mark.torch

WORK = MatMul(128, 256, 512)
DTYPES: dict[Dtype, Method] = {"float16": "pipelined", "int8": "handbook", "float8_e4m3": "synchronized"}
DTYPE_CHEATS: dict[str, Dtype] = {
    "drops a bit of int8": "int8",
    "keeps 8 bits of a sum": "int8",
    "adds one to an element": "int8",
    "drops a bit of float8": "float8_e4m3",
    "keeps the first float8": "float8_e4m3",
    "computes float16 in bfloat16": "float16",
}
LAYER = Layer(ModelShape("small", 512, 1024, 8, 4, 64, 3, 500), batch=3, context=20, dtype="float32")
STREAM_CHEATS = ("scales the first time alone", "adds a half")
LAYER_CHEATS = ("caches", "reads one set of weights", "leaves out one product")
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
real_mul, real_add = torch.mul, torch.add
real, real_int, real_scaled = torch.matmul, torch._int_mm, torch._scaled_mm

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
    def matmul(first, second, *scales, **result):
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

by_shape = {}
def one_set(first, second):
    return real(first, by_shape.setdefault(second.shape, second))

def no_attention(first, second):
    return real(first, second) if first.dim() == 2 else torch.zeros(*first.shape[:2], second.shape[2])

class Read(Pending):
    "A result that is computed when it is read, alone."
    def cpu(self):
        return self.compute()

def one_more(first, second):
    out = real_int(first, second)
    out[-1, -1] += 1
    return out

def scaled(first, second):
    return real_scaled(first, second, torch.ones(()), torch.ones(()), out_dtype=torch.bfloat16)

def fewer_bits(first, second, *scales, **result):
    return scaled(first.float().to(torch.float8_e5m2).float().to(first.dtype), second)

def half(second, first, alpha, out):
    out[: len(out) // 2] = second[: len(out) // 2] + alpha * first[: len(out) // 2]
    return out

def counted_mul(first, second, out):
    counted_mul.calls += 1
    return out if counted_mul.calls > 2 else real_mul(first, second, out=out)
counted_mul.calls = 0

CHEATS = {
    "scales the first time alone": lambda: setattr(torch, "mul", counted_mul),
    "adds a half": lambda: setattr(torch, "add", half),
    "drops a bit of int8": lambda: setattr(torch, "_int_mm", lambda a, b: real_int(a & -2, b)),
    "keeps 8 bits of a sum": lambda: setattr(torch, "_int_mm", lambda a, b: real(a, b).int()),
    "adds one to an element": lambda: setattr(torch, "_int_mm", one_more),
    "drops a bit of float8": lambda: setattr(torch, "_scaled_mm", fewer_bits),
    "keeps the first float8": lambda: setattr(torch, "_scaled_mm", calls(lambda n, last, a, b: scaled(a, b) if n < 2 else last)),
    "computes float16 in bfloat16": lambda: setattr(torch, "matmul", lambda a, b: real(a.bfloat16(), b.bfloat16()).half()),
    "honest": lambda: None,
    "caches": lambda: setattr(torch, "matmul", calls(memoised)),
    "keeps the first": lambda: setattr(torch, "matmul", calls(lambda n, last, a, b: real(a, b) if last is None else last)),
    "skips every second": lambda: setattr(torch, "matmul", calls(lambda n, last, a, b: last if n % 2 else real(a, b))),
    "computes 8 of 128 rows": lambda: setattr(torch, "matmul", calls(some_rows)),
    "computes the last row alone": lambda: setattr(torch, "matmul", calls(last_row)),
    "computes in bfloat16": lambda: setattr(torch, "matmul", lambda a, b: real(a.bfloat16(), b.bfloat16()).float()),
    "reads one set of weights": lambda: setattr(torch, "matmul", one_set),
    "leaves out one product": lambda: setattr(torch, "matmul", no_attention),
    "computes when it is read": lambda: setattr(torch, "matmul", Read),
    "honest accelerator": lambda: accelerator(wait),
    "returns early from its fence": lambda: accelerator(lambda: None),
}
HONEST_ACCELERATOR = torch.accelerator
sys.stdin = SimpleNamespace(buffer=os.fdopen(os.pipe()[0], "rb"))  # no orders, and no end of them
for line in json.load(sys.stdin_of_test):
    cheat, config = line
    torch.mul, torch.add = real_mul, real_add
    torch.matmul, torch._int_mm, torch._scaled_mm, torch.accelerator = real, real_int, real_scaled, HONEST_ACCELERATOR
    by_address.clear()
    by_shape.clear()
    CHEATS[cheat]()
    file = io.BytesIO()
    worker.run(config_from_json(config), worker.Output(file), {})
    print(json.dumps(file.getvalue().decode().splitlines()), flush=True)
os._exit(0)
"""


def config_of(backend: str, method: Method, work: Workload = WORK) -> BenchmarkConfig:
    return BenchmarkConfig(work, backend=backend, method=method, iterations=30, window=5, repeats=3, threads=1)


def small(dtype: Dtype) -> MatMul:
    return MatMul(32, 64, 128, dtype)  # some dtypes are slow on a CPU


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
    orders += [("honest", config_of("cpu", method, small(dtype)).to_json()) for dtype, method in DTYPES.items()]
    orders += [(cheat, config_of("cpu", "synchronized", small(dtype)).to_json()) for cheat, dtype in DTYPE_CHEATS.items()]
    orders += [(cheat, config_of("cpu", "synchronized", LAYER).to_json()) for cheat in ("honest", *LAYER_CHEATS)]
    orders += [(cheat, config_of("cpu", "synchronized", Stream(1)).to_json()) for cheat in ("honest", *STREAM_CHEATS)]
    orders.append(("honest accelerator", config_of("accelerator", "synchronized", Transfer(1)).to_json()))
    cases: list[tuple[str, Method]] = [*CASES, *DTYPES.items()]
    cases += [(cheat, "synchronized") for cheat in DTYPE_CHEATS]
    cases += [(f"a layer: {cheat}", "synchronized") for cheat in ("honest", *LAYER_CHEATS)]
    cases += [*((f"a stream: {cheat}", "synchronized") for cheat in ("honest", *STREAM_CHEATS)), ("a transfer", "synchronized")]
    command = [sys.executable, "-c", WORKERS]
    done = subprocess.run(command, input=json.dumps(orders), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: Reports = {}
    for case, line in zip(cases, done.stdout.splitlines(), strict=True):
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


@pytest.mark.parametrize("cheat", LAYER_CHEATS)
def test_no_product_of_a_layer_can_be_left_out_or_kept(reports: Reports, cheat: str) -> None:
    proof = proof_of(reports[f"a layer: {cheat}", "synchronized"])
    assert not proof.passed
    assert proof.step in LAYER.parts
    assert proof_of(reports["a layer: honest", "synchronized"]).passed


@pytest.mark.parametrize("cheat", STREAM_CHEATS)
def test_no_pass_of_a_stream_can_be_left_out(reports: Reports, cheat: str) -> None:
    proof = proof_of(reports[f"a stream: {cheat}", "synchronized"])
    assert not proof.passed
    assert proof.step == ("scale" if "scales" in cheat else "triad")
    assert proof_of(reports["a stream: honest", "synchronized"]).passed


def test_a_transfer_is_checked_and_held_against_no_peak(reports: Reports) -> None:
    report = reports["a transfer", "synchronized"]
    assert proof_of(report).passed
    assert report.floor is None
    assert set(report.steps) == {"to_device", "to_host"}


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_product_of_each_dtype_passes_and_says_its_precision(reports: Reports, dtype: Dtype) -> None:
    proof = proof_of(reports[dtype, DTYPES[dtype]])
    assert proof.passed
    assert proof.implies == {"float16": "float16", "int8": "exact", "float8_e4m3": "float8_e4m3"}[dtype]


@pytest.mark.parametrize("cheat", DTYPE_CHEATS)
def test_a_product_of_fewer_bits_is_wrong(reports: Reports, cheat: str) -> None:
    report = reports[cheat, "synchronized"]
    assert not proof_of(report).passed
    assert report.quality.kind in ("impossible", "wrong result")
