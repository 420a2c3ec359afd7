"""Closed forms of gradient descent on quadratics, against recursions written here."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simdl.theory import descent


@pytest.mark.parametrize(
    ("lr", "h", "momentum"), [(0.5, 1.0, 0.0), (0.3, 4.0, 0.0), (0.5, 1.0, 0.5), (0.1, 3.0, 0.9)]
)
def test_stationary_variance_is_the_fixed_point_of_the_covariance(lr, h, momentum):
    step = np.array([[1 - lr * h, -lr * momentum], [h, momentum]])  # (w, v) to (w, v)
    noise = np.outer([-lr, 1], [-lr, 1]) * 2.0
    covariance = np.zeros((2, 2))
    for _ in range(4000):
        covariance = step @ covariance @ step.T + noise
    assert descent.stationary_variance(lr, h, 2.0, momentum) == pytest.approx(covariance[0, 0])


def test_stationary_variance_by_monte_carlo():
    rng, w, v = np.random.default_rng(0), np.zeros(100_000), np.zeros(100_000)
    for _ in range(60):
        v = 0.5 * v + w + rng.standard_normal(w.size)
        w = w - 0.5 * v
    assert w.var() == pytest.approx(descent.stationary_variance(0.5, 1, 1, 0.5), rel=0.02)


def test_batch_variance_is_that_of_all_batches():
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    drawn = [np.mean(pair) for pair in itertools.combinations(values, 2)]
    again = [np.mean(pair) for pair in itertools.product(values, repeat=2)]
    assert descent.batch_variance(values.var(), 2, 5) == pytest.approx(np.var(drawn))
    assert descent.batch_variance(values.var(), 2) == pytest.approx(np.var(again))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_largest_rate_is_where_the_iteration_matrix_reaches_one(momentum):
    for share, grows in ((0.999, False), (1.001, True)):
        lr = share * descent.largest_rate(2.0, momentum)
        step = np.array([[1 - lr * 2.0, -lr * momentum], [2.0, momentum]])
        assert (max(abs(np.linalg.eigvals(step))) > 1) == grows


def test_what_has_no_answer_is_refused():
    with pytest.raises(ValueError, match="lr"):
        descent.stationary_variance(2.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="momentum"):
        descent.largest_rate(1.0, 1.0)
    with pytest.raises(ValueError, match="batch"):
        descent.batch_variance(1.0, 6, 5)
