"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, moved, same, scaled

import simdl
from simdl import layers as L
from simdl.scenario import propagating
from simdl.scenario.clipping import CHANCE
from simdl.theory import propagation

NAME, FIGURES = "signal_propagation", {"map", "correlation", "training"}
SMALL = {
    "seeds": 12, "width": 300, "depth": 5, "draws": 20, "map_points": 3, "depths": [4, 32],
    "survey_weights": [1.0, 3.0], "rates": [0.03], "survey_rates": [0.03], "pilot_seeds": 1,
}  # fmt: skip


def late(found: xarray.Dataset) -> xarray.Dataset:
    """One layer alone strays from the map."""
    off = 0.06 * (found["layer"] == 3)
    return found.assign(correlation=found["correlation"] - off)


def arm(source: int, target: int) -> Change:
    """One arm of the training gets another's values."""

    def copy(found: xarray.Dataset) -> xarray.Dataset:
        labels = list(found["s_w2"].values)
        return same("s_w2", labels[source], labels[target])(found)

    return copy


FAULTS: dict[str, tuple[str, Change]] = {
    "P-line-small": ("line", scaled("growth", 1.06)),
    "P-line-middle": ("line", scaled("growth", 0.94)),
    "P-line-large": ("line", scaled("growth", 1.06)),
    "P-line-relu": ("line", scaled("growth", 0.94)),
    "P-growth-ordered": ("paths", scaled("growth", 1.06)),
    "P-growth-chaotic": ("paths", scaled("growth", 0.94)),
    "P-correlation-ordered": ("paths", late),
    "P-correlation-chaotic": ("paths", late),
    "P-correlation-far": ("paths", moved("correlation", 0.06)),
    "P-trainable-ordered": ("tuned", arm(1, 0)),
    "P-trainable-chaotic": ("tuned", arm(1, 2)),
}
TestClaims = Claims


def test_biases_have_their_variance_and_weights_their_scale() -> None:
    net = simdl.Network((8,), (L.Dense(4000), L.Tanh(), L.Dense(3)), init="lecun_normal")
    own = net.init(5)
    params = propagating.drawn(net, own, 2.0, 0.3, 5)
    assert np.var(params["0.bias"]) == pytest.approx(0.3, rel=0.1)
    np.testing.assert_allclose(params["2.weight"], own["2.weight"] * np.sqrt(2), rtol=1e-6)
    other = propagating.drawn(net, own, 2.0, 0.3, 6)
    assert not np.array_equal(params["0.bias"], other["0.bias"])
    assert (propagating.drawn(net, own, 1.0, 0.0, 5).flat == own.flat).all()


def test_a_pair_is_followed_as_numpy_follows_it() -> None:
    base = {"width": 40, "depth": 5, "start": 0.25, "pairs": 1, "draws": 1}
    arms = [["relu", 2.0, 0.0], ["tanh", 2.0, 0.05]]
    found = propagating.propagated(base | {"arms": arms}, 3)["correlation"].sel(arm=1)
    stack = [layer for _ in range(5) for layer in (L.Tanh(), L.Dense(40))]
    net = simdl.Network((40,), stack, init="lecun_normal")
    params = propagating.drawn(net, net.init(3), 2.0, 0.05, [3, 0])
    q = propagation.fixed_length("tanh", 2.0, 0.05)
    rng = np.random.default_rng([3, 0, 1])
    basis = np.linalg.qr(rng.standard_normal((40, 2)))[0].T * np.sqrt(q * 40)
    one, other = basis[0], 0.25 * basis[0] + np.sqrt(1 - 0.25**2) * basis[1]
    told = []
    for layer in range(6):
        told.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        if layer < 5:
            weight, bias = (params[f"{2 * layer + 1}.{name}"] for name in ("weight", "bias"))
            one, other = (np.tanh(h) @ weight + bias for h in (one, other))
    np.testing.assert_allclose(found, told, atol=1e-5)
    assert found.values[0] == pytest.approx(0.25)


def test_a_training_that_diverges_guesses() -> None:
    base = {"width": 16, "depth": 2, "s_w2": 1.0, "s_b2": 0.05, "steps": 30}
    lost = propagating.learned(base | {"optimizer": {"lr": 1e38}}, 0)
    assert lost["accuracy"] == CHANCE and np.isnan(lost["error"])
    assert propagating.learned(base | {"optimizer": {"lr": 0.3}}, 0)["accuracy"] > 0.5
