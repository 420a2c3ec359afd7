"""Sharpness and noise scale against dense Hessians, samples' gradients and closed forms."""

from __future__ import annotations

import math

import naive_probes as naive
import numpy as np
import pytest

import simdl
from simdl import layers as L

PLAIN = ["dense", "tanh", "dense"]


def case(n: int = 150) -> tuple[simdl.Network, np.ndarray, np.ndarray]:
    """More samples than an evaluation batch holds."""
    rng = np.random.default_rng(2)
    net = simdl.Network((4,), [L.Dense(5), L.Tanh(), L.Dense(3)], dtype="float64")
    return net, rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def test_sharpness_equals_the_dense_hessian() -> None:
    net, x, t = case()
    for seed, scale in ((0, 1.0), (1, 3.0)):
        w = net.init(seed).flat * scale
        shapes = [view.shape for view in net.init(seed).values()]

        def gradient(flat: np.ndarray, shapes: list = shapes) -> np.ndarray:
            grads = naive.run(PLAIN, naive.split(flat, shapes), x, t).grads
            return np.concatenate([g.ravel() for g in grads])

        want = np.linalg.eigvalsh(naive.hessian(gradient, w))[-1]
        assert simdl.sharpness(net, net.wrap(w), x, t) == pytest.approx(want, rel=1e-4)
        single = simdl.Network(net.input_shape, net.layers, dtype="float32")
        rounded = simdl.sharpness(single, single.wrap(w.astype("float32")), x, t)
        assert rounded == pytest.approx(want, rel=1e-4)


def test_sharpness_of_a_quadratic() -> None:
    """Least squares with one output: the Hessian is 2 X'X / n, whatever the weights."""
    rng = np.random.default_rng(3)
    net = simdl.Network((6,), [L.Dense(1, bias=False)], dtype="float64")
    x, t = rng.normal(size=(40, 6)), rng.normal(size=(40, 1))
    want = np.linalg.eigvalsh(2 * x.T @ x / 40)[-1]
    found = simdl.sharpness(net, net.init(0), x, t, "mse", tolerance=1e-6)
    assert found == pytest.approx(want, rel=1e-8)


SQUARE = L.Activation("planted:square", "planted:square_backward")


def curved(*bends: float) -> tuple[simdl.Network, np.ndarray, np.ndarray]:
    """Samples along the axes; at w = 0 the Hessian of mse is diagonal with these values.

    With y = (w x)^2 the loss is (w_i^2 - t_i)^2 for sample i, its second derivative -4 t_i.
    """
    net = simdl.Network((len(bends),), [L.Dense(1, bias=False), SQUARE], dtype="float64")
    t = -len(bends) / 4 * np.array(bends)[:, None]
    return net, np.eye(len(bends)), t


BENDS = {
    "negative dominates": (-8.0, 2.0, 1.0, -3.0),
    "both signs balance": (5.0, -5.0, 1.0, 0.5),
    "positive dominates": (-2.0, 7.0, 1.0, 6.5),
    "all negative": (-8.0, -2.0, -3.0, -2.5),
    "nothing bends": (0.0, 0.0),
}


@pytest.mark.parametrize("name", BENDS)
def test_the_largest_eigenvalue_is_not_the_largest_absolute_value(name: str) -> None:
    net, x, t = curved(*BENDS[name])
    params = net.wrap(np.zeros(len(t)))
    found = simdl.sharpness(net, params, x, t, "mse")
    assert found == pytest.approx(max(BENDS[name]), rel=1e-4, abs=1e-8)


def test_without_a_shift_the_negative_one_is_found() -> None:
    bends = BENDS["negative dominates"]
    assert naive.plain_power(np.diag(bends)) == pytest.approx(-8)
    net, x, t = curved(*bends)
    first = simdl.sharpness(net, net.wrap(np.zeros(4)), x, t, "mse", iterations=3)
    assert first < 2  # cut short, it is a lower bound


def test_what_is_not_finite_has_no_curvature() -> None:
    net, x, t = case(7)
    params = net.init(0)
    params.flat[3] = np.nan
    assert math.isnan(simdl.sharpness(net, params, x, t))
    assert math.isnan(simdl.gradient_noise_scale(net, params, x, t))


def test_running_statistics_and_parameters_are_left_alone() -> None:
    net, x, t = case(7)
    params = net.init(0)
    before = params.flat.copy()
    simdl.sharpness(net, params, x, t)
    simdl.gradient_noise_scale(net, params, x, t)
    assert np.array_equal(params.flat, before)


def test_noise_scale_of_a_quadratic() -> None:
    """Samples about a mean: (w - x_i)^2 has gradient 2 (w - x_i), so tr S = 4 var(x)."""
    rng = np.random.default_rng(4)
    net = simdl.Network((1,), [L.Dense(1, bias=False)], dtype="float64")
    targets = rng.normal(size=(300, 1))
    for w in (0.3, 100.0):  # far away the gradients nearly agree: no digit may be lost to that
        want = targets.var() / (w - targets.mean()) ** 2
        params = net.wrap(np.array([w]))
        found = simdl.gradient_noise_scale(net, params, np.ones((300, 1)), targets, "mse")
        assert found == pytest.approx(want, rel=1e-9)


def test_noise_scale_equals_the_samples_gradients() -> None:
    net, x, t = case()
    params = net.init(1)
    shapes = [view.shape for view in params.values()]
    w = naive.split(params.flat, shapes)
    gradients = [
        np.concatenate([g.ravel() for g in naive.run(PLAIN, w, x[i : i + 1], t[i : i + 1]).grads])
        for i in range(len(x))
    ]
    want = naive.noise_scale(np.array(gradients))
    assert simdl.gradient_noise_scale(net, params, x, t) == pytest.approx(want, rel=1e-9)
    one = simdl.gradient_noise_scale(net, params, np.repeat(x[:1], 5, 0), np.repeat(t[:1], 5))
    assert abs(one) < 1e-20  # all alike: no noise


WRONG = {
    "tolerance": ({"tolerance": 0}, ["tolerance", "0", "above 0"]),
    "iterations": ({"iterations": 2.5}, ["iterations", "2.5", "whole number"]),
    "loss": ({"loss": "mee"}, ["loss", "'mee'"]),
    "targets": ({"t": np.zeros(3, int)}, ["t", "3 targets", "must be 7"]),
    "samples": ({"x": np.zeros((7, 3))}, ["x", "(7, 3)"]),
    "parameters": ({"params": {}}, ["params", "dict"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input(name: str) -> None:
    net, x, t = case(7)
    change, parts = WRONG[name]
    with pytest.raises(simdl.InputError) as refused:
        simdl.sharpness(**({"net": net, "params": net.init(0), "x": x, "t": t} | change))
    for part in parts:
        assert part in str(refused.value)


def test_a_float32_network_keeps_the_epsilon_of_its_precision() -> None:
    """RMSNorm's default is the precision's; in float64 its twin would be another network."""
    rng = np.random.default_rng(5)
    x, t = 1e-4 * rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    found = []
    for eps in (None, float(np.finfo("float32").eps)):
        net = simdl.Network((4,), [L.RMSNorm(eps=eps), L.Dense(3)], dtype="float32")
        found.append(simdl.sharpness(net, net.init(0), x, t))
    assert found[0] == pytest.approx(found[1], rel=1e-9)
