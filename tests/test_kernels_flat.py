"""Kernels over flat vectors: optimizers, initial weights, statistics."""

from __future__ import annotations

import dataclasses
import math

import cases
import naive
import naive_optimizers
import numpy as np
import pytest
from cases import DTYPES, INITIALIZERS, names
from optimizer_cases import OPTIMIZERS, OptimizerCase

from simdl import optimizers
from simdl.initializers import initializer
from simdl.kernels import penalties, statistics
from simdl.kernels.copying import copy, copy_rows


@pytest.fixture(autouse=True)
def quiet():
    """Plain Python's scalars warn where compiled code goes on to inf and NaN."""
    with np.errstate(all="ignore"):
        yield


# --- optimizers -----------------------------------------------------------------------------------


def walk(case: OptimizerCase, w: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Return the parameters after each step of the kernel."""
    spec = case.spec()
    update, options, slots = spec.rule()
    params, state = w.copy(), np.zeros((slots, w.size), w.dtype)
    path = []
    for t, (g, lr) in enumerate(zip(gradients, case.rates(len(gradients)), strict=True), start=1):
        before = g.copy()
        update(params, g, state, np.array(options, float), lr, t)
        assert np.array_equal(g, before, equal_nan=True)
        path.append(params.copy())
    return np.array(path)


def reference(case: OptimizerCase, w: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    settings = {**case.options, "lr": case.rates(len(gradients))}
    return naive_optimizers.OPTIMIZERS[case.kind](
        w.astype(float), gradients.astype(float), **settings
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_optimizer(case: OptimizerCase, dtype: str) -> None:
    rng = np.random.default_rng(1)
    for n, steps in ((0, 2), (1, 3), (13, 60)):
        w, gradients = rng.normal(size=n).astype(dtype), rng.normal(size=(steps, n)).astype(dtype)
        got, want = walk(case, w, gradients), reference(case, w, gradients)
        error = np.linalg.norm(got - want)
        bound = 1e-12 if dtype == "float64" else 1e-5
        assert error <= bound * max(np.linalg.norm(want), 1e-300)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_optimizer_spreads_nothing_bad(case: OptimizerCase, dtype: str, bad: float) -> None:
    """A bad gradient spoils its own parameter as in the reference, and no other.

    NaN stays; inf does unless only the gradient's sign is looked at.
    """
    rng = np.random.default_rng(2)
    w, gradients = rng.normal(size=9).astype(dtype), rng.normal(size=(4, 9)).astype(dtype)
    gradients[1, 4] = bad
    got, want = walk(case, w, gradients), reference(case, w, gradients)
    assert np.array_equal(np.isnan(got), np.isnan(want))
    assert np.array_equal(np.isinf(got), np.isinf(want))
    assert np.isfinite(np.delete(got, 4, axis=1)).all()
    if np.isnan(bad) or case.kind not in ("Lion", "Rprop"):
        assert not np.isfinite(got[1:, 4]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_a_step_is_the_same_wherever_a_parameter_lies(case: OptimizerCase, dtype: str) -> None:
    """To the bit, in a vector's body as in its tail."""
    rng = np.random.default_rng(4)
    w, gradients = rng.normal(size=67).astype(dtype), rng.normal(size=(5, 67)).astype(dtype)
    whole = walk(case, w, gradients)
    for start in (1, 5, 60):
        part = walk(case, w[start:], np.ascontiguousarray(gradients[:, start:]))
        assert np.array_equal(part, whole[:, start:])


def test_every_optimizer_and_every_option_has_a_row() -> None:
    for kind, spec in optimizers.KINDS.items():
        named = {key for row in OPTIMIZERS if row.kind == kind for key in row.options}
        assert named == {field.name for field in dataclasses.fields(spec)}, kind


@pytest.mark.parametrize("dtype", DTYPES)
def test_penalties(dtype: str) -> None:
    rng = np.random.default_rng(9)
    w, g = rng.normal(size=21).astype(dtype), rng.normal(size=21).astype(dtype)
    w[:8] = [0, -0.0, 0.25, -0.25, np.nan, np.inf, -np.inf, 1e-30]
    grads, params = g.copy(), w.copy()
    penalties.add_decay(grads, params, 0.5)
    np.testing.assert_allclose(grads, g + 0.5 * w, rtol=1e-6, atol=1e-7)
    assert np.array_equal(params, w, equal_nan=True)
    penalties.soft_threshold(params, 0.25)
    want = naive_optimizers.soft_threshold(w.astype(float), 0.25)
    np.testing.assert_allclose(params, want, rtol=1e-6)
    assert not params[[0, 1, 2, 3, 7]].any() and (params == 0).sum() == (want == 0).sum()


# --- initial weights ------------------------------------------------------------------------------


def draw(case: cases.InitializerCase, n_in: int, n_out: int, dtype: str, seed: int, op: int):
    function, scale = initializer(case.spec).rule(n_in, n_out)
    weight, bias = np.zeros((n_in, n_out), dtype), np.zeros(n_out, dtype)
    function(weight, bias, scale, seed, op)
    return weight, bias


@pytest.mark.parametrize("case", INITIALIZERS, ids=names(INITIALIZERS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (9, 1), (5, 7), (8, 8), (11, 3)], ids=str)
def test_initializer(case: cases.InitializerCase, shape: tuple[int, int]) -> None:
    weight, bias = draw(case, *shape, "float64", 7, 2)
    rule = getattr(naive, f"draw_{case.draw}")
    want_weight, want_bias = rule(*shape, case.scale(*shape), 7, 2)
    assert np.allclose(weight, want_weight, rtol=1e-13, atol=1e-13)
    assert np.allclose(bias, want_bias, rtol=1e-13, atol=1e-13)


def test_randomized_asymmetric_without_bias() -> None:
    function, scale = initializer("randomized_asymmetric").rule(5, 60)
    weight = np.zeros((5, 60))
    function(weight, np.zeros(0), scale, 7, 2)
    want, _ = naive.draw_randomized_asymmetric(5, 60, scale, 7, 2, bias=False)
    assert np.allclose(weight, want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (11, 3)], ids=lambda shape: f"float32-{shape}")
