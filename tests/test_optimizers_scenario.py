"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, same, scaled

from simdl.optimizers import SGD, Adam, RMSprop
from simdl.scenario import steps
from simdl.scenario.landscapes import LANDSCAPES
from simdl.scenario.particles import descend
from simdl.theory import descent

NAME, FIGURES = "optimizers", {"paths", "rates", "escape", "digits", "theory"}
SMALL = {
    "seeds": 8, "points": 100, "rolling": 150, "rates": [0.03], "steps": 20, "pilot_seeds": 1,
}  # fmt: skip


def steeper(found: xarray.Dataset) -> xarray.Dataset:
    """Rates that fall as the step to the power -.55."""
    return found.assign(rate=found["rate"] * found["step"] ** -0.05)


def grown(found: xarray.Dataset) -> xarray.Dataset:
    """Rates that grow with every step."""
    return found.assign(rate=found["rate"] * 0 + found["step"] ** 0.1)


ALIKE = same("arm", "corrected", "Adam")
FAULTS: dict[str, tuple[str, Change]] = {
    "T19a": ("coordinates", same("optimizer", "SGD", "AdaGrad")),
    "T19b": ("change", grown),
    "T20a-rmsprop": ("change", same("optimizer", "AdaGrad", "RMSProp")),
    "T20a-adagrad": ("change", same("optimizer", "RMSProp", "AdaGrad")),
    "T20b-first": ("change", same("optimizer", "RMSProp", "AdaGrad")),
    "T20b-slower": ("change", lambda found: found.assign(against=found["against"] ** -1.0)
                    .isel(optimizer=[1, 0]).assign_coords(optimizer=found["optimizer"])),
    "T21a": ("shared", same("arm", "corrected", "RMSProp")),
    "T21b-own": ("escape", ALIKE),
    "T21b-shared": ("shared", ALIKE),
    "P-adagrad-rate": ("change", steeper),
    "P-descent-rate": ("quadratic", scaled("plain", 1.03)),
    "P-heavy-ball": ("quadratic", scaled("heavy", 1.03)),
    "P-largest-rate-momentum": ("quadratic", scaled("edge", 1.03)),
    "P-first-step": ("quadratic", scaled("first", 4.0)),
    "P-adam-caught": ("online", same("optimizer", "SGD", "Adam")),
    "P-adam-regret": ("online", same("optimizer", "AMSGrad", "Adam")),
    "P-amsgrad-regret": ("online", same("optimizer", "Adam", "AMSGrad")),
}  # fmt: skip
TestClaims = Claims


@pytest.mark.parametrize("name", LANDSCAPES)
def test_gradients_of_the_landscapes(name: str) -> None:
    ground, rng = LANDSCAPES[name], np.random.default_rng(0)
    w, h = rng.uniform(-1, 2, (20, 2)), 1e-6
    ahead, behind = (
        np.stack([ground.value(w + sign * h * np.eye(2)[i]) for i in (0, 1)], axis=-1)
        for sign in (1, -1)
    )
    assert np.allclose(ground.gradient(w), (ahead - behind) / (2 * h), rtol=1e-5, atol=1e-5)
    assert ground.minimum is not None
    assert np.allclose(ground.gradient(np.array(ground.minimum)), 0, atol=1e-12)
    left, right, bottom, top = ground.box
    for x, y in (ground.start, ground.minimum):
        assert left < x < right and bottom < y < top


@pytest.mark.parametrize("optimizer", [SGD(lr=0.1, momentum=0.9), Adam(lr=0.1), RMSprop(lr=0.1)])
def test_points_move_as_parameters_do(optimizer: Adam) -> None:
    """The compiled rule alone, and the public `update`: the same numbers to the bit."""
    import simdl
    from simdl.layers import Dense

    net = simdl.Network((1,), (Dense(3, bias=False),), dtype="float64")
    params = net.wrap(np.array([1.0, -2.0, 0.5]))
    state = optimizer.init(params)
    for w in descend(optimizer, lambda w: w, np.array([1.0, -2.0, 0.5]), 5):
        assert np.array_equal(w, params.flat)
        params, state = optimizer.update(params, params, state)


def test_a_rate_is_the_step_over_the_gradient() -> None:
    rates = list(steps._stepped(SGD(lr=0.3), lambda t, w: w + t, np.ones(2), 3))
    assert np.allclose(rates, 0.3)


def test_best_rates_of_quadratics() -> None:
    """A grid of rates finds none that contracts more, and the printed numbers are met."""
    assert descent.contraction(100) == pytest.approx(0.9802, abs=1e-4)
    assert descent.heavy_ball_contraction(100) == pytest.approx(0.8182, abs=1e-4)
    h = np.array([1.0, 100.0])
    rates = np.linspace(1e-3, 0.0199, 400)
    factors = np.abs(1 - rates[:, None] * h).max(axis=1)
    assert abs(rates[factors.argmin()] - descent.best_rate(*h)) < 1e-4
    assert factors.min() >= descent.contraction(100) - 1e-12
    lr, momentum = descent.heavy_ball(*h)
    spread = [
        np.abs(np.roots([1.0, -(1 + m - r * c), m])).max()
        for r in lr * np.array([0.9, 1.0, 1.1]) for m in momentum * np.array([0.9, 1.0, 1.1])
        for c in h
    ]  # fmt: skip
    worst = np.reshape(spread, (3, 3, 2)).max(axis=-1)
    assert worst.min() == worst[1, 1] == pytest.approx(descent.heavy_ball_contraction(100), 1e-6)


def test_adams_regret() -> None:
    """The cycle by hand: at x = 1 the loss C, then what two steps of -1 bring back."""
    assert descent.adam_regret(3.0) == pytest.approx(2 / 3)
    for wrong in (2.0, 0.0):
        with pytest.raises(ValueError, match="above 2"):
            descent.adam_regret(wrong)
    for low, high in ((0.0, 1.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="curvatures"):
            descent.best_rate(low, high)
