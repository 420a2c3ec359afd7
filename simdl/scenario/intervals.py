"""Estimates with confidence intervals from replicates: Student's t, Clopper-Pearson, slopes.

They keep their level at sixteen replicates, where a bootstrap or "three standard errors" does not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # not scipy.stats, which takes a second to import

from simdl.errors import InputError

LEVEL = 0.999
QUICK_LEVEL = 0.99
MIN_REPLICATES = 16
MIN_TRIALS = 32  # proportions: an interval for 16 coin throws spans most of [0, 1]


def t_interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float, float]:
    """Return mean, lower and upper end of Student's t interval of `values` (replicates,).

    Raises
    ------
    ValueError
        Values that are not finite or not one-dimensional; fewer than two; an overflow.
    """
    v = _replicates(values, ndim=1)
    _check_count(v.size, MIN_REPLICATES, level)
    if v.min() == v.max():  # rounding in the mean must not give equal replicates a width
        return float(v[0]), float(v[0]), float(v[0])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(v.mean())
        error = float(v.std(ddof=1)) / math.sqrt(v.size)
    half = float(special.stdtrit(v.size - 1, 0.5 + level / 2)) * error
    if not math.isfinite(mean + half):
        raise ValueError("values: their mean or spread overflows: judge them on a log scale")
    return mean, mean - half, mean + half


def proportion_interval(
    successes: int, trials: int, level: float = LEVEL
) -> tuple[float, float, float]:
    """Return share, lower and upper end of the Clopper-Pearson interval (1934).

    Raises
    ------
    ValueError
        Counts that are no counts, or too few trials for `level`.
    """
    k, n = int(successes), int(trials)
    if k != successes or n != trials or not 0 <= k <= n or n < 1:
        raise ValueError(f"{successes} successes in {trials} trials: must be 0 <= k <= n, 1 <= n")
    _check_count(n, MIN_TRIALS, level, least=1)
    tail = (1 - level) / 2
    low = float(special.betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(special.betainccinv(k + 1, n - k, tail)) if k < n else 1.0
    return k / n, low, high


def slopes(x: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Return the least-squares slope of each row of `values` (replicates, points) on `x` (points,).

    For a slope on logarithmic axes hand over logarithms.
    """
    v = _replicates(values, ndim=2)
    at = np.asarray(x, dtype=np.float64)
    if at.shape != v.shape[1:] or not np.isfinite(at).all() or np.unique(at).size < 2:
        raise ValueError(f"x: must be {v.shape[1]} finite numbers, at least two of them different")
    centred = at - at.mean()
    return np.asarray((v - v.mean(axis=1, keepdims=True)) @ centred / (centred @ centred))


def _replicates(values: ArrayLike, ndim: int) -> NDArray[np.float64]:
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != ndim:
        raise ValueError(
            f"values: shape {v.shape}: must have {ndim} dimension(s), replicates first"
        )
    bad = np.flatnonzero(~np.isfinite(v.reshape(v.shape[0], -1)).all(axis=1))
    if bad.size:
        raise ValueError(
            f"values: {bad.size} of {v.shape[0]} replicates are not finite (first: number "
            f"{bad[0]}): score a diverged run with the cap, or a vanished gradient, before judging"
        )
    return v


def _check_count(n: int, minimum: int, level: float, least: int = 2) -> None:
    if not QUICK_LEVEL <= level < 1:
        raise ValueError(f"level: {level}: must be at least {QUICK_LEVEL} and below 1")
    needed = minimum if level >= LEVEL else least
    if n < needed:
        raise InputError(
            f"seeds: {n} replicates: a verdict at level {level} needs at least {needed}"
        )
