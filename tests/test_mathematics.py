"""exp, log, tanh, sigmoid and their kin, against a wider reference and over the whole range."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from cases import DTYPES
from scipy.special import ndtr

from simdl import njit
from simdl.kernels import mathematics as m

BOUNDS = {"exp": 2.0, "log": 2.0, "tanh": 2.0, "sigmoid": 3.0}  # in ulp of the result
WIDER = {"float32": np.float64, "float64": np.longdouble}
if np.finfo(np.longdouble).nmant < 63:  # this machine has nothing wider than float64
    WIDER.pop("float64")


@njit
def exp_all(y, x):
    for i in range(x.size):
        y[i] = m.exp(x[i])


@njit
def log_all(y, x):
    for i in range(x.size):
        y[i] = m.log(x[i])


@njit
def tanh_all(y, x):
    for i in range(x.size):
        y[i] = m.tanh(x[i])


@njit
def sigmoid_all(y, x):
    for i in range(x.size):
        y[i] = m.sigmoid(x[i])


@njit
def expm1_all(y, x):
    for i in range(x.size):
        y[i] = m.expm1(x[i])


@njit
def log1p_exp_neg_all(y, x):
    for i in range(x.size):
        y[i] = m.log1p_exp_neg(x[i])


@njit
def sincos_all(sine, cosine, t):
    for i in range(t.size):
        sine[i], cosine[i] = m.sincos_turns(t[i])


COMPILED = {"exp": exp_all, "log": log_all, "tanh": tanh_all, "sigmoid": sigmoid_all}
REFERENCE: dict[str, Callable] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
PRECISE = {  # in as many digits as one likes
    "exp": mpmath.exp,
    "log": mpmath.log,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
}


def run(function, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    function(y, x)
    return y


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Distance in units in the last place of the *exact* result, subnormal spacing included.

    A want beyond the largest number counts as that number's binade, so that an overflow is right
    where rounding would overflow, too.
    """
    largest = np.finfo(got.dtype).max
    below = np.nextafter(largest, got.dtype.type(0))
    with np.errstate(all="ignore"):
        end = want.dtype.type(largest) + want.dtype.type(largest - below)
        unit = np.spacing(np.minimum(np.abs(want).astype(got.dtype), below)).astype(want.dtype)
        exact, mine = np.clip(want, -end, end), np.clip(got.astype(want.dtype), -end, end)
        return np.abs(mine - exact) / unit


def patterns(dtype: str, count: int) -> np.ndarray:
    """Bit patterns spread evenly over all numbers of the precision: every exponent, both signs."""
    bits = 32 if dtype == "float32" else 64
    step = 2**bits // count
    step += 1 - step % 2  # odd, so that low bits vary, too
    raw = np.arange(count, dtype=np.uint64) * np.uint64(step)
    x = raw.astype(np.uint32).view(np.float32) if bits == 32 else raw.view(np.float64)
    return x[np.isfinite(x)]


def landmarks(dtype: str) -> np.ndarray:
    """Powers of two, their neighbours, subnormals, thresholds of the code and of overflow."""
    kind = np.finfo(dtype)
    lowest, highest = (-149, 127) if dtype == "float32" else (-1074, 1023)
    powers = np.ldexp(np.ones(highest - lowest + 1), np.arange(lowest, highest + 1))
    over = float(np.log(kind.max))
    under = (lowest - 1) * float(np.log(2))
    edges = [over, under, over - 1, under + 1, (lowest + 22) * 0.693, 0.6, 0.3, 20.0, 0.349]
    edges += [9.01, 19.06, 16.6, 36.7, 88.0, 89.0, 104.0, 710.0, 746.0, np.sqrt(0.5), np.sqrt(2.0)]
    halves = (np.arange(-2200, 2200) + 0.5) * np.log(2)  # where exp's rounding switches over
    with np.errstate(over="ignore"):
        near = np.concatenate([powers, edges, halves, [kind.max, kind.tiny]]).astype(dtype)
    near = near[np.isfinite(near)]
    for _ in range(3):
        with np.errstate(all="ignore"):
            beside = [np.nextafter(near, np.dtype(dtype).type(end)) for end in (np.inf, -np.inf)]
        near = np.concatenate([near, *beside])
    near = np.unique(near)
    return np.concatenate([near, -near])


