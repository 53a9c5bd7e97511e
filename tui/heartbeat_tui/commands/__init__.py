"""The headless commands, one file each: ``register`` adds its parser, and what it adds is run."""
