"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
from scenario_faults import Change, Claims, same, scaled

from scenarios.double_descent import CHOSEN, OWN, Settings
from simdl.errors import InputError
from simdl.scenario.interpolation import relabelled, shortest
from simdl.theory import least_squares as theory

NAME, FIGURES = "double_descent", {"least_squares", "networks"}
SMALL = {
    "seeds": 8, "draws": 60, "trained": 8, "widths": [21, 104],
}  # fmt: skip
WIDE = ("P-ridgeless-before", "P-ridgeless-behind", "P-chosen-under", "P-chosen-over")


def moved_by_three_tolerances(name: str) -> Change:
    return scaled(name, 1.15)


FAULTS: dict[str, tuple[str, Change]] = {
    "P-ridgeless-under": ("all", moved_by_three_tolerances("risk")),
    "P-ridgeless-before": ("all", scaled("risk", 1.3)),
    "P-ridgeless-behind": ("all", scaled("risk", 1.3)),
    "P-ridgeless-over": ("all", moved_by_three_tolerances("risk")),
    "P-chosen-under": ("chosen", scaled("risk", 1.3)),
    "P-chosen-over": ("chosen", scaled("risk", 1.3)),
    "P-second-descent": ("chosen", same("chosen", 1, 100)),
    "P-hump-networks": ("networks", same("width", 104, 21)),
}
TestClaims = Claims


@pytest.mark.parametrize("p", [p for p in (*OWN, *CHOSEN) if p > 1])
def test_shortest_weights_are_those_of_the_pseudoinverse(p: int) -> None:
    rng = np.random.default_rng(p)
    x, y = rng.normal(size=(40, p)), rng.normal(size=(40, 3))
    np.testing.assert_allclose(shortest(x, y), np.linalg.pinv(x) @ y, rtol=1e-8, atol=1e-10)


def test_a_share_of_the_labels_is_drawn_anew() -> None:
    t, rng = np.zeros(1000, np.int64), np.random.default_rng(0)
    new = relabelled(t, 0.2, 10, rng)
    assert 0.15 < np.mean(new != 0) <= 0.2  # a tenth of what is drawn is what it was
    assert set(new) == set(range(10))
    assert not t.any()
    assert (relabelled(t, 0.0, 10, rng) == t).all()


@pytest.mark.parametrize(("n", "p", "total"), [(12, 4, 4), (12, 24, 24), (12, 4, 30), (12, 24, 30)])
def test_risks_by_monte_carlo(n: int, p: int, total: int) -> None:
    """With the pseudoinverse, on new samples: another way than the scenario's."""
    rng, errors = np.random.default_rng(n + p + total), []
    for _ in range(6000):
        w = rng.normal(size=total)
        w *= 2 / np.linalg.norm(w)
        x, new = rng.normal(size=(2, n, total))
        y = x @ w + 0.5 * rng.normal(size=n)
        found = np.linalg.pinv(x[:, :p]) @ y
        errors.append(np.mean((new[:, :p] @ found - new @ w) ** 2))
    expected = theory.chosen_risk(n, p, total, signal=4.0, noise=0.25)
    assert np.mean(errors) == pytest.approx(expected, rel=0.05)


def test_risks_at_their_limits() -> None:
    assert theory.excess_risk(40, 40, 1.0, 0.1) == theory.excess_risk(40, 41, 1.0, 0.1) == np.inf
    assert theory.excess_risk(40, 10**9, 1.0, 0.1) == pytest.approx(1.0)  # nothing is learned
    own = theory.excess_risk(40, 50, 1.0, 0.1)
    assert theory.chosen_risk(40, 50, 50, 1.0, 0.1) == pytest.approx(own)
    with pytest.raises(ValueError, match="at most 5"):
        theory.chosen_risk(40, 6, 5, 1.0, 0.1)
    with pytest.raises(ValueError, match="at least 1"):
        theory.excess_risk(0, 6, 1.0, 0.1)
    with pytest.raises(ValueError, match="negative"):
        theory.excess_risk(10, 6, 1.0, -0.1)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="peak: 22: must be one of the widths"):
        Settings.chosen("quick", {"peak": 22})
    with pytest.raises(InputError, match="must rise"):
        Settings.chosen("quick", {"widths": [21, 9, 104]})
