"""How many ways of labelling points a linear classifier can realise."""

from __future__ import annotations

import math

# Boolean functions of n inputs that a threshold unit with a bias can compute: OEIS A000609
# (Muroga 1971); of 2^(2^n) in all.
THRESHOLD_FUNCTIONS = {0: 2, 1: 4, 2: 14, 3: 104, 4: 1882}


def separable_share(points: int, dimension: int, bias: bool = False) -> float:
    """Return the share of the labellings of points that a hyperplane realises.

    2^(1-N) sum_(k<d) C(N-1, k) for N points in general position in d dimensions and hyperplanes
    through 0; with a bias d becomes d + 1 (Cover 1965, theorems 1 and 2). 1/2 at N = 2d.

    Raises
    ------
    ValueError
        If there is no point or no dimension.
    """
    if points < 1 or dimension < 1:
        raise ValueError(f"points: {points}, dimension: {dimension}: must be at least 1")
    free = dimension + bias
    return float(2.0 ** (1 - points) * sum(math.comb(points - 1, k) for k in range(free)))
