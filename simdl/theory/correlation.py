"""How alike two inputs stay through a random network: order, chaos and the line between them.

Conventions, names and sources as in `propagation`; c is the correlation of the two inputs'
pre-activations in one layer, both of mean square q.
"""

from __future__ import annotations

import math

import numpy as np

from simdl.theory import gaussian
from simdl.theory.propagation import backward_gain, fixed_length, gradient_scale, length_map, root


def _finite_length(activation: str, s_w2: float, s_b2: float, alpha: float) -> float:
    q = fixed_length(activation, s_w2, s_b2, alpha)
    if not 0 < q < math.inf:
        raise ValueError(f"s_w2: {s_w2}, s_b2: {s_b2}: {activation} has no finite, positive q*")
    return q


def order_chaos_line(s_b2: float) -> tuple[float, float]:
    """Return (s_w2, q*) where chi1 = 1 for tanh (Poole et al. 2016, Schoenholz et al. 2017).

    At a given q*, s_w2 = 1 / E[phi'^2] and s_b2 = q* - s_w2 E[phi^2], which is solved for q*.
    """
    if s_b2 < 0:
        raise ValueError(f"s_b2: {s_b2}: must not be negative")
    if s_b2 == 0:
        return 1.0, 0.0

    def bias(q: float) -> float:
        second = gaussian.mean_square("tanh", q) / gaussian.derivative_moment("tanh", q)
        return q - second - s_b2

    high = s_b2
    while bias(high) < 0:
        high *= 2
    q = root(bias, s_b2 / 2, high)
    return 1 / gaussian.derivative_moment("tanh", q), q


def correlation_map(
    activation: str, c: float, q: float, s_w2: float, s_b2: float = 0.0, alpha: float = 0.01
) -> float:
    """Return the next layer's correlation of two inputs that have correlation c and equal q.

    (s_w2 E[phi(u1) phi(u2)] + s_b2) / length_map(q), after Poole et al. (2016), whose q is q*.
    """
    covariance = s_w2 * gaussian.product(activation, c, q, alpha) + s_b2
    # Rounding must not leave [-1, 1]: asin is applied to the result.
    return max(-1.0, min(1.0, covariance / length_map(activation, q, s_w2, s_b2, alpha)))


def correlation_path(
    activation: str,
    c: float,
    depth: int,
    s_w2: float,
    s_b2: float = 0.0,
    q: float | None = None,
    alpha: float = 0.01,
) -> np.ndarray:
    """Return c_0..c_depth, shape (depth + 1,): `correlation_map` iterated from c_0 = c.

    Lengths start at `q` and follow their own map; None starts and keeps them at q*.
    """
    length = _finite_length(activation, s_w2, s_b2, alpha) if q is None else q
    path = [float(c)]
    for _ in range(depth):
        path.append(correlation_map(activation, path[-1], length, s_w2, s_b2, alpha))
        if q is not None:
            length = length_map(activation, length, s_w2, s_b2, alpha)
    return np.array(path)


def fixed_correlation(
    activation: str, s_w2: float, s_b2: float = 0.0, alpha: float = 0.01
) -> float:
    """Return c*, the stable fixed point of the correlation map at q*: 1 exactly if chi1 <= 1."""
    q = _finite_length(activation, s_w2, s_b2, alpha)
    if backward_gain(activation, q, s_w2, alpha) <= 1:
        return 1.0

    def excess(c: float) -> float:
        return correlation_map(activation, c, q, s_w2, s_b2, alpha) - c

    # The map is convex on [0, 1] and above the diagonal at 0: one root below the one at 1.
    gap = 0.5
    while excess(1 - gap) >= 0:
        gap /= 2
        if gap < 1e-7:
            return 1.0
    return root(excess, 0.0, 1 - gap) if excess(0.0) > 0 else 0.0


def correlation_scale(
    activation: str, s_w2: float, s_b2: float = 0.0, alpha: float = 0.01
) -> float:
    """Return xi_c in layers: |c_l - c*| goes as exp(-l / xi_c) at last (Schoenholz et al. 2017).

    1/|ln(s_w2 E[phi'(u1) phi'(u2)])| at c*. Networks of usable depth are not there yet: compare
    them with `correlation_path`.
    """
    c = fixed_correlation(activation, s_w2, s_b2, alpha)
    q = _finite_length(activation, s_w2, s_b2, alpha)
    return gradient_scale(s_w2 * gaussian.derivative_product(activation, c, q, alpha))
