"""Penalties on weights: what they leave of least squares, of Adam's steps, and of a risk.

Lambda weighs |w|_1 or |w|^2 / 2 against |y - X w|^2 / 2. Behind an orthonormal design, X^T X = I,
every weight stands for itself: with u = X^T y, the weights without a penalty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Ali, Kolter and Tibshirani 2019, theorem 1: of the expected risk of gradient flow at t against
# that of ridge at n / t, whatever the design, the weights and t.
FLOW_AGAINST_RIDGE = 1.6862
ADAM_DRIFT = 0.9017  # a weight of 1 after 100 steps at rate 1e-3: Adam, an L2 penalty, no data


def lasso(free: ArrayLike, strength: float) -> NDArray[np.float64]:
    """Return sign(u) max(|u| - lambda, 0), the weights with an L1 penalty (orthonormal design)."""
    u = np.asarray(free, np.float64)
    return np.sign(u) * np.maximum(np.abs(u) - strength, 0.0)


def ridge(free: ArrayLike, strength: float) -> NDArray[np.float64]:
    """Return u / (1 + lambda), the weights with an L2 penalty (orthonormal design)."""
    return np.asarray(free, np.float64) / (1.0 + strength)


def decoupled(steps: ArrayLike, lr: float, strength: float) -> NDArray[np.float64]:
    """Return (1 - lr lambda)^steps, what decoupled decay leaves of a weight of 1 without data."""
    return (1.0 - lr * strength) ** np.asarray(steps, np.float64)


def ridge_map(design: ArrayLike, strength: float) -> NDArray[np.float64]:
    """Return (X^T X + lambda I)^-1 X^T (p, n): from targets to the weights, any design (n, p)."""
    x = np.asarray(design, np.float64)
    return np.asarray(np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T), np.float64)


def expected_risk(map_: ArrayLike, design: ArrayLike, weights: ArrayLike, noise: float) -> float:
    """Return E |w' - w|^2 over the noise of y = X w + noise, for weights w' = M y.

    Bias |M X w - w|^2 and variance noise |M|^2.

    Parameters
    ----------
    map_ : M (p, n)
    design : X (n, p)
    weights : w (p,)
    noise : its variance
    """
    m, w = np.asarray(map_, np.float64), np.asarray(weights, np.float64)
    bias = m @ (np.asarray(design, np.float64) @ w) - w
    return float(bias @ bias + noise * np.sum(m * m))
