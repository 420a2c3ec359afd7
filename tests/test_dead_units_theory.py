"""Closed forms of networks that are born dead: printed values, exact cases, a Monte Carlo."""

import itertools

import numpy as np
import pytest

from simdl.theory import dead_units as theory


def test_dead_at_one_input_by_enumeration():
    widths, alive = (2, 1, 3), 1.0
    for width in widths:
        signs = list(itertools.product((-1, 1), repeat=width))
        alive *= np.mean([max(pattern) > 0 for pattern in signs])
    assert theory.dead_at_input(widths) == pytest.approx(1 - alive)
    assert theory.dead_at_input([]) == 0


@pytest.mark.parametrize(
    ("width", "layers", "low", "high"), [(2, 10, 0.870, 0.925), (3, 10, 0.513, 0.699)]
)
def test_printed_bounds(width, layers, low, high):
    assert theory.born_dead_bounds(width, layers) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_three_layers_reach_the_lower_bound(width):
    exact = theory.born_dead_three_layers(width)
    assert exact == pytest.approx(theory.born_dead_bounds(width, 3)[0])
    assert theory.born_dead_bounds(width, 2)[0] == pytest.approx(0)  # one layer sees both sides


def test_three_layers_by_monte_carlo():
    rng, nets = np.random.default_rng(0), 40_000
    first = rng.normal(size=(nets, 2, 1)) * np.array([1.0, -1.0])
    second = rng.normal(size=(nets, 2, 2)) @ np.maximum(first, 0)
    dead = (second <= 0).all(axis=(1, 2)).mean()
    assert theory.born_dead_three_layers(2) == 0.15625
    assert dead == pytest.approx(0.15625, abs=0.006)  # three standard errors


@pytest.mark.parametrize(
    "call",
    [
        lambda: theory.dead_at_input([2, 0]),
        lambda: theory.born_dead_bounds(1, 3),
        lambda: theory.born_dead_bounds(2, 1),
        lambda: theory.born_dead_three_layers(1),
    ],
)
def test_what_has_no_answer_is_refused(call):
    with pytest.raises(ValueError, match="must be at least"):
        call()
