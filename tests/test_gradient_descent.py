"""Gradient descent's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scenario_faults import Change, Claims, scaled, swapped

from simdl.errors import InputError
from simdl.optimizers import SGD
from simdl.scenario import particles
from simdl.scenario.runner import Request, Run

NAME, FIGURES = "gradient_descent", {"race", "cost", "optimum", "noise"}
SMALL = {"seeds": 4, "starts": 128, "points": 400, "sizes": [64, 128], "rates": [1.0]}
WIDE = {"P-stationary", "P-stationary-momentum", "T15a"}  # too few points and starts here


def shifted(name: str, power: float, dim: str) -> Change:
    """Multiply a quantity by a power of its coordinate: its slope moves."""
    return lambda found: found.assign({name: found[name] * found[dim] ** power})


def as_if(name: str, value: float) -> Change:
    """Every replicate finds this value."""
    return lambda found: found.assign({name: found[name] * 0 + value})


FAULTS: dict[str, tuple[str, Change]] = {
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
TestClaims = Claims


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
