"""The result check: every element of a result against float64, and whether the fence waited for it.

Freivalds' method: for a random vector r the product X·W·r, computed in float64 on the host as X·(W·r), must equal
out·r. Every element of ``out`` takes part, for the cost of two products of a matrix and a vector. W·r is computed once,
before the first iteration. Each result is held against its own input.

The error of a row is |X·(W·r) - out·r| against the size that such a sum has by chance, |x|·|r|·rms(W): independent
errors of the elements add up like √N, and so does this size, so the figure is about that of one element. One element
that is off by d times the size of an element shows as d/√N: in float32 at N = 16,384 by 0.02 of its size on, in
bfloat16 only by two to three times its size.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from heartbeat_core.benchmark.backends.base import Backend
from heartbeat_core.benchmark.bandwidth import Passes
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.dtypes import IMPLIES, TABLE
from heartbeat_core.benchmark.protocol import Proof
from heartbeat_core.benchmark.workload import CHECK_CHUNK_BYTES, Operands, StepFunction, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

SINGLE = 2  # iterations after the run, each on the next input: of three in a row no two can be the same product
BURSTS = 4  # of iterations after those, with the one chosen and the last six looks at the fence in all
EXTRA_NS = 2_000_000_000  # after this only one of each
BURST_NS = 20_000_000  # of iterations: many small products leave behind what one alone would hide in noise
LONGEST_BURST = 200
UNBOUNDED_NS = 10_000_000_000  # a run without an end is inspected within this time


class ResultCheck:
    """Checks results of one product; made before the run, for it reads all the weights.

    Matrices may come in groups, [groups, rows, columns].
    """

    def __init__(self, torch: Any, weights: Any, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        width = weights.shape[-1]
        # of either sign and never near 0: an element of any column counts
        signs = torch.randint(0, 2, (width,), generator=generator, dtype=torch.float64) * 2 - 1
        self.torch = torch
        self.vector = signs * (0.5 + torch.rand(width, generator=generator, dtype=torch.float64))
        self.products, squares = [], 0.0  # one a group
        for matrix in groups_of(weights):
            parts = []
            for rows in in_chunks(matrix, width):
                whole = rows.double()
                parts.append(whole @ self.vector)
                squares += torch.linalg.vector_norm(whole).item() ** 2
            self.products.append(torch.cat(parts))
        self.size = math.sqrt(squares / weights.numel()) * torch.linalg.vector_norm(self.vector).item()

    def error(self, inputs: Any, result: Any) -> tuple[float, int]:
        """Return the greatest error of all rows of a result and its row; infinity where a row holds NaN or infinity."""
        worst, where, start = 0.0, 0, 0
        wider = max(inputs.shape[-1], result.shape[-1])
        for product, matrix, rows in zip(self.products, groups_of(inputs), groups_of(result), strict=True):
            for first, out in zip(in_chunks(matrix, wider), in_chunks(rows, wider), strict=True):
                exact = first.double()
                size = (self.torch.linalg.vector_norm(exact, dim=1) * self.size).clamp_min(1e-300)
                errors = ((out.double() @ self.vector - exact @ product).abs() / size).nan_to_num(nan=math.inf, posinf=math.inf)
                index = int(errors.argmax())
                if errors[index].item() > worst:
                    worst, where = errors[index].item(), start + index
                start += first.shape[0]
        return worst, where


def groups_of(matrices: Any) -> Any:
    """Return the groups of matrices; one matrix is a group."""
    return matrices if matrices.dim() == 3 else matrices[None]


class PassCheck:
    """Checks results of one pass over an array, element by element; ``expected`` gives them in float32."""

    def __init__(self, expected: StepFunction, second: Any) -> None:
        self.expected, self.second = expected, second

    def error(self, inputs: Any, result: Any) -> tuple[float, int]:
        """Return the greatest error, as a share of the element, or of 1 where that is larger, and its row; infinity for NaN or infinity."""
        worst, where, start = 0.0, 0, 0
        for first, second, out in zip(*(in_chunks(each, inputs.shape[-1]) for each in (inputs, self.second, result)), strict=True):
            wanted = self.expected(first.float(), second.float())
            errors = ((out.float() - wanted).abs_() / wanted.abs().clamp_min_(1)).amax(dim=1).nan_to_num(nan=math.inf, posinf=math.inf)
            index = int(errors.argmax())
            if errors[index].item() > worst:
                worst, where = errors[index].item(), start + index
            start += first.shape[0]
        return worst, where


Checks = Sequence[tuple[ResultCheck | PassCheck, ...]]  # for each set of weights one a step


def checks_of(work: Workload, backend: Backend, weights: Operands, seed: int) -> tuple[ResultCheck | PassCheck, ...]:
    """Return the check of each step, for one set of weights on the host."""
    if isinstance(work, Passes):
        return tuple(PassCheck(*each) for each in zip(work.expected(backend), weights, strict=True))
    return tuple(ResultCheck(backend.torch, each, seed) for each in weights)


def in_chunks(matrix: Any, width: int) -> Sequence[Any]:
    """Split a matrix into groups of rows that take little memory in float64 at ``width`` columns."""
    chunks: Sequence[Any] = matrix.split(max(1, CHECK_CHUNK_BYTES // (8 * width)))
    return chunks


class Inspector:
    """Inspects iterations: how much work the fence left behind, and whether their results are right.

    One is chosen at random while the run is on; the others are the last one and a few more after it, whose inputs take
    turns. Of the times of work left behind the lower median counts: a busy host makes some of them long.
    """

    def __init__(self, backend: Backend, config: BenchmarkConfig, checks: Checks, seed: int) -> None:
        self.backend, self.config, self.checks, self.seed = backend, config, checks, seed
        self.left: list[int] = []
        self.dtypes = [getattr(step, "dtype", config.workload.dtype) for step in config.workload.steps]
        self.bounds = [backend.bound(dtype) for dtype in self.dtypes]
        self.results, self.worst, self.row, self.step = 0, 0.0, 0, 0
        self.iteration: int | None = None
        self.launched: int | None = None  # by the device's own count, when the run ended
        chance = random.Random(seed)
        self.sample = None if config.samples_in_all is None else chance.randrange(config.samples_in_all)
        span = UNBOUNDED_NS if config.duration_s is None else config.duration_s * 1e9
        self.at_ns = perf_counter_ns() + int(chance.random() * span)
        self.due = True

    def after_sample(self, sample: int, results: Callable[[], Sequence[tuple[int, Any]]]) -> None:
        """Inspect the sample just taken if it is the one chosen; ``results`` returns pairs of the number of a turn and a result."""
        if sample == self.sample or (self.sample is None and perf_counter_ns() >= self.at_ns):
            self.due, self.iteration = False, sample
            self.inspect(results())

    def inspect(self, results: Sequence[tuple[int, Any]]) -> None:
        """Time a second fence and the first read of the newest result, each less what it costs on an idle device; check all."""
        backend, times = self.backend, [perf_counter_ns()]
        _, newest = results[-1]
        for step in (backend.fence, backend.fence, lambda: backend.read(newest), lambda: backend.read(newest)):
            step()
            times.append(perf_counter_ns())
        fence, idle_fence, read, idle_read = (after - before for before, after in pairwise(times))
        self.left.append(max(0, fence - idle_fence) + max(0, read - idle_read))
        self.check_results(results)

    def check_results(self, results: Sequence[tuple[int, Any]]) -> None:
        """Check results, each against its own input and weights."""
        inputs = self.backend.host_inputs
        for turn, result in results:
            read = self.backend.read(result)
            outs, checks = read if isinstance(read, tuple) else (read,), self.checks[turn % len(self.checks)]
            self.results += 1
            for step, (check, first, out) in enumerate(zip(checks, inputs[turn % len(inputs)], outs, strict=True)):
                error, row = check.error(first, out)
                if error / self.bounds[step] > self.worst / self.bounds[self.step]:
                    self.worst, self.row, self.step = error, row, step

    def end(self) -> Proof:
        """Inspect a few iterations more, each waited for like the timed ones; return what was found in all."""
        self.launched = self.backend.launched()
        begun, iterate = perf_counter_ns(), self.backend.iterate
        for _ in range(SINGLE):
            turn = self.backend.turn()
            burst = max(1, min(LONGEST_BURST, BURST_NS // max(1, iterate()[0])))
            self.check_results([(turn, self.backend.result)])
            if perf_counter_ns() - begun > EXTRA_NS:
                break
        for _ in range(BURSTS):
            turn = self.backend.turn()
            for _ in range(burst):
                iterate()
            self.inspect([(turn, self.backend.result)])
            if perf_counter_ns() - begun > EXTRA_NS:
                break
        call_ns = self.backend.time_calls()
        bound, error = self.bounds[self.step], self.worst
        known, implies = math.isfinite(error), TABLE[self.dtypes[self.step]].implies if error <= bound else ""
        return Proof(
            0,
            self.row,
            error if known else None,
            implies or next((name for most, name in IMPLIES if error <= most), "no known precision") if known else "no number",
            passed=error <= bound,
            rows=self.config.workload.rows,
            results=self.results,
            inputs=self.config.inputs,
            iteration=self.iteration,
            seed=self.seed,
            tolerance=bound,
            left_ns=sorted(self.left)[(len(self.left) - 1) // 2],
            fences=len(self.left),
            call_ns=call_ns,
            step=self.config.workload.parts[self.step] if self.config.workload.parts else None,
        )


def draw_seed() -> int:
    """Draw the seed of the check from the system: no worker can know it before."""
    return secrets.randbits(62)
