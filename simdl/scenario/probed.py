"""What a network's layers make of the classes: probes behind each, and heads put on a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.functional import forward
from simdl.layers import Conv1D, Dense, Flatten, GlobalAvgPool, Layer, ReLU, Residual
from simdl.network import Network
from simdl.optimizers import Adam
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.scenario.published import IMAGE, vgg, vgg_head
from simdl.training import train

CLASSES, BATCH = 10, 100
RIDGE = 1.0  # of a probe, on standardised activations
SCRAMBLES = 32  # of each trained head
HEADS: dict[str, tuple[Layer, ...]] = {
    "mean, linear": (GlobalAvgPool(), Dense(CLASSES)),
    "flat, linear": (Flatten(), Dense(CLASSES)),
    "flat, hidden, linear": (Flatten(), Dense(64), ReLU(), Dense(CLASSES)),
}
LINEAR: tuple[Layer, ...] = (Flatten(), Dense(CLASSES))
MODELS: dict[str, tuple[Layer, ...]] = {
    "logistic": LINEAR,
    "mlp": (
        Flatten(), Dense(100), ReLU(), Residual((Dense(100), ReLU())), Dense(CLASSES),
    ),
    "cnn": (
        Conv1D(25, 5, 2, 1), ReLU(), Conv1D(25, 3, 2, 1), ReLU(), Conv1D(25, 3, 2, 1), ReLU(),
        *LINEAR,
    ),
}  # fmt: skip


def probe(x: np.ndarray, t: np.ndarray, new: np.ndarray, true: np.ndarray) -> float:
    """Accuracy on new activations of ridge regression onto the classes.

    Parameters
    ----------
    x, new : activations (n, units), (m, units), standardised by the first
    t, true : their classes (n,), (m,)
    """
    shift, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    a, b = (np.c_[(each - shift) / scale, np.ones(len(each))] for each in (x, new))
    weights = np.linalg.solve(a.T @ a + RIDGE * np.eye(a.shape[1]), a.T @ np.eye(CLASSES)[t])
    return float(np.mean((b @ weights).argmax(axis=1) == true))


def separation(x: np.ndarray, t: np.ndarray) -> float:
    """Variance between the classes' means over that within classes, summed over the units."""
    means = np.array([x[t == c].mean(axis=0) for c in range(CLASSES)])
    within = np.sum((x - means[t]) ** 2)
    return float(np.sum((means[t] - x.mean(axis=0)) ** 2) / within)


