"""Activations, losses and the dense layer against the naive reference, with NaN and inf, and
against central differences. The lanes without the JIT and with bounds checks run this file, too.
"""

from __future__ import annotations

import itertools
from typing import Any

import cases
import naive
import numpy as np
import pytest
from cases import ACTIVATIONS, DTYPES, LOSSES, SHAPES, names

from simdl._jit import address
from simdl.engine.records import product_signature
from simdl.kernels import dense, losses
from simdl.kernels.activations import PAIRS
from simdl.kernels.products import product

STEP = 6e-6  # about eps^(1/3): truncation and rounding of a central difference are then equal
PRECISE = 1e-7  # relative error of a gradient check
ROUNDINGS = 16  # how many ulp a short formula may be off


@pytest.fixture(autouse=True)
def quiet():
    """Plain Python's scalars warn where compiled code goes on to inf and NaN."""
    with np.errstate(all="ignore"):
        yield


def close(got: np.ndarray, want: np.ndarray, roundings: float = ROUNDINGS) -> bool:
    """Equal up to `roundings` ulp of the size or of 1; inf and NaN in the same places."""
    bound = roundings * float(np.finfo(got.dtype).eps)
    return np.allclose(got.astype(float), want, rtol=bound, atol=bound, equal_nan=True)


def special(dtype: str) -> np.ndarray:
    """Numbers at which something may go wrong."""
    kind = np.finfo(dtype)
    ordinary = [0.0, -0.0, 1.0, -1.0, 19.999, 20.0, 20.001, -20.0, 60.0, -60.0, 1e5, -1e5]
    ends = [kind.max, kind.tiny, kind.smallest_subnormal, kind.eps]
    return np.array([np.nan, np.inf, -np.inf, *ordinary, *ends, *(-end for end in ends)], dtype)


def relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b), 1e-300)


def away_from(kinks: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.01, kink + 0.05, x)
    return x


