"""Runs kept on disk."""
