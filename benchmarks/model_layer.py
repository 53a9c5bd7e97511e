"""A layer of a model: a pass of the cpu backend against the same layer written plainly in torch, where each product takes the last result.

Both take turns in one process, on the same weights, on one thread; compared is the processor time of that thread.
"""

from __future__ import annotations

import io
from time import thread_time_ns
from typing import Any

from benchmarks.figure import Figure, finish, ratio

from heartbeat_core.benchmark.backends.base import load_backend
from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.layer import Layer
from heartbeat_core.benchmark.models import find_model
from heartbeat_core.benchmark.worker import Output, allocate, sets_of_weights

MODEL = find_model("qwen2.5-0.5b")  # the smallest
WARMUP = 10
LAYERS = {  # to passes
    Layer(MODEL, "decode", 8, 512, "cold", "float32"): 120,
    Layer(MODEL, "decode", 1, 512, "cold", "float32"): 150,
    Layer(MODEL, "prefill", 1, 32, "cold", "float32"): 80,
}


def plain(layer: Layer, weights: tuple[Any, ...], inputs: Any) -> Any:
    """Compute a layer without norms, rotation, softmax, activation and residuals."""
    qkv, keys, values, output, gate_up, down = weights
    heads, kv, size, batch, new = layer.model.heads, layer.model.kv_heads, layer.model.head_size, layer.batch, layer.tokens // layer.batch
    queries = (inputs @ qkv)[:, : heads * size].view(batch, new, kv, heads // kv, size).transpose(1, 2).reshape(batch * kv, -1, size)
    attended = (queries @ keys @ values).view(batch, kv, new, heads // kv, size).transpose(1, 2).reshape(batch * new, heads * size)
    gate, up = (attended @ output @ gate_up).chunk(2, dim=1)
    return (gate * up) @ down


def measure(layer: Layer, passes: int) -> Figure:
    config = BenchmarkConfig(layer, threads=1)
    backend = load_backend("cpu")
    sets = sets_of_weights(config, backend.open(config))["weight_sets"]
    allocate(backend, config, Output(io.BytesIO()), seed=1, sets=sets)
    drawn = [tuple(each / each.shape[-2] ** 0.5 for each in one) for one in backend.weights]  # so that the numbers stay finite
    inputs = backend.torch.randn(layer.tokens, MODEL.hidden)
    taken: dict[str, list[float]] = {"bench": [], "plain": []}
    for number in range(WARMUP + passes):
        backend.turn()
        start = thread_time_ns()
        backend.iterate()
        turn = thread_time_ns()
        plain(layer, drawn[number % sets], inputs)
        taken["plain"].append(thread_time_ns() - turn)
        taken["bench"].append(turn - start)
    ours, theirs = (times[WARMUP:] for times in taken.values())
    name = f"{layer.brief} ({sorted(theirs)[passes // 2] / 1e6:.2f} ms)"
    return ratio(f"a pass of the backend / plain torch, {name}", ours, theirs, most=1.05, least=0.95)


if __name__ == "__main__":
    finish([measure(layer, passes) for layer, passes in LAYERS.items()])
