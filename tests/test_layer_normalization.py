"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

from scenario_faults import Change, Claims, Results, same, scaled

NAME, FIGURES = "layer_normalization", {"batches", "rates"}
SMALL = {
    "seeds": 6, "births": 40, "wide": 256, "survey_seeds": 1, "epochs": 8, "batches": [2, 64],
    "rates": [0.2], "pilot_seeds": 1, "survey_rates": [0.1], "deep": 2,
}  # fmt: skip


FAULTS: dict[str, tuple[str, Change]] = {
    "T29a": ("companions", same("norm", "batch", "layer")),
    "T29b-layer": ("tuned", same("network.norm", "BatchNorm", "LayerNorm")),
    "T29b-batch": ("tuned", same("network.norm", "LayerNorm", "BatchNorm")),
    "P-ln-relu": ("birth", scaled("growth", 1.09)),
}
TestClaims = Claims


def test_batch_normalisation_depends_on_company_less_in_large_batches(results: Results) -> None:
    change = results["companions"]["change"].sel(norm="batch").mean("seed")
    assert change.sel(batch=2) > 2 * change.sel(batch=64) > 0
