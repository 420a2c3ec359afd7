"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import xarray
from scenario_faults import Change, Claims, Results, moved, scaled, swapped

from simdl.scenario.clipping import CHANCE, NEVER, gained, trained
from simdl.scenario.runner import Run

NAME, FIGURES = "exploding_gradients", {"birth", "rates", "clipping"}
SMALL = {
    "seeds": 8, "nets": 3, "tries": 30, "steps": 400, "survey_seeds": 1, "depths": [2],
    "rates": [5e-4, 2e-3, 0.1, 0.2, 0.5], "survey_rates": [0.02], "pilot_seeds": 1,
}  # fmt: skip


def flatter(factor: float) -> Change:
    """Divide the squared gradient by `factor` a layer on its way back."""
    return lambda found: found.assign(gradient=found["gradient"] * factor ** found["layer"])


def exchanged(one: int, other: int) -> Change:
    """Exchange two arms of the training."""

    def swap(found: xarray.Dataset) -> xarray.Dataset:
        (dim,) = (d for d in found["accuracy"].dims if d != "seed")
        order = np.arange(found.sizes[dim])
        order[[one, other]] = other, one
        return found.isel({dim: order}).assign_coords({dim: found[dim]})

    return swap


FAULTS: dict[str, tuple[str, Change]] = {
    "T24a": ("by_depth", flatter(1.25)),
    "T24b": ("birth", swapped("network.init")),
    "T25a-gradient": ("birth", swapped("network.init")),
    "T25a-training": ("tuned", exchanged(0, 2)),
    "T25b": ("tuned", exchanged(0, 1)),
    "P-relu-explosion": ("birth", scaled("back", 1.06)),
    "P-fluctuation": ("scatter", scaled("spread", 1.3)),
    "P-log-fluctuation": ("scatter", scaled("log_spread", 1.3)),
    "P-overflow": ("located", moved("layer", 3)),
}
TestClaims = Claims


def test_a_training_that_stays_finite_is_no_divergence(run: Run) -> None:
    assert np.isnan(run.module.located({"gain": 2.0, "depth": 3}, 0)["step"])


def test_wild_weights_end_the_first_step(results: Results) -> None:
    assert (results["located"]["step"] <= 1).all()


def test_a_rate_counts_only_if_twice_of_it_is_safe() -> None:
    base = {"width": 64, "depth": 8, "steps": 40, "gain": 6.0}
    made = {
        lr: trained(base | {"clip": NEVER, "optimizer": {"lr": lr}}, 0) for lr in (1e-3, 5e-3, 1.0)
    }
    assert [np.isnan(found["error"]) for found in made.values()] == [False, True, True]
    assert made[5e-3]["accuracy"] > CHANCE  # itself it trains
    assert made[1.0]["accuracy"] == CHANCE
    assert (made[1.0]["test"] == CHANCE).all()


def test_clipping_gains_what_each_arm_reaches_at_its_own_rate() -> None:
    shape = {"depth": 1, "gain": 1, "clip": 2, "optimizer.lr": 2, "seed": 2, "share": 1}
    validation = np.array([[[0.5, 0.5], [0.2, 0.2]], [[0.1, 0.1], [0.6, 0.8]]])
    test = np.array([[[0.4, 0.3], [0.9, 0.9]], [[0.9, 0.9], [0.7, 0.9]]])
    found = {
        name: (tuple(shape), values.reshape(tuple(shape.values())))
        for name, values in (("validation", validation), ("test", test))
    }
    assert np.allclose(gained(xarray.Dataset(found)).values.ravel(), [0.3, 0.6])
