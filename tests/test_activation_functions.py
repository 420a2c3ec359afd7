"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import (
    CONTRARY,
    Change,
    Results,
    check_claims,
    check_settings,
    moved,
    same,
    scaled,
    small_run,
    spoilt,
)

from simdl.scenario.claims import expected
from simdl.scenario.runner import Run

ARMS = "network.activation,network.init"
SMALL = {
    "seeds": 16, "rates": [1e-2], "steps": 500, "survey": 1, "rounds": 1, "kink_steps": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run("activation_functions", SMALL, tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return run.results()


def slower(arm: str) -> Change:
    """One arm never arrives, all others at once."""

    def change(found: xarray.Dataset) -> xarray.Dataset:
        there = found[ARMS] == arm
        steps = xarray.where(there, 500, 2 + found["seed"] % 3).broadcast_like(found["steps"])
        return found.assign(steps=steps, stopped_early=found["stopped_early"] | True)

    return change


def arm(results: Results, number: int) -> str:
    return str(results["tuned"][ARMS].values[number])


FAULTS: dict[str, tuple[str, Change | int]] = {
    "T02-range": ("curves", moved("value", 1e-3)),
    "T02-derivative": ("curves", scaled("derivative", 1 + 1e-9)),
    "T02-quarter": ("curves", same("activation", "tanh", "sigmoid")),
    "T02-rounding": ("rounding", moved("from", 0.21)),
    "T04-sigmoid": ("cost", same("activation", "relu", "sigmoid")),
    "T04-tanh": ("cost", same("activation", "relu", "tanh")),
    "T05a-range": ("curves", same("activation", "relu", "tanh")),
    "T05a-derivative": ("curves", same("activation", "sigmoid", "tanh")),
    "T05a-one": ("curves", scaled("derivative", 1 + 1e-9)),
    "T05b-medium": ("tuned", 1),  # the arm that is made slow
    "T05b-deep": ("tuned", 1),
    "T09a": ("tuned", 2),
    "T09b": ("tuned", 1),
    "T09c": ("shared", 2),
    "T41a": ("kink", same("width", 8, 48)),
    "T41b": ("kink", same("width", 48, 8)),
    "T42": ("curves", lambda found: found.assign(value=found["value"] * 0 + found["x"])),
}


def test_claims_come_out_as_expected(run: Run, results: Results) -> None:
    check_claims(run, results, FAULTS)
    check_settings(run)


@pytest.mark.parametrize("claim", FAULTS)
def test_a_planted_fault_is_found(run: Run, results: Results, claim: str) -> None:
    key, fault = FAULTS[claim]
    change = slower(arm(results, fault)) if isinstance(fault, int) else fault
    assert spoilt(run, results, claim, key, change) == CONTRARY[expected(claim)]


def test_the_figures_have_their_captions(run: Run, results: Results) -> None:
    drawn = run.module.figures(results, run.settings)
    assert set(drawn) == {"curves", "cost", "convergence", "kink"}


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
