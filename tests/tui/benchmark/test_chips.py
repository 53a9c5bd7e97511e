"""What the chips told, as people see it: the band below the latencies, the line, the rows of bench and the command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import pytest

from heartbeat_core.benchmark.config import BenchmarkConfig
from heartbeat_core.benchmark.protocol import ChipReading, Chips
from heartbeat_core.telemetry.readings import Answer, ChipReadings
from heartbeat_core.telemetry.text import chip_line, chip_rows
from heartbeat_tui.benchmark.body import chip_bars
from heartbeat_tui.benchmark.text import figures_text, findings
from heartbeat_tui.commands import chips as command

GIB = 2**30
MS = 1_000_000


def reading(duty: float | None = 87.5, used: int | None = 3 * GIB, device: int = 0) -> ChipReading:
    return ChipReading(device, used, 32 * GIB, duty)


@pytest.fixture
def told(fake_run: Callable[[BenchmarkConfig], Any]) -> Callable[..., Any]:
    """Make a run that beats and is told of its chips."""

    def make(*readings: ChipReading, problem: str | None = None) -> Any:
        run = fake_run(BenchmarkConfig(backend="xla")).open().warm_up().beat(30)
        run.tell(Chips(run.now, "tpu-info", (reading(50.0, 4 * GIB), *readings[1:])))
        run.beat(30)
        run.tell(Chips(run.now, "tpu-info", readings, problem))
        return run

    return make


def test_the_line_says_how_it_stands_now_and_the_most_afterwards(told: Callable[..., Any]) -> None:
    run = told(reading())
    assert chip_line(run.report()) == "HBM 3.00 of 32.0 GiB · duty cycle 88 %"
    run.done()
    assert chip_line(run.report()) == "HBM up to 4.00 of 32.0 GiB · duty cycle 50 % (median)"


def test_of_several_devices_it_names_the_busiest(told: Callable[..., Any]) -> None:
    run = told(reading(), reading(99.0, GIB, device=1))
    assert chip_line(run.report()) == "busiest of 2: HBM 1.00 of 32.0 GiB · duty cycle 99 %"


def test_a_source_that_stopped_keeps_its_readings_and_says_so(told: Callable[..., Any]) -> None:
    report = told(problem="nobody answers on localhost:8431").report()
    assert chip_line(report).startswith("HBM up to 4.00 of 32.0 GiB")
    assert ("! Chip metrics: nobody answers on localhost:8431.", "attention") in findings(report)
    assert chip_rows(report.chips)[-1] == ("chips", "", "nobody answers on localhost:8431")
    assert "nobody answers on localhost:8431" in figures_text(report)


def test_a_driver_tells_of_memory_alone(fake_run: Callable[[BenchmarkConfig], Any]) -> None:
    run = fake_run(BenchmarkConfig(backend="accelerator")).open().warm_up().beat(30)
    run.tell(Chips(run.now, "the driver", (reading(None),)))
    report = run.report()
    assert chip_line(report) == "device memory 3.00 of 32.0 GiB"
    assert [row[:2] for row in chip_rows(report.chips)] == [("device memory", "3.00 GiB")]
    assert run.chart(80).duty == ()


def test_without_telemetry_nothing_is_said(fake_run: Callable[[BenchmarkConfig], Any]) -> None:
    report = fake_run(BenchmarkConfig()).open().warm_up().beat(30).report()
    assert chip_line(report) == ""
    assert chip_rows(report.chips) == []
    assert "HBM" not in figures_text(report)


async def test_the_pane_shows_both_during_a_run(open_app: Any, told: Callable[..., Any]) -> None:
    def play(run: Any) -> None:
        run.open().warm_up().beat(30)
        run.tell(Chips(run.now, "tpu-info", (reading(),)))

    for size in ((80, 24), (120, 40)):
        async with open_app(play, size=size, plan=BenchmarkConfig(backend="xla")) as driver:
            await driver.press("space")
            assert "HBM 3.00 of 32.0 GiB · duty cycle 88 %" in driver.text()
            assert "duty  ▇" in driver.text()


def a_look(**values: Any) -> ChipReadings:
    return ChipReadings(**{"time": "2026-11-24T20:00:01.5+00:00", "tpus": (("0000:00:04.0", "v6e"),), "library": "0.14.2", **values})


def test_the_command_writes_a_look_as_text_and_as_json() -> None:
    look = a_look(answers=(Answer(8431, "told", "", (reading(None), reading(12.0, None, device=1))),), files=("/dev/vfio/0",))
    text = command.lines(look)
    assert text[0] == "1 × TPU v6e (Trillium) · /dev/vfio/0"
    assert [line.split() for line in text if line[:1] in ("0", "1")][1:] == [
        ["0", "3.00", "GiB", "32.0", "GiB", "9.4", "%", "–"],
        ["1", "–", "32.0", "GiB", "–", "12", "%"],
    ]
    assert any(line.startswith("! some values are missing") for line in text)
    made = json.loads(json.dumps(command.reading_json(look)))
    assert (made["schema"], made["state"], made["ports"]) == (1, "partial", [8431])
    assert made["chips"][0] == {"device": 0, "used_bytes": 3 * GIB, "total_bytes": 32 * GIB, "duty_percent": None}
    assert command.exit_code(look) == 0


def test_the_commands_exit_codes_tell_no_workload_from_not_available() -> None:
    nobody = Answer(8431, "nobody", "connection refused", ())
    assert command.exit_code(a_look(answers=(nobody,))) == 1
    assert command.exit_code(a_look(tpus=())) == 3
    assert command.exit_code(a_look(library_problem="No module named 'tpu_info'")) == 3


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65536"], ["--port", "x"], ["--every", "never"]])
def test_ports_and_times_that_cannot_be_are_refused(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    command.register(parser)
    with pytest.raises(SystemExit) as refused:
        parser.parse_args(arguments)
    assert refused.value.code == 2


def test_the_box_of_the_chip_shows_duty_cycle_and_memory_as_bars(told: Callable[..., Any]) -> None:
    duty, memory = (line.plain.split() for line in chip_bars(told(reading()).report(), 41))
    assert duty[:3] == ["duty", "88", "%"]
    assert memory[:3] == ["HBM", "3.00", "GiB"]
    assert len(duty[3]) > 8 * len(memory[3])