# --- activations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ACTIVATIONS, ids=names(ACTIVATIONS))
def test_activation(case: cases.ActivationCase, dtype: str) -> None:
    rng = np.random.default_rng(1)
    f, slope = naive.ACTIVATIONS[case.kernel]
    forward, backward = PAIRS[case.kernel]
    for n in (0, 1, 7, 500):
        x, dy = (rng.normal(scale=s, size=n).astype(dtype) for s in (4, 1))
        y, dx = np.full_like(x, 7), np.full_like(x, 7)
        before = x.copy(), dy.copy()
        forward(y, x, case.alpha)
        backward(dx, dy, x, y, case.alpha)
        wide = x.astype(float)
        assert close(y, f(wide, case.alpha))
        assert close(dx, dy * slope(wide, case.alpha))
        assert np.array_equal(x, before[0]) and np.array_equal(dy, before[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ACTIVATIONS, ids=names(ACTIVATIONS))
def test_activation_of_inf_nan_and_extremes(case: cases.ActivationCase, dtype: str) -> None:
    """inf and NaN come out where the reference has them: no branch swallows them."""
    f, slope = naive.ACTIVATIONS[case.kernel]
    forward, backward = PAIRS[case.kernel]
    x = special(dtype)
    y, dx = np.zeros_like(x), np.zeros_like(x)
    wide = x.astype(float)
    want = np.asarray(f(wide, case.alpha), float).astype(dtype).astype(float)
    forward(y, x, case.alpha)
    assert close(y, want)
    for dy in (1.0, 0.0, -2.0):
        backward(dx, np.full_like(x, dy), x, y, case.alpha)
        assert close(dx, dy * slope(wide, case.alpha)), dy
    for dy in (np.nan, np.inf):
        backward(dx, np.full_like(x, dy), x, y, case.alpha)
        flat = slope(wide, case.alpha)
        sure = np.abs(flat) > 0.1  # inf times what rounds to 0 or not is no promise
        assert close(dx[sure], (dy * flat)[sure]), dy


def gradient_error(case: cases.ActivationCase, forward: Any, backward: Any) -> float:
    """Return the largest relative error of the gradient along five random directions."""
    rng = np.random.default_rng(2)
    x = away_from(case.kinks, rng.normal(scale=3, size=300))
    weights, y, dx = rng.normal(size=x.size), np.empty_like(x), np.empty_like(x)

    def total(x: np.ndarray) -> float:
        forward(y, x, case.alpha)
        return float(weights @ y)

    total(x)
    backward(dx, weights, x, y, case.alpha)
    errors = []
    for _ in range(5):
        way = rng.normal(size=x.size)
        difference = (total(x + STEP * way) - total(x - STEP * way)) / (2 * STEP)
        errors.append(relative(float(dx @ way), difference))
    return max(errors)


@pytest.mark.parametrize("case", ACTIVATIONS, ids=names(ACTIVATIONS))
def test_activation_gradient(case: cases.ActivationCase) -> None:
    assert gradient_error(case, *PAIRS[case.kernel]) < PRECISE


@pytest.mark.parametrize("case", ACTIVATIONS, ids=names(ACTIVATIONS))
def test_a_wrong_gradient_is_found(case: cases.ActivationCase) -> None:
    """The check itself: a millionth too much, or one element's slope missing, is enough to fail."""
    forward, backward = PAIRS[case.kernel]

    def too_steep(dx, dy, x, y, alpha):
        backward(dx, dy, x, y, alpha)
        dx *= 1 + 1e-6

    def one_lost(dx, dy, x, y, alpha):
        backward(dx, dy, x, y, alpha)
        dx[np.argmax(np.abs(dx))] = 0

    assert gradient_error(case, forward, too_steep) > PRECISE
    assert gradient_error(case, forward, one_lost) > PRECISE


# --- losses ---------------------------------------------------------------------------------------


def run_loss(case: cases.LossCase, y: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each sample's loss and the gradient of the mean."""
    function, option = cases.loss_rule(case)
    assert option == case.option
    rows = np.ascontiguousarray((t[:, None] if case.labels else t).astype(y.dtype))
    out, dy = np.full(len(y), 7, y.dtype), np.full_like(y, 7)
    function(out, dy, y, rows, option)
    return out, dy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))
def test_loss(case: cases.LossCase, shape: tuple[int, int], dtype: str) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(scale=3, size=shape).astype(dtype)
    t = cases.targets(case, *shape, rng)
    t = t if case.labels else t.astype(dtype)
    out, dy = run_loss(case, y, t)
    want, slope = naive.LOSSES[case.naive](y.astype(float), t, case.option)
    assert close(out, want, 32) and close(dy, slope)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))
def test_loss_of_inf_nan_and_extremes(case: cases.LossCase, dtype: str) -> None:
    """Each special number in each place of a row, at the label and beside it."""
    numbers = special(dtype)
    pairs = [*itertools.product(numbers, (0.5, np.nan, np.inf)), (-np.inf, -np.inf)]
    y = np.array([(a, b, 1.0)[i:] + (a, b, 1.0)[:i] for a, b in pairs for i in range(3)], dtype)
    rng = np.random.default_rng(4)
    t = cases.targets(case, *y.shape, rng)
    t = t if case.labels else t.astype(dtype)
    out, dy = run_loss(case, y, t)
    want, slope = naive.LOSSES[case.naive](y, t, case.option)  # it overflows where y's type does
    want, slope = want.astype(dtype).astype(float), slope.astype(dtype).astype(float)
    bound = 64 * float(np.finfo(dtype).eps)
    assert np.allclose(out.astype(float), want, rtol=bound, atol=bound, equal_nan=True)
    assert np.allclose(dy.astype(float), slope, rtol=bound, atol=bound, equal_nan=True)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[1] > 1], ids=str)
@pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))
def test_loss_gradient(case: cases.LossCase, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    y, t = rng.normal(scale=2, size=shape), cases.targets(case, *shape, rng)
    _, dy = run_loss(case, y, t)
    for _ in range(5):
        way = rng.normal(size=shape)
        above, below = (run_loss(case, y + sign * STEP * way, t)[0].mean() for sign in (1, -1))
        assert relative(float((dy * way).sum()), (above - below) / (2 * STEP)) < PRECISE


def test_softmax_survives_large_logits() -> None:
    y, t = np.array([[1000.0, 0.0, -1000.0]]), np.array([[1.0]])
    out, dy = np.empty(1), np.empty_like(y)
    losses.softmax_cross_entropy(out, dy, y, t, 0.0)
    assert out[0] == 1000 and np.array_equal(dy, [[1, -1, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_count_correct(dtype: str) -> None:
    rng = np.random.default_rng(6)
    y = rng.integers(0, 4, size=(60, 5)).astype(dtype)  # many ties: the first maximum counts
    y[3, 2], y[7, 0], y[11, 4], y[13, 1] = np.nan, np.nan, np.inf, -np.inf
    labels = rng.integers(0, 5, 60)
    labels[11] = 4
    one_hot = np.eye(5, dtype=dtype)[labels]
    for n in (0, 1, 8, 60):
        want = naive.count_correct(y[:n], labels[:n])
        assert losses.count_correct(y, labels[:, None].astype(dtype), n, 0.0) == want
        assert losses.count_correct(y, one_hot, n, 0.0) == want


@pytest.mark.parametrize("threshold", [0.0, 0.5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_count_correct_of_one_output(dtype: str, threshold: float) -> None:
    y = np.array([-2, -0.0, 0, 0.25, 0.5, 0.75, 3, np.nan, np.inf, -np.inf], dtype)[:, None]
    for labels in (np.zeros(10), np.ones(10), np.arange(10) % 2):
        want = naive.count_correct(y, labels, threshold)
        assert losses.count_correct(y, labels[:, None].astype(dtype), 10, threshold) == want
    assert losses.count_correct(y, np.zeros((10, 1), dtype), 10, np.inf) == 9  # a single class


# --- dense ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "sizes",
    [
        (1, 1, 1),
        (1, 5, 3),
        (6, 1, 4),
        (9, 13, 1),
        (33, 20, 17),
        (97, 150, 80),
        (20, 260, 250),
        (3, 300, 260),  # the last ones in blocks
    ],
)
def test_dense(sizes: tuple[int, int, int], dtype: str) -> None:
    n, inside, outside = sizes
    rng = np.random.default_rng(7)
    x, w, b, dy = (
        rng.normal(size=s).astype(dtype)
        for s in [(n, inside), (inside, outside), (outside,), (n, outside)]
    )
    y, dw, db, dx = (np.full(a.shape, 7, dtype) for a in (dy, w, b, x))
    where = address(product, product_signature(dtype))
    dense.dense_forward(y, x, w, b, where)
    dense.dense_backward_parameters(dw, db, dy, x, where)
    dense.dense_backward_input(dx, dy, w, where)
    x, w, b, dy = (a.astype(float) for a in (x, w, b, dy))
    ulps = 64 + 4 * max(sizes)  # of sums this long
    assert close(y, x @ w + b, ulps) and close(dx, dy @ w.T, ulps)
    assert close(dw, x.T @ dy, ulps) and close(db, dy.sum(axis=0), ulps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_dense_keeps_nan_and_inf(bad: float, dtype: str) -> None:
    """One bad input spoils its own row, one bad weight its own column, and neither is lost."""
    rng = np.random.default_rng(8)
    x, w, b = (rng.normal(size=s).astype(dtype) for s in [(9, 6), (6, 5), (5,)])
    for place in ("x", "w", "b"):
        arrays = {"x": x.copy(), "w": w.copy(), "b": b.copy()}
        arrays[place].flat[3] = bad
        y = np.zeros((9, 5), dtype)
        where = address(product, product_signature(dtype))
        dense.dense_forward(y, arrays["x"], arrays["w"], arrays["b"], where)
        want = arrays["x"].astype(float) @ arrays["w"] + arrays["b"]
        assert np.array_equal(np.isfinite(y), np.isfinite(want)) and close(y, want, 64)
