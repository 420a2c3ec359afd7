"""Scaling of inputs, each feature for itself, with what is fitted on the training part only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simdl.errors import InputError, suggest

Floats = NDArray[np.float64]

SCALES = ("standard", "minmax", "none")
CLIP = 10.0  # a pixel lit in one training image reaches 263 standard deviations in a test image
FLOOR = 1e-12  # of the column's largest number: below, a standard deviation is rounding error


@dataclass(frozen=True, eq=False)
class Scaler:
    """``clip((x - shift) / scale, -clip, clip)``; a feature that was constant gives 0.

    Parameters
    ----------
    kind : str
        ``"standard"``, ``"minmax"`` or ``"none"``.
    shift, scale : ndarray of float64, the shape of one sample
        In the units of `x`. `scale` is inf for a feature that is constant in the training part: its
        weights learn nothing, so what it does elsewhere must not reach them.
    clip : float
        Bound of the result; inf for none.
    fill : ndarray of float64 or None
        What a missing value (NaN) becomes first: the feature's mean in the training part. None
        where missing values were refused.
    """

    kind: str
    shift: Floats
    scale: Floats
    clip: float = np.inf
    fill: Floats | None = None

    def apply(self, x: Floats) -> Floats:
        """Return `x` (N, ...) scaled, a new array."""
        if self.fill is not None:
            x = np.where(np.isnan(x), self.fill, x)
        if self.kind == "none":
            return np.array(x, dtype=np.float64)
        scaled = (x - self.shift) / self.scale
        scaled += 0.0  # -0 of a constant feature becomes 0
        return np.clip(scaled, -self.clip, self.clip, out=scaled)

    def undo(self, scaled: Floats) -> Floats:
        """Return what was scaled (N, ...), in its units; a constant feature gives its constant."""
        return scaled * np.where(np.isinf(self.scale), 0.0, self.scale) + self.shift


def check_scale(scale: object, key: str = "scale") -> list[str]:
    """Return what is wrong with the name of a scaling, if anything."""
    if scale in SCALES:
        return []
    return [f"data.{key}: {scale!r}: unknown scaling{suggest(str(scale), SCALES)}"]


def fit(kind: str, x: Floats, *, fill: bool = False, clip: float = CLIP) -> Scaler:
    """Return the scaler of training inputs `x` (N, ...).

    standard: mean 0 and standard deviation 1 (division by N), the standard deviation floored at
    1e-12 of the feature's largest number, the result clipped to +-`clip`. minmax: 0 to 1, not
    clipped, so that other parts may leave that range. With `fill`, missing values (NaN) count as
    the mean of the others.
    """
    problems = check_scale(kind)
    if problems:
        raise InputError(*problems)
    shape = x.shape[1:]
    means = None
    if fill:
        known = ~np.isnan(x)
        means = np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        x = np.where(known, x, means)
    if kind == "none":
        return Scaler(kind, np.zeros(shape), np.ones(shape), fill=means)
    low, high = x.min(axis=0), x.max(axis=0)
    constant = low == high  # exact, where a computed standard deviation is not
    if kind == "minmax":
        return Scaler(kind, low, np.where(constant, np.inf, high - low), fill=means)
    std = np.maximum(x.std(axis=0), FLOOR * np.maximum(np.abs(low), np.abs(high)))
    mean = np.where(constant, low, x.mean(axis=0))
    return Scaler(kind, mean, np.where(constant, np.inf, std), clip, means)
