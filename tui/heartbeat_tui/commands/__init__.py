"""The headless commands, one file each: ``register`` adds the parser, ``run`` carries the command out."""
