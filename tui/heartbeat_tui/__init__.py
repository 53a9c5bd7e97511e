"""The terminal half of heartbeat-tui: it draws what heartbeat_core yields."""
