"""Networks with normalisation: gradients at birth, scale invariance, training against inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.functional import forward, value_and_grad, vjp
from simdl.layers import BatchNorm, Dense, Identity, Layer, LayerNorm, ReLU, Sigmoid
from simdl.network import Network
from simdl.optimizers import SGD, Adam
from simdl.parameters import Parameters
from simdl.schedules import Cosine
from simdl.training import train

DEPTH, FIRST, LAST = 20, 3, 17  # layers in all, and those between which growth is taken
ACTIVATIONS: dict[str, Layer] = {"relu": ReLU(), "sigmoid": Sigmoid(), "identity": Identity()}
NORMS: dict[str, tuple[Layer, ...]] = {
    "none": (), "batch": (BatchNorm(),), "layer": (LayerNorm(),),
}  # fmt: skip
BATCHES = 64  # at most, that a network is looked at in training mode


def gradient(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Squared gradient by layer, at birth, of `DEPTH` layers of dense, norm and activation.

    Gaussian inputs, and a Gaussian cotangent of each sample for itself: normalisation would remove
    what a batch has in common. ReLU nets have He weights, others LeCun's.

    Parameters
    ----------
    settings : `activation`, `norm`, names of the tables above; `width`; `batch`, samples

    Returns
    -------
    dict
        `gradient`, by the pre-activations, summed over units and samples, by layer; `growth`, its
        factor a layer on the way back, geometric mean between layers 17 and 3.
    """
    activation, width = settings["activation"], settings["width"]
    block = (Dense(width, bias=False), *NORMS[settings["norm"]], ACTIVATIONS[activation])
    init = "he_normal" if activation == "relu" else "lecun_normal"
    net = Network((width,), block * DEPTH, init)
    x, cotangent = np.random.default_rng(seed).normal(size=(2, settings["batch"], width))
    passed = vjp(net, net.init(seed), x, cotangent, training=True)
    by_layer = [passed.layers[i * len(block)].astype(float) for i in range(DEPTH)]
    squares = np.array([np.sum(g**2) for g in by_layer])
    return {
        "gradient": xarray.DataArray(squares, {"layer": np.arange(1, DEPTH + 1)}),
        "growth": float((squares[FIRST - 1] / squares[LAST - 1]) ** (1 / (LAST - FIRST))),
    }


def scale_invariance(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Whether weights behind which batch normalisation stands have a direction and no length.

    Two hidden layers on digits, one batch of 64, float64; eps is 0. The worst of both layers.

    Returns
    -------
    dict
        `cosine` between weights and their gradient; `ratio`, the gradient at three times the
        weights, tripled, over that at the weights, furthest from 1; `norm`, the squared length
        after a step of SGD over |w|^2 + lr^2 |gradient|^2.
    """
    block = (Dense(16), BatchNorm(eps=0.0), ReLU())
    net = Network((64,), (*block, *block, Dense(10)), "glorot_normal", dtype="float64")
    data = load("digits", seed=seed)
    x, t = data.train[0][:64].reshape(64, -1), data.train[1][:64]
    start, lr = net.init(seed), 2.0
    _, slope = value_and_grad(net, start, x, t)
    after = train(
        net, Data(train=(x, t)), optimizer=SGD(lr=lr), batch_size="full", steps=1, params=start,
        probes=[], seed=seed,
    ).params  # fmt: skip
    found: dict[str, list[float]] = {"cosine": [], "ratio": [], "norm": []}
    for name in ("0.weight", "3.weight"):
        w, g = start[name], slope[name]
        longer = start.copy()
        longer[name] = 3.0 * w
        _, other = value_and_grad(net, longer, x, t)
        off = np.abs(3.0 * other[name] - g).max() / np.abs(g).max()
        found["cosine"].append(abs(float(np.sum(w * g))) / (_length(w) * _length(g)))
        found["ratio"].append(1.0 + float(off))
        found["norm"].append(_length(after[name]) ** 2 / (_length(w) ** 2 + (lr * _length(g)) ** 2))
    return {
        "cosine": max(found["cosine"]),
        "ratio": max(found["ratio"]),
        "norm": max(found["norm"], key=lambda value: abs(value - 1)),
    }


def _length(w: np.ndarray) -> float:
    return float(np.sqrt(np.sum(w * w)))


def gap(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train on digits in batches of one size; then compare training mode with inference.

    Two hidden layers of `width` units, Adam, a rate that falls to 0 in the end, so that the running
    statistics are those of the weights. Validation and test samples, in as many batches of that
    size as they fill, at most `BATCHES`.

    Parameters
    ----------
    settings : `norm`, "batch" or "layer"; `batch`; `width`; `steps`; `lr`

    Returns
    -------
    dict
        `difference`, RMS of the logits' difference over the RMS of inference's; `agreement`, share
        of samples whose predicted class is the same; `training` and `inference`, accuracies.
    """
    size = settings["batch"]
    block = (Dense(settings["width"]), *NORMS[settings["norm"]], ReLU())
    net = Network((64,), (*block, *block, Dense(10)), "he_normal")
    data = load("digits", seed=seed)
    params = train(
        net, data, optimizer=Adam(lr=settings["lr"]), schedule=Cosine(), batch_size=size,
        steps=settings["steps"], seed=seed, probes=[],
    ).params  # fmt: skip
    assert data.validation is not None and data.test is not None
    x = np.concatenate([data.samples(part, "float32") for part in ("validation", "test")])
    t = np.concatenate([data.answers(part) for part in ("validation", "test")])
    count = min(BATCHES, len(x) // size) * size
    x, t = x[:count], t[:count]
    inferred = forward(net, params, x)
    trained = _by_batch(net, params, x, size)
    classes, others = inferred.argmax(axis=1), trained.argmax(axis=1)
    return {
        "difference": float(np.sqrt(np.mean((trained - inferred) ** 2) / np.mean(inferred**2))),
        "agreement": float(np.mean(classes == others)),
        "training": float(np.mean(others == t)),
        "inference": float(np.mean(classes == t)),
    }


def _by_batch(net: Network, params: Parameters, x: np.ndarray, size: int) -> np.ndarray:
    """Outputs in training mode, batch by batch; running statistics stay as they are."""
    own = params.copy()
    parts = [forward(net, own, x[i : i + size], training=True) for i in range(0, len(x), size)]
    return np.concatenate(parts)
