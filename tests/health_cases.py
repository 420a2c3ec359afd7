"""Networks broken on purpose, and sound ones: what tests of a training's health train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import simdl
from simdl import layers as L
from simdl import optimizers as O

IMAGE = (8, 8, 1)
HUGE = {"name": "normal", "std": 1.0}


def mlp(depth: int, activation: Any, init: Any = "glorot_normal", **options: Any) -> simdl.Network:
    hidden = [layer for _ in range(depth) for layer in (L.Dense(32), activation)]
    return simdl.Network(IMAGE, [L.Flatten(), *hidden, L.Dense(10)], init=init, **options)


def digits(noise: float = 0.0, samples: int | None = None) -> simdl.Data:
    whole = simdl.data.load("digits", split=(0.3, 0.2, 0.5), scale="standard", seed=0)
    rng = np.random.default_rng(0)
    x, t = whole.train[0][:samples], whole.train[1][:samples].copy()
    wrong = rng.random(len(t)) < noise
    t[wrong] = rng.integers(0, 10, wrong.sum())
    return simdl.Data(train=(x, t), validation=whole.validation)


def wine() -> simdl.Data:
    from sklearn.datasets import load_wine

    table, order = load_wine(), np.random.default_rng(0).permutation(178)
    x, t = table.data[order], table.target[order]
    return simdl.Data(train=(x[:120], t[:120]), validation=(x[120:], t[120:]))


def waves(scale: float = 1.0) -> simdl.Data:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    t = scale * (np.sin(x[:, 0]) + x[:, 1] / 2 + 0.1 * rng.normal(size=200))
    return simdl.Data(train=(x[:100], t[:100]), validation=(x[100:], t[100:]))


def column(seed: int, classes: bool = False) -> simdl.Data:
    """A smooth function of one number, or on which side of two marks it is."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 1))
    t = (abs(x[:, 0]) < 0.7).astype(int) if classes else np.sin(2 * x[:, 0])
    return simdl.Data(train=(x[:150], t[:150]), validation=(x[150:], t[150:]))


def enlarged(factor: float) -> simdl.Data:
    whole = digits()
    assert whole.validation is not None
    parts = (whole.train, whole.validation)
    return simdl.Data(*((factor * x, t) for x, t in parts))


def diabetes() -> simdl.Data:
    from sklearn.datasets import load_diabetes

    table = load_diabetes()
    source = simdl.data.Source(table.data, table.target[:, None])
    return source.split((0.6, 0.2, 0.2), "standard", 0, "standard")


def regression(activation: Any, init: str = "glorot_normal") -> simdl.Network:
    layers = [L.Dense(16), activation, L.Dense(16), activation, L.Dense(1)]
    return simdl.Network((5,), layers, init=init)


SOFTMAX = simdl.Network(IMAGE, [L.Flatten(), L.Dense(10)])
RELU = mlp(2, L.ReLU(), "he_normal")
WAVES = {"loss": "mse", "batch_size": 16}


def shifted() -> simdl.Parameters:
    params = RELU.init(0)
    params["1.bias"][:] = -10
    params["3.bias"][:] = -10
    return params


def constant() -> simdl.Data:
    """Labels, and a column that was constant, as it is scaled."""
    return simdl.Data(train=(np.zeros((60, 1)), np.arange(60) % 3))


