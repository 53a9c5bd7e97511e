"""The benchmark: a matrix product, timed in a child process."""
