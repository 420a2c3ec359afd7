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
    swapped,
)

from simdl.plot import style
from simdl.scenario.claims import expected
from simdl.scenario.runner import Run
from simdl.theory import descent

SMALL = {"seeds": 4}
SLOW, FAST = 0.05, 0.5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run("edge_of_stability", SMALL, tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return run.results()


FAULTS: dict[str, Change] = {
    "P-edge-start": moved("ratio", 1.0),
    "P-edge-rises": swapped("look"),
    "P-edge-small": scaled("ratio", 1.3),
    "P-edge-middle": scaled("ratio", 0.7),
    "P-edge-large": scaled("ratio", 1.3),
    "P-edge-never": same("lr", FAST, SLOW),
    "P-edge-even": same("lr", FAST, SLOW),
    "P-edge-uneven": same("lr", SLOW, FAST),
    "P-edge-falls": swapped("step"),
}


def test_claims_come_out_as_expected(run: Run, results: Results) -> None:
    check_claims(run, results, FAULTS)
    check_settings(run)


@pytest.mark.parametrize("claim", FAULTS)
def test_a_planted_fault_is_found(run: Run, results: Results, claim: str) -> None:
    assert spoilt(run, results, claim, "descent", FAULTS[claim]) == CONTRARY[expected(claim)]


def test_figures_are_drawn_from_results(run: Run, results: Results) -> None:
    with style.style():
        drawn = run.module.figures(results, run.settings)
    assert set(drawn) == {"edge"}
    assert all(panel.has_data() for panel in drawn["edge"].axes)


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
