"""Intervals equal the reference's and keep their level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simdl.scenario.intervals import proportion_interval, t_interval
from simdl.scenario.judges import LEVEL, QUICK_LEVEL


def replicates(mean: float, sd: float = 0.1, n: int = 16, seed: int = 0) -> np.ndarray:
    """Return n values with exactly this mean and standard deviation."""
    z = np.random.default_rng(seed).standard_normal(n)
    return mean + sd * (z - z.mean()) / z.std(ddof=1)


@pytest.mark.parametrize("level", [LEVEL, QUICK_LEVEL])
@pytest.mark.parametrize("n", [16, 17, 200])
def test_t_interval_equals_scipy(n, level):
    v = replicates(3.0, n=n)
    mean, low, high = t_interval(v, level)
    assert (low, high) == pytest.approx(
        stats.t.interval(level, n - 1, loc=v.mean(), scale=stats.sem(v)), rel=1e-10
    )
    assert mean == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize("level", [LEVEL, QUICK_LEVEL])
@pytest.mark.parametrize(
    ("k", "n"), [(0, 32), (1, 32), (16, 32), (32, 32), (7305, 9000), (3, 10**6)]
)
def test_proportion_interval_equals_scipy(k, n, level):
    reference = stats.binomtest(k, n).proportion_ci(level, method="exact")
    share, low, high = proportion_interval(k, n, level)
    assert (low, high) == pytest.approx((reference.low, reference.high), rel=1e-8)
    assert share == k / n


def test_t_interval_covers():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(5000):
        _, low, high = t_interval(rng.normal(2.0, 3.0, 16))
        covered += low <= 2.0 <= high
    assert covered / 5000 >= 0.997
    assert covered < 5000  # an interval that never misses would be too wide


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.93])
def test_proportion_interval_covers(p):
    ends = np.array([proportion_interval(k, 48)[1:] for k in range(49)])
    covers = (ends[:, 0] <= p) & (p <= ends[:, 1])
    assert stats.binom.pmf(np.arange(49), 48, p) @ covers >= LEVEL
    drawn = np.random.default_rng(2).binomial(48, p, size=5000)
    assert covers[drawn].mean() >= 0.997


def test_three_standard_errors_would_not_cover():
    """The reason for Student's t: at 16 replicates 3 standard errors miss 9 times too often."""
    assert 2 * stats.t.sf(3.0, 15) > 8 * (1 - LEVEL)
