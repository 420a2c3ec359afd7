"""How signals and gradients travel through random networks with biases, and how these train."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import load
from simdl.functional import vjp
from simdl.initializers import Scaled
from simdl.layers import Dense, ReLU, Tanh
from simdl.network import Network
from simdl.optimizers import SGD
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.scenario.clipping import CHANCE
from simdl.theory import propagation
from simdl.training import train

ACTIVATIONS: dict[str, Any] = {"tanh": Tanh(), "relu": ReLU()}


def with_biases(net: Network, seed: int, s_b2: float) -> Parameters:
    """Return drawn parameters whose biases are Gaussian, of variance `s_b2`."""
    params, rng = net.init(seed), np.random.default_rng([seed, 1])
    for name in params:
        if name.endswith(".bias"):
            params[name][:] = math.sqrt(s_b2) * rng.standard_normal(params[name].shape)
    return params


def propagated(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Follow pairs of inputs forward, and one gradient back, through one network at birth.

    Layer 0 stands for pre-activations, of mean square q*, in pairs of correlation `start`;
    then come activation and weights, `depth` times. Pairs are orthogonal to each other.

    Parameters
    ----------
    settings : `width`, `depth`, `activation` of ACTIVATIONS, `s_w2`, `s_b2`, `start`, `pairs`

    Returns
    -------
    dict
        `correlation` of a pair's pre-activations, by layer 0, 1, ..., mean over pairs. `growth`:
        factor a layer of the summed squared pre-activation gradient, for a random cotangent a
        sample, mean over samples and over layers but the first and the last two.
    """
    width, depth, pairs = settings["width"], settings["depth"], settings["pairs"]
    kind, s_w2, s_b2, start = (settings[k] for k in ("activation", "s_w2", "s_b2", "start"))
    stack = tuple(layer for _ in range(depth) for layer in (ACTIVATIONS[kind], Dense(width)))
    net = Network((width,), stack, Scaled(s_w2))
    rng = np.random.default_rng(seed)
    length = propagation.fixed_length(kind, s_w2, s_b2)
    basis = np.linalg.qr(rng.standard_normal((width, 2 * pairs)))[0].T * math.sqrt(length * width)
    partner = start * basis[:pairs] + math.sqrt(1 - start**2) * basis[pairs:]
    x = np.concatenate([basis[:pairs], partner])
    passed = vjp(net, with_biases(net, seed, s_b2), x, rng.standard_normal(x.shape))
    dense = range(1, 2 * depth, 2)
    found = []
    for signal in (x, *(passed.outputs[i] for i in dense)):
        one, other = np.split(signal.astype(np.float64), 2)
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        found.append(float(np.mean(np.sum(one * other, axis=1) / lengths)))
    g2 = np.stack([np.sum(passed.layers[i].astype(np.float64) ** 2, axis=1) for i in dense])
    return {
        "correlation": xarray.DataArray(found, {"layer": np.arange(depth + 1)}),
        "growth": float(np.mean(g2[1:-2] / g2[2:-1])),
    }


def learned(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a tanh network with random biases on digits by SGD.

    Parameters
    ----------
    settings : `depth` hidden layers of `width`; `s_w2`, `s_b2`; `steps` of batches of 32;
        `optimizer.lr`
    seed : draws the split of the data, weights and biases, and the order of the samples

    Returns
    -------
    dict
        `accuracy` of the test, CHANCE after a divergence, and `error` of validation, nan then.
    """
    width, depth = settings["width"], settings["depth"]
    stack = tuple(layer for _ in range(depth) for layer in (Dense(width), Tanh()))
    net = Network((64,), (*stack, Dense(10)), Scaled(settings["s_w2"]))
    result = train(
        net, load("digits", seed=seed), params=with_biases(net, seed, settings["s_b2"]), seed=seed,
        steps=settings["steps"], optimizer=SGD(settings["optimizer"]["lr"]),
        probes=[Probe("accuracy", every="end")],
    )  # fmt: skip
    ended = result.status != "diverged"
    return {
        "accuracy": result.metrics["test_accuracy"] if ended else CHANCE,
        "error": 1 - result.metrics["validation_accuracy"] if ended else math.nan,
    }
