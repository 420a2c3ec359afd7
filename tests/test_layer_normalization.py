"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import pytest
from scenario_faults import (
    CONTRARY,
    Change,
    Results,
    check_claims,
    check_settings,
    same,
    scaled,
    small_run,
    spoilt,
)

from simdl.plot import style
from simdl.scenario.claims import expected
from simdl.scenario.runner import Run

SMALL = {
    "seeds": 6, "births": 40, "wide": 256, "survey_seeds": 1, "epochs": 8, "batches": [2, 64],
    "rates": [0.2], "pilot_seeds": 1, "survey_rates": [0.1], "deep": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run("layer_normalization", SMALL, tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return run.results()


FAULTS: dict[str, tuple[str, Change]] = {
    "T29a": ("companions", same("norm", "batch", "layer")),
    "T29b-layer": ("tuned", same("network.norm", "BatchNorm", "LayerNorm")),
    "T29b-batch": ("tuned", same("network.norm", "LayerNorm", "BatchNorm")),
    "P-ln-relu": ("birth", scaled("growth", 1.09)),
}


def test_claims_come_out_as_expected(run: Run, results: Results) -> None:
    check_claims(run, results, FAULTS)
    check_settings(run)


@pytest.mark.parametrize("claim", FAULTS)
def test_a_planted_fault_is_found(run: Run, results: Results, claim: str) -> None:
    assert spoilt(run, results, claim, *FAULTS[claim]) == CONTRARY[expected(claim)]


def test_figures_are_drawn_from_results(run: Run, results: Results) -> None:
    import matplotlib.pyplot as plt

    with style.style():
        drawn = run.module.figures(results, run.settings)
    assert set(drawn) == {"batches", "rates"}
    for figure in drawn.values():
        assert all(panel.has_data() for panel in figure.axes)
        plt.close(figure)


def test_batch_normalisation_depends_on_company_less_in_large_batches(results: Results) -> None:
    change = results["companions"]["change"].sel(norm="batch").mean("seed")
    assert change.sel(batch=2) > 2 * change.sel(batch=64) > 0
