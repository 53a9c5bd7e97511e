"""One layer of a language model as a workload: the products of its feed-forward part and of its attention."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from heartbeat_core.benchmark.dtypes import TABLE, Dtype
from heartbeat_core.benchmark.workload import LARGEST_DIMENSION, Product, Products, check_dimension, check_dtype
from heartbeat_core.errors import HeartbeatError

ModelPhase = Literal["decode", "prefill"]
Weights = Literal["cold", "hot"]
MODEL_PHASES: tuple[ModelPhase, ...] = get_args(ModelPhase)
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
COLD_CACHES = 4  # times the cache that pass between two uses of the same weights, so that none of them is still there


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a dense decoder: ``kv_heads`` share the ``heads`` between them, ``tied`` models read the vocabulary's matrix twice."""

    name: str
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_size: int
    layers: int
    vocabulary: int
    tied: bool = False

    def __post_init__(self) -> None:
        """Raise HeartbeatError where a size makes no sense."""
        for name in ("hidden", "intermediate", "heads", "kv_heads", "head_size", "layers", "vocabulary"):
            check_dimension(name, getattr(self, name), "see heartbeat-tui bench --list-models")
        if self.heads % self.kv_heads:
            cause = f"{self.heads} heads cannot share {self.kv_heads} KV heads evenly."
            raise HeartbeatError(f"the heads of {self.name} do not fit", cause, "See heartbeat-tui bench --list-models.")

    def __str__(self) -> str:
        return self.name

    @property
    def layer_parameters(self) -> int:
        """Count the weights of one layer's products."""
        attention = self.hidden * self.head_size * 2 * (self.heads + self.kv_heads)
        return attention + 3 * self.hidden * self.intermediate

    @property
    def parameters(self) -> int:
        """Count the weights of all products and of the embedding; norms and biases, less than 0.1 %, are left out."""
        return self.layers * self.layer_parameters + (1 if self.tied else 2) * self.vocabulary * self.hidden


@dataclass(frozen=True)
class Layer(Products):
    """The products of one layer for ``batch`` sequences: one new token each (decode), or all of ``context`` tokens (prefill)."""

    kind: ClassVar[str] = "layer"
    smaller: ClassVar[str] = "--model, --batch or --context"
    model: ModelShape
    phase: ModelPhase = "decode"
    batch: int = 1
    context: int = 2048
    weights: Weights = "cold"
    dtype: Dtype = "bfloat16"

    def __post_init__(self) -> None:
        """Raise HeartbeatError where a value makes no sense."""
        check_dimension("batch", self.batch, "try --batch 8")
        check_dimension("context", self.context, "try --context 2048")
        check_dtype(self.dtype)
        for name, value, allowed in (("phase", self.phase, MODEL_PHASES), ("weights", self.weights, WEIGHTS)):
            if value not in allowed:
                raise HeartbeatError(f"{name} is {value!r}", f"It is {' or '.join(allowed)}.", f"Try --{name} {allowed[-1]}.")
        if self.tokens > LARGEST_DIMENSION:
            cause = f"A prefill of {self.batch:,} × {self.context:,} tokens; {LARGEST_DIMENSION:,} is the most taken here."
            raise HeartbeatError("the prefill is too large", cause, "Give a smaller --batch or --context.")

    @property
    def tokens(self) -> int:
        """Count the rows of the weights' products: all tokens at once, or one a sequence."""
        return self.batch * (self.context if self.phase == "prefill" else 1)

    @property
    def steps(self) -> tuple[Product, ...]:
        """Return the products in order. In attention the heads that share a KV head are rows of one product.

        8 bits are the weights'; attention and its KV cache stay in bfloat16, as servers have them by default.
        """
        model, dtype = self.model, self.dtype
        attended: Dtype = "bfloat16" if TABLE[dtype].eight_bits else dtype
        groups, size = self.batch * model.kv_heads, model.head_size
        queries = model.heads // model.kv_heads * (self.tokens // self.batch)
        attention, qkv = model.heads * size, (model.heads + 2 * model.kv_heads) * size
        return (
            Product("qkv", self.tokens, model.hidden, qkv, dtype),
            Product("scores", queries, size, self.context, attended, groups, per_sequence=True),
            Product("values", queries, self.context, size, attended, groups, per_sequence=True),
            Product("output", self.tokens, attention, model.hidden, dtype),
            Product("gate_up", self.tokens, model.hidden, 2 * model.intermediate, dtype),
            Product("down", self.tokens, model.intermediate, model.hidden, dtype),
        )

    @property
    def head(self) -> Product:
        """Return the product with the vocabulary's matrix that ends the model: of one token a sequence."""
        return Product("head", self.batch, self.model.hidden, self.model.vocabulary, self.dtype)

    def named(self, left_out: Collection[str] = ()) -> str:
        batch, context = f"batch {self.batch}", f"context {self.context}"
        values = {"phase": self.phase, "batch": batch, "context": context, "weights": f"{self.weights} weights"}
        return ", ".join([f"a layer of {self.model}", *(text for name, text in values.items() if name not in left_out)])

    @property
    def brief(self) -> str:
        return f"{self.model} {self.phase} {self.batch}×{self.context}"

    def must_move(self, cache_bytes: int) -> int:
        """Count all weights and the KV cache where they are cold: no cache holds them."""
        return super().must_move(cache_bytes) if self.weights == "hot" else sum(step.right_bytes for step in self.steps)

    def weight_sets(self, cache_bytes: int) -> int:
        """Return one set for hot weights; else as many as it takes to pass ``COLD_CACHES`` caches between two uses of a matrix."""
        if self.weights == "hot":
            return 1
        sizes = [step.right_bytes for step in self.steps]
        return max(1, -(-(COLD_CACHES * cache_bytes + max(sizes)) // sum(sizes)))