# name: network, data, settings, the warnings. Where there are several, each is true: signals that
# die (vanished gradient, dead units) leave a constant output and a loss at ln 10; weights that make
# tanh's gradient explode do so by saturating its units, as rates and inputs that are too large do;
# after a gradient 9e4 times as large in front every rate is too large there; a rate that kills
# units in the first steps is too large; outputs near 1 are all alike to targets of thousands.
BROKEN: dict[str, tuple[simdl.Network, Callable[[], simdl.Data], dict, set[str]]] = {
    "deep sigmoid": (
        mlp(10, L.Sigmoid()), digits, {"optimizer": O.SGD(lr=0.1), "epochs": 5},
        {"vanishing gradient", "constant output"},
    ),
    "deep ReLU, small weights": (
        mlp(10, L.ReLU(), {"name": "normal", "std": 0.01}), digits, {"epochs": 5},
        {"vanishing gradient", "dead units", "constant output"},
    ),
    "deep tanh, huge weights": (
        mlp(20, L.Tanh(), HUGE), digits, {"optimizer": O.SGD(lr=1e-3), "epochs": 5},
        {"exploding gradient", "saturated units", "learning rate too large"},
    ),
    "deep ReLU, huge weights": (
        mlp(8, L.ReLU(), HUGE), digits, {"epochs": 5}, {"exploding gradient"},
    ),
    "biases of -10": (
        RELU, digits, {"epochs": 3, "params": shifted()}, {"dead units", "constant output"},
    ),
    "ReLU, huge rate": (
        RELU, digits, {"epochs": 3, "optimizer": O.Adam(lr=1.0)},
        {"dead units", "learning rate too large", "constant output"},
    ),
    "saturated tanh": (
        simdl.Network(
            IMAGE,
            [L.Flatten(), L.Dense(32, {"name": "normal", "std": 3.0}), L.Tanh(), L.Dense(10)],
        ),
        digits, {"epochs": 5, "optimizer": O.Adam(lr=3e-3)}, {"saturated units"},
    ),
    "equal weights": (
        mlp(1, L.Tanh(), {"name": "constant", "value": 0.1}), digits, {"epochs": 5},
        {"symmetric units"},
    ),
    "rate of 1e-7": (
        mlp(2, L.Tanh()), digits, {"epochs": 5, "optimizer": O.Adam(lr=1e-7)},
        {"learning rate too small"},
    ),
    "rate of 0": (
        RELU, digits, {"epochs": 2, "schedule": np.zeros(68)}, {"learning rate too small"},
    ),
    "linear, huge rate": (
        SOFTMAX, lambda: digits(0.5), {"epochs": 8, "optimizer": O.SGD(lr=30.0)},
        {"learning rate too large"},
    ),
    "tanh, huge rate": (
        mlp(2, L.Tanh()), digits, {"epochs": 5, "optimizer": O.SGD(lr=10.0)},
        {"saturated units", "learning rate too large"},
    ),
    "40 samples, noisy labels": (
        mlp(1, L.ReLU(), "he_normal"), lambda: digits(0.4, 40),
        {"epochs": 150, "batch_size": 8, "optimizer": O.Adam(lr=3e-3)}, {"overfitting"},
    ),
    "diabetes, far too long": (
        simdl.Network((10,), [*[L.Dense(64), L.ReLU()] * 2, L.Dense(1)], init="he_normal"),
        diabetes, {"loss": "mse", "epochs": 100}, {"overfitting"},
    ),
    "rate of 1e6": (
        regression(L.ReLU(), "he_normal"), waves, WAVES | {"epochs": 5, "optimizer": O.SGD(lr=1e6)},
        {"divergence"},
    ),
    "raw columns": (
        simdl.Network((13,), [L.Dense(3)]), wine, {"epochs": 20}, {"unscaled inputs"},
    ),
    "raw columns, tanh": (
        simdl.Network((13,), [L.Dense(16), L.Tanh(), L.Dense(3)]), wine, {"epochs": 20},
        {"unscaled inputs", "saturated units"},
    ),
    "targets of thousands": (
        regression(L.Tanh()), lambda: waves(1e4), WAVES | {"epochs": 5},
        {"unscaled targets", "constant output"},
    ),
    "softmax before its loss": (
        simdl.Network(IMAGE, [L.Flatten(), L.Dense(10), L.Softmax()]), digits, {"epochs": 5},
        {"squashed logits"},
    ),
    "nothing but a constant column": (
        simdl.Network((1,), [L.Dense(16), L.ReLU(), L.Dense(3)]), constant, {"epochs": 5},
        {"constant inputs", "constant output"},
    ),
    "huge penalty": (
        mlp(1, L.Tanh()), digits, {"epochs": 5, "optimizer": O.SGD(lr=0.1), "l2": 2.0},
        {"constant output"},
    ),
}  # fmt: skip

