"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, same, scaled

from scenarios.pooling import Settings
from simdl.errors import InputError
from simdl.theory import pooling as theory

NAME, FIGURES = "pooling", {"accuracy", "exact"}
SMALL = {
    "seeds": 5, "others": 2, "digits": 10, "steps": 150, "channels": 12, "rates": [0.01],
    "sizes": [300, 1000], "images": 150, "image_steps": 120, "nets": 2, "draws": 60_000,
}  # fmt: skip
WIDE = ("T38", "T39a", "T39b")


def far_ahead(found: xarray.Dataset) -> xarray.Dataset:
    """The maximum is right a fifth more often."""
    ahead = found["pooling"] == "max"
    return found.assign(accuracy=found["accuracy"] + 0.2 * ahead)


def rolled(found: xarray.Dataset) -> xarray.Dataset:
    """The widest gap at another number of features."""
    return found.assign(mean=found["mean"].roll(count=-3, roll_coords=False))


def grown(found: xarray.Dataset) -> xarray.Dataset:
    """Outputs notice every shift."""
    return found.assign(change=found["change"] + 4e-12)


FAULTS: dict[str, tuple[str, Change]] = {
    "T38": ("tuned", same("pooling", "none", "average")),
    "T39a": ("tuned", same("pooling", "none", "max")),
    "T39b": ("digits", far_ahead),
    "P-shift-exact": ("shifts", grown),
    "P-shift-stride": ("shifts", grown),
    "P-bernoulli-average": ("features", scaled("spread", 1.07)),
    "P-bernoulli-max": ("features", scaled("mean", 1.07)),
    "P-bernoulli-peak": ("features", rolled),
}
TestClaims = Claims


def test_a_stride_notices_odd_shifts(results: Results) -> None:
    change = results["shifts"]["change"].sel(stride=2)
    assert (change.sel(shift=[1, 3, 5]) > 0.01).all()


def test_pooling_behind_each_convolution_leaves_fewer_parameters(results: Results) -> None:
    numbers = results["sizes"]["parameters"].isel(seed=0, samples=0)
    of = {way: int(numbers.sel(pooling=way)) for way in ("none", "stride", "max", "global")}
    kernels = (3 + 1) * 12 + (3 * 12 + 1) * 12
    assert of["none"] == kernels + 40 * 12 * 10 + 10
    assert of["stride"] == of["max"] == kernels + 10 * 12 * 10 + 10
    assert of["global"] == kernels + 12 * 10 + 10


def test_theory_of_features_that_are_on_or_off() -> None:
    """Against all outcomes of three features, one by one."""
    outcomes = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    moments = []
    for share in (0.3, 0.1):
        chance = np.prod(np.where(outcomes == 1, share, 1 - share), axis=1)
        pooled = outcomes.mean(axis=1), outcomes.max(axis=1)
        means = [chance @ each for each in pooled]
        spreads = [math.sqrt(chance @ (v - m) ** 2) for v, m in zip(pooled, means, strict=True)]
        assert theory.maximum_mean(share, 3) == pytest.approx(means[1])
        moments.append((means, spreads))
    (first, wide), (second, narrow) = moments
    found = [(first[i] - second[i]) / (wide[i] + narrow[i]) for i in (0, 1)]
    assert theory.average_separability(0.3, 0.1, 3) == pytest.approx(found[0])
    assert theory.maximum_separability(0.3, 0.1, 3) == pytest.approx(found[1])


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.05), (0.4, 0.1), (0.02, 0.01)])
def test_the_gap_is_widest_at_its_number(first: float, second: float) -> None:
    counts = np.linspace(0.5, 200, 400_000)
    gaps = (1 - second) ** counts - (1 - first) ** counts
    assert theory.widest_gap(first, second) == pytest.approx(counts[gaps.argmax()], abs=1e-3)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="steps: 100: must be a multiple of 6"):
        Settings.chosen("quick", {"steps": 100})
    with pytest.raises(InputError, match="samples: 4000: "):
        Settings.chosen("quick", {"samples": 4_000})
