"""Gradient descent's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from simdl.errors import InputError
from simdl.optimizers import SGD
from simdl.plot import style
from simdl.scenario import particles
from simdl.scenario.claims import expected, expected_in
from simdl.scenario.runner import Request, Run

Results = dict[str, xarray.Dataset]
SMALL = {"seeds": 4, "starts": 128, "points": 400, "sizes": [64, 128], "rates": [1.0]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("figures")
    return Run("gradient_descent", Request("quick", SMALL, folder, jobs=1))


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return run.results()


def verdicts(run: Run, results: Results) -> dict[str, str]:
    return {c.id: c.judgement.verdict for c in run.module.claims(results, run.settings)}


def scaled(name: str, factor: float) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Move a quantity, which moves it against its reference."""
    return lambda found: found.assign({name: found[name] * factor})


def swapped(dim: str) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Exchange the arms along a dimension: its labels stay, its values turn round."""

    def swap(found: xarray.Dataset) -> xarray.Dataset:
        return found.isel({dim: slice(None, None, -1)}).assign_coords({dim: found[dim]})

    return swap


def shifted(name: str, power: float, dim: str) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Multiply a quantity by a power of its coordinate: its slope moves."""
    return lambda found: found.assign({name: found[name] * found[dim] ** power})


def as_if(name: str, value: float) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Every replicate finds this value."""
    return lambda found: found.assign({name: found[name] * 0 + value})


FAULTS: dict[str, tuple[str, Callable[[xarray.Dataset], xarray.Dataset]]] = {
    "T14": ("gradients", scaled("difference", 1e4)),
    "T15a": ("xor", as_if("loss", 0.001)),
    "T15b": ("convex", swapped("factor")),
    "T15c": ("convex", swapped("factor")),
    "T16": ("by_size", shifted("samples", -0.3, "copies")),
    "T17a": ("race", swapped("batch")),
    "T17b": ("race", swapped("batch")),
    "T17c": ("well", swapped("batch")),
    "T18": ("gradients", shifted("with", 0.15, "drawn")),
    "P-batch-variance": ("gradients", scaled("with", 1.15)),
    "P-without-replacement": ("gradients", scaled("without", 1.15)),
    "P-noise-scale": ("scale", scaled("ratio", 1 + 3e-9)),
    "P-largest-rate": ("convex", scaled("edge", 1.03)),
    "P-stationary": ("stationary", scaled("variance", 1.06)),
    "P-stationary-momentum": ("stationary", scaled("variance", 1.06)),
}


def test_every_claim_of_the_table_is_judged(run: Run, results: Results) -> None:
    assert set(verdicts(run, results)) == set(expected_in("gradient_descent")) == set(FAULTS)


def test_no_verdict_is_contrary(run: Run, results: Results) -> None:
    found = verdicts(run, results)
    wide = {"P-stationary", "P-stationary-momentum", "T15a"}  # too few points and starts here
    for claim, verdict in found.items():
        assert verdict in {expected(claim), "inconclusive" if claim in wide else ""}, claim


@pytest.mark.parametrize("claim", FAULTS)
def test_a_planted_fault_is_found(run: Run, results: Results, claim: str) -> None:
    key, fault = FAULTS[claim]
    spoilt = results | {key: fault(results[key].copy(deep=True))}
    contrary = {"holds": "refuted", "refuted": "holds"}
    assert verdicts(run, spoilt)[claim] == contrary[expected(claim)]


def test_figures_are_drawn_from_results(run: Run, results: Results) -> None:
    with style.style():
        drawn = run.module.figures(results, run.settings)
        assert set(drawn) == {"race", "cost", "optimum", "noise"}
        for figure in drawn.values():
            assert all(panel.has_data() for panel in figure.axes)
            plt.close(figure)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target", 0.3),
        ("rates", [0.1]),
        ("sizes", [64, 128]),
        ("starts", 64),
        ("points", 20),
        ("curve_seeds", 2),
    ],
)
def test_every_setting_changes_what_is_run(key: str, value: Any) -> None:
    plain, changed = (Run("gradient_descent", Request("quick", s)) for s in ({}, {key: value}))
    trials = [
        {trial.identity for sweep in r._sweeps.values() for trial in sweep.trials}
        for r in (plain, changed)
    ]
    assert trials[0] != trials[1]
    assert type(plain.settings).model_fields[key].description


def test_sizes_that_copies_cannot_make_are_refused() -> None:
    with pytest.raises(InputError, match="multiples"):
        Run("gradient_descent", Request("quick", {"sizes": [100, 150]}))


def test_points_follow_the_optimizer() -> None:
    start = np.array([[2.0, -1.0], [0.5, 4.0]])
    path = list(particles.descend(SGD(lr=0.25), lambda w: 2 * w, start, 3))
    assert [np.array_equal(w, start / 2**i) for i, w in enumerate(path)] == [True] * 4


def test_the_wells_barrier_and_minima() -> None:
    for x in np.roots([1.0, 0.0, -1.0, 0.1]):
        assert particles.double_well_slope(x) == pytest.approx(0, abs=1e-12)
    step = 1e-6
    difference = particles.double_well(0.3 + step) - particles.double_well(0.3 - step)
    assert particles.double_well_slope(0.3) == pytest.approx(difference / (2 * step))
    low, middle, high = sorted(np.roots([1.0, 0.0, -1.0, 0.1]))
    assert particles.barrier() == pytest.approx(middle)
    assert particles.double_well(low) < particles.double_well(high) < particles.double_well(middle)
