"""Descent on all samples, step by step: its loss, and its sharpness beside what descent bears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.curvature import sharpness
from simdl.data import Data, load
from simdl.initializers import Normal
from simdl.layers import Dense, Flatten, Tanh
from simdl.network import Network
from simdl.optimizers import SGD
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.theory import descent
from simdl.training import train

# Of the search for the eigenvalue, whose own error goes with the square: 0.1 %.
TOLERANCE = 0.03
HIDDEN = 3  # layers
SMALL = Normal(std=0.1)


def _sharpness(net: Network, params: Parameters, data: Data) -> float:
    return sharpness(net, params, *data.train, "mse", tolerance=TOLERANCE)


def edge(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a tanh network on all of a few digits at once, by squared error, in float64.

    Three hidden layers of small weights, so that it begins far from the edge; pixels from 0 to 1.
    Labels become one-hot targets, and the loss is the mean over the ten outputs.

    Parameters
    ----------
    settings : `lr`; `samples`; `width`; `steps`; `looks`, how often the sharpness is taken

    Returns
    -------
    dict
        `ratio` (look,), sharpness over 2 / lr, before training and after each share of the steps,
        the last at the end; `loss` (step,), the training loss before each step and at the end.
        NaN where the training diverged before.
    """
    lr, steps, every = settings["lr"], settings["steps"], settings["steps"] // settings["looks"]
    source = load("digits", split=(0.8, 0.1, 0.1), scale="minmax", seed=seed)
    x, t = (part[: settings["samples"]] for part in source.train)
    block = (Dense(settings["width"]), Tanh())
    net = Network((8, 8, 1), (Flatten(), *block * HIDDEN, Dense(10)), SMALL, "float64")
    run = train(
        net, Data(train=(x, t), classes=source.classes), loss="mse", optimizer=SGD(lr=lr),
        batch_size="full", steps=steps, seed=seed,
        probes=[Probe("loss", every=1), Probe(_sharpness, every=every)],
    )  # fmt: skip
    history = run.history.reindex(step=np.arange(steps + 1))
    sharp, loss = history["_sharpness"].values[::every], history["train_loss"].values
    ratio = sharp / descent.largest_curvature(lr)
    return {
        "ratio": xarray.DataArray(ratio, {"look": every * np.arange(len(ratio))}),
        "loss": xarray.DataArray(loss, {"step": np.arange(len(loss))}),
    }
