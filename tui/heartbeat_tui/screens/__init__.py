"""Screens that open above a pane."""
