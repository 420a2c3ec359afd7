"""What pooling does: to accuracy, to shifted inputs, to features that are on or off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.functional import forward
from simdl.layers import (
    AvgPool1D,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool1D,
    MaxPool2D,
    ReLU,
)
from simdl.network import Network
from simdl.optimizers import Adam
from simdl.probes import Probe
from simdl.training import train

CONV: dict[str, Any] = {"mnist1d": Conv1D, "digits": Conv2D}
POOLS: dict[str, dict[str, Any]] = {
    "mnist1d": {"average": AvgPool1D, "max": MaxPool1D},
    "digits": {"average": AvgPool2D, "max": MaxPool2D},
}
SIZE, LENGTH = 3, 40  # of a kernel; of a sequence
BATCH, LOOKS = 100, 6
HELD = 500  # samples kept to choose rates by


def accuracy(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train two convolutions, each with ReLU and a way to pool behind it, and one linear map.

    Adam, batches of 100. Every way starts from the same kernels; the data keep their order.

    Parameters
    ----------
    settings : `data`, "mnist1d" or "digits"; `pooling`, "none", "stride" (the convolutions move by
        2), "average", "max" (of 2) or "global" (no pooling, and a mean over all positions before
        the linear map); `channels`; `samples` trained on; `steps`, a multiple of
        `LOOKS`; `optimizer`, a table with `lr`

    Returns
    -------
    dict
        `accuracy` (step,) on the test part, `LOOKS` times; `validation_error` at the end, share;
        `parameters`, their number.
    """
    name, pooling = settings["data"], settings["pooling"]
    if name == "mnist1d":
        whole = load(name, split=(0.8, 0, 0.2), seed=seed)  # published test set
    else:
        whole = load(name, seed=seed)
    n = settings["samples"]
    x, t = whole.train
    data = Data(
        train=(x[:n], t[:n]),
        validation=(x[-HELD:], t[-HELD:]),
        test=whole.test,
        classes=whole.classes,
    )
    layers: list[Layer] = []
    for _ in range(2):
        stride = 2 if pooling == "stride" else 1
        layers += [CONV[name](settings["channels"], SIZE, stride, 1), ReLU()]
        if pooling in POOLS[name]:
            layers.append(POOLS[name][pooling](2))
    layers += [GlobalAvgPool() if pooling == "global" else Flatten(), Dense(10)]
    net = Network(data.input_shape, tuple(layers), "he_normal")
    run = train(
        net, data, optimizer=Adam(**settings["optimizer"]), batch_size=min(BATCH, n),
        steps=settings["steps"], seed=seed,
        probes=[Probe("accuracy", every=max(1, settings["steps"] // LOOKS))],
    )  # fmt: skip
    seen = run.history
    return {
        "accuracy": xarray.DataArray(seen["test_accuracy"].values, {"step": seen["step"].values}),
        "validation_error": 1 - float(seen["validation_accuracy"][-1]),
        "parameters": float(run.params.flat.size),
    }


def shifts(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """How far outputs of random networks move when a periodic input is shifted.

    Two convolutions with ReLU over a whole period, then a mean over all positions: in float64, on
    unit normal inputs.

    Parameters
    ----------
    settings : `stride` of the second convolution; `channels`; `most`, the largest shift

    Returns
    -------
    dict
        `change` (shift,), the largest difference of an output, relative to the largest output.
    """
    stride, channels = settings["stride"], settings["channels"]
    layers = (Conv1D(channels, SIZE), ReLU(), Conv1D(channels, SIZE, stride), ReLU())
    margin = SIZE - 1  # of the period's other end: valid convolutions are then circular
    net = Network((LENGTH + 2 * margin, 1), (*layers, GlobalAvgPool()), "he_normal", "float64")
    params = net.init(seed)
    period = np.random.default_rng(seed).normal(size=(1, LENGTH, 1))
    at = np.arange(settings["most"] + 1)

    def outputs(shift: int) -> np.ndarray:
        x = np.take(np.roll(period, shift, axis=1), np.arange(net.input_shape[0]), 1, mode="wrap")
        return np.asarray(forward(net, params, x))

    still = outputs(0)
    moved = [np.abs(outputs(int(k)) - still).max() / np.abs(still).max() for k in at]
    return {"change": xarray.DataArray(moved, {"shift": at})}


def bernoulli(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Pool features that are 1 or 0 by chance, of two classes, with the engine's pooling layers.

    Classes and numbers of features share what is drawn, so that their differences are known best.

    Parameters
    ----------
    settings : `first`, `second`, chances of a 1 in each class; `counts`, numbers of features that
        are pooled; `draws` of each

    Returns
    -------
    dict
        `mean`, `spread` (pool, class, count), of "average" and "max" over the draws.
    """
    counts, shares = list(settings["counts"]), [settings["first"], settings["second"]]
    drawn = np.random.default_rng(seed).random((settings["draws"], max(counts)), np.float32)
    found = np.empty((2, 2, 2, len(counts)))
    for k, count in enumerate(counts):
        for i, pool in enumerate((AvgPool1D, MaxPool1D)):
            net = Network((count, 1), (pool(count),), "he_normal", "float64")
            for j, share in enumerate(shares):
                x = (drawn[:, :count, None] < share).astype(float)
                pooled = np.asarray(forward(net, net.init(0), x))
                found[:, i, j, k] = pooled.mean(), pooled.std()
    at = {"pool": ["average", "max"], "class": [1, 2], "count": counts}
    return {"mean": xarray.DataArray(found[0], at), "spread": xarray.DataArray(found[1], at)}
