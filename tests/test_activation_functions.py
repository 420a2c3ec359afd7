"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import xarray
from scenario_faults import Change, Claims, moved, same, scaled

from simdl.scenario.runner import Run

ARMS = "network.activation,network.init"
NAME, FIGURES = "activation_functions", {"curves", "cost", "convergence", "kink"}
SMALL = {
    "seeds": 16, "rates": [1e-2], "steps": 500, "survey": 1, "rounds": 1, "kink_steps": 20,
}  # fmt: skip


def slower(arm: int) -> Change:
    """One arm never arrives, all others at once."""

    def change(found: xarray.Dataset) -> xarray.Dataset:
        there = found[ARMS] == found[ARMS].values[arm]
        steps = xarray.where(there, 500, 2 + found["seed"] % 3).broadcast_like(found["steps"])
        return found.assign(steps=steps, stopped_early=found["stopped_early"] | True)

    return change


FAULTS: dict[str, tuple[str, Change]] = {
    "T02-range": ("curves", moved("value", 1e-3)),
    "T02-derivative": ("curves", scaled("derivative", 1 + 1e-9)),
    "T02-quarter": ("curves", same("activation", "tanh", "sigmoid")),
    "T02-rounding": ("rounding", moved("from", 0.21)),
    "T04-sigmoid": ("cost", same("activation", "relu", "sigmoid")),
    "T04-tanh": ("cost", same("activation", "relu", "tanh")),
    "T05a-range": ("curves", same("activation", "relu", "tanh")),
    "T05a-derivative": ("curves", same("activation", "sigmoid", "tanh")),
    "T05a-one": ("curves", scaled("derivative", 1 + 1e-9)),
    "T05b-medium": ("tuned", slower(1)),
    "T05b-deep": ("tuned", slower(1)),
    "T09a": ("tuned", slower(2)),
    "T09b": ("tuned", slower(1)),
    "T09c": ("shared", slower(2)),
    "T41a": ("kink", same("width", 8, 48)),
    "T41b": ("kink", same("width", 48, 8)),
    "T42": ("curves", lambda found: found.assign(value=found["value"] * 0 + found["x"])),
}
TestClaims = Claims


def test_the_slope_at_zero_is_what_is_asked_for(run: Run) -> None:
    x, dy, dx = np.array([-1.0, 0.0, 2.0, np.nan]), np.full(4, 3.0), np.empty(4)
    for slope, at_zero in ((0.0, 0.0), (1.0, 3.0)):
        run.module.kinked_backward(dx, dy, x, x, slope)
        assert dx[:3].tolist() == [0.0, at_zero, 3.0]
    run.module.kinked(dx, x, 0.0)
    assert dx[:3].tolist() == [0.0, 0.0, 2.0]
    assert np.isnan(dx[3])


def test_a_run_that_does_not_arrive_scores_the_most(run: Run) -> None:
    found = xarray.Dataset({
        "steps": ("seed", [10, 600, 40]), "stopped_early": ("seed", [True, False, False]),
    })  # fmt: skip
    assert np.allclose(np.exp(run.module.arrival(found, 600)), [10, 600, 600])
