"""The panes of the app: one screen each."""
