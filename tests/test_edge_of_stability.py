"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, moved, same, scaled, swapped

from simdl.scenario.runner import Run
from simdl.theory import descent

NAME, FIGURES = "edge_of_stability", {"edge"}
SMALL = {"seeds": 4, "steps": 800, "looks": 20}
WIDE = {"P-edge-start", "P-edge-rises"}  # few seeds, which differ at birth
SLOW, FAST = 0.1, 1.5

FAULTS: dict[str, tuple[str, Change]] = {
    "P-edge-start": ("descent", moved("ratio", 1.0)),
    "P-edge-rises": ("descent", swapped("look")),
    "P-edge-small": ("descent", scaled("ratio", 1.3)),
    "P-edge-middle": ("descent", scaled("ratio", 0.7)),
    "P-edge-large": ("descent", scaled("ratio", 1.3)),
    "P-edge-never": ("descent", same("lr", FAST, SLOW)),
    "P-edge-even": ("descent", same("lr", FAST, SLOW)),
    "P-edge-uneven": ("descent", same("lr", SLOW, FAST)),
    "P-edge-falls": ("descent", swapped("step")),
}
TestClaims = Claims


def test_rises_and_the_second_half(run: Run) -> None:
    loss = xarray.DataArray(np.array([4.0, 3.0, 3.5, 3.5, 1.0]), dims="step")
    assert run.module.rises(loss) == 0.25
    assert list(run.module.late(loss, "step").values) == [3.5, 3.5, 1.0]


@pytest.mark.parametrize(("momentum", "factor"), [(0.0, 0.99), (0.9, 0.99), (0.0, 1.01)])
def test_descent_on_a_parabola_turns_at_the_largest_curvature(
    momentum: float, factor: float
) -> None:
    lr, w, v = 0.1, 1.0, 0.0
    for _ in range(3000):
        v = momentum * v + factor * descent.largest_curvature(lr, momentum) * w
        w -= lr * v
    assert (abs(w) < 1) == (factor < 1)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        descent.largest_curvature(0.0)
