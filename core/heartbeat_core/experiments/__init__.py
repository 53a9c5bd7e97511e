"""Experiments of several runs: repeats in turn, and sweeps over parameters."""
