"""``python -m heartbeat_tui``: the same as the command."""

from heartbeat_tui.cli import main

if __name__ == "__main__":
    main()