@pytest.mark.parametrize("case", INITIALIZERS, ids=names(INITIALIZERS))
def test_single_precision_weights(case: cases.InitializerCase, shape: tuple[int, int]) -> None:
    """They are the double-precision ones up to rounding: the scale's, the draw's, the product's."""
    weight, bias = draw(case, *shape, "float64", 7, 2)
    single_weight, single_bias = draw(case, *shape, "float32", 7, 2)
    assert np.allclose(single_weight, weight, rtol=2e-7, atol=0)
    assert np.allclose(single_bias, bias, rtol=2e-7, atol=0)


# --- statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 15, 1000])
def test_statistics(n: int, dtype: str) -> None:
    x = np.random.default_rng(3).normal(loc=2, size=n).astype(dtype)
    x[::7] = 0
    exact = [float(value) for value in x]
    mean = math.fsum(exact) / n
    squares = math.fsum(value**2 for value in exact)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in exact) / n)
    assert statistics.sum_of_squares(x) == pytest.approx(squares, rel=1e-13)
    assert statistics.total(x) == pytest.approx(mean * n, rel=1e-13)
    assert statistics.root_mean_square(x) == pytest.approx(math.sqrt(squares / n), rel=1e-13)
    assert statistics.mean(x) == pytest.approx(mean, rel=1e-13)
    assert statistics.standard_deviation(x) == pytest.approx(spread, rel=1e-12, abs=1e-300)
    assert statistics.share_of_zeros(x) == exact.count(0.0) / n


