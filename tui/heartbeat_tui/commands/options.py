"""The flags that several commands share, of runs and of Google Cloud, and what they select."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.dtypes import DTYPES
from heartbeat_core.errors import HeartbeatError

if TYPE_CHECKING:
    from heartbeat_core.benchmark.bandwidth import Passes
    from heartbeat_core.benchmark.config import BenchmarkConfig
    from heartbeat_core.benchmark.layer import Layer
    from heartbeat_core.checks.context import CheckEnvironment
    from heartbeat_core.cloud.target import Target
    from heartbeat_core.cloud.tpu import Node
    from heartbeat_core.fleet.ray_run import RayCluster
    from heartbeat_core.launcher import Launcher
    from heartbeat_core.remote.hosts import Destination
    from heartbeat_core.settings import Settings


# Spelled out here, for --help must not import the engine; a test holds them against it.
METHODS = ("synchronized", "pipelined", "handbook")
PRECISIONS = ("default", "high", "highest")
PHASES = ("decode", "prefill")
WEIGHTS = ("cold", "hot")
HOST_MEMORIES = ("pageable", "pinned")
KINDS = ("matmul", "stream", "transfer")

OF_PRODUCTS = ("batch", "hidden", "intermediate", "dtype", "precision", "phase", "context", "weights")
SETTINGS = ("backend", "method", "iterations", "warmup", "batch", "hidden", "intermediate", "dtype", "precision", "threads")


def duration(text: str) -> float:
    """Read "30s", "1.5m", "250ms" or plain seconds; raise ArgumentTypeError."""
    from heartbeat_core.units import parse_duration

    seconds = parse_duration(text)
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; try 30s, 2m or 250ms")
    return seconds


def number_below(limit: float, text: str, wrong: str) -> float:
    """Read a number from 0 to below ``limit``; raise ArgumentTypeError, which says what is ``wrong``."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < limit:
        raise argparse.ArgumentTypeError(wrong)
    return value


def usd(text: str) -> float:
    """Read "2.70"; raise ArgumentTypeError."""
    return number_below(1e6, text, f"{text!r} is no price; try 2.70, US dollars an hour")


def share(text: str) -> float:
    """Read "5%" or "0.05"; raise ArgumentTypeError."""
    whole = 100 if text.endswith("%") else 1
    return number_below(whole, text.removesuffix("%"), f"{text!r} is not a percentage; try 5% or 0.05") / whole


