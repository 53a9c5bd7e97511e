"""Readiness checks of this machine, account and project: the checks, what each depends on, and their runner."""
