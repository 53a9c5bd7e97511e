"""The benchmark: a matrix product, timed honestly in a child process."""
