"""Measurements of initial weights, against theory."""

from __future__ import annotations

import numpy as np
import pytest

from simdl.scenario import initial
from simdl.theory import propagation


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("init", ["lecun_normal", "orthogonal"])
def test_spectrum(activation: str, init: str) -> None:
    base = {"width": 120, "depth": 3, "activation": activation, "init": init}
    found = [initial.spectrum(base, seed) for seed in range(24)]
    expected = propagation.jacobian_spread(activation, 3, init == "orthogonal")
    assert np.mean([f["spread"] for f in found]) == pytest.approx(expected, rel=0.12, abs=1e-3)
    values = found[0]["values"].values
    assert (np.diff(values) >= -1e-12).all()
    if init == "orthogonal" and activation == "identity":
        np.testing.assert_allclose(values, 1.0, rtol=1e-9)


def test_a_deep_linear_network_learns_mode_by_mode() -> None:
    found = initial.deep_linear({"points": 30}, 3)
    np.testing.assert_allclose(found["strength"], found["theory"], rtol=0.01)
    assert found["strength"].isel(time=0).values == pytest.approx(initial.START)
    late = found["strength"].isel(time=-1).values
    assert late == pytest.approx(np.array(initial.MODES), rel=0.02)
