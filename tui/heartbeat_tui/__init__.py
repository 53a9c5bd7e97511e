"""The terminal half of heartbeat-tui: it draws what heartbeat_core yields."""

import os

os.environ.setdefault("TEXTUAL_FPS", "120")  # Textual reads it once imported; at its own 60 a key's effect waits for up to 17 ms
