"""Norms and softmax where rounding, single samples or huge numbers hurt; scale invariance."""

from __future__ import annotations

import itertools
from typing import Any

import naive_layers
import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import optimizers as O

NORMS = (("BatchNorm",), ("LayerNorm",), ("RMSNorm",), ("GroupNorm", 2))
EACH = pytest.mark.parametrize("layer", NORMS, ids=lambda layer: layer[0])
DATA = np.random.default_rng(0).normal(size=(30, 6)), np.arange(30) % 3


@pytest.fixture(autouse=True)
def quiet():
    """Plain Python's scalars warn where compiled code goes on to inf and NaN."""
    with np.errstate(all="ignore"):
        yield


def made(layer: tuple[Any, ...], shape: tuple[int, ...], dtype: str = "float32") -> simdl.Network:
    kind, *arguments = layer
    return simdl.Network(shape, [getattr(L, kind)(*arguments)], dtype=dtype)


def expected(layer: tuple[Any, ...], net: simdl.Network, x: np.ndarray) -> Any:
    """Return the reference's y in training, and the running statistics afterwards."""
    start = net.init(0)
    p = {name: value.astype(float) for name, value in (dict(start) | dict(start.buffers)).items()}
    run = naive_layers.Run(training=True)
    return naive_layers.forward(naive_layers.LAYERS, (layer,), p, x.astype(float), run), p


def apart(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


# --- rounding, overflow, one sample ---------------------------------------------------------------


@EACH
def test_many_values_in_single_precision(layer: tuple[Any, ...]) -> None:
    """A sum of 40,000 float32 one by one would be off by more."""
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(25, 40, 40, 8)) + 3).astype(np.float32)
    net = made(layer, (40, 40, 8))
    params = net.init(0)
    want, after = expected(layer, net, x)
    cotangent = (rng.normal(size=x.shape) + 1).astype(np.float32)
    pulled = simdl.vjp(net, params, x, cotangent, training=True)
    assert apart(pulled.output, want) < 1e-6
    assert all(apart(value, after[name]) < 1e-6 for name, value in params.buffers.items())
    if "0.bias" in params:
        assert apart(pulled.params["0.bias"], cotangent.sum(axis=(0, 1, 2), dtype=float)) < 1e-6


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_spread_far_smaller_than_the_mean(layer: tuple[Any, ...], dtype: str) -> None:
    """Mean square less squared mean would leave little of it; the mean's own rounding stays."""
    offset = {"float32": 1e3, "float64": 1e6}[dtype]
    x = (np.random.default_rng(2).normal(size=(50, 8)) + offset).astype(dtype)
    net = made(layer, (8,), dtype)
    want, _ = expected(layer, net, x)
    y = simdl.forward(net, net.init(0), x, training=True)
    assert apart(y, want) < 2 * offset * float(np.finfo(dtype).eps)


@EACH
def test_large_numbers_are_not_taken_for_nothing(layer: tuple[Any, ...]) -> None:
    """The square of 1e25 is beyond float32, 1 / std is not."""
    x = (1e25 * np.random.default_rng(3).normal(size=(5, 8))).astype(np.float32)
    net = made(layer, (8,))
    want, _ = expected(layer, net, x)
    assert apart(simdl.forward(net, net.init(0), x, training=True), want) < 1e-5


@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_one_value_a_channel(eps: float) -> None:
    """y = bias, no gradient by x and weight; running_mean moves, running_var stays."""
    net = simdl.Network((3,), [L.BatchNorm(eps)], dtype="float64")
    params = net.init(0)
    params["0.bias"] = params["0.weight"] = np.array([1.0, 2.0, -3.0])
    x = np.array([[4.0, -5.0, 6.0]])
    pulled = simdl.vjp(net, params, x, np.ones((1, 3)), training=True)
    assert np.array_equal(pulled.output[0], params["0.bias"])
    assert not pulled.input.any() and not pulled.params["0.weight"].any()
    assert np.array_equal(pulled.params["0.bias"], np.ones(3))
    assert np.allclose(params.buffers["0.running_mean"], 0.1 * x[0], rtol=1e-15)
    assert np.array_equal(params.buffers["0.running_var"], np.ones(3))


def test_an_epoch_may_end_with_one_sample() -> None:
    net = simdl.Network((6,), [L.Dense(8), L.BatchNorm(), L.ReLU(), L.Dense(3)])
    data = simdl.Data(train=(DATA[0][:29], DATA[1][:29]))
    result = simdl.train(net, data, batch_size=7, epochs=10)
    assert result.status == "completed" and result.steps == 50
    assert np.isfinite(result.params.buffers.flat).all()
    assert result.params.buffers["1.running_var"].min() > 0.01  # not that of ten single samples


