"""Is this machine, this account and this project ready for a TPU? The checks, what each depends on, and what runs them."""
