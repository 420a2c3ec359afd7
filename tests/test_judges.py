"""Judges follow their rules, and no spoilt result passes."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from simdl.errors import InputError
from simdl.scenario import judges
from simdl.scenario.intervals import slopes
from simdl.scenario.judges import LEVEL, QUICK_LEVEL


def replicates(mean: float, sd: float = 0.1, n: int = 16, seed: int = 0) -> np.ndarray:
    """Return n values with exactly this mean and standard deviation."""
    z = np.random.default_rng(seed).standard_normal(n)
    return mean + sd * (z - z.mean()) / z.std(ddof=1)


# --- rules of judging


@pytest.mark.parametrize(
    ("mean", "above", "verdict"),
    [
        (1.5, True, "holds"),
        (0.5, True, "refuted"),
        (1.05, True, "inconclusive"),
        (0.5, False, "holds"),
        (1.5, False, "refuted"),
        (0.95, False, "inconclusive"),
    ],
)
def test_direction(mean, above, verdict):
    found = judges.direction(replicates(mean), 1.0, above)
    assert found.verdict == verdict
    assert found.measured == pytest.approx(mean)
    assert (found.reference, found.tolerance, found.trials) == (1.0, None, 16)
    low, high = found.interval
    assert found.power == pytest.approx(abs(mean - 1.0) / ((high - low) / 2))


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [
        (2.0, "holds"),
        (2.3, "inconclusive"),
        (2.6, "refuted"),
        (1.4, "refuted"),
        (1.7, "inconclusive"),
        (2.35, "inconclusive"),  # the mean is outside, its interval is not
        (1.65, "inconclusive"),
    ],
)
@pytest.mark.parametrize(("tolerance", "absolute"), [(0.15, False), (0.3, True)])
def test_equivalence(mean, verdict, tolerance, absolute):
    found = judges.equivalence(replicates(mean, sd=0.2), 2.0, tolerance, absolute)
    assert found.verdict == verdict
    assert (found.reference, found.tolerance) == (2.0, tolerance)


def test_equivalence_does_not_pass_noise():
    """The reference lies in the interval, which is wider than the band: nothing is shown."""
    found = judges.equivalence(replicates(2.0, sd=5.0), 2.0, 0.05)
    assert found.interval[0] < 2.0 < found.interval[1]
    assert found.verdict == "inconclusive"


def test_equivalence_with_a_negative_reference():
    assert judges.equivalence(replicates(-2.0, sd=0.01), -2.0, 0.05).verdict == "holds"
    assert judges.equivalence(replicates(2.0, sd=0.01), -2.0, 0.05).verdict == "refuted"


def test_log_scale_reports_ratios():
    ratios = np.exp(replicates(math.log(1.4669), sd=0.005))
    found = judges.equivalence(ratios, 1.4669, 0.02, log=True)
    assert found.verdict == "holds"
    assert found.measured == pytest.approx(1.4669)
    half = stats.t.ppf(0.5 + LEVEL / 2, 15) * 0.005 / 4
    assert found.interval == pytest.approx((1.4669 * math.exp(-half), 1.4669 * math.exp(half)))
    assert found.power == pytest.approx(math.log(1.02) / half, rel=1e-6)  # the upper end is nearer
    faster = judges.direction(ratios, 1.2, log=True)
    assert (faster.verdict, faster.reference) == ("holds", 1.2)
    assert faster.power == pytest.approx(math.log(1.4669 / 1.2) / half)


def test_quick_runs_ask_for_less():
    """At 99 % a verdict may come where 99.9 % has none, and fewer replicates are enough."""
    v = replicates(1.085)
    assert judges.direction(v, 1.0).verdict == "inconclusive"
    assert judges.direction(v, 1.0, level=QUICK_LEVEL).verdict == "holds"
    assert judges.direction(v[:4] + 1, 1.0, level=QUICK_LEVEL).trials == 4


@pytest.mark.parametrize("level", [0.95, 1.0, 99.9, math.nan])
def test_other_levels_are_refused(level):
    with pytest.raises(ValueError, match="level"):
        judges.direction(replicates(1.0), 0.0, level=level)


def test_too_few_replicates():
    with pytest.raises(InputError, match="15 replicates"):
        judges.direction(replicates(1.0, n=15), 0.0)
    with pytest.raises(InputError, match="31 replicates"):
        judges.proportion_direction(31, 31, 0.7)
    assert judges.proportion_direction(8, 8, 0.5, level=QUICK_LEVEL).verdict == "holds"
    with pytest.raises(ValueError, match="at least 2"):
        judges.direction([1.0], 0.0, level=QUICK_LEVEL)
    with pytest.raises(ValueError):
        judges.equivalence([], 1.0, 0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(bad):
    v = replicates(1.0)
    v[3] = bad
    with pytest.raises(ValueError, match=r"1 of 16 replicates .* number 3"):
        judges.direction(v, 0.0)
    with pytest.raises(ValueError, match="not finite"):
        judges.equivalence(v, 1.0, 0.1)
    with pytest.raises(ValueError, match="1 of 16"):
        judges.trend([0, 1, 2], np.stack([v, v, v], axis=1), margin=0.0)
    with pytest.raises(ValueError):
        judges.direction(v, 0.5, log=True)


def test_overflow_is_no_verdict():
    with pytest.raises(ValueError, match="log scale"):
        judges.direction(np.linspace(1e307, 1.7e308, 16), 0.0)


def test_what_is_not_positive_has_no_logarithm():
    v = replicates(1.0)
    with pytest.raises(ValueError, match="values: 0"):
        judges.direction(np.append(v, 0.0), 1.0, log=True)
    with pytest.raises(ValueError, match="margin"):
        judges.direction(v, 0.0, log=True)
    with pytest.raises(ValueError, match="tolerance"):
        judges.equivalence(v, 1.0, 1.5, log=True)


@pytest.mark.parametrize(
    ("reference", "tolerance"), [(0.0, 0.1), (1.0, 0.0), (1.0, -1.0), (math.nan, 1)]
)
def test_a_band_is_needed(reference, tolerance):
    with pytest.raises(ValueError, match="band"):
        judges.equivalence(replicates(1.0), reference, tolerance)


def test_equal_replicates():
    """0.1 sixteen times has a mean with rounding in it; the interval must have no width."""
    same = np.full(16, 0.1)
    found = judges.equivalence(same, 0.1, 1e-12)
    assert (found.verdict, found.interval, found.power) == ("holds", (0.1, 0.1), math.inf)
    assert judges.direction(same, 0.0).verdict == "holds"
    assert judges.direction(same, 0.2).verdict == "refuted"
    tie = judges.direction(same, 0.1)
    assert (tie.verdict, tie.power) == ("inconclusive", 0.0)
    assert judges.direction(same, 0.1, above=False).verdict == "inconclusive"
    edge = judges.equivalence(np.full(16, 1.5), 1.0, 0.5)
    assert (edge.verdict, edge.power) == ("holds", 0.0)


@pytest.mark.parametrize(("k", "verdict"), [(40, "holds"), (31, "inconclusive"), (5, "refuted")])
def test_proportions(k, verdict):
    assert judges.proportion_direction(k, 40, 0.7).verdict == verdict
    mirrored = judges.proportion_direction(40 - k, 40, 0.3, above=False)
    assert mirrored.verdict == verdict
    found = judges.proportion_equivalence(15_625, 100_000, 0.15625, 0.01, absolute=True)
    assert (found.verdict, found.trials) == ("holds", 100_000)
    assert judges.proportion_equivalence(17_500, 100_000, 0.15625, 0.01, True).verdict == "refuted"


@pytest.mark.parametrize(("k", "n"), [(-1, 40), (41, 40), (0.5, 40), (0, 0)])
def test_counts_that_are_none(k, n):
    with pytest.raises(ValueError, match="successes"):
        judges.proportion_direction(k, n, 0.5)


def test_trend():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    each = replicates(-0.5, sd=0.02)
    values = each[:, None] * x + np.arange(16.0)[:, None]  # replicates differ in level: no matter
    np.testing.assert_allclose(slopes(x, values), each, rtol=1e-12)
    np.testing.assert_allclose(slopes(x, values)[3], stats.linregress(x, values[3]).slope)
    assert judges.trend(x, values, margin=-0.4, above=False).verdict == "holds"
    assert judges.trend(x, values, reference=-0.5, tolerance=0.1).verdict == "holds"
    assert judges.trend(x, values, reference=-0.65, tolerance=0.1).verdict == "refuted"
    with pytest.raises(ValueError, match="either"):
        judges.trend(x, values, margin=0.0, reference=1.0, tolerance=0.1)
    for wrong in (x[:3], np.ones(4), [1, 2, 3, math.nan]):
        with pytest.raises(ValueError, match="x: must be"):
            judges.trend(wrong, values, margin=0.0)


def test_exact():
    found = judges.exact(0.25, 0.25, 0.0)
    assert (found.verdict, found.interval, found.trials) == ("holds", (0.25, 0.25), 1)
    x = np.linspace(-3, 3, 7)
    assert judges.exact(np.tanh(x), np.tanh(x) + 1e-9, 1e-8).verdict == "holds"
    off = np.tanh(x)
    off[2] += 1e-7
    found = judges.exact(off, np.tanh(x), 1e-8)
    assert (found.verdict, found.measured, found.trials) == ("refuted", off[2], 7)
    assert found.reference == np.tanh(x)[2]
    assert judges.exact(math.inf, 1.0, 0.1).verdict == "refuted"
    for wrong in ((math.nan, 1.0, 0.1), (1.0, math.inf, 0.1), (1.0, 1.0, -1.0), ([], [], 0.1)):
        with pytest.raises(ValueError, match="exact"):
            judges.exact(*wrong)


def test_bound():
    found = judges.bound([0.2, 0.25, 0.1], upper=0.25, lower=0.0)
    assert (found.verdict, found.measured, found.reference) == ("holds", 0.25, 0.25)
    assert found.interval == (0.1, 0.25)
    found = judges.bound([0.2, -0.01], upper=0.25, lower=0.0)
    assert (found.verdict, found.measured, found.reference) == ("refuted", -0.01, 0.0)
    assert judges.bound(1.0 + 1e-12, upper=1.0, tolerance=1e-9).verdict == "holds"
    assert judges.bound([1.0, math.inf], upper=1.0).verdict == "refuted"
    for wrong in ({}, {"upper": math.nan}, {"upper": 1.0, "tolerance": -1.0}):
        with pytest.raises(ValueError, match="bound"):
            judges.bound(1.0, **wrong)
    with pytest.raises(ValueError, match="NaN"):
        judges.bound(math.nan, upper=1.0)


# --- planted faults: name, judge, honest data, {fault: spoilt data}; each is expected to hold

_X = np.arange(4.0)
_STEPS = {"relu": replicates(100.0, 5.0), "sigmoid": replicates(200.0, 5.0, seed=1)}


def _lines(slope: float) -> np.ndarray:
    return replicates(slope, 0.02)[:, None] * _X


FAULTS = [
    (
        "direction",
        lambda d: judges.direction(d, 20.0),
        _STEPS["sigmoid"] - _STEPS["relu"],
        {"swapped": _STEPS["relu"] - _STEPS["sigmoid"], "off": np.zeros(16)},
    ),
    (
        "direction, log",
        lambda d: judges.direction(d, 1.2, log=True),
        _STEPS["sigmoid"] / _STEPS["relu"],
        {"swapped": _STEPS["relu"] / _STEPS["sigmoid"], "off": np.ones(16)},
    ),
    (
        "proportion_direction",
        lambda k: judges.proportion_direction(k, 40, 0.7),
        39,
        {"swapped": 1, "off": 0},
    ),
    (
        "trend, margin",
        lambda v: judges.trend(_X, v, margin=0.2),
        _lines(0.5),
        {"swapped": -_lines(0.5), "off": np.ones((16, 4))},
    ),
    (
        "equivalence",
        lambda d: judges.equivalence(d, 0.2361, 0.03),
        replicates(0.2361, 0.004),
        {"swapped": 1 / replicates(0.2361, 0.004), "off": np.ones(16)},
    ),
    (
        "equivalence, log",
        lambda d: judges.equivalence(d, 0.5, 0.02, log=True),
        replicates(0.5, 0.005),
        {"swapped": 1 / replicates(0.5, 0.005), "off": np.ones(16)},
    ),
    (
        "proportion_equivalence",
        lambda k: judges.proportion_equivalence(k, 100_000, 0.87, 0.01, True),
        87_000,
        {"swapped": 13_000, "off": 0},
    ),
    (
        "trend, reference",
        lambda v: judges.trend(_X, v, reference=0.5, tolerance=0.1),
        _lines(0.5),
        {"swapped": -_lines(0.5), "off": np.ones((16, 4))},
    ),
    (
        "exact",
        lambda m: judges.exact(m, [0.25, 0.0], 1e-6),
        np.array([0.25, 0.0]),
        {"swapped": np.array([0.0, 0.25]), "off": np.zeros(2)},
    ),
    (
        "bound",
        lambda m: judges.bound(m, upper=0.25, lower=0.01),
        replicates(0.2, 0.01),
        {"swapped": 1 / replicates(0.2, 0.01), "off": np.zeros(16)},
    ),
]


@pytest.mark.parametrize(("name", "judge", "honest", "spoilt"), FAULTS, ids=[f[0] for f in FAULTS])
def test_planted_faults(name, judge, honest, spoilt):
    assert judge(honest).verdict == "holds"
    for fault, data in spoilt.items():
        assert judge(data).verdict == "refuted", fault


@pytest.mark.parametrize("steps", [-3, 3])
def test_reference_moved_by_three_tolerances(steps):
    def moved(reference: float, tolerance: float) -> float:
        return reference + steps * tolerance

    v = replicates(0.5, 0.005)
    found = [
        judges.equivalence(v, 0.5 * (1 + steps * 0.02), 0.02),
        judges.equivalence(v, 0.5 * (1 + steps * 0.02), 0.02, log=True),
        judges.equivalence(v, moved(0.5, 0.02), 0.02, absolute=True),
        judges.proportion_equivalence(87_000, 100_000, moved(0.87, 0.01), 0.01, absolute=True),
        judges.trend(_X, _lines(0.5), reference=moved(0.5, 0.05), tolerance=0.05, absolute=True),
        judges.exact(0.25, moved(0.25, 1e-6), 1e-6),
    ]
    assert {judgement.verdict for judgement in found} == {"refuted"}


def test_judges_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide = judges.direction(10.0 ** np.linspace(-300, 300, 16), 1.0, log=True)
    assert wide.verdict == "inconclusive"
    assert wide.measured == pytest.approx(1.0)


def test_the_band_is_what_lies_within_the_tolerance() -> None:
    """On the scale of the values, whatever scale is judged on; a margin has none."""
    values = [9.9, 10.0, 10.1, 10.0] * 5
    assert judges.equivalence(values, 10.0, 0.1).band == pytest.approx((9.0, 11.0))
    assert judges.equivalence(values, 10.0, 0.5, absolute=True).band == pytest.approx((9.5, 10.5))
    assert judges.equivalence(values, 10.0, 0.1, log=True).band == pytest.approx((9.0, 11.0))
    assert judges.exact(1.0, 1.0, 0.25).band == (0.75, 1.25)
    assert judges.bound([1.0, 2.0], upper=3.0, tolerance=0.5).band == (2.5, 3.5)
    assert judges.direction(values, 1.0).band is None
