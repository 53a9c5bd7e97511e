"""The real tpu-info against a server of libtpu's protocol: what the chips tell, what they do not, and what dies or hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import ChipReading
from heartbeat_core.benchmark.tpu_chips import CHIPS
from heartbeat_core.recordings.recording import Recording, load
from heartbeat_core.telemetry.monitor import ChipReader, Reader, TpuChipMonitor
from heartbeat_core.telemetry.readings import ChipReadings

pytestmark = pytest.mark.xla

LONG_S = 180.0
SERVER = Path(__file__).parent / "metrics_server.py"
PROGRAM = [sys.executable, "-m", "heartbeat_tui"]
GIB = 2**30
MIB = 2**20
ONE = {"total": {"0": 32 * GIB}, "used": {"0": 3 * GIB}, "duty": {"0": 87.5}}
ONE_READ = (ChipReading(0, 3 * GIB, 32 * GIB, 87.5),)
REFUSED = {"total": "PERMISSION_DENIED", "used": "PERMISSION_DENIED", "duty": "PERMISSION_DENIED"}
DUTY = "tpu.runtime.tensorcore.dutycycle.percent"
# The real tpu-info's own command line, its scan of the bus and of /proc patched, for one metric at a time: more would load libtpu.
TPU_INFO = """
import sys
from tpu_info import cli, device, metrics
port = sys.argv.pop(1)
device.get_local_chips = lambda: (device.TpuChip.V6E, 1)
metrics.get_chip_usage.__defaults__ = (f"localhost:{port}",)
cli.print_chip_info()
"""
IDS = """
import json, sys
from tpu_info import device
found = [device.TpuChip.from_pci_device_id(*each) for each in json.loads(sys.argv[1])]
print(json.dumps([chip and [chip.value.name, chip.value.devices_per_chip] for chip in found]))
"""
LOADED = """
import json, sys
from tpu_info import metrics
print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} & {"libtpu", "torch", "torch_xla", "jax"})))
"""


def take_look(reader: Reader) -> ChipReadings:
    """Look once."""
    (look,) = ChipReader(reader).readings()
    return look


class Server:
    """A metrics server in a process of its own, on a port that the system chose."""

    def __init__(self, python: str, told: dict[str, Any]) -> None:
        command = [python, str(SERVER), json.dumps(told)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def serve(xla_python: str) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(**told: Any) -> Server:
            server = Server(xla_python, {**ONE, **told})
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture
def look_at(xla_python: str, machine: Callable[..., Path]) -> Callable[..., ChipReadings]:
    """Look at the chips of a machine of files, through a server."""

    def look(*servers: Server, device: str = "0x006f", **values: Any) -> ChipReadings:
        ports = tuple(server.port for server in servers)
        return take_look(Reader(**{"python": xla_python, "ports": ports, "root": machine(device), **values}))

    return look


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Path]:
    def make(device: str) -> Path:
        folder = tmp_path / "machine/sys/bus/pci/devices/0000:00:04.0"
        folder.mkdir(parents=True)
        for name, value in (("vendor", "0x1ae0"), ("device", device), ("subsystem_device", "0x0000")):
            (folder / name).write_text(value)
        return tmp_path / "machine"

    return make


def run_in(python: str, source: str, *arguments: str) -> str:
    return subprocess.run([python, "-c", source, *arguments], capture_output=True, text=True, check=True, timeout=LONG_S).stdout


def test_our_table_of_chips_is_that_of_tpu_info(xla_python: str) -> None:
    ids = [(f"0x{device:04x}", f"0x{subsystem or 0:04x}") for chip in CHIPS for device, subsystem in chip.pci_ids]
    theirs = json.loads(run_in(xla_python, IDS, json.dumps(ids)))
    ours = [[chip.name, chip.devices_per_chip] for chip in CHIPS for _ in chip.pci_ids]
    assert [pair for pair in zip(theirs, ours, strict=True) if pair[0] not in (None, pair[1])] == []  # it knows no 8i and 8t yet
    assert sum(found is not None for found in theirs) >= 7


def test_the_client_of_tpu_info_loads_neither_libtpu_nor_a_framework(xla_python: str) -> None:
    assert json.loads(run_in(xla_python, LOADED)) == []


@pytest.mark.parametrize(("metric", "shown"), [("hbm_usage", "3.00 GiB / 32.00 GiB"), ("duty_cycle_percent", "87.50%")])
def test_the_real_tpu_info_reads_this_server_too(xla_python: str, serve: Callable[..., Server], metric: str, shown: str) -> None:
    assert shown in run_in(xla_python, TPU_INFO, str(serve().port), "--metric", metric)


def test_what_a_chip_tells_is_read(look_at: Callable[..., ChipReadings], serve: Callable[..., Server]) -> None:
    look = look_at(serve())
    assert (look.state, look.chips) == ("told", ONE_READ)
    assert look.library == "0.14.2"


def test_a_proxy_for_the_web_is_not_asked(
    look_at: Callable[..., ChipReadings], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert look_at(serve()).state == "told"


def test_two_devices_of_one_chip_share_its_duty_cycle(look_at: Callable[..., ChipReadings], serve: Callable[..., Server]) -> None:
    both = {"total": {"0": 96 * GIB, "1": 96 * GIB}, "used": {"0": GIB, "1": 2 * GIB}, "duty": {"0": 40.0}}
    look = look_at(serve(**both), device="0x0076")
    assert look.state == "told"
    assert [(chip.used_bytes, chip.duty_percent) for chip in look.chips] == [(GIB, 40.0), (2 * GIB, 40.0)]


def test_a_duty_cycle_is_not_lent_to_another_chip(look_at: Callable[..., ChipReadings], serve: Callable[..., Server]) -> None:
    both = {"total": {"0": 32 * GIB, "1": 32 * GIB}, "used": {"0": GIB, "1": 2 * GIB}, "duty": {"1": 40.0}}
    look = look_at(serve(**both))
    assert look.state == "partial"
    assert [chip.duty_percent for chip in look.chips] == [None, 40.0]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"refuse": {"duty": "NOT_FOUND"}}, f"{DUTY}: NOT_FOUND, by order of the test"),
        ({"duty": {"0": None}}, ""),
        ({"duty": {}}, ""),
    ],
)
def test_a_value_that_lacks_is_no_zero(
    look_at: Callable[..., ChipReadings], serve: Callable[..., Server], told: dict[str, Any], says: str
) -> None:
    look = look_at(serve(**told))
    assert look.state == "partial"
    assert look.chips == (replace(ONE_READ[0], duty_percent=None),)
    assert look.problem is not None
    assert says in look.problem.cause


def test_a_server_that_refuses_says_so_and_why(look_at: Callable[..., ChipReadings], serve: Callable[..., Server]) -> None:
    look = look_at(serve(refuse=REFUSED))
    assert (look.state, look.chips) == ("refused", ())
    assert look.problem is not None
    assert "PERMISSION_DENIED: by order of the test" in look.problem.cause


def test_a_server_that_hangs_is_given_up(look_at: Callable[..., ChipReadings], serve: Callable[..., Server]) -> None:
    look = look_at(serve(hang=True), answer_s=0.2)
    assert look.state == "timeout"
    assert look.problem is not None
    assert look.problem.exit_code == 3


def test_the_processes_of_one_host_are_asked_one_by_one(look_at: Callable[..., ChipReadings], serve: Callable[..., Server]) -> None:
    second = {"total": {"1": 32 * GIB}, "used": {"1": GIB}, "duty": {"1": 5.0}}
    look = look_at(serve(), serve(**second))
    assert (look.state, [chip.device for chip in look.chips]) == ("told", [0, 1])


def test_a_server_that_comes_and_goes_is_followed(xla_python: str, serve: Callable[..., Server]) -> None:
    server = serve()
    watcher = ChipReader(Reader(python=xla_python, ports=(server.port,)), 0.05)
    states: list[str] = []
    for look in watcher.readings():
        states.append(look.state)
        if states == ["told"]:
            server.end()
        if look.state == "idle":
            watcher.stop()
    assert states[0] == "told"
    assert states[-1] == "idle"


def test_a_run_goes_on_when_the_server_dies_and_keeps_its_readings(
    xla_python: str, serve: Callable[..., Server], begin: Any, small: Callable[..., BenchmarkConfig], tmp_path: Path
) -> None:
    plan, server = small(backend="xla", iterations=None), serve()
    recording = Recording.create(tmp_path / "recordings", plan, 64 * MIB)
    chip_monitor = TpuChipMonitor(Reader(python=xla_python, ports=(server.port,), holders=False), always=True, every_s=0.05)
    run = begin(plan, python=xla_python, chip_monitor=chip_monitor, sinks=(recording,))
    with run.changed:
        assert run.changed.wait_for(lambda: bool(run.series.gauges.columns()), LONG_S)
    server.end()
    with run.changed:
        assert run.changed.wait_for(lambda: run.series.gauges.problem is not None, LONG_S)
        before = run.series.count
        assert run.changed.wait_for(lambda: run.series.count > before + 100, LONG_S)
    run.stop()
    assert run.wait(LONG_S)
    figures = run.report().chips
    assert (run.ending.kind, figures.peak_bytes, figures.busiest.median_duty_percent) == ("stopped", 3 * GIB, 87.5)
    assert figures.problem == f"no server answers on localhost:{server.port}"
    assert load(recording.path).gauges.figures() == figures
    assert chip_monitor.process is not None
    assert chip_monitor.process.returncode is not None


def test_the_commands_show_it(xla_python: str, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    monkeypatch.setenv("HEARTBEAT_BACKENDS_XLA_PYTHON", xla_python)
    monkeypatch.setenv("HEARTBEAT_TELEMETRY_PORT", str(server.port))
    done = subprocess.run([*PROGRAM, "chips", "--json"], capture_output=True, timeout=LONG_S, check=True)
    told = json.loads(done.stdout)
    assert (told["schema"], told["state"], told["chips"][0]["used_bytes"], told["problem"]) == (1, "told", 3 * GIB, None)
    done = subprocess.run([*PROGRAM, "chips"], capture_output=True, timeout=LONG_S, check=True)
    assert b"3.00 GiB" in done.stdout
    shape = ["--batch", "8", "--hidden", "64", "--intermediate", "64", "--backend", "xla", "--duration", "2s", "--no-save"]
    done = subprocess.run([*PROGRAM, "bench", *shape, "--json"], capture_output=True, timeout=LONG_S, check=True)
    chips = json.loads(done.stdout)["chips"]
    assert chips["source"] == "tpu-info"
    assert chips["devices"][0]["peak_bytes"] == 3 * GIB
    assert chips["devices"][0]["median_duty_percent"] == 87.5
