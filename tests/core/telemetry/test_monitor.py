"""The reader as a process: what it finds without tpu-info, how it ends, and that nothing outlives its watcher."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from heartbeat_core.telemetry.monitor import ChipReader, Reader, readings_of
from heartbeat_core.telemetry.readings import ChipReadings

LONG_S = 60.0
# A package that stands where tpu_info would, for a Python that has none: its client fails or hangs as told.
CLIENT = """
import enum, time
class MetricName(enum.Enum):
    TOTAL_MEMORY, MEMORY_USAGE, DUTY_CYCLE_PCT = "total", "used", "duty"
"""


def take_look(reader: Reader) -> ChipReadings:
    """Look once."""
    (look,) = ChipReader(reader).readings()
    return look


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Write a program that stands where the reader's Python should."""

    def make(body: str) -> str:
        path = tmp_path / "python"
        path.write_text(f"#!{sys.executable} -IS\nimport os, signal, sys\norder = sys.stdin.readline()\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def free_port() -> Iterator[int]:
    """Return a port without a listener; it stays bound, so that no other program takes it."""
    with socket.socket() as held:
        held.bind(("localhost", 0))
        yield held.getsockname()[1]


def test_without_a_tpu_it_says_so_and_asks_no_port(machine: Callable[..., Path]) -> None:
    look = take_look(Reader(root=machine(chips=0)))
    assert look.state == "no tpu"
    assert look.answers == ()


def test_in_a_container_that_hides_the_bus_the_chip_is_found_all_the_same(machine: Callable[..., Path]) -> None:
    root = machine()
    shutil.rmtree(root / "sys")
    look = take_look(Reader(root=root))
    assert (look.state, look.files) == ("hidden", ("/dev/vfio/0",))
    assert look.problem is not None
    assert "--privileged" in look.problem.remedy


def test_without_tpu_info_the_chips_and_their_holders_are_shown_all_the_same(machine: Callable[..., Path]) -> None:
    look = take_look(Reader(root=machine(chips=4, holders={77: b""})))
    assert look.state == "no library"
    assert look.title == "4 × TPU v6e (Trillium)"
    assert look.files == tuple(f"/dev/vfio/{number}" for number in range(4))
    assert [(holder.pid, holder.command, holder.held) for holder in look.holders] == [(77, "python train.py", "/dev/vfio/0")]


def test_where_no_server_listens_there_is_no_workload_yet(
    machine: Callable[..., Path], free_port: int, fake_torch: Callable[..., None]
) -> None:
    fake_torch(tpu_info="", **{"tpu_info/metrics": CLIENT})
    look = take_look(Reader(root=machine(), ports=(free_port,)))
    assert look.state == "idle"
    assert [answer.port for answer in look.answers] == [free_port]


def test_the_ports_that_the_holder_was_given_are_asked(
    machine: Callable[..., Path], free_port: int, fake_torch: Callable[..., None]
) -> None:
    fake_torch(tpu_info="", **{"tpu_info/metrics": CLIENT})
    variables = f"HOME=/root\0TPU_RUNTIME_METRICS_PORTS={free_port}\0SECRET=x\0".encode()
    look = take_look(Reader(root=machine(holders={77: variables})))
    assert look.state == "silent"
    assert [answer.port for answer in look.answers] == [free_port]


def test_a_python_that_is_not_there_is_reported() -> None:
    look = take_look(Reader("/nonexistent/python"))
    assert look.state == "broken"
    assert look.failure == "/nonexistent/python cannot be started: No such file or directory"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('hello')", "unreadable line"),
        ("print('ssh: connect to host 10.0.0.1: \\x1b[31mrefused', file=sys.stderr); sys.exit(255)", "refused"),
        ("sys.exit(7)", "exit code 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("os.write(1, b'x' * 2 ** 21)", "longer than"),
    ],
)
def test_a_reader_that_fails_says_why(program: Callable[[str], str], body: str, says: str) -> None:
    look = take_look(Reader(program(body)))
    assert look.state == "broken"
    assert says in look.failure
    assert "\x1b" not in look.failure


