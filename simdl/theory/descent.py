"""Gradient descent on quadratics: where it converges, and how far noise keeps it from the minimum.

h is the curvature (h w^2 / 2 is the loss), lr the learning rate, s2 the variance of one gradient.
"""

from __future__ import annotations

import math


def largest_rate(h: float, momentum: float = 0.0) -> float:
    """Return the learning rate above which descent diverges: 2 (1 + momentum) / h."""
    _check(h, momentum)
    return 2 * (1 + momentum) / h


def largest_curvature(lr: float, momentum: float = 0.0) -> float:
    """Return the curvature above which descent diverges: 2 (1 + momentum) / lr.

    Of a network's loss it bounds no sharpness for good: descent there comes to hover about it, at
    the edge of stability (Cohen et al. 2021).
    """
    if not lr > 0:
        raise ValueError(f"lr: {lr}: must be above 0")
    return largest_rate(lr, momentum)


def stationary_variance(lr: float, h: float, s2: float, momentum: float = 0.0) -> float:
    """Return the variance of w under a constant rate and independent noise, in the long run.

    lr s2 (1 + m) / (h (1 - m) (2 (1 + m) - lr h)), with w -= lr v, v = m v + g; without momentum
    lr s2 / (h (2 - lr h)), from Var w = (1 - lr h)^2 Var w + lr^2 s2.

    Raises
    ------
    ValueError
        If h is not above 0, momentum not in [0, 1), or lr not in (0, `largest_rate`).
    """
    if not 0 < lr < largest_rate(h, momentum):
        raise ValueError(f"lr: {lr}: must be above 0 and below {largest_rate(h, momentum)}")
    return lr * s2 * (1 + momentum) / (h * (1 - momentum) * (2 * (1 + momentum) - lr * h))


def batch_variance(s2: float, batch: int, samples: int | None = None) -> float:
    """Return the variance of a mini-batch's mean gradient: s2 / batch.

    Without replacement, from `samples` in all, it is less by (samples - batch) / (samples - 1);
    s2 is taken with 1 / samples.
    """
    if batch < 1 or (samples is not None and not max(batch, 2) <= samples):
        raise ValueError(f"batch: {batch}, samples: {samples}: must be 1 <= batch <= samples")
    left = 1.0 if samples is None else (samples - batch) / (samples - 1)
    return s2 / batch * left


def best_rate(mu: float, largest: float) -> float:
    """Return 2 / (L + mu), at which descent contracts most on curvatures mu to L, `largest`."""
    _check_curvatures(mu, largest)
    return 2 / (largest + mu)


def contraction(condition: float) -> float:
    """Return the factor a step on the distance at `best_rate`: (k - 1) / (k + 1), k = L / mu."""
    _check_curvatures(1, condition)
    return (condition - 1) / (condition + 1)


def heavy_ball(mu: float, largest: float) -> tuple[float, float]:
    """Return rate and momentum at which the heavy ball contracts most (Polyak 1964).

    4 / (sqrt L + sqrt mu)^2 and `heavy_ball_contraction` squared.
    """
    _check_curvatures(mu, largest)
    return 4 / (math.sqrt(largest) + math.sqrt(mu)) ** 2, heavy_ball_contraction(largest / mu) ** 2


def heavy_ball_contraction(condition: float) -> float:
    """Return its factor a step, (sqrt k - 1) / (sqrt k + 1): the distance goes as t factor^t."""
    _check_curvatures(1, condition)
    return (math.sqrt(condition) - 1) / (math.sqrt(condition) + 1)


def adam_regret(large: float) -> float:
    """Return Adam's mean regret in the long run, 2 (C - 2) / 3 (Reddi et al. 2018, theorem 1).

    Losses C x at every third step and -x at the others, on [-1, 1]; C, here `large`, above 2.
    """
    if not large > 2:
        raise ValueError(f"large: {large}: must be above 2")
    return 2 * (large - 2) / 3


def _check_curvatures(mu: float, largest: float) -> None:
    if not 0 < mu <= largest < math.inf:
        raise ValueError(f"curvatures from {mu} to {largest}: must be above 0 and rising")


def _check(h: float, momentum: float) -> None:
    if not h > 0 or not 0 <= momentum < 1:
        raise ValueError(f"h: {h}, momentum: {momentum}: must be above 0, and in [0, 1)")
