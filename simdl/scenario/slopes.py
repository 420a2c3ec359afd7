"""The slope of ReLU's negative side, fixed or learned, on tasks that differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simdl.data import Data, load
from simdl.layers import Dense, Flatten, Layer, LeakyReLU, PReLU
from simdl.network import Network
from simdl.optimizers import Adam
from simdl.probes import Probe
from simdl.training import train

TASKS: dict[str, dict[str, Any]] = {"mnist1d": {"samples": 2000}, "spirals": {"turns": 2.0}}


def sloped(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a network by Adam whose units have a slope on the negative side.

    Parameters
    ----------
    settings : `data`, of TASKS; `slope`; `learned`, whether it is where PReLU starts; `depth`
        hidden layers of `width`; `steps` of batches of 32; `optimizer.lr`

    Returns
    -------
    dict
        `validation` and `loss`, of the test, nats; `accuracy`, of the test; `end`, the mean of the
        slopes then.
    """
    data = load(settings["data"], seed=seed, **TASKS[settings["data"]])
    slope = settings["slope"]
    kind: Layer = PReLU(slope) if settings["learned"] else LeakyReLU(slope)
    stack = [layer for _ in range(settings["depth"]) for layer in (Dense(settings["width"]), kind)]
    net = Network(data.input_shape, (Flatten(), *stack, Dense(data.n_classes or 2)), "he_normal")
    made = train(
        net, data, optimizer=Adam(settings["optimizer"]["lr"]), steps=settings["steps"], seed=seed,
        probes=[Probe("loss", "end"), Probe("accuracy", "end")],
    )  # fmt: skip
    paths = [f"{2 * i + 2}.weight" for i in range(settings["depth"])]
    ends = [float(made.params[path].mean()) for path in paths] if settings["learned"] else [slope]
    return {
        "validation": made.metrics["validation_loss"],
        "loss": made.metrics["test_loss"],
        "accuracy": made.metrics["test_accuracy"],
        "end": float(np.mean(ends)),
    }


def taught(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Let one unit with a learned slope imitate one whose slope is `slope`.

    It starts linear, at a slope of 1: so that it finds the side on which the other one is on.

    512 samples of 8 normal inputs, mean squared error, Adam at .01, batches of 32.

    Parameters
    ----------
    settings : `slope`, of the unit that is imitated; `steps`

    Returns
    -------
    dict
        `end`, the slope then.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((512, 8))
    z = x @ rng.standard_normal(8) / np.sqrt(8)
    data = Data(train=(x, np.where(z > 0, z, settings["slope"] * z)))
    net = Network((8,), (Dense(1), PReLU(1.0)), "lecun_normal")
    made = train(
        net, data, loss="mse", optimizer=Adam(0.01), steps=settings["steps"], seed=seed, probes=[]
    )
    return {"end": float(made.params["1.weight"][0])}
