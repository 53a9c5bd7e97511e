"""The models that ``bench --model`` takes, and what chips could give them at most: nothing is run."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from heartbeat_core.benchmark.layer import ModelShape
from heartbeat_core.benchmark.models import named_models
from heartbeat_core.benchmark.serving import AT_MOST, ChipLimit, by_published_peaks, cache_bytes, model_bytes, turning_words
from heartbeat_core.errors import HeartbeatError
from heartbeat_core.units import NOTHING, format_bytes, format_ns, significant
from heartbeat_tui.commands.bench_output import console_of, table_of
from heartbeat_tui.commands.console import print_json
from heartbeat_tui.commands.options import make_layer

SIZES = ("hidden", "intermediate", "heads", "kv_heads", "head_size", "layers", "vocabulary")


def list_models(args: argparse.Namespace) -> int:
    """Print each model with its sizes; return 0."""
    models = named_models().values()
    if args.json:
        rows = [{**asdict(each.shape), "parameters": each.shape.parameters, "source": each.source, "note": each.note} for each in models]
        print_json({"models": rows})
        return 0
    out = console_of(WIDTH)
    sizes, gap = (SIZES, 2) if out.width >= WHOLE else (SIZES[:-1], 1)
    titles = ("model", "parameters", *(name.replace("_", " ") for name in sizes))
    shapes = [each.shape for each in models]
    written = [(shape.name, parameters(shape), *(f"{getattr(shape, name):,}" for name in sizes)) for shape in shapes]
    out.print(table_of(titles, written, whole=titles[:1], gap=gap))
    for note in dict.fromkeys(each.note for each in models if each.note):
        out.print(f"{', '.join(each.shape.name for each in models if each.note == note)}: {note}.")
    return 0


WIDTH = 150
WHOLE = 100  # cells of the whole table; a narrower one is without the vocabulary


def parameters(shape: ModelShape) -> str:
    return f"{significant(shape.parameters / 1e9)} B"


def limits(args: argparse.Namespace) -> int:
    """Print what the chips of today could give a model; return 0."""
    layer = make_layer(args)
    if layer is None:
        raise HeartbeatError("--limits is given without --model", "A limit is that of a model.", "Add --model llama-3.1-8b.")
    from heartbeat_tui.runs.library import known_rates

    rates = known_rates()
    given: float | None = args.usd_per_hour

    def price_of(chip: str) -> float | None:
        listed = rates.by_list({"chip": chip}) if given is None else None
        return listed.usd_per_hour if listed else given

    found = by_published_peaks(layer, price_of)
    if args.json:
        print_json({"label": AT_MOST, "workload": layer.to_json(), "chips": [each.to_json() for each in found]})
        return 0
    out = console_of(WIDTH)
    note = named_models()[layer.model.name].note
    out.print(f"{layer.model}, {layer.dtype}, batch {layer.batch:,}, context {layer.context:,} tokens: {AT_MOST}")
    sizes = f"{format_bytes(model_bytes(layer))} of weights, {format_bytes(cache_bytes(layer))} of KV cache"
    out.print(f"{sizes}; {note}" if note else sizes)
    titles = ("chip", "chips needed", "tokens/s", "time per token", "first token", "arithmetic from batch", "USD per million")
    out.print(table_of(titles, map(cells, found), whole=titles[:1]))
    out.print("Tokens/s and times are those of all chips needed; where their memory is not known here, of one.")
    out.print("Arithmetic sets the time of a decode from this batch on / from that one without the reads of the KV cache.")
    return 0


def cells(limit: ChipLimit) -> tuple[str, ...]:
    usd = limit.decode.usd_per_million
    return (
        limit.chip,
        f"{limit.devices:,}" if limit.devices else NOTHING,
        significant(limit.decode.tokens_per_s),
        format_ns(limit.decode.pass_ns),
        format_ns(limit.prefill.pass_ns),
        turning_words(limit.decode.layer, limit.roof),
        f"{usd:.3g}" if usd is not None else NOTHING,
    )