SOUND: dict[str, tuple[simdl.Network, Callable[[], simdl.Data], dict]] = {
    "tanh": (mlp(2, L.Tanh()), digits, {"epochs": 8}),
    "tanh, ten layers": (mlp(10, L.Tanh()), digits, {"epochs": 8}),
    "sigmoid, two layers": (
        mlp(2, L.Sigmoid()), digits, {"epochs": 12, "optimizer": O.Adam(lr=1e-2)},
    ),
    "ReLU": (RELU, digits, {"epochs": 8}),
    "ReLU, float64": (
        mlp(2, L.ReLU(), "he_normal", dtype="float64"), digits,
        {"epochs": 8, "optimizer": O.SGD(lr=0.05, momentum=0.9), "stop": "patience"},
    ),
    "leaky ReLU": (mlp(3, L.LeakyReLU(), "he_normal"), digits, {"epochs": 8, "schedule": "cosine"}),
    "convolution": (
        simdl.Network(
            IMAGE,
            [L.Conv2D(8, 3), L.BatchNorm(), L.ReLU(), L.MaxPool2D(2), L.Flatten(), L.Dense(10)],
            init="he_normal",
        ),
        digits, {"epochs": 6, "optimizer": O.Adam(lr=3e-3)},
    ),
    "residual": (
        simdl.Network(
            IMAGE,
            [L.Flatten(), L.Dense(32), *[L.Residual([L.ReLU(), L.Dense(32)])] * 6, L.Dense(10)],
            init="he_normal",
        ),
        digits, {"epochs": 8},
    ),
    "dropout": (
        simdl.Network(
            IMAGE, [L.Flatten(), L.Dense(64), L.ReLU(), L.Dropout(0.5), L.Dense(10)],
            init="he_normal",
        ),
        digits, {"epochs": 8},
    ),
    "softmax regression": (SOFTMAX, digits, {"epochs": 8, "optimizer": O.SGD(lr=0.1)}),
    "regression": (
        regression(L.Tanh()), waves, WAVES | {"epochs": 50, "optimizer": O.Adam(lr=3e-3)},
    ),
    "linear regression": (
        simdl.Network((5,), [L.Dense(1)]), waves,
        WAVES | {"epochs": 50, "optimizer": O.SGD(lr=0.03), "batch_size": "full", "probes": []},
    ),
    "one column": (
        simdl.Network((1,), [L.Dense(64), L.ReLU(), L.Dense(64), L.ReLU(), L.Dense(1)],
                      init="he_normal"),
        lambda: column(0), {"loss": "mse", "epochs": 30},
    ),
    "one column, deep": (
        simdl.Network((1,), [*[L.Dense(64), L.ReLU()] * 3, L.Dense(2)], init="he_normal"),
        lambda: column(1, classes=True), {"epochs": 30},
    ),
    "raw columns behind Flatten and BatchNorm": (
        simdl.Network(
            (13,), [L.Flatten(), L.BatchNorm(), L.Dense(16), L.ReLU(), L.Dense(3)], init="he_normal"
        ),
        wine, {"epochs": 20},
    ),
    "pixels behind LayerNorm": (
        simdl.Network(
            IMAGE, [L.Flatten(), L.LayerNorm(), L.Dense(32), L.ReLU(), L.Dense(10)],
            init="he_normal",
        ),
        lambda: enlarged(1000.0), {"epochs": 8},
    ),
    "raw columns behind BatchNorm": (
        simdl.Network((13,), [L.BatchNorm(), L.Dense(16), L.ReLU(), L.Dense(3)], init="he_normal"),
        wine, {"epochs": 20},
    ),
}  # fmt: skip
