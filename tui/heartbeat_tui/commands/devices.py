"""``heartbeat-tui devices``: the devices that runs can use here, and why the others cannot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

from heartbeat_core.benchmark.devices import DeviceInventory, PeakFigure, keep_refusals, measure_devices, take_inventory
from heartbeat_core.launcher import Launcher
from heartbeat_core.settings import load_settings
from heartbeat_core.units import format_bytes_rate, format_ns, format_rate, format_share
from heartbeat_tui.commands.console import print_answer

SHOWN = (
    "device", "hardware", "chip", "cpu", "threads", "precision", "torch", "torch_xla", "libtpu", "pjrt_device",
    "XLA_USE_BF16", "XLA_DOWNCAST_BF16", "python",
)  # fmt: skip


def register(parser: argparse.ArgumentParser) -> None:
    parser.description = "Probe every backend in a child process that is killed when it hangs. Exit 0 where one can run, else 3."
    parser.add_argument("--json", action="store_true", help="print one object: schema, tpus, hidden_tpus, devices")
    parser.add_argument("--peaks", action="store_true", help="measure products, memory, transfers and calls, in less than 20 s")
    parser.add_argument("--python", metavar="PATH", default=argparse.SUPPRESS, help="probe with this Python")


def run(args: argparse.Namespace) -> int:
    """List the backends; return 0 where at least one can run, 3 otherwise."""
    with closing(Launcher(load_settings(), python=args.python or "")) as launcher:
        inventory = take_inventory(launcher.interpreter, sys.executable)
        try:
            keep_refusals(inventory, launcher.refusals())
        except OSError as error:
            print(f"note: the form of a run's config will not know the dtypes: {error}", file=sys.stderr)
    if args.peaks:
        inventory = measure_devices(inventory)
    print_answer(args, inventory_json(inventory), inventory_lines(inventory))
    return 0 if any(device.usable for device in inventory.devices) else 3


def inventory_json(inventory: DeviceInventory) -> dict[str, Any]:
    return {
        "schema": 1,
        "tpus": [{"address": tpu.address, "chip": tpu.chip.name if tpu.chip else None} for tpu in inventory.tpus],
        "hidden_tpus": [str(file) for file in inventory.hidden],
        "devices": [
            {
                **asdict(device),
                "peaks": [figure.to_json() for figure in device.peaks],
                "usable": device.usable,
                **{name: getattr(device, name) or None for name in ("problem", "cause", "remedy")},
            }
            for device in inventory.devices
        ],
    }


def inventory_lines(inventory: DeviceInventory) -> Iterator[str]:
    from heartbeat_core.benchmark.tpu_chips import hidden_bus

    chips = ", ".join(tpu.chip.title if tpu.chip else f"unknown TPU at {tpu.address}" for tpu in inventory.tpus)
    hidden = ". ".join(hidden_bus(inventory.hidden)) if inventory.hidden else ""
    yield f"TPU chips on the PCI bus: {chips or hidden or 'none'}"
    for device in inventory.devices:
        if not device.usable:
            yield f"\n✗ {device.backend:<12} cannot run: {device.problem}"
            yield from (f"  {line}" for line in (device.cause, device.remedy) if line)
            continue
        yield f"\n✓ {device.backend:<12} can run{', as a rehearsal on the CPU: not a TPU' if device.found.get('rehearsal') else ''}"
        facts = [f"{name} {device.found[name]}" for name in SHOWN if device.found.get(name) is not None]
        yield f"  {' · '.join(facts)}\n  {device.python}"
        dtypes = device.found.get("dtypes", {})
        yield f"  dtypes: {', '.join(name for name, why in dtypes.items() if not why)}"
        yield from (f"  no {name}: {why}" for name, why in dtypes.items() if why)
        yield from peak_lines(device.peaks, device.found.get("peaks", {}).get("disturbed", ""))


def peak_lines(peaks: tuple[PeakFigure, ...], disturbed: str) -> Iterator[str]:
    """Yield what was measured beside what is published, and what disturbed it."""
    if not peaks:
        return
    yield f"  {'peak':<24}{'measured':>14}{'published':>14}{'share':>10}"
    for figure in peaks:
        write = {"FLOP/s": format_rate, "bytes/s": format_bytes_rate, "ns": format_ns}[figure.unit]
        measured, published = write(figure.measured), write(figure.published)
        yield f"  {figure.name:<24}{measured:>14}{published:>14}{format_share(figure.share):>10}  {figure.source}"
    if not any(figure.name.startswith("to ") for figure in peaks):
        yield "  There is nothing to transfer: the device is the host itself."
    if disturbed:
        yield f"  ! The figures may be too low: {disturbed}."
