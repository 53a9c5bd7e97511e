"""What went wrong, why, and what mends it: from an exception, or from a text that somebody pastes."""
