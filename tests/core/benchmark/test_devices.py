"""Looking at the backends of this machine: every look comes back, whatever it finds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heartbeat_core.benchmark.backends import BACKENDS
from heartbeat_core.benchmark.devices import Device, probe_device, take_inventory

LONG_S = 60.0


@pytest.mark.torch
def test_the_cpu_can_run_and_says_on_what() -> None:
    device = probe_device("cpu", sys.executable, LONG_S)
    assert device.usable
    assert set(device.found) >= {"cpu", "cores", "torch", "threads", "precision", "python"}


def test_every_backend_is_looked_at_even_where_none_can_run(tmp_path: Path) -> None:
    missing = str(tmp_path / "python")
    inventory = take_inventory(lambda _: missing, sys.executable)
    assert [device.backend for device in inventory.devices] == list(BACKENDS)
    for device in inventory.devices:
        assert not device.usable
        assert "cannot be started" in device.problem
        assert f"backends.{device.backend}.python" in device.remedy


def test_our_own_python_is_used_where_none_is_set(fake_worker: Callable[[str], str]) -> None:
    answer = fake_worker("tell('environment', values={'argv': sys.argv[0]}); tell('ended', reason='done')")
    inventory = take_inventory(lambda backend: answer if backend == "xla" else None, "/nonexistent/python")
    assert [device.backend for device in inventory.devices if device.usable] == ["xla"]


def test_a_probe_does_not_ask_for_a_run(fake_worker: Callable[[str], str]) -> None:
    device = probe_device("xla", fake_worker("tell('environment', values={'order': order})"), LONG_S)
    assert set(device.found["order"]) == {"probe", "parent"}
    assert device.found["order"]["probe"]["backend"] == "xla"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("tell('failed', kind='backend', title='no TPU', cause='c', remedy='buy one')", "no TPU"),
        ("print('Defaulting to PJRT_DEVICE=CPU')", "no record"),
        ("print('no such thing', file=sys.stderr); sys.exit(3)", "broke off"),
        ("die(signal.SIGSEGV)", "broke off"),
        ("", "broke off"),
    ],
)
def test_a_look_that_finds_nothing_says_why(fake_worker: Callable[[str], str], body: str, says: str) -> None:
    device = probe_device("xla", fake_worker(body), LONG_S)
    assert not device.usable
    assert says in device.problem
    assert device.cause
    assert device.remedy


def test_a_device_that_hangs_is_given_up_with_all_it_started(
    fake_worker: Callable[[str], str], watch_process: Callable[[int], Callable[[], bool]], tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # a child of its own holds its pipes open: killing the one alone would not end the look
    hang = f"child = os.fork() or open({str(fifo)!r}, 'w').write(str(os.getpid())) or signal.pause(); signal.pause()"
    python = fake_worker(hang)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(probe_device, "xla", python, 0.5)
        watched = watch_process(int(fifo.read_text()))
        device = looking.result(LONG_S)
    assert device.problem.startswith("no answer within")
    assert device.remedy
    assert watched()


def test_a_tpu_asked_for_and_missing_is_reported_at_once(fake_torch: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torch(torch="raise AssertionError('torch was imported')")
    monkeypatch.setenv("PJRT_DEVICE", "TPU")
    device = probe_device("xla", sys.executable, LONG_S)
    assert device.problem == "there is no TPU on this machine"


@pytest.mark.torch
def test_the_peaks_are_measured_beside_what_the_processor_could_do() -> None:
    device = probe_device("cpu", sys.executable, LONG_S, peaks_s=0.5)
    assert device.usable, device.problem
    figures = {figure.name: figure for figure in device.peaks}
    assert {name for name in figures if not name.startswith("products")} == {"memory", "a call"}  # nothing to transfer
    assert [name for name, why in device.found["dtypes"].items() if not why] == [
        name.removeprefix("products in ") for name in figures if name.startswith("products")
    ]
    for name, figure in figures.items():
        assert figure.measured > 0
        if name.startswith("products"):
            assert figure.share is not None
            assert 0 < figure.share < 1


def test_published_figures_stand_beside_the_measured_ones() -> None:
    measured = {"flops_per_s": {"bfloat16": 400e12, "int8": 800e12}, "bytes_per_s": 1e12, "call_ns": 5e3, "to_device_bytes_per_s": 2e10}
    environment = {"backend": "xla", "chip": "v6e", "peaks": measured}
    figures = {figure.name: figure for figure in Device("xla", "python", environment).peaks}
    assert figures["products in bfloat16"].published == 918e12
    assert figures["products in int8"].published == 1840e12
    assert figures["memory"].published == 1638e9
    assert figures["to device"].published is None
    gpu = {
        figure.name: figure
        for figure in Device(
            "accelerator", "python", {**environment, "backend": "accelerator", "chip": None, "hardware": "NVIDIA L4"}
        ).peaks
    }
    assert gpu["products in bfloat16"].published == 121e12  # the data sheet's, without what a higher clock may add
