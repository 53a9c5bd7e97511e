"""Diagnosis of failures: from an exception or an error text to its cause and what fixes it."""
