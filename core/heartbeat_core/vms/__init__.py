"""TPU VMs: looking at them, creating, starting, stopping and deleting them, and what they cost. No terminal is known here."""
