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


def drawn(net: Network, weights: Parameters, s_w2: float, s_b2: float, seed: Any) -> Parameters:
    """Return `weights`, of variance 1 / n, scaled by `s_w2`, and Gaussian biases of `s_b2`."""
    params, rng = net.wrap(weights.flat * np.float32(math.sqrt(s_w2))), np.random.default_rng(seed)
    for name in params:
        if name.endswith(".bias"):
            params[name][:] = math.sqrt(s_b2) * rng.standard_normal(params[name].shape)
    return params


def propagated(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Follow pairs of inputs forward, and gradients back, through random networks at birth.

    Layer 0 stands for pre-activations, of mean square q*, in pairs of correlation `start`;
    then come activation and weights, `depth` times. Pairs are orthogonal to each other. All
    networks of a seed share their weights but for the scale; biases and inputs are drawn anew.

    Parameters
    ----------
    settings : `width`, `depth`; `start`, `pairs`; `draws` of biases and inputs; `arms`, a list of
        [activation of ACTIVATIONS, s_w2, s_b2]

    Returns
    -------
    dict
        `correlation` of a pair's pre-activations, by `arm` and by `layer` 0, 1, ..., mean over
        pairs and draws. `growth`, by `arm`: factor a layer of the summed squared pre-activation
        gradient, for a random cotangent a sample, mean over draws, samples and layers but the
        first and the last two.
    """
    depth, kinds = settings["depth"], {arm[0] for arm in settings["arms"]}
    nets = {kind: _stack(kind, settings["width"], depth) for kind in kinds}
    weights = next(iter(nets.values())).init(seed)
    found, growth = [], []
    for kind, s_w2, s_b2 in settings["arms"]:
        length, own = propagation.fixed_length(kind, s_w2, s_b2), []
        for k in range(settings["draws"]):
            params = drawn(nets[kind], weights, s_w2, s_b2, [seed, k])
            own.append(_followed(nets[kind], params, settings, length, [seed, k, 1]))
        found.append(np.mean([correlation for correlation, _ in own], axis=0))
        growth.append(np.mean([factor for _, factor in own]))
    arms = {"arm": np.arange(len(found))}
    return {
        "correlation": xarray.DataArray(found, arms | {"layer": np.arange(depth + 1)}),
        "growth": xarray.DataArray(growth, arms),
    }


def _stack(kind: str, width: int, depth: int) -> Network:
    layers = tuple(layer for _ in range(depth) for layer in (ACTIVATIONS[kind], Dense(width)))
    return Network((width,), layers, Scaled(1.0))


def _followed(
    net: Network, params: Parameters, settings: Mapping[str, Any], length: float, seed: Any
) -> tuple[list[float], float]:
    """Correlation by layer and mean growth of the gradient, of one network."""
    width, pairs, start = settings["width"], settings["pairs"], settings["start"]
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((width, 2 * pairs)))[0].T * math.sqrt(length * width)
    partner = start * basis[:pairs] + math.sqrt(1 - start**2) * basis[pairs:]
    x = np.concatenate([basis[:pairs], partner])
    passed = vjp(net, params, x, rng.standard_normal(x.shape))
    dense = range(1, len(net.layers), 2)
    found = []
    for signal in (x, *(passed.outputs[i] for i in dense)):
        one, other = np.split(signal.astype(np.float64), 2)
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        found.append(float(np.mean(np.sum(one * other, axis=1) / lengths)))
    g2 = np.stack([np.sum(passed.layers[i].astype(np.float64) ** 2, axis=1) for i in dense])
    return found, float(np.mean(g2[1:-2] / g2[2:-1]))


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
    net = Network((64,), (*stack, Dense(10)), Scaled(1.0))
    params = drawn(net, net.init(seed), settings["s_w2"], settings["s_b2"], seed)
    result = train(
        net, load("digits", seed=seed), params=params, seed=seed,
        steps=settings["steps"], optimizer=SGD(settings["optimizer"]["lr"]),
        probes=[Probe("accuracy", every="end")],
    )  # fmt: skip
    ended = result.status != "diverged"
    return {
        "accuracy": result.metrics["test_accuracy"] if ended else CHANCE,
        "error": 1 - result.metrics["validation_accuracy"] if ended else math.nan,
    }
