"""The Heartbeat pane: a run on the screen, live or afterwards."""
