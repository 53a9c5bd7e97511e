"""The engine of heartbeat-tui: it yields data and knows no terminal."""

__version__ = "0.1.0"
