"""The closed forms of signal propagation against random networks in plain NumPy."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from simdl.theory import correlation
from simdl.theory import propagation as theory

PHI = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "identity": lambda x: x,
}
SLOPE = {
    "sigmoid": lambda x: 1 / (2 + 2 * np.cosh(x)),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "relu": lambda x: np.where(x > 0, x.dtype.type(1), x.dtype.type(0)),
    "identity": lambda x: np.ones_like(x),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Parallel test processes with threaded BLAS slow each other down."""
    with threadpool_limits(1):
        yield


class Measured(NamedTuple):
    inputs: np.ndarray  # mean square entering each layer, (nets, D)
    gradient: np.ndarray  # summed squared pre-activation gradient of each layer, (nets, D)
    jacobian: np.ndarray  # (n_0 / n_l) |J_l x|^2 / |x|^2 after each hidden layer, (nets, D - 1)


def simulate(name, widths, s_w2, nets, seed, uniform=False):
    """Random networks, one random input each, fixed random cotangent at the last pre-activation."""
    rng = np.random.default_rng(seed)
    h = rng.standard_normal((nets, 1, widths[0]), dtype=np.float32)
    h *= np.float32(math.sqrt(widths[0])) / np.linalg.norm(h, axis=2, keepdims=True)
    tangent, inputs, jacobian, weights, slopes = h, [], [], [], []
    for n_in, n_out in itertools.pairwise(widths):
        if uniform:
            limit = math.sqrt(3 * s_w2 / n_in)
            weight = rng.random((nets, n_in, n_out), dtype=np.float32)
            weight = np.float32(2 * limit) * weight - np.float32(limit)
        else:
            weight = rng.standard_normal((nets, n_in, n_out), dtype=np.float32)
            weight *= np.float32(math.sqrt(s_w2 / n_in))
        inputs.append((h**2).mean((1, 2)))
        x = h @ weight
        h = PHI[name](x)
        tangent = SLOPE[name](x) * (tangent @ weight)
        jacobian.append((tangent**2).mean((1, 2)))
        weights.append(weight)
        slopes.append(SLOPE[name](x))
    g = rng.standard_normal((nets, 1, widths[-1]), dtype=np.float32)
    gradient = [(g**2).sum((1, 2))]
    for weight, slope in zip(weights[:0:-1], slopes[-2::-1], strict=True):
        g = slope * (g @ weight.transpose(0, 2, 1))
        gradient.append((g**2).sum((1, 2)))
    last_off = np.stack(jacobian, 1)[:, :-1]
    return Measured(np.stack(inputs, 1), np.stack(gradient[::-1], 1), last_off)


@pytest.mark.parametrize(("s_w2", "uniform"), [(2.0, False), (1.0, False), (1 / 3, True)])
def test_relu_halves_both_ways_whatever_the_widths(s_w2, uniform):
    widths = [64, 48, 96, 64, 64]
    seen = simulate("relu", widths, s_w2, 4000, seed=3, uniform=uniform)
    profile = theory.propagate("relu", [s_w2] * 4)
    np.testing.assert_allclose(profile.inputs, (s_w2 / 2) ** np.arange(4), rtol=1e-12)
    np.testing.assert_allclose(profile.gain, s_w2 / 2, rtol=1e-12)
    forward = seen.inputs.mean(0)
    backward = seen.gradient.mean(0)
    np.testing.assert_allclose(forward[1:] / forward[:-1], s_w2 / 2, rtol=0.02)
    np.testing.assert_allclose(backward[:-1] / backward[1:], s_w2 / 2, rtol=0.02)


@pytest.mark.parametrize("s_w2", [0.5, 2.0])
def test_relu_weight_gradient_is_constant(s_w2):
    seen = simulate("relu", [64] * 5, s_w2, 4000, seed=4)
    expected = theory.weight_gradient(theory.propagate("relu", [s_w2] * 4), [64] * 4)
    np.testing.assert_allclose(expected / expected[-1], 1, rtol=1e-12)
    weight = (64 * seen.inputs * seen.gradient).mean(0)
    np.testing.assert_allclose(weight / weight[-1], 1, rtol=0.04)


def test_linear_network_with_standard_weights():
    seen = simulate("identity", [64] * 5, 1 / 3, 4000, seed=5, uniform=True).gradient.mean(0)
    np.testing.assert_allclose(seen[:-1] / seen[1:], 1 / 3, rtol=0.03)
    assert theory.backward_gain("identity", 1.0, 1 / 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("name", "s_w2", "tolerance"),
    [("sigmoid", 1 / 3, 0.03), ("sigmoid", 1.0, 0.03), ("tanh", 2.0, 0.02)],
)
def test_wide_networks_follow_the_mean_field(name, s_w2, tolerance):
    seen = simulate(name, [500] * 7, s_w2, 20, seed=6)
    profile = theory.propagate(name, [s_w2] * 6)
    np.testing.assert_allclose(seen.inputs.mean(0), profile.inputs, rtol=0.03)
    measured = -np.diff(np.log(seen.gradient), axis=1).mean(0) / 2
    np.testing.assert_allclose(np.exp(measured), np.sqrt(profile.gain), rtol=0.03)
    expected = np.log(profile.gain).mean() / 2
    assert abs(measured.mean() - expected) < tolerance
    # The comparison can fail: another variance is told apart.
    other = theory.propagate(name, [1.2 * s_w2] * 6).gain
    assert abs(measured.mean() - np.log(other).mean() / 2) > tolerance


