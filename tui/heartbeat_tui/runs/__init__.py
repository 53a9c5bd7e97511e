"""The Runs pane: recorded runs, their labels, and how they compare."""
