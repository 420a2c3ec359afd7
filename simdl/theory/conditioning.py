"""Condition numbers of a linear neuron's inputs, and the steps that descent takes for them.

The curvature of a squared loss is the inputs' second moment, E[x x^T], with a 1 appended to x where
there is a bias; its condition number kappa is the ratio of its largest to its smallest eigenvalue
(LeCun et al. 1998).
"""

from __future__ import annotations

import math


def uniform_condition(features: int, bias: bool = False) -> float:
    """Return kappa of independent features uniform on [0, 1]: what min-max scaling leaves.

    Without bias I / 12 + 1 1^T / 4: 1 + 3 d, from two features on. With it, on the plane of the
    common direction and the bias, [[1/12 + d/4, sqrt(d)/2], [sqrt(d)/2, 1]], of trace
    (13 + 3 d) / 12 and determinant 1 / 12: about (13 + 3 d)^2 / 12.
    """
    if features < 1:
        raise ValueError(f"features: {features}: must be at least 1")
    if not bias:
        return 1.0 + 3 * features if features > 1 else 1.0
    trace = (13 + 3 * features) / 12
    largest = (trace + math.sqrt(trace**2 - 1 / 3)) / 2
    return 12 * largest**2  # over the smallest, (1 / 12) / largest


def sampled_condition(ratio: float) -> float:
    """Return kappa of n samples of d standardised, independent features, large, ratio = d / n < 1.

    ((1 + sqrt g) / (1 - sqrt g))^2 (Marchenko and Pastur 1967): 1 only for n far above d.
    """
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio: {ratio}: must be 0 or more and below 1")
    return ((1 + math.sqrt(ratio)) / (1 - math.sqrt(ratio))) ** 2


def steps_needed(condition: float, error: float) -> float:
    """Return how many steps bring the distance from the minimum down to the share `error`.

    At the best rate, 2 / (L + mu), whose factor a step is (kappa - 1) / (kappa + 1): about
    (kappa / 2) ln(1 / error), half of it for the loss.
    """
    if not condition >= 1 or not 0 < error < 1:
        raise ValueError(f"condition: {condition}, error: {error}: must be >= 1, and in (0, 1)")
    if condition == 1:
        return 1.0
    return math.log(error) / math.log((condition - 1) / (condition + 1))
