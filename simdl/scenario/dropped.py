"""Networks trained with dropout: how they err, and what they lose when units are taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.functional import forward
from simdl.layers import Dense, Dropout, ReLU
from simdl.network import Network
from simdl.optimizers import SGD, Adam
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.result import Result
from simdl.scenario.interpolation import relabelled
from simdl.theory import dropout as theory
from simdl.training import train

TASKS = {"clean": (100, 0.0), "noisy": (400, 0.2)}  # samples, share of labels drawn anew
SHARES = (0.1, 0.25, 0.5, 0.75)  # of both hidden layers' units that are taken away
REMOVALS = 8  # draws of units for each
BEHIND = ("3.weight", "6.weight")  # what takes in a hidden layer
MASKS = 2_000  # of each sample, in linear regression
EVERY = 10  # steps between the weights that are averaged


def digits(task: str, seed: int) -> Data:
    """Return few digits to train on, a part of whose labels may be random; see `TASKS`."""
    source, (samples, share) = load("digits", seed=seed), TASKS[task]
    x, t = (part[:samples] for part in source.train)
    t = relabelled(t, share, 10, np.random.default_rng(seed))
    return Data((x, t), source.validation, source.test, classes=source.classes)


def trained(settings: Mapping[str, Any], seed: int) -> tuple[Data, Result]:
    """Train two hidden ReLU layers, dropout behind both, on `digits`: Adam, batches of 32.

    Parameters
    ----------
    settings : `task`, a name of `TASKS`; `rate` of dropout; `width`; `steps`; and the learning rate
        `optimizer.lr`
    """
    data = digits(settings["task"], seed)
    block = (Dense(settings["width"]), ReLU(), Dropout(settings["rate"]))
    net = Network((64,), (*block, *block, Dense(10)), "he_normal")
    run = train(
        net, data, optimizer=Adam(lr=settings["optimizer"]["lr"]), batch_size=32,
        steps=settings["steps"], seed=seed,
        probes=[Probe("loss", "end"), Probe("accuracy", "end")],
    )  # fmt: skip
    return data, run


def fit(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Losses and accuracies in the end, of training and of new samples.

    Parameters
    ----------
    settings : see `trained`

    Returns
    -------
    dict
        `train_loss`, `train_accuracy` on the labels trained on, without dropout; the same of
        `validation` and `test`, whose labels are true.
    """
    return dict(trained(settings, seed)[1].metrics)


def reliance(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What `fit` says, and how much the units rely on each other.

    Parameters
    ----------
    settings : see `trained`

    Returns
    -------
    dict
        `damage` (removed,), test accuracy that is lost when this share of the units of both hidden
        layers, drawn at random, is taken away and nothing else changed, a mean over draws;
        `correlation`, mean absolute correlation over the test samples between two units of the last
        hidden layer, of those that fire at all.
    """
    data, run = trained(settings, seed)
    net, params, rng = run.training.net, run.params, np.random.default_rng([seed, 1])
    x, t, lost = data.samples("test", "float32"), data.answers("test"), []
    for share in SHARES:
        found = []
        for _ in range(REMOVALS):
            less = without(params, share, rng)
            found.append(np.mean(forward(net, less, x).argmax(axis=1) == t))
        lost.append(run.metrics["test_accuracy"] - np.mean(found))
    return dict(run.metrics) | {
        "damage": xarray.DataArray(lost, {"removed": list(SHARES)}),
        "correlation": correlation(net, params, x),
    }


def without(params: Parameters, share: float, rng: np.random.Generator) -> Parameters:
    """Return parameters of a network that lacks a share of each hidden layer's units."""
    less = params.copy()
    for name in BEHIND:
        count = len(less[name])
        less[name][rng.choice(count, round(share * count), replace=False)] = 0.0
    return less


def correlation(net: Network, params: Parameters, x: np.ndarray) -> float:
    """Return the mean absolute correlation between two units of the last hidden layer."""
    hidden = Network(net.input_shape, net.layers[:-1], net.initializer)
    h = forward(hidden, hidden.wrap(params.flat[: hidden.n_parameters].copy()), x)
    h = h[:, h.std(axis=0) > 0]
    between = np.abs(np.corrcoef(h, rowvar=False))
    return float(np.mean(between[~np.eye(len(between), dtype=bool)]))


def weights(net: Network, params: Parameters, data: Data) -> np.ndarray:
    """Return the weights of a linear network: a probe."""
    return np.ravel(params["1.weight"]).copy()


def problem(samples: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (n, d), correlated columns of unequal scale, and noisy linear targets y (n,)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, features)) * np.geomspace(0.5, 2.0, features)
    x[:, 1:] += 0.5 * x[:, :-1]
    return x, x @ rng.standard_normal(features) + rng.standard_normal(samples)


def regression(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Linear regression whose inputs are dropped, next to its closed form.

    The inputs of `problem`, all in one batch; SGD, float64.

    Parameters
    ----------
    settings : `rate` of dropout; `samples`; `features`; `lr`; `steps`

    Returns
    -------
    dict
        `loss`, the mean over masks at some weights, over the formula's; of the mean of the weights
        trained, over all steps but the first tenth: `length`, over that of least squares' without
        dropout; `distance` from theory's weights, from least squares' (`plain`) and from ridge
        regression's of the same strength on average (`ridge`), over the length of theory's.
    """
    n, d, rate = settings["samples"], settings["features"], settings["rate"]
    (x, y), keep = problem(n, d, seed), 1 - rate
    net = Network((d,), (Dropout(rate), Dense(1, bias=False)), "he_normal", dtype="float64")
    some = net.init(seed)
    masked = forward(net, some, np.tile(x, (MASKS, 1)), training=True, seed=seed)
    lost = np.mean((np.tile(y, MASKS) - masked[:, 0]) ** 2)
    run = train(
        net, Data(train=(x, y)), loss="mse", optimizer=SGD(lr=settings["lr"]), batch_size="full",
        steps=settings["steps"], seed=seed, probes=[Probe(weights, every=EVERY)],
    )  # fmt: skip
    path = run.history["weights"].values
    mean, own = path[len(path) // 10 :].mean(axis=0), theory.weights(x, y, keep)
    strength = (1 - keep) / keep * np.mean(np.sum(x**2, axis=0))
    ridge = np.linalg.solve(x.T @ x + strength * np.eye(d), x.T @ y)
    plain = theory.weights(x, y, 1.0)
    return {
        "loss": lost * n / theory.expected_loss(x, y, np.ravel(some["1.weight"]), keep),
        "length": _length(mean) / _length(plain),
        "distance": _length(mean - own) / _length(own),
        "plain": _length(mean - plain) / _length(own),
        "ridge": _length(mean - ridge) / _length(own),
    }


def _length(w: np.ndarray) -> float:
    return float(np.linalg.norm(w))
