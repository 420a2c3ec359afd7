"""Dropout as an ensemble: one network against the average of the sub-networks within it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import xarray

from simdl.functional import forward
from simdl.layers import Dense, Dropout, Layer, ReLU
from simdl.network import Network
from simdl.scenario.dropped import trained
from simdl.theory.dropout import geometric_mean

UNITS, CLASSES, SAMPLES = 8, 5, 16  # of the networks all of whose sub-networks are averaged
SIZES = (1, 2, 4, 8, 16, 32, 64)  # how many sub-networks are averaged, of those of the last


def every_mask(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Average all sub-networks of a small random network, one for each of its 256 masks.

    Random weights and inputs, float64. A sub-network is the network without the units that its mask
    drops, what is left divided by the share kept.

    Parameters
    ----------
    settings : `rate` of dropout; `place`, what is dropped: "linear", the inputs of a single layer;
        "last", the last hidden layer's units; "inputs", those of a network with a hidden layer

    Returns
    -------
    dict
        `geometric`, `arithmetic`: largest difference over samples and classes between the network's
        softmax without dropout and this mean of the sub-networks', masks weighted by their
        probability; the geometric one made to sum to 1.
    """
    rate, drop, out = settings["rate"], Dropout(settings["rate"]), Dense(CLASSES)
    layers: tuple[Layer, ...] = {
        "linear": (drop, out),
        "last": (Dense(UNITS), ReLU(), drop, out),
        "inputs": (drop, Dense(UNITS), ReLU(), out),
    }[settings["place"]]
    net = Network((UNITS,), layers, "he_normal", dtype="float64")
    params, rng = net.init(seed), np.random.default_rng(seed)
    x, behind = rng.standard_normal((SAMPLES, UNITS)), f"{layers.index(drop) + 1}.weight"
    shares, weight = [], []
    for mask in product((0.0, 1.0), repeat=UNITS):
        part, kept = params.copy(), sum(mask)
        part[behind] = params[behind] * np.array(mask)[:, None] / (1 - rate)
        shares.append(softmax(forward(net, part, x)))
        weight.append((1 - rate) ** kept * rate ** (UNITS - kept))
    scaled, probabilities = softmax(forward(net, params, x)), np.array(weight)
    arithmetic = np.tensordot(probabilities, np.array(shares), axes=1)
    return {
        "geometric": float(np.abs(geometric_mean(np.array(shares), probabilities) - scaled).max()),
        "arithmetic": float(np.abs(arithmetic - scaled).max()),
    }


def sampled(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train as `dropped.fit` does; then average the predictions of sub-networks, ever more of them.

    Each sample has its own masks, drawn as in training. What few sub-networks give is a mean over
    as many groups of them as there are.

    Parameters
    ----------
    settings : see `dropped.trained`

    Returns
    -------
    dict
        `loss` and `accuracy` (subnetworks,) on the test samples, of the mean of their softmaxes;
        `scaled_loss`, `scaled_accuracy`, the network's without dropout.
    """
    data, run = trained(settings, seed)
    net, params, t = run.training.net, run.params, data.answers("test")
    x, rows, last = (
        data.samples("test", "float32").reshape(len(t), -1),
        np.arange(len(t)),
        SIZES[-1],
    )
    shares = np.array(
        [softmax(forward(net, params, x, training=True, seed=k).astype(float)) for k in range(last)]
    )
    losses, accuracies = [], []
    for size in SIZES:
        mean = shares.reshape(last // size, size, *shares.shape[1:]).mean(axis=1)
        losses.append(-np.mean(np.log(np.maximum(mean[:, rows, t], 1e-300))))
        accuracies.append(np.mean(mean.argmax(axis=-1) == t))
    counted = {"subnetworks": list(SIZES)}
    return {
        "loss": xarray.DataArray(losses, counted),
        "accuracy": xarray.DataArray(accuracies, counted),
        "scaled_loss": run.metrics["test_loss"],
        "scaled_accuracy": run.metrics["test_accuracy"],
    }


def softmax(z: np.ndarray) -> np.ndarray:
    """Return the softmax of logits z (..., classes)."""
    raised = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
