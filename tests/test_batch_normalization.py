"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, moved, same, scaled, swapped

from simdl.scenario.runner import Run
from simdl.theory import normalization

NAME, FIGURES = "batch_normalization", {"birth", "rates", "inference"}
SMALL = {
    "seeds": 6, "births": 5, "wide": 256, "survey_seeds": 1, "steps": 250, "depths": [2],
    "rates": [0.125, 0.25, 1.0, 2.0], "batches": [2, 16, 256], "gap_steps": 100,
}  # fmt: skip


FAULTS: dict[str, tuple[str, Change]] = {
    "T23c": ("birth", same("activation", "sigmoid", "relu")),
    "T28a": ("rates", swapped("network.norm")),
    "T28b-trend": ("gap", swapped("batch")),
    "T28b-large": ("gap", same("batch", 2, 256)),
    "T28b-small": ("gap", same("batch", 256, 2)),
    "P-bn-relu": ("birth", scaled("growth", 1.06)),
    "P-bn-relu-batch": ("small", scaled("growth", 0.94)),
    "P-bn-sigmoid": ("birth", scaled("growth", 1.09)),
    "P-bn-identity": ("small", scaled("growth", 1.045)),
    "P-scale-orthogonal": ("scale", moved("cosine", 3e-9)),
    "P-scale-inverse": ("scale", moved("ratio", 3e-9)),
    "P-scale-norm": ("scale", moved("norm", -3e-9)),
}
TestClaims = Claims


def test_the_largest_usable_rate(run: Run) -> None:
    """A rate that diverged, between two that are usable, does not end the range; none is below."""
    accuracy = np.array([[0.95, np.nan, 0.91, 0.9], [0.2, 0.9, np.nan, 0.1]])
    rates = {"optimizer.lr": [0.1, 0.2, 0.4, 0.8]}
    found = xarray.Dataset({"test_accuracy": (("seed", "optimizer.lr"), accuracy)}, rates)
    assert np.allclose(run.module.largest(found), [0.4, 0.05])


@pytest.mark.parametrize(
    ("activation", "batch", "printed", "within"),
    [
        ("relu", math.inf, math.pi / (math.pi - 1), 1e-12),
        ("relu", 128, 1.478, 0.002), ("relu", 32, 1.521, 0.002), ("relu", 8, 1.789, 0.002),
        ("sigmoid", math.inf, 1.034, 0.001), ("identity", math.inf, 1.0, 1e-12),
        ("identity", 16, 14 / 13, 1e-12),
    ],
)  # fmt: skip
def test_printed_growths(activation: str, batch: float, printed: float, within: float) -> None:
    assert normalization.batch_norm_growth(activation, batch) == pytest.approx(printed, abs=within)


@pytest.mark.parametrize(("alpha", "batch"), [(0.0, 6), (0.3, 10), (1.0, 8)])
def test_growth_by_monte_carlo(alpha: float, batch: int) -> None:
    """One layer of many units in plain NumPy: forward moments, and a white cotangent pulled back.

    The gradient by pre-activations is white but for the batch's mean; what a layer makes of it is
    s_w2 |.|^2 of what enters, over (B - 1); s_w2 and the variance of pre-activations take each
    other out: Var = s_w2 (E phi^2 - E phi phi).
    """
    rng, units = np.random.default_rng(0), 200_000
    h = rng.standard_normal((units, batch))
    centred = h - h.mean(axis=1, keepdims=True)
    std = np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
    y = centred / std
    phi, slope = np.where(y > 0, y, alpha * y), np.where(y > 0, 1.0, alpha)
    gradient = rng.standard_normal((units, batch))
    gradient -= gradient.mean(axis=1, keepdims=True)
    pulled = slope * gradient
    pulled -= pulled.mean(axis=1, keepdims=True) + y * np.mean(pulled * y, axis=1, keepdims=True)
    pulled /= std
    square = np.mean(phi**2)
    pairs = (np.mean(phi.sum(axis=1) ** 2) - batch * square) / (batch * (batch - 1))
    growth = np.mean(np.sum(pulled**2, axis=1)) / (batch - 1) / (square - pairs)
    expected_growth = normalization.batch_norm_growth("leaky_relu", batch, alpha)
    assert growth == pytest.approx(expected_growth, rel=0.02)


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="piecewise"):
        normalization.batch_norm_growth("sigmoid", 16)
    with pytest.raises(ValueError, match="above 3"):
        normalization.batch_norm_growth("relu", 3)
