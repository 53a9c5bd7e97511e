"""What the chips themselves tell: memory used and share of time at work, read beside whoever uses them."""
