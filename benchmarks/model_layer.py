"""A layer of a model: the median of `bench --model` against the same layer written plainly in torch, with what each product hands on.

Run as `model_layer.py plain MODEL PHASE BATCH CONTEXT SETS ITERATIONS` it is that layer, and prints its times.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import Any

from heartbeat_core.benchmark.models import find_model

MODEL = "qwen2.5-0.5b"  # the smallest: it takes 10 ms here
WARMUP = 5
CASES = {("decode", 8, 512): (40, 5), ("prefill", 1, 32): (40, 5)}  # phase, batch, context: (iterations, rounds)
Case = tuple[str, int, int]


def plain(name: str, phase: str, batch: int, context: int, sets: int, iterations: int) -> list[int]:
    """Time a layer with its residuals as they are, without norms, rotation and softmax; the sets of weights take turns."""
    import torch

    torch.set_num_threads(1)  # as `bench` is asked to: two threads wait for one another on a busy machine
    model, new = find_model(name), context if phase == "prefill" else 1
    heads, kv, size = model.heads, model.kv_heads, model.head_size

    def weights() -> tuple[Any, ...]:
        shapes = (
            (model.hidden, (heads + 2 * kv) * size),
            (batch, kv, size, context),
            (batch, kv, context, size),
            (heads * size, model.hidden),
            (model.hidden, 2 * model.intermediate),
            (model.intermediate, model.hidden),
        )
        return tuple(torch.randn(*shape) / shape[-2] ** 0.5 for shape in shapes)

    drawn, inputs = [weights() for _ in range(sets)], torch.randn(batch * new, model.hidden)
    times = []
    for iteration in range(WARMUP + iterations):
        qkv, keys, values, output, gate_up, down = drawn[iteration % sets]
        start = perf_counter_ns()
        queries = (inputs @ qkv)[:, : heads * size].view(batch, new, kv, heads // kv, size).transpose(1, 2).reshape(batch, kv, -1, size)
        attended = (queries @ keys @ values).view(batch, kv, new, heads // kv, size).transpose(1, 2).reshape(batch * new, heads * size)
        gate, up = (attended @ output @ gate_up).chunk(2, dim=1)
        (gate * up) @ down
        times.append(perf_counter_ns() - start)
    return times[WARMUP:]


def bench(case: Case, iterations: int) -> tuple[float, int]:
    """Take the median of `bench --model`, ns, and how many sets of weights took turns."""
    from benchmarks.figure import program

    phase, batch, context = case
    flags = ["--model", MODEL, "--phase", phase, "--batch", str(batch), "--context", str(context), "--dtype", "float32", "--backend", "cpu"]
    flags += ["--threads", "1", "--iterations", str(iterations), "--warmup", str(WARMUP), "--json", "--no-save"]
    made = subprocess.run([*program(), "bench", *flags], capture_output=True, check=True)
    found = json.loads(made.stdout)
    return statistics.median(found["samples_ns"]["steady"]), found["environment"]["weight_sets"]


def median_of(case: Case, iterations: int) -> float:
    return bench(case, iterations)[0]


def bare(case: Case, iterations: int, sets: int) -> float:
    """Take the median of the plain layer in a process of its own, ns."""
    command = [sys.executable, __file__, "plain", MODEL, *map(str, case), str(sets), str(iterations)]
    made = subprocess.run(command, capture_output=True, check=True)
    times_ns: list[int] = json.loads(made.stdout)
    return statistics.median(times_ns)


def main() -> None:
    from benchmarks.figure import finish, interleave, quiet, ratio

    figures = []
    with quiet():
        for case, (iterations, rounds) in CASES.items():
            _, sets = bench(case, WARMUP)
            runs: dict[str, Callable[[], float]] = {"bare": partial(bare, case, iterations, sets)}
            runs["bench"] = partial(median_of, case, iterations)
            taken = interleave(rounds, runs)
            name = f"{MODEL} {' '.join(map(str, case))} ({statistics.median(taken['bare']) / 1e6:.2f} ms)"
            figures.append(ratio(f"bench --model / plain torch, {name}", taken["bench"], taken["bare"], most=1.05, least=0.95))
    finish(figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["plain"]:
        print(json.dumps(plain(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))))
    else:
        main()
