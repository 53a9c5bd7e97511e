"""Recorded runs, comparisons and sweeps as files and pictures."""
