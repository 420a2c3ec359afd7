"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, moved, same, scaled, swapped
from scipy import optimize

from scenarios.dropout import Settings
from simdl.data import load
from simdl.errors import InputError
from simdl.layers import Dense, Dropout, ReLU
from simdl.network import Network
from simdl.scenario.dropped import correlation, digits, without
from simdl.theory import dropout as theory

NAME = "dropout"
FIGURES = {"rates", "reliance", "learning_rates", "widths", "averages", "regression"}
SMALL = {
    "seeds": 6, "fits": 5, "rates": [0.5], "learning_rates": [0.0004], "widths": [16],
    "average": 10_000, "survey": 1,
}  # fmt: skip
WIDE = ("P-dropout-tuned", "P-ensemble-clean-accuracy", "P-ensemble-noisy-accuracy", "T30b")

OFF, SWAPPED = same("rate", 0.0, 0.5), swapped("rate")


def harmful(found: xarray.Dataset) -> xarray.Dataset:
    """A test loss that dropout raises by half."""
    return found.assign(test_loss=found["test_loss"] * (1 + found["rate"]))


FAULTS: dict[str, tuple[str, Change]] = {
    "T30a-loss": ("rates", OFF),
    "T30a-accuracy": ("rates", OFF),
    "T30a-tuned": ("own", SWAPPED),
    "T30b": ("rates", same("task", "noisy", "clean")),
    "T30c-clean": ("rates", OFF),
    "T30c-noisy": ("rates", OFF),
    "P-dropout-tuned": ("own", harmful),
    "P-dropout-correlation": ("rates", SWAPPED),
    "P-dropout-loss": ("regression", scaled("loss", 1.06)),
    "P-dropout-weights-light": ("regression", moved("distance", 0.06)),
    "P-dropout-weights-half": ("regression", moved("distance", 0.06)),
    "P-dropout-weights-heavy": ("regression", moved("distance", 0.06)),
    "P-ensemble-linear": ("masks", same("place", "inputs", "linear")),
    "P-ensemble-last": ("masks", same("place", "inputs", "last")),
    "P-ensemble-inputs": ("masks", scaled("geometric", 1e-3)),
    "P-ensemble-clean-accuracy": ("averages", moved("accuracy", -0.06)),
    "P-ensemble-noisy-accuracy": ("averages", moved("accuracy", -0.06)),
    "P-ensemble-single": ("averages", same("subnetworks", 64, 1)),
    "P-ensemble-clean-loss": ("averages", same("subnetworks", 1, 64)),
}
TestClaims = Claims


def test_weights_are_those_of_dropout_and_of_no_other_ridge(results: Results) -> None:
    found = results["regression"]
    assert (10 * found["distance"] < found[["ridge", "plain"]].to_dataarray()).all()
    assert (found["length"].mean("seed").diff("rate") < 0).all()


def masked_loss(x: np.ndarray, y: np.ndarray, w: np.ndarray, keep: float, divide: bool) -> float:
    """The loss over every mask of each row, by its probability."""
    total = 0.0
    for mask in product((0, 1), repeat=x.shape[1]):
        probability = keep ** sum(mask) * (1 - keep) ** (len(mask) - sum(mask))
        rest = y - (x * mask / (keep if divide else 1)) @ w
        total += probability * float(rest @ rest)
    return total


@pytest.mark.parametrize("inverted", [True, False])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 1.0])
def test_closed_form_is_the_mean_over_all_masks(keep: float, inverted: bool) -> None:
    rng = np.random.default_rng(3)
    x, y, w = rng.normal(size=(7, 4)) * [0.5, 1, 2, 3], rng.normal(size=7), rng.normal(size=4)
    loss = theory.expected_loss(x, y, w, keep, inverted=inverted)
    assert loss == pytest.approx(masked_loss(x, y, w, keep, inverted), rel=1e-12)
    best = optimize.minimize(
        lambda v: masked_loss(x, y, v, keep, inverted), np.zeros(4), tol=1e-10
    ).x
    own = theory.weights(x, y, keep, inverted=inverted)
    np.testing.assert_allclose(own, best, rtol=1e-4, atol=1e-6)


def test_geometric_mean_of_distributions() -> None:
    shares, weight = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([0.75, 0.25])
    raised = 0.5**0.75 * np.array([0.9, 0.1]) ** 0.25
    np.testing.assert_allclose(theory.geometric_mean(shares, weight), raised / raised.sum())


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.1, np.nan])
def test_a_share_that_is_none_is_refused(keep: float) -> None:
    one = np.ones((1, 1))
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        theory.expected_loss(one, one[0], one[0], keep)
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        theory.weights(one, one[0], keep)


def test_only_training_labels_are_noisy() -> None:
    clean, noisy = digits("clean", 5), digits("noisy", 5)
    source = load("digits", seed=5)
    assert (clean.train[1] == source.train[1][:100]).all()
    assert 0.1 < np.mean(noisy.train[1] != source.train[1][:400]) <= 0.2
    for part in ("validation", "test"):
        assert (noisy.answers(part) == source.answers(part)).all()


def test_units_are_taken_away_layer_by_layer() -> None:
    block = (Dense(8), ReLU(), Dropout(0.5))
    net = Network((4,), (*block, *block, Dense(3)), "he_normal")
    params = net.init(0)
    less = without(params, 0.25, np.random.default_rng(0))
    for name in params:
        gone = np.all(np.atleast_2d(less[name]) == 0, axis=1)
        rows = name in ("3.weight", "6.weight")
        assert not rows or gone.sum() == 2
        kept = ~gone if rows else slice(None)
        assert (less[name][kept] == params[name][kept]).all()


def test_units_that_are_the_same_are_correlated() -> None:
    net = Network((4,), (Dense(6), ReLU(), Dense(3)), "he_normal")
    params, x = net.init(0), np.random.default_rng(0).normal(size=(50, 4))
    h = np.maximum(x @ params["0.weight"], 0)
    pairs = np.corrcoef(h.T)[np.triu_indices(6, 1)]
    assert correlation(net, params, x) == pytest.approx(np.abs(pairs).mean(), rel=1e-4)
    params["0.weight"] = np.repeat(params["0.weight"][:, :1], 6, axis=1)
    assert correlation(net, params, x) == pytest.approx(1.0)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="must lie from 0 to below 1"):
        Settings.chosen("quick", {"rates": [0.5, 1.0]})
    with pytest.raises(InputError, match="width"):
        Settings.chosen("quick", {"width": 1})
