"""A guided tour of the handbook's Part 1: each step runs for real, and says what to look at and what came out."""
