"""The gradient check for users: right gradients pass, planted faults are found and named."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import planted
import pytest

import simdl
from simdl import layers as L
from simdl.kernels.activations import PAIRS

RNG = np.random.default_rng(3)
MIXED = [
    L.Conv2D(3, 3), L.BatchNorm(), L.ReLU(), L.MaxPool2D(2), L.Flatten(), L.Dense(6),
    L.Residual([L.Dense(6), L.LayerNorm(), L.GELU()]), L.Dropout(0.3), L.Dense(3),
]  # fmt: skip


def checked(
    layers: list[Any], shape: tuple[int, ...] = (6,), dtype: str = "float64", **given: Any
) -> tuple[simdl.Parameters, simdl.GradientCheck]:
    net = simdl.Network(shape, layers, dtype=dtype)
    params = net.init(1)
    x, t = RNG.normal(size=(7, *shape)), RNG.integers(0, net.output_shape[0], 7)
    return params, simdl.check_gradients(net, params, x, t, **given)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_gradients_pass(dtype: str, training: bool) -> None:
    """Every kind of layer, a float32 network through its twin; the bias before BatchNorm is 0."""
    params, found = checked(MIXED, (7, 7, 2), dtype, training=training, entries=8)
    assert [row.key for row in found] == ["input", *params]
    assert found.worst.error < 1e-5, str(found)
    assert all(row.checked == min(8, max(params[row.key].size, 1)) for row in found[1:])
    untouched = simdl.Network((7, 7, 2), MIXED, dtype=dtype).init(1)
    assert np.array_equal(params.flat, untouched.flat)
    assert np.array_equal(params.buffers.flat, untouched.buffers.flat)


def test_a_wrong_gradient_is_found_and_named() -> None:
    """Behind the fault all is right; before it nothing is."""
    wrong = L.Activation(PAIRS["tanh"][0], planted.same_backward, check=False)
    _, found = checked([L.Dense(5), wrong, L.Dense(3)])
    errors = {row.key: row.error for row in found}
    assert max(errors["2.weight"], errors["2.bias"]) < 1e-6
    assert min(errors["input"], errors["0.weight"], errors["0.bias"]) > 1e-2
    row = found.worst
    assert row.key in ("input", "0.weight", "0.bias") and row.error == max(errors.values())
    assert abs(row.given - row.expected) > 1e-2 * abs(row.expected)
    assert f"{row.error:.1e}" in str(found) and str(list(row.entry)) in str(found)


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_kinks_pass_and_are_counted(slope: float) -> None:
    """At a kink either slope is right, and a third is not."""
    net = simdl.Network((3,), [L.LeakyReLU(alpha=slope), L.Dense(2)], dtype="float64")
    x = np.zeros((4, 3))
    found = simdl.check_gradients(net, net.init(0), x, np.array([0, 1, 0, 1]))
    assert found[0].key == "input" and found[0].kinks == (12 if slope == 0 else 0)
    assert found.worst.error < 1e-6, str(found)
    wrong = L.Activation("planted:allocate", "planted:square_backward", check=False)
    away = simdl.Network((3,), [wrong, L.Dense(2)], dtype="float64")
    found = simdl.check_gradients(away, away.init(0), x + 3, np.array([0, 1, 0, 1]))
    assert found.worst.key == "input" and found.worst.error > 0.5


def test_other_losses_and_numbers_out_of_range() -> None:
    net = simdl.Network((4,), [L.Dense(5), L.Softplus(), L.Dense(2)])
    x, t = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 2))
    params = net.init(0)
    assert simdl.check_gradients(net, params, x, t, loss="mse").worst.error < 1e-6
    params["2.weight"][0, 0] = np.inf
    assert simdl.check_gradients(net, params, x, t, loss="mse").worst.error == math.inf


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"entries": 0}, "entries: 0"),
        ({"t": [0]}, "t: 1 targets: must be 2"),
        ({"x": np.zeros((2, 3))}, "x: shape"),
        ({"x": "text"}, "x: "),
        ({"net": None}, "net: NoneType"),
        ({"params": 3}, "params"),
        ({"loss": "none"}, "loss: 'none'"),
    ],
)
def test_wrong_calls(given: dict[str, Any], said: str) -> None:
    net = simdl.Network((4,), [L.Dense(3)])
    right = {"net": net, "params": net.init(0), "x": np.zeros((2, 4)), "t": [0, 1]}
    with pytest.raises(simdl.InputError, match=said):
        simdl.check_gradients(**right | given)