def domain(name: str, x: np.ndarray) -> np.ndarray:
    return x[np.isfinite(x) & ((x > 0) | (name != "log"))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_ulp_bound(name: str, dtype: str) -> None:
    if dtype not in WIDER:
        pytest.skip("no type wider than float64 here: test_landmarks_in_many_digits covers it")
    rng = np.random.default_rng(1)
    usual = np.concatenate([rng.uniform(-110, 110, 200_000), rng.normal(size=200_000)])
    if dtype == "float64":
        usual = np.concatenate([usual, rng.uniform(-750, 720, 200_000)])
    count = 2**32 // 257 if dtype == "float32" else 2_000_000
    numbers = np.concatenate([patterns(dtype, count), landmarks(dtype), usual.astype(dtype)])
    for x in np.array_split(domain(name, numbers), len(numbers) // 2**18):  # fits in the cache
        with np.errstate(all="ignore"):
            want = REFERENCE[name](x.astype(WIDER[dtype]))
        far = ulps(run(COMPILED[name], x), want)
        worst = int(np.argmax(far))
        assert far[worst] <= BOUNDS[name], f"{name}({x[worst]!r}) is {far[worst]:.2f} ulp off"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_landmarks_in_many_digits(name: str, dtype: str) -> None:
    """The same against mpmath, which shares no mathematics library with NumPy."""
    rng = np.random.default_rng(2)
    edges = rng.choice(domain(name, landmarks(dtype)), 600, replace=False)
    usual = domain(name, rng.normal(scale=10, size=600).astype(dtype))
    x = np.concatenate([edges, usual])
    x = x[np.abs(x) < 1e5] if name != "log" else x  # beyond, digits by the million
    got = run(COMPILED[name], x)
    kind = np.finfo(dtype)
    with mpmath.workdps(60):
        for value, mine in zip(x, got, strict=True):
            exact = PRECISE[name](mpmath.mpf(float(value)))
            if abs(exact) > float(kind.max):
                assert np.isinf(mine) or mine == kind.max
            else:
                unit = float(np.spacing(np.dtype(dtype).type(abs(float(exact)))))
                assert abs(mpmath.mpf(float(mine)) - exact) <= BOUNDS[name] * unit, value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_special_numbers_as_numpy(name: str, dtype: str) -> None:
    """inf, NaN, signed zeros, overflow, numbers too small: as NumPy gives them, sign included."""
    kind = np.finfo(dtype)
    x = [np.inf, -np.inf, np.nan, -np.nan, 0.0, -0.0, kind.max, -kind.max]
    x = np.array([*x, 1000.0, -1000.0, -1.0, -kind.smallest_subnormal], dtype)
    with np.errstate(all="ignore"):
        want = REFERENCE[name](x)
    got = run(COMPILED[name], x)
    special = ~np.isfinite(want) | (want == 0) | (np.abs(want) == 1)
    assert np.array_equal(got[special], want[special], equal_nan=True)
    sound = special & ~np.isnan(want)
    assert np.array_equal(np.signbit(got[sound]), np.signbit(want[sound]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_may_be_subnormal(dtype: str) -> None:
    """Outside training nothing is flushed: exp reaches the smallest numbers there are."""
    kind = np.finfo(dtype)
    x = np.linspace(np.log(float(kind.smallest_subnormal)), np.log(float(kind.tiny)), 999)
    y = run(exp_all, x.astype(dtype))
    assert (y > 0).all() and (y[:-1] < kind.tiny).all() and (np.diff(y) >= 0).all()
    tiny = np.array([kind.smallest_subnormal, kind.tiny / 3], dtype)
    assert np.array_equal(run(tanh_all, tiny), tiny)


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm1_has_no_cancellation(dtype: str) -> None:
    x = np.concatenate([patterns(dtype, 300_000), np.linspace(-40, 0, 9999).astype(dtype)])
    x = x[x <= 0]
    wide = WIDER.get(dtype, np.float64)
    far = ulps(run(expm1_all, x), np.expm1(x.astype(wide)))
    assert far.max() <= 3
    ends = run(expm1_all, np.array([-np.inf, np.nan, 0.0], dtype))
    assert np.array_equal(ends, np.array([-1, np.nan, 0], dtype), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_log1p_exp_neg_is_accurate_everywhere(dtype: str) -> None:
    x = np.abs(
        np.concatenate([patterns(dtype, 300_000), np.linspace(0, 800, 99_999).astype(dtype)])
    )
    wide = WIDER.get(dtype, np.float64)
    far = ulps(run(log1p_exp_neg_all, x), np.log1p(np.exp(-x.astype(wide))))
    assert far.max() <= 4
    ends = run(log1p_exp_neg_all, np.array([np.inf, np.nan], dtype))
    assert np.array_equal(ends, np.array([0, np.nan], dtype), equal_nan=True)


def test_sincos_turns() -> None:
    rng = np.random.default_rng(3)
    eighths = np.arange(64) / 64
    t = np.concatenate([rng.random(100_000), eighths, np.nextafter(eighths[1:], 0)])
    sine, cosine = np.empty_like(t), np.empty_like(t)
    sincos_all(sine, cosine, t)
    wide = WIDER.get("float64", np.float64)
    angle = t.astype(wide) * (8 * np.arctan(wide(1)))
    assert np.abs(sine - np.sin(angle)).max() < 3e-16
    assert np.abs(cosine - np.cos(angle)).max() < 3e-16
    quarters = np.array([0.0, 0.25, 0.5, 0.75])
    at, aside = np.empty(4), np.empty(4)
    sincos_all(at, aside, quarters)
    assert np.array_equal(at, [0, 1, 0, -1]) and np.array_equal(aside, [1, 0, -1, 0])


def test_ulps_can_tell_a_wrong_result() -> None:
    """The measure itself: neighbours are 1 apart, near the largest and the smallest numbers too."""
    for x in (1.0, 3.0, 1e-42, 3e38):
        right = np.array([x], np.float32)
        wrong = np.nextafter(right, np.float32(np.inf))
        assert ulps(wrong, right.astype(float))[0] == pytest.approx(1)
    assert ulps(np.array([np.inf], np.float32), np.array([1e38]))[0] > 1e6
    assert np.isnan(ulps(np.array([np.nan], np.float32), np.array([1.0]))[0])


@njit
def normal_cdf_all(y, x):
    for i in range(x.size):
        y[i] = m.normal_cdf(x[i])


def test_normal_distribution_in_ulp() -> None:
    """Far below 0, too, where 1 + erf(x) has nothing left."""
    x = np.linspace(-13, 12, 400_001).astype(np.float32)
    y = np.empty_like(x)
    normal_cdf_all(y, x)
    exact = ndtr(x.astype(np.float64))
    assert np.max(np.abs(y - exact) / np.spacing(exact.astype(np.float32))) <= 8


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_distribution_at_the_ends(dtype: str) -> None:
    x = np.array([-np.inf, -40, 0, 40, np.inf, np.nan], dtype)
    y = np.empty_like(x)
    normal_cdf_all(y, x)
    assert np.array_equal(y, np.array([0, 0, 0.5, 1, 1, np.nan], dtype), equal_nan=True)
