"""Whether an activation's backward is the slope of its forward, at a few points."""

from __future__ import annotations

from typing import Any

import numpy as np

from simdl.errors import InputError

# on both sides of 0, near it and far, and at none of the usual kinks
POINTS = (-4.13, -2.37, -1.29, -0.37, 0.13, 0.71, 1.63, 2.59, 5.31)
STEP = 2.0**-10
COTANGENT, BEFORE = 1.5, 7.0  # what must be a factor, what must be written over


def check_slopes(forward: Any, backward: Any, alpha: float, dtype: str) -> None:
    """Raise InputError unless dx = dy f'(x) at `POINTS`, to about 1 % of f' and .5 % of 1 + |f|.

    f' must lie between the slopes to the left and to the right, so that a kink passes with either.
    Points where f is no finite number, or raises, are left out.
    """
    worst, said = 0.0, ""
    for point in POINTS:
        try:
            with np.errstate(all="ignore"):
                given, low, high, slack = _slopes(forward, backward, alpha, np.dtype(dtype), point)
        except Exception:  # whatever a user's function raises; training meets it, if it gets there
            continue
        excess = max(low - given, given - high) / slack
        if np.isfinite([low, high]).all() and not excess <= max(worst, 1.0):
            worst = excess
            said = f"at x = {point}: is {given:.4g}, must be {(low + high) / 2:.4g}"
    if said:
        raise InputError(
            f"{backward.__module__}:{backward.__qualname__}: dx / dy {said}, the slope of"
            f" {forward.__module__}:{forward.__qualname__}; mend it, or give check=False if it is"
            " meant so"
        )


def _slopes(
    forward: Any, backward: Any, alpha: float, dtype: np.dtype, point: float
) -> tuple[float, float, float, float]:
    """Return dx / dy, the smaller and the larger one-sided slope of f, and what may be between."""

    def filled(value: float) -> np.ndarray:
        return np.full(1, value, dtype)

    x = [filled(point + side * STEP) for side in (-1, 0, 1)]
    y = [filled(BEFORE) for _ in x]
    for made, at in zip(y, x, strict=True):
        forward(made, at, alpha)
    dx = filled(BEFORE)
    backward(dx, filled(COTANGENT), x[1], y[1], alpha)
    places, values = (np.concatenate(part).astype(float) for part in (x, y))
    low, high = sorted(np.diff(values) / np.diff(places))
    slack = 0.01 * max(abs(low), abs(high)) + 0.005 * (1 + abs(values[1]))
    return float(dx[0]) / COTANGENT, float(low), float(high), float(slack)
