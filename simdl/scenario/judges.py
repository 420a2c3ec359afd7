"""Verdicts from replicates: a claim holds, is refuted, or cannot be told.

A replicate is one seed's value; arms share seeds, so a comparison's replicates are differences or
ratios. Intervals are Student's t over replicates and Clopper-Pearson for proportions.

Every judge takes `level`: `LEVEL` at default size, `QUICK_LEVEL` in quick runs. Below `LEVEL` the
least number of replicates is not asked for; below `QUICK_LEVEL` nothing is judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simdl.scenario.intervals import LEVEL, QUICK_LEVEL, proportion_interval, slopes, t_interval

__all__ = [
    "LEVEL",
    "QUICK_LEVEL",
    "VERDICTS",
    "Judgement",
    "Verdict",
    "bound",
    "direction",
    "equivalence",
    "exact",
    "proportion_direction",
    "proportion_equivalence",
    "trend",
]

Verdict = Literal["holds", "refuted", "inconclusive"]
VERDICTS: tuple[Verdict, ...] = ("holds", "refuted", "inconclusive")


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on.

    Attributes
    ----------
    verdict : "holds", "refuted" or "inconclusive"
    measured : float
        The estimate: mean, geometric mean (log scale), share, slope, or the worst value.
    interval : (float, float)
        Confidence interval of `measured`; for `bound` the smallest and largest value.
    reference, tolerance : float or None
        What was compared with: a margin (tolerance None) or a reference and its tolerance.
    trials : int
        Replicates (values, for deterministic judges).
    power : float
        Distance from the estimate to the nearest boundary in half-widths of the interval, on the
        scale of the judgement; inf where the interval has no width. Size replicates for 2.5.
    band : (float, float) or None
        Reference less and plus tolerance, where there is one; None for a margin.
    """

    verdict: Verdict
    measured: float
    interval: tuple[float, float]
    reference: float | None
    tolerance: float | None
    trials: int
    power: float
    band: tuple[float, float] | None = None


def direction(
    values: ArrayLike,
    margin: float,
    above: bool = True,
    log: bool = False,
    level: float = LEVEL,
) -> Judgement:
    """Judge whether the mean of `values` (replicates,) lies beyond a margin fixed beforehand.

    Holds if the whole interval lies above `margin` (below it, with ``above=False``), is refuted
    if the whole interval falls short of it; an interval that touches the margin is inconclusive.

    Parameters
    ----------
    log : bool
        Values and `margin` are positive ratios: logs are averaged, ratios reported.

    Raises
    ------
    ValueError
        See `t_interval`; with `log`, values or a margin that are not positive.
    """
    scaled = _log(values, "values") if log else values
    limit = float(_log(margin, "margin")) if log else float(margin)
    estimate = t_interval(scaled, level)
    return _direction(estimate, limit, above, log, margin, np.size(values))


def equivalence(
    values: ArrayLike,
    reference: float,
    tolerance: float,
    absolute: bool = False,
    log: bool = False,
    level: float = LEVEL,
) -> Judgement:
    """Judge whether the mean of `values` (replicates,) equals `reference` within `tolerance`.

    Holds if the whole interval lies inside reference x (1 +- tolerance), or reference +-
    tolerance with `absolute`; is refuted if it lies wholly outside. Never "the reference lies in
    the interval": noise would pass and many data would fail.

    Raises
    ------
    ValueError
        See `t_interval`; a tolerance that leaves no band; with `log`, what is not positive.
    """
    low, high = _band(reference, tolerance, absolute)
    scaled = _log(values, "values") if log else values
    if log:
        low, high = (float(_log(b, "reference less tolerance")) for b in (low, high))
    estimate = t_interval(scaled, level)
    return _equivalence(estimate, (low, high), log, reference, tolerance, np.size(values))


def worst(judged: Sequence[Judgement]) -> Judgement:
    """Return that of several judgements which says the least for the claim they all belong to."""
    order = {"refuted": 0, "inconclusive": 1, "holds": 2}
    return min(judged, key=lambda found: (order[found.verdict], found.power or 0.0))


def proportion_direction(
    successes: int, trials: int, margin: float, above: bool = True, level: float = LEVEL
) -> Judgement:
    """Judge as `direction` does whether a share lies beyond `margin`."""
    estimate = proportion_interval(successes, trials, level)
    return _direction(estimate, float(margin), above, False, margin, trials)


def proportion_equivalence(
    successes: int,
    trials: int,
    reference: float,
    tolerance: float,
    absolute: bool = False,
    level: float = LEVEL,
) -> Judgement:
    """Judge as `equivalence` does whether a share equals `reference` within `tolerance`."""
    band = _band(reference, tolerance, absolute)
    estimate = proportion_interval(successes, trials, level)
    return _equivalence(estimate, band, False, reference, tolerance, trials)


