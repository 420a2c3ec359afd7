"""What initial weights do to a network: its Jacobian's spectrum, and how deep linear nets learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.functional import value_and_grad, vjp
from simdl.layers import Dense, Identity, ReLU
from simdl.network import Network
from simdl.parameters import Parameters
from simdl.scenario.seeds import nth_seed
from simdl.theory import propagation

ACTIVATIONS: dict[str, Any] = {"identity": Identity(), "relu": ReLU()}
MODES = (0.5, 1.0, 2.0)  # singular values of the map that is learnt
START = 0.01  # strength of every mode at the beginning
STEADY = 0.005  # learning rate times the largest singular value


def spectrum(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Eigenvalues of J J^T of networks at birth, each at one random input.

    Parameters
    ----------
    settings : `width` of all layers; `depths`, the numbers d of layers; `activation`, of
        ACTIVATIONS; `init`; `nets`, how many networks are averaged

    Returns
    -------
    dict
        `spread`, by `depth`: the eigenvalues' variance over their squared mean,
        sum(g^2) n / trace^2 - 1 for g = J J^T, mean over all d successive layers of the deepest
        network that do not overlap. `values`: quantiles of the singular values of the first
        network, all its layers, over their root mean square, by `share`.
    """
    width, depths = settings["width"], sorted(settings["depths"])
    act, deepest = ACTIVATIONS[settings["activation"]], depths[-1]
    stack = tuple(layer for _ in range(deepest) for layer in (Dense(width), act))
    net = Network((width,), stack, settings["init"])
    shares, spreads, values = np.linspace(0, 1, 41), [], np.zeros(0)
    for k in range(settings["nets"]):
        params = net.init(nth_seed(seed, k))
        factors = _factors(net, params, np.random.default_rng([seed, k]).normal(size=(1, width)))
        found = []
        for depth in depths:
            starts = range(0, deepest - depth + 1, depth)
            grams = [_gram(factors[start : start + depth]) for start in starts]
            found.append(np.mean([width * np.sum(g**2) / np.trace(g) ** 2 - 1 for g in grams]))
        spreads.append(found)
        if k == 0:
            singular = np.sqrt(np.linalg.eigvalsh(grams[0]).clip(min=0))
            values = np.quantile(singular / math.sqrt(np.mean(singular**2)), shares)
    return {
        "spread": xarray.DataArray(np.mean(spreads, axis=0), {"depth": depths}),
        "values": xarray.DataArray(values, {"share": shares}),
    }


def _factors(net: Network, params: Parameters, x: np.ndarray) -> list[np.ndarray]:
    """Jacobians (in, out) of a network's blocks of weights and activation, at one input (1, n)."""
    passed = vjp(net, params, x, np.zeros_like(x))
    weights = [params[name] for name in params if name.endswith(".weight")]
    made = []
    for i, weight in enumerate(weights):
        act, before = net.layers[2 * i + 1], passed.outputs[2 * i]
        slope = (before > 0) if isinstance(act, ReLU) else np.ones_like(before)
        made.append(weight * slope)
    return made


def _gram(factors: list[np.ndarray]) -> np.ndarray:
    """J J^T of successive blocks."""
    product = factors[0]
    for factor in factors[1:]:
        product = product @ factor
    return np.asarray(product @ product.T, np.float64)


def deep_linear(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Gradient descent of a linear network of two layers, mode by mode (Saxe et al. 2013).

    The inputs are whitened (the unit vectors), the loss half a sum of squares, the weights
    balanced: every mode begins at START. Bases of input, output and hidden units are random.

    Parameters
    ----------
    settings : `points`, in time, up to where the slowest mode has arrived

    Returns
    -------
    dict
        `strength` by `mode` and `time` (steps times rate), and `theory`, the closed form there.
    """
    rng, n = np.random.default_rng(seed), len(MODES)
    left, inner, right = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(3))
    net = Network((n,), (Dense(n, bias=False), Dense(n, bias=False)), dtype="float64")
    params, x = net.init(0), np.eye(n)
    params["0.weight"][:] = math.sqrt(START) * left @ inner
    params["1.weight"][:] = math.sqrt(START) * inner.T @ right.T
    wanted = left @ np.diag(MODES) @ right.T
    lr = STEADY / max(MODES)
    end = math.log(100 * min(MODES) / START) / (2 * min(MODES))  # within 1 % of the last value
    steps = np.unique(np.linspace(0, round(end / lr), settings["points"]).astype(int))
    found = []
    for step in range(steps[-1] + 1):
        if step in steps:
            found.append(np.diag(left.T @ params["0.weight"] @ params["1.weight"] @ right))
        _, slope = value_and_grad(net, params, x, wanted, "mse")
        params.flat[:] -= lr * n * n / 2 * slope.flat  # "mse" is a mean over n samples of n numbers
    time = steps * lr
    exact = [propagation.deep_linear_mode(time, s, START) for s in MODES]
    labels = {"mode": list(MODES), "time": time}
    return {
        "strength": xarray.DataArray(np.array(found).T, labels),
        "theory": xarray.DataArray(np.array(exact), labels),
    }