def layers(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Probe the input and every hidden layer of a dense ReLU network, trained and at birth.

    MNIST-1D, Adam, batches of 100; probes are fitted on the training part.

    Parameters
    ----------
    settings : `width`; `depth`, hidden layers; `lr`; `steps`

    Returns
    -------
    dict
        `probe`, `separation` (state, layer), of "born" and "trained" networks, layer 0 the input,
        on the test part; `accuracy` of the trained network itself.
    """
    data = load("mnist1d", split=(0.8, 0, 0.2), seed=seed)
    hidden = (Dense(settings["width"]), ReLU()) * settings["depth"]
    net = Network(data.input_shape, (Flatten(), *hidden, Dense(CLASSES)), "he_normal")
    run = _trained(net, data, settings["lr"], settings["steps"], seed)
    assert data.test is not None
    (x, t), (new, true) = data.train, data.test
    found = np.empty((2, 2, settings["depth"] + 1))
    for state, params in enumerate((net.init(seed), run.params)):
        for layer in range(settings["depth"] + 1):
            cut = Network(data.input_shape, (Flatten(), *hidden[: 2 * layer]), "he_normal")
            own = cut.init(0)
            own.flat[:] = params.flat[: own.flat.size]
            seen, unseen = (forward(cut, own, part) for part in (x, new))
            found[:, state, layer] = probe(seen, t, unseen, true), separation(unseen, true)
    at = {"state": ["born", "trained"], "layer": np.arange(settings["depth"] + 1)}
    return {
        "probe": xarray.DataArray(found[0], at), "separation": xarray.DataArray(found[1], at),
        "accuracy": run.metrics["test_accuracy"],
    }  # fmt: skip


def _trained(net: Network, data: Data, lr: float, steps: int, seed: int) -> Any:
    return train(
        net, data, optimizer=Adam(lr=lr), batch_size=BATCH, steps=steps, seed=seed,
        probes=[Probe("accuracy", every="end")],
    )  # fmt: skip


def body(channels: int) -> tuple[Layer, ...]:
    """Three convolutions with ReLU, the first of size 5 and stride 2: a map of 19 positions."""
    first = Conv1D(channels, 5, 2, 1)
    return (first, ReLU(), *(Conv1D(channels, 3, 1, 1), ReLU()) * 2)


def replaced(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a convolutional network on MNIST-1D; put other heads on what it learned.

    Parameters
    ----------
    settings : `channels`; `lr`; `steps`

    Returns
    -------
    dict
        `accuracy` (head,) on the test part: "trained", as it is; "scrambled", all weights of the
        dense layers in another order, mean of `SCRAMBLES`; "born", weights as before training;
        "retrained", those trained again from there, the convolutions kept.
    """
    data = load("mnist1d", split=(0.8, 0, 0.2), seed=seed)
    front, head = body(settings["channels"]), HEADS["flat, hidden, linear"]
    net = Network(data.input_shape, (*front, *head), "he_normal")
    run, start = _trained(net, data, settings["lr"], settings["steps"], seed), net.init(seed)
    cut = Network(data.input_shape, front, "he_normal")
    own = cut.init(0)
    kept = own.flat.size
    own.flat[:] = run.params.flat[:kept]
    assert data.test is not None
    x, new = (forward(cut, own, part[0]) for part in (data.train, data.test))
    features = Data(train=(x, data.train[1]), test=(new, data.test[1]), classes=data.classes)
    tail = Network(x.shape[1:], head, "he_normal")
    born = tail.init(0)
    born.flat[:] = start.flat[kept:]

    def right(params: Parameters) -> float:
        return float(np.mean(forward(tail, params, new).argmax(axis=1) == features.answers("test")))

    rng, scrambled = np.random.default_rng(seed), []
    for _ in range(SCRAMBLES):
        mixed = born.like(run.params.flat[kept:].copy())
        for name in mixed:
            if name.endswith("weight"):
                mixed[name][...] = rng.permutation(mixed[name].ravel()).reshape(mixed[name].shape)
        scrambled.append(right(mixed))
    again = train(
        tail, features, optimizer=Adam(lr=settings["lr"]), batch_size=BATCH,
        steps=settings["steps"], seed=seed, params=born,
    )  # fmt: skip
    trained = right(born.like(run.params.flat[kept:].copy()))
    found = [trained, float(np.mean(scrambled)), right(born), right(again.params)]
    names = ["trained", "scrambled", "born", "retrained"]
    return {"accuracy": xarray.DataArray(found, {"head": names})}


def headed(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train the convolutions of `body` with a head on MNIST-1D.

    Parameters
    ----------
    settings : `head`, of `HEADS`; `channels`; `steps`; `optimizer`, a table with `lr`

    Returns
    -------
    dict
        `accuracy` on the published test part; `validation_error`, share; `parameters`, all.
    """
    data = load("mnist1d", split=(0.7, 0.1, 0.2), seed=seed)
    layers = (*body(settings["channels"]), *HEADS[settings["head"]])
    net = Network(data.input_shape, layers, "he_normal")
    run = _trained(net, data, settings["optimizer"]["lr"], settings["steps"], seed)
    return {
        "accuracy": run.metrics["test_accuracy"],
        "validation_error": 1 - float(run.metrics["validation_accuracy"]),
        "parameters": float(net.n_parameters),
    }


def benchmark(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a published model of MNIST-1D in the published way: Adam, .01, inputs as they are.

    Parameters
    ----------
    settings : `model`, of `MODELS`; `steps`

    Returns
    -------
    dict
        `accuracy` on the published test part; `parameters`.
    """
    data = load("mnist1d", split=(0.8, 0, 0.2), scale="none", seed=seed)
    net = Network(data.input_shape, MODELS[settings["model"]], "he_normal")
    run = _trained(net, data, 0.01, settings["steps"], seed)
    return {
        "accuracy": run.metrics["test_accuracy"], "parameters": float(net.n_parameters),
    }  # fmt: skip


def counted(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Parameters of VGG-16; nothing is allocated.

    Returns
    -------
    dict
        `total`; `first`, of its first dense layer; `dense`, of all three; `convolutions`.
    """
    whole, front = (
        Network(IMAGE, tuple(part)).n_parameters for part in ([*vgg(), *vgg_head()], vgg())
    )
    flat, first = vgg_head()[:2]
    begun = Network(IMAGE, (*vgg(), flat, first)).n_parameters
    found = {"total": whole, "first": begun - front, "dense": whole - front, "convolutions": front}
    return {name: float(count) for name, count in found.items()}