def trend(
    x: ArrayLike,
    values: ArrayLike,
    *,
    margin: float | None = None,
    above: bool = True,
    reference: float | None = None,
    tolerance: float | None = None,
    absolute: bool = False,
    level: float = LEVEL,
) -> Judgement:
    """Judge one slope a replicate: against `margin`, or against `reference` and `tolerance`.

    `x` and `values` as in `slopes`; the rest as in `direction` or `equivalence`.
    """
    each = slopes(x, values)
    if margin is not None and reference is None and tolerance is None:
        return direction(each, margin, above, level=level)
    if margin is None and reference is not None and tolerance is not None:
        return equivalence(each, reference, tolerance, absolute, level=level)
    raise ValueError("trend: give either a margin, or a reference and a tolerance")


def exact(measured: ArrayLike, reference: ArrayLike, tolerance: float) -> Judgement:
    """Judge an identity: every ``|measured - reference|`` at most `tolerance` (0: to the bit).

    Arrays are broadcast; the worst element is reported. Never inconclusive; NaN is an error.
    """
    m, r = np.broadcast_arrays(
        np.asarray(measured, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    )
    if m.size == 0 or np.isnan(m).any() or not np.isfinite(r).all() or not tolerance >= 0:
        raise ValueError("exact: needs values without NaN, finite references, a tolerance >= 0")
    off = np.abs(m - r).ravel()
    worst = int(off.argmax())
    value = float(m.flat[worst])
    verdict: Verdict = "holds" if off[worst] <= tolerance else "refuted"
    close = float(r.flat[worst])
    return Judgement(
        verdict, value, (value, value), close, float(tolerance), m.size, math.inf,
        (close - tolerance, close + tolerance),
    )  # fmt: skip


def bound(
    measured: ArrayLike,
    *,
    upper: float | None = None,
    lower: float | None = None,
    tolerance: float = 0.0,
) -> Judgement:
    """Judge hard bounds: no value above `upper` or below `lower` by more than `tolerance`.

    The value nearest to a bound, or furthest beyond it, is reported with that bound. Never
    inconclusive; NaN is an error, an infinite value is beyond its bound.
    """
    v = np.asarray(measured, dtype=np.float64).ravel()
    limits = [(1.0, upper)] if upper is not None else []
    limits += [(-1.0, lower)] if lower is not None else []
    if not limits or not all(math.isfinite(b) for _, b in limits):
        raise ValueError("bound: give upper, lower or both, finite")
    if v.size == 0 or np.isnan(v).any() or not tolerance >= 0:
        raise ValueError("bound: needs values without NaN and a tolerance >= 0")
    excesses = [sign * (v - limit) for sign, limit in limits]
    nearest = max(range(len(limits)), key=lambda i: excesses[i].max())
    worst = int(excesses[nearest].argmax())
    verdict: Verdict = "holds" if excesses[nearest][worst] <= tolerance else "refuted"
    ends = (float(v.min()), float(v.max()))
    limit = float(limits[nearest][1])
    return Judgement(
        verdict, float(v[worst]), ends, limit, float(tolerance), v.size, math.inf,
        (limit - tolerance, limit + tolerance),
    )  # fmt: skip


def _direction(
    estimate: tuple[float, float, float],
    limit: float,
    above: bool,
    log: bool,
    margin: float,
    trials: int,
) -> Judgement:
    if not math.isfinite(limit):
        raise ValueError(f"margin: {margin}: must be finite")
    mean, low, high = estimate
    beyond, short = (low > limit, high < limit) if above else (high < limit, low > limit)
    verdict: Verdict = "holds" if beyond else "refuted" if short else "inconclusive"
    power = _power(abs(mean - limit), high - low)
    measured, *ends = np.exp(estimate).tolist() if log else estimate
    return Judgement(verdict, measured, (ends[0], ends[1]), float(margin), None, trials, power)


def _equivalence(
    estimate: tuple[float, float, float],
    band: tuple[float, float],
    log: bool,
    reference: float,
    tolerance: float,
    trials: int,
) -> Judgement:
    mean, low, high = estimate
    inside = band[0] <= low and high <= band[1]
    outside = high < band[0] or low > band[1]
    verdict: Verdict = "holds" if inside else "refuted" if outside else "inconclusive"
    power = _power(min(abs(mean - b) for b in band), high - low)
    measured, *ends = np.exp(estimate).tolist() if log else estimate
    limits = np.exp(band).tolist() if log else band
    return Judgement(
        verdict, measured, (ends[0], ends[1]), float(reference), float(tolerance), trials, power,
        (float(limits[0]), float(limits[1])),
    )  # fmt: skip


def _power(distance: float, width: float) -> float:
    if width == 0:
        return math.inf if distance > 0 else 0.0
    return distance / (width / 2)


def _band(reference: float, tolerance: float, absolute: bool) -> tuple[float, float]:
    half = float(tolerance) if absolute else abs(reference) * tolerance
    if not (math.isfinite(reference) and math.isfinite(half) and tolerance > 0 and half > 0):
        raise ValueError(
            f"reference {reference}, tolerance {tolerance}: must be finite and leave a band "
            "(a reference of 0 needs absolute=True)"
        )
    return reference - half, reference + half


def _log(values: ArrayLike, name: str) -> NDArray[np.float64]:
    v = np.asarray(values, dtype=np.float64)
    if (v <= 0).any():
        raise ValueError(f"{name}: {v.min()}: must be positive on a log scale")
    return np.log(v)
