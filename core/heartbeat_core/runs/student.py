"""Student's t distribution, for a handful of processes: what SciPy would be needed for otherwise.

Source: Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.5.8 and 26.7.1; Lentz's evaluation of the fraction.
"""

from __future__ import annotations

import math

TINY = 1e-300
TERMS = 300  # far more than the fraction takes


def two_sided_p(t: float, df: float) -> float:
    """Give the probability of a value at least as far from 0 as ``t``."""
    if t == 0:
        return 1.0
    return incomplete_beta(df / (df + t * t), df / 2, 0.5)


def quantile_95(df: float) -> float:
    """Give the t that 95 % of values stay within, on both sides of 0."""
    low, high = 0.0, 1e6
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, df) > 0.05 else (low, middle)
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Give the regularized incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges quickly
        return front * fraction(x, a, b) / a
    return 1 - front * fraction(1 - x, b, a) / b


def fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or TINY)
    value = d
    for m in range(1, TERMS):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / (1 + term * d or TINY)
            c = 1 + term / c or TINY
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value
