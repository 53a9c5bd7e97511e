"""The driver of a fleet: a process of its own that joins a Ray cluster and starts a run on every host that offers a device.

It is the only one of our processes that imports Ray. It reads an order and then words as lines of JSON on its stdin, and writes
messages as lines of JSON to its stdout. When its stdin ends it ends all runs; when it dies, Ray ends its actors, and
each worker ends with its actor.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, BinaryIO

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.worker import private_stdout
from heartbeat_core.errors import HeartbeatError, sanitize_line
from heartbeat_core.fleet.model import HostSummary, summary_from_json
from heartbeat_core.fleet.ray_cluster import RayNode, Usage, choose_nodes, connect, usage
from heartbeat_core.remote.bundle import WorkerBundle, pack

FOLLOW_S = 0.2  # between two looks at the stream of an opened host
FREE_S = 0.5  # between two looks at what is free
LOOK_S = 2.0  # between two looks at the head
START_S = 120.0  # for a process of Ray on a host with a free device
HEAD_TRIES = 3
FETCHES = 8  # streams that are fetched at the same time after the end
KEPT_THERE = "Its samples were on it and are lost."


class HostActor:
    """The actor on a host. It travels as code, so it uses the standard library until the engine is unpacked."""

    def __init__(self, engine: bytes, unpack: tuple[str, ...], package: str, order: dict[str, Any]) -> None:
        import importlib.util
        import os
        import subprocess
        import sys
        from pathlib import Path

        package = str(Path(package).expanduser())
        unpack = (*unpack[:2], str(Path(unpack[2]).expanduser()), *unpack[3:])
        try:
            os.utime(Path(package).parent)  # so that it is not removed as unused
        except FileNotFoundError:
            subprocess.run([sys.executable, *unpack], input=engine, check=True, capture_output=True)
        spec = importlib.util.spec_from_file_location("heartbeat_core", f"{package}/__init__.py", submodule_search_locations=[package])
        assert spec is not None
        assert spec.loader is not None
        sys.modules["heartbeat_core"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.host = importlib.import_module("heartbeat_core.fleet.ray_host").RayHost(order)

    def ready(self) -> None:
        """Return when the run is started."""

    def news(self) -> Iterator[dict[str, Any]]:
        yield from self.host.news()

    def fetch(self, offset: int) -> bytes:
        data: bytes = self.host.fetch(offset)
        return data

    def order(self, word: str) -> None:
        self.host.order(word)


@dataclass
class DrivenHost:
    """A host, its actor, and how much of its stream has been fetched."""

    node: RayNode
    summary: HostSummary
    actor: Any = None
    offset: int = 0
    going: bool = False
    killed: bool = False
    fetched: bool = False  # all of its stream
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)


class Driver:
    """Measures on every host, all at once or one after the other."""

    def __init__(self, ray: Any, address: str, order: dict[str, Any], output: BinaryIO) -> None:
        self.ray, self.address, self.order, self.output = ray, address, order, output
        self.backend = BACKENDS[order["plan"]["backend"]]
        self.resource = "TPU" if self.backend.needs_tpu else "CPU" if self.backend.host_only else "GPU"
        self.hosts: dict[str, DrivenHost] = {}
        self.opened: str | None = None
        self.stopping = False
        self.looked: tuple[float, Usage] | None = None  # when, and what was in use then
        self.turn = asyncio.Semaphore(1 if order["serial"] else 10**6)
        self.fetches = asyncio.Semaphore(FETCHES)

    def send(self, kind: str, **values: Any) -> None:
        self.output.write(json.dumps({"type": kind, **values}, separators=(",", ":")).encode() + b"\n")
        self.output.flush()

    def tell(self, host: DrivenHost, **changes: Any) -> None:
        host.summary = replace(host.summary, **changes)
        self.send("summary", host=host.summary.to_json())

    async def run(self) -> None:
        """Measure until all hosts are over."""
        nodes = choose_nodes(self.ray.nodes(), self.resource)
        self.hosts = {node.id: DrivenHost(node, node.summary()) for node in nodes}
        self.send("hosts", hosts=[host.summary.to_json() for host in self.hosts.values()])
        bundle = pack()
        engine = self.ray.put(bundle.data)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self.read_words, args=(loop,), name="words", daemon=True).start()
        beside = [asyncio.create_task(self.follow()), asyncio.create_task(self.watch_head())]
        await asyncio.gather(*(self.measure(host, bundle, engine) for host in self.hosts.values()))
        for task in beside:
            task.cancel()
        late = [node.name for node in choose_nodes(self.ray.nodes(), self.resource) if node.id not in self.hosts]
        notes = [f"{len(late)} hosts joined the cluster after the start and were not measured: {', '.join(late)}"] if late else []
        unfetched = sum(bool(host.summary.count) and not host.fetched and not host.summary.lost for host in self.hosts.values())
        notes += [f"recordings that were not fetched: {unfetched}"] if unfetched and self.order["keep"] else []
        self.send("over", notes=notes)

    def start_actor(self, host: DrivenHost, bundle: WorkerBundle, engine: Any) -> Any:
        """Ask Ray for an actor on this host that holds the device; it is never started a second time."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = host.node
        place = {"ray_node": node.name, "fleet_hosts": len(self.hosts), **({"tpu_slice": node.slice} if node.slice else {})}
        if self.resource == "CPU":
            place["rehearsal"] = True
        order = {
            "plan": self.order["plan"],
            "host": host.summary.to_json(),
            "python": self.order["python"],
            "keep": self.order["keep"],
            "alone": node.alone,
            "place": place,
        }
        asked: dict[str, dict[str, Any]] = {
            "CPU": {"num_cpus": node.amount},
            "GPU": {"num_cpus": 0, "num_gpus": 1},
            "TPU": {"num_cpus": 0, "resources": {"TPU": node.amount}},
        }
        actor = self.ray.remote(HostActor).options(
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=8,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            **asked[self.resource],
        )
        folder = "~/.heartbeat-tui"
        return actor.remote(engine, bundle.command(folder)[1:], bundle.package(folder), order)

    async def measure(self, host: DrivenHost, bundle: WorkerBundle, engine: Any) -> None:
        """Run on one host from its start to its end; whatever happens there, the others go on."""
        async with self.turn:
            try:
                if not self.stopping:
                    await self.wait_for_device(host)
                if self.stopping:
                    self.tell(host, state="ended", ending="stopped")
                    return
                host.actor = self.start_actor(host, bundle, engine)
                await self.reach(host)
                host.going = True
                async for reference in host.actor.news.options(num_returns="streaming").remote():
                    host.summary = summary_from_json(await reference)
                    if host.summary.over and (self.order["keep"] or host.node.id == self.opened):
                        async with self.fetches:
                            await self.fetch(host)
                        host.fetched = True
                    self.tell(host)
            except HeartbeatError as error:
                self.end(host, "unavailable", error.title, error.cause, error.remedy)
            except self.ray.exceptions.RayError as error:
                self.lose(host, error)
            finally:
                self.kill(host)

    async def wait_for_device(self, host: DrivenHost) -> None:
        """Return when the device of a host is free; raise HeartbeatError if it is not in time."""
        until, node = monotonic() + self.order["wait_s"], host.node
        while not self.stopping and (taken := self.taken_on(node)):
            if taken != host.summary.problem:
                self.tell(host, problem=taken)
            if monotonic() >= until:
                title, remedy = f"the {self.resource} of {node.name} is not free", "Wait for its end, or give a longer --wait."
                raise HeartbeatError(title, taken, remedy, exit_code=3)
            await asyncio.sleep(FREE_S)
        if host.summary.problem:
            self.tell(host, problem="")

    def taken_on(self, node: RayNode) -> str:
        """Return who holds what ``node`` lacks; one look at the cluster serves all hosts."""
        if self.looked is None or monotonic() - self.looked[0] >= FREE_S:
            self.looked = monotonic(), usage()
        return self.looked[1].held_by(node, self.resource)

    async def reach(self, host: DrivenHost) -> None:
        """Wait until the actor is there; raise HeartbeatError if it does not come."""
        try:
            await asyncio.wait_for(host.actor.ready.remote(), START_S)
        except asyncio.TimeoutError as error:
            cause = f"Ray started no process on it within {START_S:.0f} s. {self.taken_on(host.node)}".rstrip()
            remedy = "Look at it: ray status; ray list nodes."
            raise HeartbeatError(f"{host.node.name} did not start", cause, remedy, exit_code=3) from error

    async def fetch(self, host: DrivenHost) -> None:
        async with host.fetching:
            while data := await host.actor.fetch.remote(host.offset):
                host.offset += len(data)
                self.send("stream", id=host.node.id, text=data.decode())

    async def follow(self) -> None:
        """Fetch the stream of the opened host as it comes."""
        while True:
            host = self.hosts.get(self.opened or "")
            if host and host.going:
                try:
                    await self.fetch(host)
                except self.ray.exceptions.RayError:
                    host.going = False  # ``measure`` says why
            await asyncio.sleep(FOLLOW_S)

    async def watch_head(self) -> None:
        """End all if the head of the cluster is gone: Ray itself waits a minute before it says so."""
        failed = 0
        while failed < HEAD_TRIES:
            await asyncio.sleep(LOOK_S)
            server, port = self.address.rsplit(":", 1)
            try:
                _reader, writer = await asyncio.wait_for(asyncio.open_connection(server, int(port)), LOOK_S)
                writer.close()
                failed = 0
            except (OSError, asyncio.TimeoutError):
                failed += 1
        for host in self.hosts.values():
            if host.summary.over:
                self.tell(host)  # its recording may not have come, its figures have
            else:
                cause = f"Nothing answers at {self.address}. {KEPT_THERE} Ray ends the processes of the hosts within a minute."
                self.end(host, "lost", "the head of the cluster is gone", cause, "Start the cluster again, then run this again.")
        self.send("over", notes=[])
        os._exit(0)  # not by Ray's own end, which waits for the head

    def lose(self, host: DrivenHost, error: Exception) -> None:
        """End a host whose actor is gone: its node died, its process did, or we ended it."""
        if host.summary.over:
            self.tell(host)
            return
        if host.killed:
            self.tell(host, state="ended", ending="stopped")
            return
        name, text = host.node.name, " ".join(sanitize_line(str(error)).split())
        if isinstance(error, self.ray.exceptions.ActorUnavailableError):  # Ray itself learns of the death of a node later
            cause = f"The connection to its process broke, so the node or the process has died. {KEPT_THERE}"
            self.end(host, "lost", f"{name} died", cause, "Look at it: ray list nodes. Then run this again.")
            return
        said = text if len(text) < 600 else f"{text[:200]} … {text[-400:]}"
        self.end(host, "lost", f"the process on {name} ended", f"{said} {KEPT_THERE}", "Look at its log: ray logs cluster.")

    def end(self, host: DrivenHost, ending: str, title: str, cause: str, remedy: str) -> None:
        self.tell(host, state="ended", ending=ending, problem=f"{title}. {cause}", remedy=remedy)

    def kill(self, host: DrivenHost) -> None:
        """End the actor with all that it has started; a cancellation without force would leave both alive."""
        host.going = False
        if host.actor is not None:
            self.ray.kill(host.actor)

    def read_words(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the words of the parent to the event loop; the end of its stream kills all."""
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(self.obey, json.loads(line))
        loop.call_soon_threadsafe(self.obey, {"word": "kill"})

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out an order: to open a host, or a word for all of them."""
        if "open" in order:
            self.opened = order["open"]
            return
        word = order["word"]
        self.stopping = self.stopping or word in ("stop", "kill")
        for host in self.hosts.values():
            if host.actor is None:
                continue
            if word == "kill" or (word == "stop" and not host.going and not host.summary.over):
                host.killed = True
                self.kill(host)
            elif host.going and not host.summary.over:
                host.actor.order.remote(word)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    output = private_stdout()
    order = json.loads(sys.stdin.buffer.readline() or b"{}")
    try:
        ray, address = connect(order["address"])
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        asyncio.run(Driver(ray, address, order, output).run())
        ray.shutdown()
    except HeartbeatError as error:
        values = {"title": error.title, "cause": error.cause, "remedy": error.remedy, "exit_code": error.exit_code}
        output.write(json.dumps({"type": "failed", **values}).encode() + b"\n")
    except BrokenPipeError:
        os._exit(1)  # the parent is gone, and so will be the actors
    output.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
