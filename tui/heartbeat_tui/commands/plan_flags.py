"""The flags that describe a run, shared by ``bench`` and the screen."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heartbeat_core.benchmark.config import Plan
    from heartbeat_core.launcher import Launcher

# Spelled out here, for --help must not import the engine; a test holds them against it.
BACKENDS = ("auto", "cpu", "xla", "accelerator")
METHODS = ("synchronized", "pipelined", "handbook")
DTYPES = ("float32", "bfloat16")
PRECISIONS = ("default", "high", "highest")

SETTINGS = ("backend", "method", "iterations", "warmup", "batch", "hidden", "intermediate", "dtype", "precision", "threads")


def duration(text: str) -> float:
    """Read "30s", "1.5m", "250ms" or plain seconds; raise ArgumentTypeError."""
    from heartbeat_core.units import parse_duration

    seconds = parse_duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; try 30s, 2m or 250ms")
    return seconds


def add_plan_flags(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Add the flags; one that is not given stays None, so that settings and defaults have their say.

    A command gives argparse.SUPPRESS as the ``default``: else it would undo what stood before its name.
    """
    parser.argument_default = default  # of the groups made from here on
    where = parser.add_argument_group("where")
    where.add_argument("--backend", choices=BACKENDS, help="auto: the TPU where the PCI bus shows one, else the CPU")
    where.add_argument("--python", metavar="PATH", help="the Python the worker runs under")
    where.add_argument("--threads", type=int, metavar="N", help="CPU threads (cpu backend)")
    where.add_argument("--on", metavar="NAME[:WORKER|:all]", help="beat on this TPU VM, one of its hosts, or all at once")
    where.add_argument("--zone", metavar="ZONE", help="where that TPU VM is; otherwise it is sought in all zones")
    what = parser.add_argument_group("what: [batch×hidden]·[hidden×intermediate]")
    what.add_argument("--batch", type=int, metavar="N", help="default 128")
    what.add_argument("--hidden", type=int, metavar="N", help="default 4096")
    what.add_argument("--intermediate", type=int, metavar="N", help="default 16384")
    what.add_argument("--dtype", choices=DTYPES)
    what.add_argument("--precision", choices=PRECISIONS, help="of float32 products, where the backend has it")
    how = parser.add_argument_group("how")
    how.add_argument("--method", choices=METHODS, help="how the clock is read; default synchronized: every product is waited for")
    how.add_argument("--warmup", type=int, metavar="N", help="iterations before the timed ones, default 5")
    end = how.add_mutually_exclusive_group()
    end.add_argument("--iterations", type=int, metavar="N", help="default 100")
    end.add_argument("--duration", type=duration, metavar="TIME", help="beat for so long instead: 30s, 2m")
    end.add_argument("--until-stopped", action="store_true", help="beat until stopped (Ctrl-C)")
    how.add_argument(
        "--window", type=int, metavar="N", help="products in flight (pipelined), default 10; iterations are rounded up to whole windows"
    )
    how.add_argument("--repeats", type=int, metavar="N", help="readings of the handbook's clock, default 5")
    parser.argument_default = None


def make_launcher(args: argparse.Namespace) -> Launcher:
    """Merge the flags into the settings; raise HeartbeatError where that gives no sound whole."""
    from heartbeat_core.launcher import Launcher
    from heartbeat_core.settings import load_settings

    flags = {f"beat.{name}": getattr(args, name) for name in SETTINGS}
    if getattr(args, "on", None) is not None:
        flags["remote.python"] = args.python  # it is the worker's, wherever that is
    settings = load_settings(flags)
    launcher = Launcher(settings, python=args.python or "")
    if getattr(args, "on", None) is not None:
        from heartbeat_tui.commands.on_flags import make_destination

        launcher.destination = make_destination(args, settings)
    return launcher


def make_plan(args: argparse.Namespace, launcher: Launcher) -> Plan:
    """Make the plan the flags and settings describe; raise HeartbeatError where it makes no sense."""
    from dataclasses import replace

    plan = launcher.plan()
    if args.duration is not None or args.until_stopped:
        plan = replace(plan, iterations=None, duration_s=args.duration)
    if args.window is not None:
        plan = replace(plan, window=args.window)
    if args.repeats is not None:
        plan = replace(plan, repeats=args.repeats)
    return plan
