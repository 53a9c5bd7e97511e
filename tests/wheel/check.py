"""Whether an installed heartbeat-tui runs, outside of the checkout and without torch: ``check.py PROGRAM``; exit 1 where it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # for the terminal alone: the program has its own Python

from benchmarks.terminal import Terminal

from heartbeat_core import __version__


def answer(program: str, home: str, *arguments: str, code: int = 0) -> str:
    """Run a command in an empty folder; give what it printed."""
    print(f"heartbeat-tui {' '.join(arguments)}", flush=True)
    own = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), home)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HEARTBEAT_"))}
    done = subprocess.run([program, *arguments], cwd=home, env={**environ, **own}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"code {done.returncode}, not {code}: {done.stdout}{done.stderr}"
    return done.stdout


def main(program: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        assert answer(program, home, "--version") == f"heartbeat-tui {__version__}\n"
        assert "bench" in answer(program, home, "--help")
        checked = json.loads(answer(program, home, "check", "--demo", "ready", "--skip", "host", "--json"))
        assert checked["ready"] is True
        assert "no-billing" in answer(program, home, "emulator", "--list")
        assert "beat.iterations" in answer(program, home, "settings")
        assert "no TPU" in answer(program, home, "explain", "Insufficient reserved capacity.")
        assert json.loads(answer(program, home, "runs", "list", "--json"))["schema"] == 1
        print("the screen", flush=True)
        environment = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")} | {"HOME": home}
        with closing(Terminal([program, "--demo", "ready"], environment)) as terminal:
            terminal.wait_for_text("ready for v6e-1")
            terminal.press("3")
            terminal.wait_for_text("Start")
        assert terminal.process.returncode == 0, terminal.text()[-2000:]
    print("it runs")


if __name__ == "__main__":
    main(sys.argv[1])
