"""Many hosts that run one config at the same time: what each reports, how they compare, which are slow."""