EDGES = np.array([-1.0, 0.0, 0.25, 2.0, 2.5])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 15, 1000])
def test_counts(n: int, dtype: str) -> None:
    """Values on the edges, outside, infinite and NaN among them."""
    rng = np.random.default_rng(3)
    x = rng.normal(loc=1, size=n).astype(dtype)
    some = [2.5, -1.0, 0.0, np.nan, np.inf, -np.inf, 2.0, -0.0]
    x[: len(some)] = rng.permutation(some)[:n] if n < len(some) else some
    shares = np.full(4, np.nan)
    statistics.histogram(shares, x, EDGES)
    within = x[np.isfinite(x)].astype(float)
    assert np.array_equal(shares, np.histogram(within, EDGES)[0] / n)
    for limit in (0.0, 0.5, 2.5, np.inf):
        assert statistics.count_below(x, limit) == (np.abs(x) < limit).sum()
    assert statistics.count_below(x, np.nan) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_squared_distance(dtype: str) -> None:
    rng = np.random.default_rng(3)
    for n in (0, 1, 100):
        x, y = rng.normal(size=(2, n)).astype(dtype)
        want = math.fsum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True))
        assert statistics.squared_distance(x, y) == pytest.approx(want, rel=1e-13)
    x[7] = np.nan
    assert math.isnan(statistics.squared_distance(x, y))
    x[7] = np.inf
    assert statistics.squared_distance(x, y) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_statistics_of_nothing(dtype: str) -> None:
    x = np.zeros(0, dtype)
    assert statistics.sum_of_squares(x) == statistics.total(x) == 0
    for name in ("root_mean_square", "mean", "standard_deviation", "share_of_zeros"):
        assert math.isnan(getattr(statistics, name)(x)), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_statistics_keep_nan_and_inf(bad: float, dtype: str) -> None:
    x = np.ones(37, dtype)
    for place in (0, 7, 16, 36):
        x[:] = 1
        x[place] = bad
        wide = x.astype(float)
        assert np.array_equal(statistics.sum_of_squares(x), (wide**2).sum(), equal_nan=True)
        assert np.array_equal(statistics.total(x), wide.sum(), equal_nan=True)
        assert np.array_equal(statistics.mean(x), wide.mean(), equal_nan=True)
        rms = np.sqrt((wide**2).mean())
        assert np.array_equal(statistics.root_mean_square(x), rms, equal_nan=True)
        assert np.array_equal(statistics.standard_deviation(x), wide.std(), equal_nan=True)


def test_squares_of_small_numbers_are_summed_in_double_precision() -> None:
    x = np.full(100, 1e-30, np.float32)  # the square is below the smallest float32
    assert statistics.root_mean_square(x) == pytest.approx(1e-30, rel=1e-6)


def places(n: int) -> list[int]:
    """Every place of a short vector; of a long one those around vectors' and blocks' edges."""
    edges = {base + off for base in range(0, n, 128) for off in (0, 1, 7, 8, 15, 16, 31, 32, 63)}
    return list(range(n)) if n <= 40 else sorted({i for i in edges if i < n} | {n - 2, n - 1})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 17, 33, 300])
def test_all_finite_finds_a_bad_number_anywhere(n: int, dtype: str) -> None:
    whole, bits = ("uint32", 32) if dtype == "float32" else ("uint64", 64)
    exponent = 0x7F800000 if bits == 32 else 0x7FF0000000000000
    sign = 1 << (bits - 1)
    bad = [exponent, exponent | sign, exponent + 1, exponent | (exponent >> 1), (1 << bits) - 1]
    x = np.random.default_rng(4).normal(size=n).astype(dtype)
    assert statistics.all_finite(x)
    for pattern in bad:  # inf, -inf, a signalling NaN, a quiet one, all bits set
        for place in places(n):
            kept = x[place]
            x.view(whole)[place] = pattern
            assert not statistics.all_finite(x), (hex(pattern), place)
            x[place] = kept
    assert statistics.all_finite(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_finite_lets_every_finite_number_pass(dtype: str) -> None:
    kind = np.finfo(dtype)
    ends = [kind.max, kind.tiny, kind.smallest_subnormal, 0.0]
    assert statistics.all_finite(np.array(ends + [-end for end in ends], dtype))
    assert statistics.all_finite(np.zeros(0, dtype))


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies(dtype: str) -> None:
    """What is left over in the receiver stays."""
    source, to = np.arange(6, dtype=dtype), np.full(6, -1, dtype)
    copy(to, source)
    assert np.array_equal(to, source)
    copy(to[:0], source[:0])
    rows = np.full((4, 2), -1, dtype)
    copy_rows(rows, source.reshape(3, 2))
    assert np.array_equal(rows[:3].ravel(), source) and (rows[3] == -1).all()
