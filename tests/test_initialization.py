"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, scaled, swapped

import simdl
from simdl import layers as L
from simdl.scenario import initial
from simdl.theory import propagation

NAME, FIGURES = "initialization", {"first_pass", "training", "deep", "jacobian"}
SMALL = {
    "seeds": 8, "deep": 24, "spectra_width": 192, "spectra_depths": [2, 4], "survey_depths": [2],
    "survey_rates": [0.1], "survey_steps": 20, "pilot_seeds": 2, "fit_rates": [3e-3, 0.03, 0.1],
}  # fmt: skip


def exchanged(found: xarray.Dataset) -> xarray.Dataset:
    """Exchange the two arms of a tuned training."""
    (dim,) = (d for d in found.dims if d in ("gain", "network.init"))
    return swapped(str(dim))(found)


def diverged(found: xarray.Dataset) -> xarray.Dataset:
    return found.assign(train_loss=found["train_loss"] * np.nan)


FAULTS: dict[str, tuple[str, Change]] = {
    "T25a": ("scaled", exchanged),
    "P-he-sgd": ("SGD", exchanged),
    "P-glorot-sgd": ("SGD", exchanged),
    "P-glorot-adam": ("Adam", diverged),
    "P-spectrum-linear": ("spectra", scaled("spread", 1.25)),
    "P-spectrum-linear-orthogonal": ("spectra", lambda found: found + 0.004),
    "P-spectrum-relu": ("spectra", scaled("spread", 1.25)),
    "P-spectrum-relu-orthogonal": ("spectra", scaled("spread", 1.25)),
    "P-deep-linear": ("linear", scaled("strength", 1.04)),
}
TestClaims = Claims


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("init", ["lecun_normal", "orthogonal"])
def test_spectrum(activation: str, init: str) -> None:
    base = {"width": 80, "depths": [3, 1], "activation": activation, "init": init, "nets": 2}
    found = [initial.spectrum(base, seed) for seed in range(8)]
    for depth in (1, 3):
        measured = np.mean([f["spread"].sel(depth=depth) for f in found])
        told = propagation.jacobian_spread(activation, depth, init == "orthogonal")
        assert measured == pytest.approx(told, rel=0.15, abs=1e-3)
    values = found[0]["values"].values
    assert (np.diff(values) >= -1e-12).all()
    if init == "orthogonal" and activation == "identity":
        np.testing.assert_allclose(values, 1.0, rtol=1e-5)


def test_factors_multiply_to_the_jacobian_that_the_engine_pulls_back() -> None:
    stack = (L.Dense(6), L.ReLU(), L.Dense(6), L.ReLU())
    net = simdl.Network((6,), stack, init="he_normal")
    params, x = net.init(1), np.random.default_rng(1).normal(size=(1, 6))
    first, second = initial._factors(net, params, x)
    rows = simdl.vjp(net, params, np.tile(x, (6, 1)), np.eye(6)).input
    np.testing.assert_allclose((first @ second).T, rows, atol=1e-6)


def test_a_deep_linear_network_learns_mode_by_mode(results: Results) -> None:
    strength = results["linear"]["strength"].squeeze("seed")
    assert strength.isel(time=0).values == pytest.approx(initial.START)
    late = strength.isel(time=-1).values
    assert late == pytest.approx(np.array(initial.MODES), rel=0.02)
