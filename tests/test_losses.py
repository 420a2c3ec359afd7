"""Losses from their descriptions to a training: targets, accuracy, a loss on a Sigmoid output."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
from cases import DTYPES

import simdl
from simdl import layers as L
from simdl import losses
from simdl.configuration import Configuration

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
SIDE = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)  # two classes that a line separates


def net(outputs: int, *last: L.Layer, dtype: str = "float64") -> simdl.Network:
    return simdl.Network((3,), [L.Dense(5), L.Tanh(), L.Dense(outputs), *last], dtype=dtype)


def test_names_and_options() -> None:
    assert losses.loss("huber") == losses.Huber(delta=1.0)
    assert losses.loss({"name": "huber", "delta": 3}) == losses.Huber(3.0)
    for wrong in (0, -1, math.inf, "wide"):
        with pytest.raises(simdl.InputError, match=r"loss\.delta"):
            losses.loss({"name": "huber", "delta": wrong})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["mse", "mae", "huber", "binary_cross_entropy"])
def test_labels_become_one_hot_targets(name: str, dtype: str) -> None:
    """On a Sigmoid output, too: the loss of class indices is that of their one-hot rows."""
    t = RNG.integers(0, 4, 40)
    last = () if name == "binary_cross_entropy" else (L.Sigmoid(),)
    model = net(4, *last, dtype=dtype)
    params = model.init(1)
    value, grads = simdl.value_and_grad(model, params, X, t, loss=name)
    same, same_grads = simdl.value_and_grad(model, params, X, np.eye(4)[t], loss=name)
    assert value == same and np.array_equal(grads.flat, same_grads.flat)
    y = simdl.forward(model, params, X).astype(float)
    want = naive.LOSSES[name](y, np.eye(4)[t], 1.0)[0].mean()
    assert value == pytest.approx(want, rel=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "binary_cross_entropy"])
def test_one_output_takes_labels_0_and_1(name: str) -> None:
    model = net(1, *(() if name == "binary_cross_entropy" else (L.Sigmoid(),)))
    params = model.init(1)
    value, _ = simdl.value_and_grad(model, params, X, SIDE, loss=name)
    assert value == simdl.value_and_grad(model, params, X, SIDE.astype(float), loss=name)[0]
    with pytest.raises(simdl.InputError, match=r"label 2.*must be 0 to 1.*has 1 output;"):
        simdl.value_and_grad(model, params, X, SIDE + 1, loss=name)


@pytest.mark.parametrize(
    ("name", "last", "threshold"),
    [("binary_cross_entropy", (), 0.0), ("mse", (L.Sigmoid(),), 0.5), ("mae", (), 0.5)],
)
def test_accuracy_of_one_output(name: str, last: tuple, threshold: float) -> None:
    """The share of samples on the right side: of 0 for logits, of 1/2 for what a target is near."""
    data, model = simdl.Data(train=(X, SIDE)), net(1, *last)
    adam = {"name": "Adam", "lr": 0.05}
    early = simdl.train(model, data, loss=name, optimizer=adam, epochs=2)
    y = simdl.forward(model, early.params, X)[:, 0]
    assert early.metrics["train_accuracy"] == pytest.approx(((y > threshold) == SIDE).mean())
    assert ((y > 0.5 - threshold) != (y > threshold)).any()  # the test sees the threshold
    later = simdl.train(model, data, loss=name, optimizer=adam, epochs=30)
    assert later.metrics["train_accuracy"] > 0.9


def test_regression_has_no_accuracy() -> None:
    data = simdl.Data(train=(X, X[:, 0]))
    for name in ("mse", "mae", "huber"):
        metrics = simdl.train(net(1), data, loss=name, epochs=1).metrics
        own = {"train_rmse", "train_r2"} if name == "mse" else set()
        assert set(metrics) == {"train_loss"} | own


def test_binary_cross_entropy_takes_probabilities() -> None:
    t = RNG.uniform(size=(40, 2))
    value, _ = simdl.value_and_grad(net(2), net(2).init(0), X, t, loss="binary_cross_entropy")
    y = simdl.forward(net(2), net(2).init(0), X)
    p = 1 / (1 + np.exp(-y))
    assert value == pytest.approx(-(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(), rel=1e-12)
    t[7, 1] = 1.5
    with pytest.raises(simdl.InputError, match=r"t: 1\.5 in row 7: must be from 0 to 1"):
        simdl.value_and_grad(net(2), net(2).init(0), X, t, loss="binary_cross_entropy")


@pytest.mark.parametrize("dtype", DTYPES)
def test_sure_logits_keep_their_small_losses(dtype: str) -> None:
    """log(1 + exp(-a)) where exp(-a) is far below the spacing of numbers at 1."""
    function, option = losses.loss("binary_cross_entropy").rule()
    y = np.array([[40.0], [-40.0], [1000.0], [-1000.0]], dtype)
    t = np.array([[1.0], [0.0], [0.0], [1.0]], dtype)
    out, dy = np.empty(4, dtype), np.empty_like(y)
    function(out, dy, y, t, option)
    np.testing.assert_allclose(out, [np.exp(-40), np.exp(-40), 1000, 1000], rtol=1e-6)
    assert np.array_equal(dy[2:, 0], np.array([0.25, -0.25], dtype))


def test_two_classes_need_one_output() -> None:
    table = {
        "data": {"name": "moons"}, "network": {"depth": 1, "width": 4},
        "training": {"loss": "binary_cross_entropy", "epochs": 2},
    }  # fmt: skip
    result = Configuration.parse(table).train([0])[0]
    assert result.training.net.output_shape == (1,)
    assert result.metrics["train_accuracy"] > 0.5
    table["training"]["loss"] = "softmax_cross_entropy"
    assert Configuration.parse(table).train([0])[0].training.net.output_shape == (2,)
