"""Telemetry of the chips: memory used and duty cycle, read beside the program that uses them."""
