"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, moved, scaled

from scenarios.weight_penalties import Settings
from simdl.errors import InputError
from simdl.theory import penalties as theory

NAME, FIGURES = "weight_penalties", {"paths", "stopping", "histograms", "decay"}
SMALL = {"seeds": 6, "samples": 120, "features": 12, "width": 64}


def never_zero(found: xarray.Dataset) -> xarray.Dataset:
    """A subgradient instead of the proximal step: near 0, and not 0."""
    return found.assign(weight=found["weight"].where(found["weight"] != 0, 1e-9))


FAULTS: dict[str, tuple[str, Change]] = {
    "T34-values": ("fits", moved("weight", 3e-6)),
    "T34-zeros": ("fits", never_zero),
    "T34-network": ("networks", scaled("zeros", 0.2)),
    "T35a": ("fits", scaled("weight", 1.0001)),
    "T35b-decoupled": ("decay", moved("weight", 3e-6)),
    "T35b-drift": ("decay", moved("weight", 0.006)),
    "P-stopping-bound": ("stops", scaled("descent", 1.2)),
    "P-stopping-tight": ("stops", scaled("descent", 0.8)),
}
TestClaims = Claims


def test_l2_leaves_no_weight_at_zero(results: Results) -> None:
    assert (results["fits"].sel(kind="l2")["weight"] != 0).all()
    assert (results["networks"]["zeros"].isel({"l1,l2": [0, 2]}) == 0).all()


def test_expected_risk_is_the_mean_over_noise() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(30, 4)), rng.normal(size=4)
    chosen = theory.ridge_map(x, 3.0)
    targets = x @ w + np.sqrt(2.0) * rng.normal(size=(100_000, 30))
    risk = np.mean(np.sum((targets @ chosen.T - w) ** 2, axis=1))
    assert theory.expected_risk(chosen, x, w, 2.0) == pytest.approx(risk, rel=0.01)


def test_closed_forms_minimise_the_penalized_loss() -> None:
    grid = np.linspace(-3, 3, 600_001)
    for free in (-2.0, -0.4, 0.0, 0.7, 1.5):
        for form, penalty in ((theory.lasso, np.abs(grid)), (theory.ridge, grid**2 / 2)):
            best = grid[np.argmin((free - grid) ** 2 / 2 + 0.8 * penalty)]
            assert float(form(free, 0.8)) == pytest.approx(best, abs=2e-5)
    ridge = theory.ridge_map(np.linalg.qr(np.random.default_rng(1).normal(size=(9, 3)))[0], 0.8)
    y = np.arange(9.0)
    assert ridge @ y == pytest.approx(theory.ridge(1.8 * ridge @ y, 0.8))


def test_the_bound_is_that_of_the_variances() -> None:
    """Of one direction, without bias: the largest of ((1 - exp(-x)) (1 + x) / x)^2."""
    x = np.linspace(0.01, 20, 1_000_000)
    worst = np.max(((1 - np.exp(-x)) * (1 + x) / x) ** 2)
    assert worst == pytest.approx(theory.FLOW_AGAINST_RIDGE, abs=5e-4)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="strengths: "):
        Settings.chosen("quick", {"strengths": [1.0]})
    with pytest.raises(InputError, match="lr: -1: "):
        Settings.chosen("quick", {"lr": -1})
