"""A guided tour of the handbook's Part 1: each step runs on this machine and explains what it measured."""