def test_default_eps_of_rms_norm_is_the_precisions() -> None:
    for dtype in ("float32", "float64"):
        eps = float(np.finfo(dtype).eps)
        net, x = made(("RMSNorm",), (1,), dtype), np.array([[eps**0.5]])
        assert simdl.forward(net, net.init(0), x)[0, 0] == pytest.approx(0.5**0.5, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_of_large_logits(dtype: str) -> None:
    net = made(("Softmax",), (4,), dtype)
    x = np.array([[1e4, 1e4, -1e4, 0], [-1e4, -1e4, -1e4, -1e4], [1e4, 9999, -np.inf, 0]])
    e = np.exp(-1.0)
    want = [[0.5, 0.5, 0, 0], [0.25] * 4, [1 / (1 + e), e / (1 + e), 0, 0]]
    assert np.allclose(simdl.forward(net, net.init(0), x), want, rtol=1e-6, atol=0)


# --- scale invariance: Ioffe and Szegedy 2015, section 3.3; van Laarhoven 2017 --------------------


def invariant(norm: L.Layer) -> tuple[simdl.Network, Any]:
    """A net in which only the direction of each of layer 0's columns matters, and its gradient."""
    layers = [L.Dense(8, bias=False), norm, L.Tanh(), L.Dense(3)]
    net = simdl.Network((6,), layers, dtype="float64")

    def gradient(params: Any) -> np.ndarray:
        return simdl.value_and_grad(net, params.copy(), *DATA)[1]["0.weight"]

    return net, gradient


def invariance_errors(norm: L.Layer, a: float = 3.7, lr: float = 0.3) -> list[float]:
    """Relative errors of <w, g> = 0, g(a w) = g(w) / a and |w - lr g|^2 = |w|^2 + lr^2 |g|^2."""
    net, gradient = invariant(norm)
    params = net.init(1)
    w, g = params["0.weight"].copy(), gradient(params)
    params["0.weight"] = a * w
    scaled = gradient(params)
    sizes = np.linalg.norm(w), np.linalg.norm(g)
    params["0.weight"] = w
    data = simdl.Data(train=DATA)
    step = {"optimizer": O.SGD(lr=lr), "batch_size": "full", "steps": 1, "params": params}
    after = simdl.train(net, data, **step).params["0.weight"]
    grown = float((after**2).sum() / (sizes[0] ** 2 + (lr * sizes[1]) ** 2))
    return [abs(float((w * g).sum())) / (sizes[0] * sizes[1]), apart(a * scaled, g), abs(grown - 1)]


def test_scale_invariance_under_batch_norm() -> None:
    assert max(invariance_errors(L.BatchNorm(eps=0.0))) < 1e-9


def test_scale_invariance_is_lost_elsewhere() -> None:
    """So the three measures do see it: with an eps, and with statistics that are no batch's."""
    for norm in (L.BatchNorm(eps=0.1), L.Identity()):
        assert min(invariance_errors(norm)) > 1e-6


# --- growth of gradients at birth: Yang et al. 2019 -----------------------------------------------


def growth(batch: int, *activation: L.Layer) -> float:
    """Mean growth of the squared gradient a layer, towards the input, in random deep nets."""
    block, growths = [L.Dense(256, bias=False), L.BatchNorm(0.0), *activation], []
    net = simdl.Network((256,), block * 16, init="lecun_normal", dtype="float64")
    for seed in range(6):
        x, cotangent = np.random.default_rng(seed).normal(size=(2, batch, 256))
        pulled = simdl.vjp(net, net.init(seed), x, cotangent, training=True)
        outputs = range(len(block) - 1, len(net.layers), len(block))
        squares = [float((pulled.layers[i] ** 2).mean()) for i in outputs]
        growths += np.diff(-np.log(squares)).tolist()
    return float(np.exp(np.mean(growths[1:])))


@pytest.mark.parametrize("batch", [16, 32])
def test_growth_without_an_activation(batch: int) -> None:
    """(B - 2) / (B - 3) a layer, B the batch; with ReLU it is far from that."""
    assert growth(batch) == pytest.approx((batch - 2) / (batch - 3), rel=0.015)


def test_growth_with_relu_is_another() -> None:
    assert growth(32, L.ReLU()) > 1.4


# --- what is refused ------------------------------------------------------------------------------


REFUSED = (
    (lambda: L.BatchNorm(-1e-5), ("BatchNorm.eps", "-1e-05", "0")),
    (lambda: L.BatchNorm(momentum=1.5), ("BatchNorm.momentum", "1.5", "1")),
    (lambda: L.BatchNorm(eps=float("nan")), ("BatchNorm.eps", "nan")),
    (lambda: L.BatchNorm(channels=3), ("BatchNorm.channels", "unknown")),
    (lambda: L.LayerNorm(-1), ("LayerNorm.eps", "-1")),
    (lambda: L.RMSNorm("small"), ("RMSNorm.eps", "small")),
    (lambda: L.GroupNorm(0), ("GroupNorm.groups", "0", "1")),
    (lambda: L.GroupNorm(2.0), ("GroupNorm.groups", "2.0")),
    (lambda: L.GroupNorm(), ("GroupNorm.groups", "missing")),
    (lambda: L.Dropout(1), ("Dropout.rate", "1", "less than 1")),
    (lambda: L.Dropout(-0.1), ("Dropout.rate", "-0.1", "0")),
    (lambda: L.Dropout(float("nan")), ("Dropout.rate", "nan")),
    (lambda: L.PReLU(float("inf")), ("PReLU.alpha", "inf")),
)


@pytest.mark.parametrize(("make", "parts"), REFUSED, ids=itertools.count())
def test_refused(make: Any, parts: tuple[str, ...]) -> None:
    with pytest.raises(simdl.InputError) as refused:
        make()
    for part in parts:
        assert part in str(refused.value)
