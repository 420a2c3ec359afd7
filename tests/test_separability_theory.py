"""Cover's count and threshold functions, by enumeration with linear programs."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from simdl.theory import separability as theory


def separates(x, signs):
    """Whether some w has sign * (x w) >= 1 everywhere."""
    found = linprog(
        np.zeros(x.shape[1]), -signs[:, None] * x, -np.ones(len(x)), bounds=(None, None)
    )
    return found.status == 0


@pytest.mark.parametrize(("points", "dimension", "bias"), [(5, 2, False), (5, 2, True)])
def test_covers_count_by_enumeration(points, dimension, bias):
    x = np.random.default_rng(points).normal(size=(points, dimension))
    x = np.column_stack([x, np.ones(points)]) if bias else x
    signs = list(itertools.product((-1.0, 1.0), repeat=points))
    share = np.mean([separates(x, np.array(own)) for own in signs])
    assert theory.separable_share(points, dimension, bias) == pytest.approx(share)


def test_half_at_twice_the_dimension():
    for d in (1, 4, 9):
        assert theory.separable_share(2 * d, d) == pytest.approx(0.5)
        assert theory.separable_share(d, d) == 1


@pytest.mark.parametrize("inputs", [1, 2])
def test_threshold_functions_by_enumeration(inputs):
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=inputs)))
    x = np.column_stack([corners, np.ones(len(corners))])
    tables = itertools.product((-1.0, 1.0), repeat=len(x))
    count = sum(separates(x, np.array(table)) for table in tables)
    assert theory.THRESHOLD_FUNCTIONS[inputs] == count


def test_what_has_no_answer_is_refused():
    for points, dimension in ((0, 2), (2, 0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            theory.separable_share(points, dimension)
