"""Tuned arms: the grid, its edges, the seeds, the replicates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import simdl
from simdl.scenario import tuning
from simdl.scenario.tuning import CAP, RATE, WIDENINGS, Tuned, widened

BASE: dict[str, Any] = {
    "data": {"name": "moons", "samples": 120},
    "network": {"kind": "mlp", "depth": 1, "width": 4, "activation": "tanh"},
    "optimizer": {"name": "SGD", "lr": 0.1},
    "training": {"steps": 40, "batch_size": 20},
}
WIDTH = "network.width"
PILOTS, REPLICATES = [100, 101], [0, 1, 2]


def found(losses: Any, rates: list[float]) -> xarray.Dataset:
    """Pilots of one arm whose validation losses (rates,) are given."""
    loss = np.array([losses, losses], float)
    return xarray.Dataset({"validation_loss": (("seed", RATE), loss)}, {RATE: rates})


@pytest.mark.parametrize(
    ("losses", "wider"),
    [
        ([3, 1, 2], [0.1, 0.2, 0.4]),
        ([1, 2, 3], [0.05, 0.1, 0.2, 0.4]),
        ([3, 2, 1], [0.1, 0.2, 0.4, 0.8]),
        ([np.nan, 2, np.inf], [0.1, 0.2, 0.4]),
        ([CAP * 5, CAP * 2, CAP - 1], [0.1, 0.2, 0.4, 0.8]),
    ],
)
def test_an_optimum_at_the_edge_widens_the_grid(losses: Any, wider: list[float]) -> None:
    rates = [0.1, 0.2, 0.4]
    assert np.allclose(widened(rates, found(losses, rates), rates), wider)


def test_the_grid_stops_growing() -> None:
    rates = [0.1, 0.2, 0.4]
    for _ in range(3 * WIDENINGS):
        rates = widened(rates, found(range(len(rates), 0, -1), rates), [0.1, 0.2, 0.4])
    assert len(rates) == 3 + WIDENINGS and rates[0] == 0.1


def test_arms_run_at_their_own_rates(tmp_path: Path) -> None:
    axes = {WIDTH: [2, 8], "network.activation": ["tanh", "relu", "sigmoid"]}
    sweep = Tuned(BASE, axes, [1e-3, 1e-2, 1e-1], PILOTS, REPLICATES)
    runs = sweep.run(tmp_path / "s.sqlite", jobs=2)
    assert dict(runs.sizes) == {WIDTH: 2, "network.activation": 3, "seed": 3}
    assert runs["seed"].values.tolist() == REPLICATES
    assert len(runs.attrs["rates"]) > 3  # .1 is too small for plain gradient descent here
    for width in (2, 8):
        for activation in axes["network.activation"]:
            arm = runs.sel({WIDTH: width, "network.activation": activation})
            table = simdl.with_values(
                BASE, {WIDTH: width, "network.activation": activation, RATE: arm[RATE].item()}
            )
            alone = simdl.Sweep(table, seeds=REPLICATES).run()
            for name in ("train_loss", "test_accuracy"):
                assert np.array_equal(alone[name], arm[name])
            pilots = simdl.Sweep(table, {RATE: runs.attrs["rates"]}, PILOTS).run()
            best = pilots["validation_loss"].mean("seed").idxmin(RATE).item()
            assert best == arm[RATE].item()


def test_a_second_run_trains_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    sweep = Tuned(BASE, {WIDTH: [2, 8]}, [1e-2, 1e-1, 1.0], PILOTS, REPLICATES)
    assert sweep.missing(store) == len(sweep.trials) == 2 * 3 * 2 + 2 * 3
    first = sweep.run(store)
    assert first.attrs["trained"] == first.attrs["trials"] > 0 and sweep.missing(store) == 0
    second = sweep.run(store)
    assert second.attrs["trained"] == 0 and second.equals(first)


def test_one_arm_needs_no_axis() -> None:
    for rates in ([1e-1, 1.0, 10.0], [0.5]):
        runs = Tuned(BASE, {}, rates, PILOTS, REPLICATES).run()
        assert dict(runs.sizes) == {"seed": 3} and runs[RATE].shape == ()
    assert runs[RATE].item() == 0.5 and runs.attrs["rates"] == [0.5]


@pytest.mark.parametrize("rates", [[], [0.1, 0.2], [0.2, 0.1, 0.3], [0.0, 0.1, 0.2]])
def test_grids_that_cannot_be_tuned_over(rates: list[float]) -> None:
    with pytest.raises(simdl.InputError, match="rates"):
        Tuned(BASE, {}, rates, PILOTS, REPLICATES)


def test_pilots_are_no_replicates() -> None:
    with pytest.raises(simdl.InputError, match="pilots"):
        Tuned(BASE, {}, [0.1, 0.2, 0.4], [0, 1], REPLICATES)


def test_the_budget_is_one_for_all_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every arm's pilots see the same rates, those too that only one arm asked for."""
    seen = []
    plain = tuning.Sweep

    class Watched(plain):  # type: ignore[misc, valid-type]
        def run(self, *args: Any, **kwargs: Any) -> xarray.Dataset:
            runs = super().run(*args, **kwargs)
            seen.append((self.name, dict(runs.sizes)))
            return runs

    monkeypatch.setattr(tuning, "Sweep", Watched)
    runs = Tuned(BASE, {WIDTH: [1, 16]}, [1e-2, 1e-1, 1.0], PILOTS, REPLICATES).run()
    pilots = [sizes for name, sizes in seen if name == "pilots"]
    assert [sizes[WIDTH] for sizes in pilots] == [2] * len(pilots)
    assert pilots[-1][RATE] == len(runs.attrs["rates"])


def test_another_score_chooses_another_rate() -> None:
    """Of two rates beside a poor one, the least accurate: nobody would want it, but it is asked."""
    rates = [1e-6, 1.0, 3.0, 1e4]  # the outer ones learn nothing
    plain = Tuned(BASE, {}, rates, PILOTS, REPLICATES).run()
    fast = Tuned(
        BASE,
        {},
        rates,
        PILOTS,
        REPLICATES,
        score=lambda runs: np.abs(runs[RATE] - 3.0) + runs["steps"],
    ).run()
    assert fast[RATE].item() == 3.0 and plain[RATE].item() in rates[1:3]
