"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import xarray
from scenario_faults import Change, Claims, moved

from simdl.scenario import separation

LINEAR, DEEP, HIDDEN = separation.NETS
NAME, FIGURES = "nonlinearity", {"boundaries", "labellings", "smallest"}
SMALL = {
    "seeds": 4, "counted": 4, "steps": 1000, "tries": 256, "points": [2, 4], "trained": [8],
    "units": [2],
}  # fmt: skip


def given(source: str, target: str) -> Change:
    """One network's results in place of another's: the activation switched on or off."""

    def change(found: xarray.Dataset) -> xarray.Dataset:
        nets = list(found["net"].values)
        order = [nets.index(source if net == target else net) for net in nets]
        return found.isel(net=order).assign_coords(net=found["net"])

    return change


ACTIVATED, LINEARISED = given(HIDDEN, DEEP), given(DEEP, HIDDEN)
FAULTS: dict[str, tuple[str, Change]] = {
    "T01a-xor": ("toys", ACTIVATED),
    "T01a-circles": ("toys", ACTIVATED),
    "T01a-moons": ("toys", ACTIVATED),
    "T01a-spirals": ("toys", ACTIVATED),
    "T01a-one_layer": ("collapsed", moved("difference", 3e-12)),
    "T01a-boolean": ("boolean", ACTIVATED),
    "T01b-xor": ("toys", LINEARISED),
    "T01b-circles": ("toys", LINEARISED),
    "T01b-moons": ("toys", LINEARISED),
    "T01b-spirals": ("toys", LINEARISED),
    "T01b-labellings": ("learned", LINEARISED),
    "T01b-boolean": ("boolean", LINEARISED),
    "P-xor-mse": ("xor", moved("outputs", 3e-6)),
    "P-xor-entropy": ("xor", moved("loss", 3e-6)),
    "P-xor-accuracy": ("xor", moved("accuracy", 0.25)),
    "P-xor-solved": ("xor", moved("solution", 3e-6)),
    "P-cover": ("dichotomies", moved("share", 0.15)),
    "P-cover-bias": ("dichotomies", moved("share", 0.15)),
    "P-cover-half": ("dichotomies", moved("share", -0.15)),
    "P-cover-deep": ("learned", ACTIVATED),
    "P-boolean": ("boolean", moved("separable", 1)),
}
TestClaims = Claims


def test_separability_is_told_with_a_narrow_margin() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        x = rng.standard_normal((12, 3))
        normal = rng.standard_normal(3)
        signs = np.where(x @ normal > 0, 1.0, -1.0)
        assert separation.is_separable(x, signs)
        opposed = np.vstack([x, -signs[0] * x[:1]])  # on the other side of 0 than the first
        assert not separation.is_separable(opposed, np.append(signs, 1.0))


def test_labellings_are_all_or_drawn() -> None:
    rng = np.random.default_rng(0)
    every = separation.labellings(5, 16, rng)
    assert len(np.unique(every, axis=0)) == len(every) == 16
    assert separation.labellings(6, 16, rng).shape == (16, 6)
