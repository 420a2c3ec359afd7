"""Pooling of Bernoulli features: how well a mean and a maximum of P of them tell two classes apart.

Of class i each feature is 1 with probability a_i, for itself (Boureau, Ponce and LeCun 2010). The
separability of a pooled feature is the distance of its two means over the sum of its two standard
deviations.
"""

from __future__ import annotations

import math


def average_separability(first: float, second: float, count: int) -> float:
    """Return |a1 - a2| sqrt(P) / (sqrt(a1 (1 - a1)) + sqrt(a2 (1 - a2))): it grows with sqrt(P)."""
    spread = math.sqrt(first * (1 - first)) + math.sqrt(second * (1 - second))
    return abs(first - second) * math.sqrt(count) / spread


def maximum_mean(share: float, count: int) -> float:
    """Return 1 - (1 - a)^P, the chance that the maximum of P features is 1."""
    return 1 - (1 - share) ** count


def maximum_separability(first: float, second: float, count: int) -> float:
    """Return the same of the maximum, itself a Bernoulli variable: it falls again with P."""
    return average_separability(maximum_mean(first, count), maximum_mean(second, count), 1)


def widest_gap(first: float, second: float) -> float:
    """Return P at which the means of the maximum lie furthest apart.

    ln(ln b / ln a) / ln(a / b) with a = 1 - a2, b = 1 - a1.
    """
    a, b = 1 - second, 1 - first
    return math.log(math.log(b) / math.log(a)) / math.log(a / b)
