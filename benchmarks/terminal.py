"""A terminal without a window: runs a program in a pseudo-terminal, reads what it draws as it draws it, types keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

COLUMNS, ROWS = 120, 40
SCREENFUL = COLUMNS * (ROWS - 1)
EMPTY_APP = "from textual.app import App; App().run()"
CONTROL = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands
    rb"|\x1bP[^\x1b]*\x1b\\"  # device control strings
    rb"|\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor, modes
    rb"|\x1b[ -/]*[0-~]"
)
FRAME_END = b"\x1b[?2026l"
ASKED = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[?2048$p": b"\x1b[?2048;0$y"}  # draws whole frames; does not report its size


class Terminal:
    """One program at 120 by 40 cells. ``drawn`` holds its output so far; its times are those of ``perf_counter``."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.drawn = bytearray()
        self.frames: list[tuple[float, int]] = []  # when each frame was complete, and how much had been drawn by then
        self.changed = threading.Condition()
        self.latest = 0.0  # when something was drawn last
        self.closed = False
        self.started = perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})},
        )
        os.close(inner)
        threading.Thread(target=self.read, name="terminal", daemon=True).start()

    def read(self) -> None:
        """Take in what is drawn until the program closes its end, and answer what it asks."""
        with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
            while data := os.read(self.fd, 65_536):
                now = perf_counter()
                for question, answer in ASKED.items():
                    if question in data:
                        os.write(self.fd, answer)
                with self.changed:
                    searched = max(0, len(self.drawn) - len(FRAME_END) + 1)
                    self.drawn += data
                    while (end := self.drawn.find(FRAME_END, searched)) >= 0:
                        searched = end + len(FRAME_END)
                        self.frames.append((now, searched))
                    self.latest = now
                    self.changed.notify_all()
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def text(self, since: int = 0, until: int | None = None) -> str:
        """Return the letters drawn from one byte to another, without colours and cursor movements."""
        return CONTROL.sub(b"", bytes(self.drawn[since:until])).decode("utf-8", "replace")

    def wait_for(self, arrived: Callable[[str], bool], *, since: int = 0, timeout_s: float = 60.0) -> float:
        """Wait until what was drawn from ``since`` on has arrived; return when it had; raise TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(lambda: arrived(self.text(since)) or self.closed, timeout_s) or not arrived(self.text(since)):
                raise TimeoutError(f"{self.process.args!r} did not draw what was awaited; its last words: {self.text()[-2000:]}")
            return self.latest

    def wait_for_text(self, words: str, *, since: int = 0, timeout_s: float = 60.0) -> float:
        """Wait until these words are drawn; return when they were."""
        return self.wait_for(lambda drawn: words in drawn, since=since, timeout_s=timeout_s)

    def close(self) -> None:
        """End the program by its own key; by force where that does not help."""
        for keys in ("\x11", "\r"):  # ctrl+q; yes, even though a run is on its way
            if self.process.poll() is None:
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    self.press(keys)
                    self.process.wait(3)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with self.changed:
            self.changed.wait_for(lambda: self.closed, 5)
        os.close(self.fd)