def test_a_reader_that_hangs_is_killed_with_all_it_started(
    program: Callable[[str], str], watch_process: Callable[[int], Callable[[], bool]], tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    python = program(f"child = os.fork() or open({str(fifo)!r}, 'w').write(str(os.getpid())) or signal.pause(); signal.pause()")
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(take_look, Reader(python, limit_s=0.5))
        watched = watch_process(int(fifo.read_text()))
        look = looking.result(LONG_S)
    assert look.failure.startswith("It did not answer within")
    assert watched()


@contextmanager
def watching(reader: Reader) -> Iterator[ChipReader]:
    watcher = ChipReader(reader, 0.01)
    yield watcher
    watcher.stop()


def test_it_looks_again_and_again_until_it_is_stopped(
    machine: Callable[..., Path], watch_process: Callable[[int], Callable[[], bool]]
) -> None:
    states = []
    with watching(Reader(root=machine(chips=0))) as watcher:
        for look in watcher.readings():
            states.append(look.state)
            if len(states) == 3:
                assert watcher.process is not None
                watched = watch_process(watcher.process.pid)
                watcher.stop()
    assert set(states) == {"no tpu"}
    assert watched()


def test_the_end_of_listening_ends_the_reader(machine: Callable[..., Path], watch_process: Callable[[int], Callable[[], bool]]) -> None:
    with watching(Reader(root=machine(chips=0))) as watcher:
        looks = watcher.readings()
        next(looks)
        assert watcher.process is not None
        watched = watch_process(watcher.process.pid)
        looks.close()
    assert watched()


def test_a_watcher_stopped_before_it_began_starts_nothing(machine: Callable[..., Path]) -> None:
    with watching(Reader(root=machine(chips=0))) as watcher:
        watcher.stop()
        assert list(watcher.readings()) == []
        assert watcher.process is None


def test_a_reader_that_ends_in_the_middle_is_reported_last(program: Callable[[str], str]) -> None:
    line = '{"time": "", "tpus": [], "answers": []}'
    with watching(Reader(program(f"print({line!r})"))) as watcher:
        looks = list(watcher.readings())
    assert [look.state for look in looks] == ["no tpu", "broken"]
    assert "exit code 0" in looks[-1].failure


def test_the_end_of_its_stdin_ends_the_reader(machine: Callable[..., Path], watch_process: Callable[[int], Callable[[], bool]]) -> None:
    """So it ends where a connection by ssh does, without anybody to kill it there."""
    with watching(Reader(root=machine(chips=0))) as watcher:
        looks = watcher.readings()
        next(looks)
        assert watcher.process is not None
        assert watcher.process.stdin is not None
        watched = watch_process(watcher.process.pid)
        watcher.process.stdin.close()
        assert watched()
        looks.close()


def test_on_another_host_the_command_is_the_hosts(machine: Callable[..., Path]) -> None:
    commands: list[Sequence[str]] = []

    def on_host(command: Sequence[str]) -> list[str]:
        commands.append(command)
        return ["env", "-i", *command]

    look = take_look(Reader(on_host=on_host, root=machine()))
    assert look.state == "no library"
    assert commands[0][0] == sys.executable


def test_several_machines_are_looked_at_at_once_and_distinguished(machine: Callable[..., Path], program: Callable[[str], str]) -> None:
    readers = {"slice:0": Reader(root=machine(chips=4)), "slice:1": Reader(program("sys.exit(255)"))}
    found = dict(readings_of(readers))
    assert {name: look.state for name, look in found.items()} == {"slice:0": "no library", "slice:1": "broken"}


def test_the_end_of_looking_ends_all_the_readers(
    machine: Callable[..., Path], program: Callable[[str], str], watch_process: Callable[[int], Callable[[], bool]], tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hanging = Reader(program(f"open({str(fifo)!r}, 'w').write(str(os.getpid())); signal.pause()"))
    looks = readings_of({"here": Reader(root=machine(chips=0)), "there": hanging}, 0.01)
    assert next(looks)[0] == "here"
    watched = watch_process(int(fifo.read_text()))
    looks.close()
    assert watched()