def add_config_flags(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """Add the flags; one that is not given stays None, so that settings and defaults have their say.

    A command gives argparse.SUPPRESS as the ``default``: else it would undo what stood before its name.
    """
    parser.argument_default = default  # of the groups made from here on
    where = parser.add_argument_group("where")
    where.add_argument("--backend", choices=("auto", *BACKENDS), help="auto: the TPU where the PCI bus shows one, else the CPU")
    where.add_argument("--python", metavar="PATH", help="the Python the worker runs under")
    where.add_argument("--threads", type=int, metavar="N", help="CPU threads (cpu backend)")
    where.add_argument(
        "--on", metavar="NAME[:WORKER|:all]", help="run on this TPU VM, one of its hosts, or all; ray[:ADDRESS]: all of a Ray cluster"
    )
    where.add_argument(
        "--wait", type=duration, metavar="TIME", help="how long a host of a Ray cluster waits for a device in use; default 60s"
    )
    where.add_argument("--serial", action="store_true", help="measure one host of a Ray cluster after the other")
    where.add_argument("--zone", metavar="ZONE", help="where that TPU VM is; default: all zones are searched")
    what = parser.add_argument_group("what: [batch×hidden]·[hidden×intermediate], or a layer of a model")
    what.add_argument("--batch", type=int, metavar="N", help="default 128; of a model 1 sequence")
    what.add_argument("--hidden", type=int, metavar="N", help="default 4096")
    what.add_argument("--intermediate", type=int, metavar="N", help="default 16384")
    what.add_argument("--dtype", choices=DTYPES)
    what.add_argument("--precision", choices=PRECISIONS, help="of float32 products, where the backend has it")
    what.add_argument("--workload", choices=KINDS, help="the product (default), the memory's bandwidth, or host to device and back")
    what.add_argument("--mib", type=int, metavar="N", help="of a stream or transfer: the size of each array, default 128")
    what.add_argument("--host-memory", choices=HOST_MEMORIES, help="of a transfer: what it copies from and to, default pageable")
    what.add_argument("--model", metavar="NAME", help="time one layer of this model: llama-3.1-8b; bench --list-models lists them")
    what.add_argument("--phase", choices=PHASES, help="of a model: one token for each sequence (default), or whole prompts")
    what.add_argument("--context", type=int, metavar="N", help="tokens of each sequence, default 2048")
    what.add_argument("--weights", choices=WEIGHTS, help="cold (default): none is in a cache when it comes round")
    how = parser.add_argument_group("how")
    how.add_argument("--method", choices=METHODS, help="how the clock is read; default synchronized: every product is waited for")
    how.add_argument("--warmup", type=int, metavar="N", help="iterations before the timed ones, default 5")
    end = how.add_mutually_exclusive_group()
    end.add_argument("--iterations", type=int, metavar="N", help="default 100")
    end.add_argument("--duration", type=duration, metavar="TIME", help="run for this time instead: 30s, 2m")
    end.add_argument("--until-stopped", action="store_true", help="run until stopped (Ctrl-C)")
    how.add_argument(
        "--window", type=int, metavar="N", help="products in flight (pipelined), default 10; iterations are rounded up to whole windows"
    )
    how.add_argument("--repeats", type=int, metavar="N", help="readings of the handbook's method, default 5")
    parser.argument_default = None


def make_launcher(args: argparse.Namespace) -> Launcher:
    """Merge the flags into the settings; raise HeartbeatError where that gives no sound whole."""
    from heartbeat_core.launcher import Launcher
    from heartbeat_core.settings import load_settings

    flags = {f"beat.{name}": getattr(args, name) for name in SETTINGS}
    if args.on is not None:
        flags["remote.python"] = args.python  # it is the worker's, wherever that is
    launcher = Launcher(load_settings(flags), python=args.python or "")
    on_ray = (args.on or "").partition(":")[0] == "ray"
    for name in ("wait", "serial"):
        if not on_ray and getattr(args, name, None):
            raise HeartbeatError(f"--{name} is given without --on ray", "It is for the hosts of a Ray cluster.", f"Leave out --{name}.")
    launcher.destination = ray_cluster(args) if on_ray else make_destination(args, launcher.settings)
    return launcher


def make_config(args: argparse.Namespace, launcher: Launcher) -> BenchmarkConfig:
    """Return the config of flags and settings; raise HeartbeatError if it is not valid."""
    from dataclasses import replace

    config = launcher.config()
    if (work := make_passes(args) or make_layer(args)) is not None:
        config = replace(config, workload=work)
    if args.duration is not None or args.until_stopped:
        config = replace(config, iterations=None, duration_s=args.duration)
    return replace(config, **{name: value for name in ("window", "repeats") if (value := getattr(args, name)) is not None})


def check_method(args: argparse.Namespace, config: BenchmarkConfig) -> None:
    """Raise HeartbeatError for options of another method; on the screen, and where runs are compared, another run may have it."""
    several = any(getattr(args, flag, None) for flag in ("vs", "sweep", "compare_methods"))
    for name, method in (("window", "pipelined"), ("repeats", "handbook")):
        if getattr(args, name) is not None and method != config.method and not several:
            raise HeartbeatError(f"--{name} is given without --method {method}", "No other method has it.", f"Add --method {method}.")


def make_layer(args: argparse.Namespace) -> Layer | None:
    """Return the layer of the model that the flags name, None without one; raise HeartbeatError for flags that do not go together."""
    given = {name: getattr(args, name) for name in ("phase", "batch", "context", "weights", "dtype") if getattr(args, name) is not None}
    if args.model is None:
        if alone := [name for name in ("phase", "context", "weights") if name in given]:
            raise HeartbeatError(f"--{alone[0]} is given without --model", "It is of a model's layer.", "Add --model llama-3.1-8b.")
        return None
    if other := [name for name in ("hidden", "intermediate") if getattr(args, name) is not None]:
        raise HeartbeatError(f"--{other[0]} and --model are given", "A model has sizes of its own.", f"Leave out --{other[0]}.")
    from heartbeat_core.benchmark.layer import Layer
    from heartbeat_core.benchmark.models import find_model

    return Layer(find_model(args.model), **given)


def make_passes(args: argparse.Namespace) -> Passes | None:
    """Return the stream or transfer that the flags name, None for a product; raise HeartbeatError for flags that do not go together."""
    from heartbeat_core.benchmark.bandwidth import Stream, Transfer
    from heartbeat_core.benchmark.workload import field_names

    kinds: dict[str, type[Passes]] = {kind.kind: kind for kind in (Stream, Transfer)}
    chosen = kinds.get(args.workload)
    taken = field_names(chosen) if chosen else OF_PRODUCTS
    given = {name: value for name in (*OF_PRODUCTS, "mib", "host_memory") if (value := getattr(args, name)) is not None}
    if args.model is not None and args.workload is not None:
        raise HeartbeatError("--model and --workload are given", "A model's layer is a workload of its own.", "Give one of them.")
    if other := [name.replace("_", "-") for name in given if name not in taken]:
        cause = f"A {args.workload or 'matmul'} has {', '.join(taken)}."
        raise HeartbeatError(f"--{other[0]} does not go with the workload", cause, f"Leave out --{other[0]}, or choose --workload.")
    return chosen(**given) if chosen else None


def add_project_flag(parser: argparse._ActionsContainer, purpose: str) -> None:
    """Add --project, which may stand before the command's name as well: a default of its own would undo that."""
    parser.add_argument("--project", metavar="ID", default=argparse.SUPPRESS, help=purpose)


def add_cloud_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("which TPU VM", "otherwise: environment, settings, gcloud's configuration, metadata server, a default")
    add_project_flag(what, "also PROJECT_ID")
    what.add_argument("--zone", metavar="ZONE", help="also ZONE; default us-central1-b")
    what.add_argument("--tpu-name", metavar="NAME", help="also TPU_NAME")
    add_vm_flags(what)
    where = add_where_flags(parser)
    where.add_argument("--timeout", type=duration, metavar="TIME", help="the limit of each check, default 10s")


def add_vm_flags(what: argparse._ArgumentGroup) -> None:
    """Add the flags that say what the TPU VM is."""
    what.add_argument("--accelerator-type", metavar="TYPE", help="also ACCELERATOR_TYPE; default v6e-1")
    what.add_argument("--runtime-version", metavar="VERSION", help="also RUNTIME_VERSION; default: the one for the accelerator")
    add_model = partial(what.add_mutually_exclusive_group().add_argument, dest="provisioning", action="store_const")
    add_model("--spot", const="spot", help="cheaper, from quotas of its own, and may be preempted")
    add_model("--reserved", const="reserved", help="from a reservation of the project")
    add_model("--flex-start", const="flex-start", help="queued, cheaper, and deleted after 7 days at most; from the spot quota")
    what.add_argument("--service-account", metavar="EMAIL", help="default: Compute Engine's own")
    what.add_argument("--network", metavar="NAME", help="default: default")
    what.add_argument("--subnetwork", metavar="NAME", help="of the network, in the zone's region")
    what.add_argument("--internal-ips", dest="external_ip", action="store_const", const="no", help="without an external address")


def add_where_flags(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags that say which Cloud is asked; give their group."""
    where = parser.add_argument_group("where")
    where.add_argument("--endpoint", metavar="URL", help="ask this emulator instead of Google; also HEARTBEAT_CLOUD_ENDPOINT")
    purpose = "ask a local Google Cloud started for this, default ready"
    where.add_argument("--demo", nargs="?", const="ready", default=argparse.SUPPRESS, metavar="SCENARIO", help=purpose)
    return where


@contextmanager
def open_environment(args: argparse.Namespace) -> Iterator[tuple[CheckEnvironment, str]]:
    """Return the environment that the flags select, and a label, empty unless it is emulated; raise HeartbeatError."""
    from heartbeat_core.checks.context import demo_environ, detect_environment
    from heartbeat_core.cloud.target import PARTS

    flags = {name: getattr(args, name, None) for name in PARTS}
    demo: str | None = getattr(args, "demo", None)
    if demo is None:
        from heartbeat_core.settings import load_settings

        environment = detect_environment(flags, endpoint=args.endpoint, settings=load_settings())
        yield environment, f"EMULATED, at {environment.endpoint}" if environment.endpoint else ""
        return
    from heartbeat_core.cloud.gcloud_config import SourcedValue
    from heartbeat_core.emulator.process import start_emulator
    from heartbeat_core.emulator.scenario import load_scenario

    if args.endpoint:
        raise HeartbeatError("--demo and --endpoint exclude one another", "Each names a Google Cloud to ask.", "Give one of them.")
    scenario = load_scenario(demo)
    project = SourcedValue(scenario.project.id or None, f"the scenario {scenario.name}")
    with start_emulator(demo) as emulator:
        yield detect_environment(flags, endpoint=emulator.url, environ=demo_environ(), project=project), f"DEMO {scenario.name}"


def chosen_project(target: Target) -> str:
    """Return the project; raise HeartbeatError without one."""
    if not target.project.value:
        cause = "Neither a flag nor the environment, the settings or gcloud names one."
        raise HeartbeatError("no project is chosen", cause, "Give --project, set PROJECT_ID, or: gcloud config set project PROJECT")
    return target.project.value


def make_destination(args: argparse.Namespace, settings: Settings) -> Destination | None:
    """Make what ``--on`` names, None where it is not given; nothing is asked yet. Raise HeartbeatError for what makes no sense."""
    if getattr(args, "on", None) is None:
        return None
    from heartbeat_core.checks.context import detect_environment
    from heartbeat_core.remote.hosts import Destination, find_node, parse_on

    on = parse_on(args.on)
    if getattr(args, "demo", None) is not None:
        raise HeartbeatError("--on and --demo exclude one another", "A demo's TPU VMs have no machines behind them.", "Give one of them.")
    environment = detect_environment({name: getattr(args, name, None) for name in ("project", "zone")}, settings=settings)
    project, zone = chosen_project(environment.target), environment.target.zone

    def find() -> Node:
        with closing(environment.open_session()) as session:
            return find_node(session, project, on.name, zone.value if zone.source == "--zone" else None)

    return Destination(on, project, environment.endpoint, settings.remote, find)


def ray_cluster(args: argparse.Namespace) -> RayCluster:
    """Return the cluster that ``--on ray[:ADDRESS]`` or RAY_ADDRESS names."""
    import os

    from heartbeat_core.fleet.ray_run import WAIT_S, RayCluster

    address = args.on.removeprefix("ray").removeprefix(":") or os.environ.get("RAY_ADDRESS", "")
    return RayCluster(address, WAIT_S if args.wait is None else args.wait, args.serial, args.python or "")
