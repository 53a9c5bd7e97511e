"""``python -m heartbeat_core.emulator``: the emulator as a child process.

One line of JSON on stdout says {"url": …} or {"error": [title, cause, remedy]}. The end of stdin ends it, so it never outlives its parent.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading

from heartbeat_core.benchmark.control import end_with_stdin
from heartbeat_core.emulator.scenario import DEFAULT, load_scenario
from heartbeat_core.emulator.server import bind, make_cloud, serve
from heartbeat_core.errors import HeartbeatError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m heartbeat_core.emulator")
    parser.add_argument("--scenario", default=DEFAULT)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--seed", type=int, help="of the faults that come by chance")
    args = parser.parse_args()
    try:
        cloud = make_cloud(load_scenario(args.scenario), args.speed, args.seed)
        listener = bind(0)
    except HeartbeatError as error:
        say({"error": [error.title, error.cause, error.remedy]})
        return error.exit_code
    threading.Thread(target=end_with_stdin, name="parent", daemon=True).start()
    serve(cloud, listener, args.latency, ready=lambda url: say({"url": url}))
    return 0


def say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
