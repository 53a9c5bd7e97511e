"""The real program in a real terminal: what a pilot cannot see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROWS, COLUMNS = 40, 120
PATIENCE_S = 50.0
PLAN = ("--batch", "8", "--hidden", "64", "--intermediate", "64", "--threads", "1", "--until-stopped")


class Terminal:
    """A pseudo-terminal that controls one program, and reads along."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.program = subprocess.Popen(
            [sys.executable, "-m", "heartbeat_tui", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=self.take_over,  # noqa: PLW1509 - nothing runs in it but the three calls
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(slave)
        self.seen = b""
        self.deadline = time.monotonic() + PATIENCE_S

    @staticmethod
    def take_over() -> None:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read_until(self, pattern: bytes) -> None:
        """Read until the pattern has been drawn."""
        while not re.search(pattern, self.seen):
            self.seen += self.read(f"{pattern!r}, but only {self.seen[-2000:]!r}")

    def type(self, keys: bytes) -> None:
        self.seen = b""
        os.write(self.master, keys)

    def drain(self) -> None:
        """Read what is left until the program has let go of the terminal."""
        with suppress(OSError):
            while self.read("the end of the program"):
                pass

    def read(self, what: str) -> bytes:
        """Read what the program writes next; fail the test with ``what`` at its end."""
        left_s = self.deadline - time.monotonic()
        if left_s <= 0 or not select.select([self.master], [], [], left_s)[0]:
            pytest.fail(f"Waited {PATIENCE_S:g} s in vain for: {what}")
        return os.read(self.master, 65536)

    def close(self) -> None:
        """Close the window."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def worker(self) -> int:
        """Find the worker by its parent."""
        children = Path(f"/proc/{self.program.pid}/task").glob("*/children")
        return next(int(pid) for task in children for pid in task.read_text().split())


@pytest.fixture
def beating() -> Iterator[Terminal]:
    """Start the program with a run that goes on until it is stopped."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    terminal = Terminal(*PLAN, "--start")
    try:
        terminal.read_until(rb"it/s")
        yield terminal
    finally:
        terminal.program.kill()
        terminal.program.wait()
        terminal.close()


@pytest.mark.torch
def test_a_closed_window_takes_the_program_and_its_worker_along(
    beating: Terminal, watch_process: Callable[[int], Callable[[], bool]]
) -> None:
    gone = watch_process(beating.worker())
    beating.close()
    beating.program.wait(PATIENCE_S)
    assert gone()


@pytest.mark.torch
def test_ctrl_c_asks_and_then_leaves_no_worker_behind(beating: Terminal, watch_process: Callable[[int], Callable[[], bool]]) -> None:
    gone = watch_process(beating.worker())
    beating.type(b"\x03")
    beating.read_until(rb"Stop and leave")
    beating.type(b"\r")
    beating.drain()
    assert beating.program.wait(PATIENCE_S) == 0
    assert gone()


@pytest.mark.torch
def test_a_killed_worker_is_reported_and_the_screen_goes_on(beating: Terminal) -> None:
    beating.type(b"")
    os.kill(beating.worker(), signal.SIGKILL)
    beating.read_until(rb"ended the worker")
    beating.type(b"q")
    beating.drain()
    assert beating.program.wait(PATIENCE_S) == 0


def test_ctrl_c_at_the_prompt_of_a_failed_command_ends_the_prompt_alone() -> None:
    """asyncio's own handler would end the app once Enter is pressed."""
    program = """
import asyncio
from heartbeat_tui.controller import wait_for_enter
async def main():
    wait_for_enter("asked")
    print("came back", flush=True)
    await asyncio.sleep(0)
    print("goes on", flush=True)
asyncio.run(main())
"""
    terminal, inner = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", program], stdin=inner, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    with process.stdout as said:
        assert said.read(5) == b"asked"
        for _ in range(60):  # one that comes just before it waits is not heard
            process.send_signal(signal.SIGINT)
            if select.select([said], [], [], 1.0)[0]:
                break
        assert said.read() == b"came back\ngoes on\n"
    assert process.wait() == 0
    os.close(terminal)
    os.close(inner)
