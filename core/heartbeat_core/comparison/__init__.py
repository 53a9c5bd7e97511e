"""How runs compare: groups, ratios with their intervals, verdicts of a check, cost."""
