"""Dropout where all its masks can be averaged: in linear regression, and behind a softmax.

Each input is kept with probability `keep`, p. Targets y, samples X, and G^2 = diag(X^T X), the sum
of the squares of each column. Inverted dropout divides what it keeps by p, others do not: their
weights are 1/p times as large.
"""

from __future__ import annotations

import numpy as np


def expected_loss(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, keep: float, *, inverted: bool = True
) -> float:
    """Return the sum of squared errors of y by masked X, a mean over all masks.

    |y - p X w|^2 + p (1-p) |G w|^2 (Srivastava et al. 2014, section 9.1); inverted,
    |y - X w|^2 + ((1-p)/p) |G w|^2.

    Parameters
    ----------
    x : (n, d)
    y : (n,)
    w : (d,)
    keep : p, above 0 and at most 1
    """
    kept = _checked(keep)
    scale = 1.0 if inverted else kept
    rest = y - scale * (x @ w)
    return float(rest @ rest + scale**2 * ((1 - kept) / kept) * np.sum((x * w) ** 2))


def weights(x: np.ndarray, y: np.ndarray, keep: float, *, inverted: bool = True) -> np.ndarray:
    """Return the weights (d,) of least `expected_loss`: ridge regression, of columns made alike.

    (X^T X + ((1-p)/p) G^2)^-1 X^T y where dropout is inverted, 1/p times as much where it is not.
    """
    shrink = (1 - _checked(keep)) / keep
    found = np.linalg.solve(x.T @ x + shrink * np.diag(np.sum(x**2, axis=0)), x.T @ y)
    return np.asarray(found if inverted else found / keep)


def geometric_mean(shares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the geometric mean of distributions, made to sum to 1.

    Parameters
    ----------
    shares : (masks, ..., classes), above 0, with a sum of 1 over the classes
    weight : (masks,), the masks' probabilities
    """
    logs = np.tensordot(weight, np.log(shares), axes=1)
    raised = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _checked(keep: float) -> float:
    if not 0 < keep <= 1:
        raise ValueError(f"keep: {keep}: must be above 0 and at most 1")
    return keep
