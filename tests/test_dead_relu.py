"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, moved, same, scaled

import simdl
from simdl.scenario import silence

ARM = "lr,momentum"
NAME, FIGURES = "dead_relu", {"birth", "training", "revival", "remedies", "slopes"}
SMALL = {
    "seeds": 6, "nets": 20000, "narrow": 150, "slope_steps": 1000, "slopes": [], "pilot_seeds": 1,
    "survey": 1, "slope_rates": [1.6e-2], "rates": [0.05, 0.2], "biases": [0.0], "scales": [1.0],
}  # fmt: skip


def arm(number: int, name: str, factor: float) -> Change:
    """Multiply a quantity of one arm."""

    def change(found: xarray.Dataset) -> xarray.Dataset:
        there = xarray.DataArray(np.arange(found.sizes[ARM]) == number, dims=ARM)
        return found.assign({name: xarray.where(there, found[name] * factor, found[name])})

    return change


def from_momentum(found: xarray.Dataset) -> xarray.Dataset:
    """What is judged of plain SGD gets the values of the arm with momentum."""
    return found.isel({ARM: [0, 2, 2]}).assign_coords({ARM: found[ARM]})


def tasks_swapped(found: xarray.Dataset) -> xarray.Dataset:
    return found.isel(data=[1, 0]).assign_coords(data=found["data"])


def unlearned(found: xarray.Dataset) -> xarray.Dataset:
    """PReLU gets the loss of the slope that it starts from."""
    sides = [str(label) for label in found["slope,learned"].values]
    order = [sides.index(label.replace("true", "false").replace("True", "False"))
             for label in sides]  # fmt: skip
    return found.isel({"slope,learned": order}).assign_coords(
        {"slope,learned": found["slope,learned"]}
    )


FAULTS: dict[str, tuple[str, Change]] = {
    "T08": ("lives", scaled("negative", 0.1)),
    "T10a": ("lives", from_momentum),
    "T10b-deeper": ("lives", scaled("revived", 0.0)),
    "T10b-momentum": ("lives", arm(2, "revived", 0.0)),
    "T11": ("silent", same("kind", "ReLU", "leaky ReLU")),
    "T12-mnist1d": ("slopes", tasks_swapped),
    "T12-spirals": ("slopes", tasks_swapped),
    "T43-loss": ("slopes", unlearned),
    "T43-slope": ("taught", moved("end", 0.2)),
    "P-dead-at-input": ("mixed", moved("input", 0.03)),
    "P-born-dead-bounds": ("born", moved("line", 0.3)),
    "P-born-dead-exact": ("born", moved("line", 0.03)),
    "P-born-dead-two": ("born", moved("line", 0.03)),
    "P-born-dead-three": ("born", moved("line", -0.03)),
    "P-collapse": ("collapse", moved("trained", -0.21)),
}
TestClaims = Claims


def test_arrays_are_born_as_dead_as_networks(results: Results) -> None:
    drawn = silence.newborn({"width": 2, "depth": 4, "init": "he_normal", "nets": 1000}, 0)["line"]
    found = results["born"]["line"].isel(widths=0).mean("seed")
    assert np.allclose(drawn, found.sel(layer=drawn["layer"]), atol=0.05)


def test_what_is_born_constant_stays_so_when_trained() -> None:
    net = silence.narrow(2, 9, "he_normal")
    x = np.linspace(-1, 1, 64)[:, None]
    data = simdl.Data(train=(x, np.abs(x)))
    starts = [net.init(seed) for seed in range(8)]
    dead = [params for params in starts if silence.is_constant(net, params, x)]
    assert len(dead) > 3
    for params in dead:
        made = simdl.train(net, data, loss="mse", steps=20, params=params, probes=[])
        assert silence.is_constant(net, made.params, x)


def test_units_are_followed_one_by_one() -> None:
    base = {"width": 8, "depth": 2, "steps": 40, "every": 10, "lr": 1e-3, "momentum": 0.0}
    calm = silence.lives(base, 0)
    assert calm["off"].shape == (4, 16)
    assert calm["dead"].values == pytest.approx(calm["off"].mean("unit").values)
    buried = silence.lives(base | {"bias": -1e3}, 0)
    assert (buried["off"] == 1).all()
    assert buried["began"].values.tolist() == [24, 24]  # three intervals of eight units
    assert not buried["revived"].any()
    assert buried["moved"] == 0


def test_a_training_that_diverges_leaves_gaps() -> None:
    wild = {"width": 8, "depth": 3, "steps": 100, "every": 10, "lr": 1e4, "momentum": 0.99}
    found = silence.lives(wild | {"scale": 1e4}, 0)
    assert found["off"].shape == (10, 24)
    assert found["accuracy"] >= 0
