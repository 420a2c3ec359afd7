"""Labels that say nothing of their samples, learned by heart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.layers import Dense, Flatten, ReLU
from simdl.network import Network
from simdl.optimizers import Adam
from simdl.probes import Probe
from simdl.scenario.interpolation import relabelled
from simdl.training import train


def memorize(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a network of two hidden ReLU layers on digits, a share of whose labels is random.

    Adam, batches of 32. The test part keeps its true labels.

    Parameters
    ----------
    settings : `samples` trained on, at most 1,078; `share` of their labels that is drawn anew from
        all ten; `width`; `lr`; `epochs`; `looks`, how often the accuracy is taken

    Returns
    -------
    dict
        `training` and `test` (epoch,), accuracies from before training to the end: on the labels
        that are trained on, and on true ones.
    """
    source, rng = load("digits", seed=seed), np.random.default_rng(seed)
    x, t = (part[: settings["samples"]] for part in source.train)
    data = Data(
        train=(x, relabelled(t, settings["share"], 10, rng)), test=source.test,
        classes=source.classes,
    )  # fmt: skip
    hidden = (Dense(settings["width"]), ReLU())
    net = Network(data.input_shape, (Flatten(), *hidden, *hidden, Dense(10)), "he_normal")
    batches = -(-len(t) // 32)
    every = batches * (settings["epochs"] // settings["looks"])
    run = train(
        net, data, optimizer=Adam(lr=settings["lr"]), batch_size=32, epochs=settings["epochs"],
        seed=seed, probes=[Probe("accuracy", every=every)],
    )  # fmt: skip
    epochs = {"epoch": run.history["step"].values // batches}
    return {
        name: xarray.DataArray(run.history[f"{part}_accuracy"].values, epochs)
        for name, part in (("training", "train"), ("test", "test"))
    }