def test_fluctuations_under_he():
    jacobian = simulate("relu", [50] * 5, 2.0, 8000, seed=7).jacobian
    mean, variance = theory.log_gain(50)
    logs = np.log(jacobian)
    for layers in (1, 2, 3):
        assert logs[:, layers - 1].var() == pytest.approx(layers * variance, rel=0.1)
        assert logs[:, layers - 1].mean() == pytest.approx(layers * mean, abs=0.02)
        second = theory.gain_second_moment([50] * layers)
        assert jacobian[:, layers - 1].mean() == pytest.approx(1, abs=0.02)
        assert np.mean(jacobian[:, layers - 1] ** 2) == pytest.approx(second, rel=0.05)


@pytest.mark.parametrize(("s_w2", "width", "largest"), [(200.0, 64, 1e15), (20.0, 128, 1e8)])
def test_the_layer_of_an_overflow(s_w2, width, largest):
    rng = np.random.default_rng(7)
    layers = []
    for _ in range(40):
        h, layer = rng.normal(size=(32, width)), 0
        while np.abs(h).max() <= largest:
            x = h @ rng.normal(size=(width, width), scale=math.sqrt(s_w2 / width))
            h, layer = np.where(np.abs(x) > largest, np.abs(x), np.maximum(x, 0)), layer + 1
        layers.append(layer)
    found = theory.overflow_layer(s_w2, width, 32 * width, largest)
    assert np.mean(layers) == pytest.approx(found, abs=0.5)
    with pytest.raises(ValueError, match="enlarge"):
        theory.overflow_layer(1.9, width, 32, largest)


def test_sigmoid_bound_holds_for_one_network():
    rng = np.random.default_rng(8)
    weight = rng.normal(size=(40, 40)) / math.sqrt(40)
    slope = SLOPE["sigmoid"](0.1 * rng.normal(size=(200, 40)))
    g = rng.normal(size=(200, 40))
    growth = np.linalg.norm(slope * (g @ weight.T), axis=1) / np.linalg.norm(g, axis=1)
    assert growth.max() <= theory.backward_bound(weight)
    worst = np.linalg.svd(weight)[2][0]
    assert np.linalg.norm(0.25 * weight @ worst) == pytest.approx(theory.backward_bound(weight))
    assert theory.backward_bound(weight, "tanh") == pytest.approx(4 * theory.backward_bound(weight))


@pytest.mark.parametrize("name", ["identity", "relu"])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_jacobian_spectrum(name, orthogonal):
    rng = np.random.default_rng(9)
    n, depth, spreads = 100, 2, []
    # A net's spread follows its count of active units, so many are needed.
    for _ in range(200):
        h, jacobian = rng.standard_normal(n), np.eye(n)
        for _ in range(depth):
            weight = rng.standard_normal((n, n)) / math.sqrt(n)
            if orthogonal:
                q, r = np.linalg.qr(weight)
                weight = q * np.sign(np.diag(r))
            x = weight @ h
            h, jacobian = PHI[name](x), SLOPE[name](x)[:, None] * (weight @ jacobian)
        gram = jacobian.T @ jacobian
        spreads.append(n * np.sum(gram**2) / np.trace(gram) ** 2 - 1)
    expected = theory.jacobian_spread(name, depth, orthogonal)
    assert np.mean(spreads) == pytest.approx(expected, rel=0.07, abs=1e-3)


def test_measured_correlations_follow_the_iterated_map():
    # Twenty disjoint pairs a network: one pair strays by .08 (std) at this width.
    rng = np.random.default_rng(10)
    n, nets, pairs, depth, s_w2, s_b2 = 500, 16, 20, 6, 2.0, 0.05
    q = theory.fixed_length("tanh", s_w2, s_b2)
    seen = np.zeros(depth + 1)
    for _ in range(nets):
        basis = np.linalg.qr(rng.standard_normal((n, 2 * pairs)))[0].T * math.sqrt(q * n)
        a, b = basis[:pairs], 0.3 * basis[:pairs] + math.sqrt(1 - 0.09) * basis[pairs:]
        for layer in range(depth + 1):
            lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
            seen[layer] += np.mean((a * b).sum(1) / lengths) / nets
            weight = rng.standard_normal((n, n), dtype=np.float32) * math.sqrt(s_w2 / n)
            bias = math.sqrt(s_b2) * rng.standard_normal(n)
            a, b = np.tanh(a) @ weight + bias, np.tanh(b) @ weight + bias
    expected = correlation.correlation_path("tanh", 0.3, depth, s_w2, s_b2)
    np.testing.assert_allclose(seen, expected, atol=0.02)
