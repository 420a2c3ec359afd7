"""What initial weights do to a network: its Jacobian's spectrum, and how deep linear nets learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.functional import vjp
from simdl.layers import Dense, Identity, ReLU
from simdl.network import Network
from simdl.theory import propagation

ACTIVATIONS: dict[str, Any] = {"identity": Identity(), "relu": ReLU()}
MODES = (0.5, 1.0, 2.0)  # singular values of the map that is learnt
START = 0.01  # strength of every mode at the beginning
STEADY = 0.005  # learning rate times the largest singular value


def spectrum(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Eigenvalues of J J^T of one network at birth, at one random input, over their mean.

    Parameters
    ----------
    settings : `width` of all layers; `depth`; `activation`, of ACTIVATIONS; `init`

    Returns
    -------
    dict
        `spread`: their variance over the squared mean, sum(g^2) n / trace^2 - 1 for g = J J^T;
        `values`: quantiles of their roots, the singular values, by `share`.
    """
    width, act = settings["width"], ACTIVATIONS[settings["activation"]]
    stack = tuple(layer for _ in range(settings["depth"]) for layer in (Dense(width), act))
    net = Network((width,), stack, settings["init"], dtype="float64")
    x = np.random.default_rng(seed).normal(size=width)
    passed = vjp(net, net.init(seed), np.tile(x, (width, 1)), np.eye(width))
    jacobian = passed.input  # row i: gradient of output i
    gram = jacobian @ jacobian.T
    trace = float(np.trace(gram))
    shares = np.linspace(0, 1, 21)
    singular = np.linalg.svd(jacobian, compute_uv=False) / math.sqrt(trace / width)
    return {
        "spread": float(width * np.sum(gram**2) / trace**2 - 1),
        "values": xarray.DataArray(np.quantile(singular, shares), {"share": shares}),
    }


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
        passed = vjp(net, params, x, np.zeros_like(x))
        error = passed.output - wanted
        if step in steps:
            found.append(np.diag(left.T @ passed.output @ right))
        params.flat[:] -= lr * vjp(net, params, x, error).params.flat
    time = steps * lr
    exact = [propagation.deep_linear_mode(time, s, START) for s in MODES]
    labels = {"mode": list(MODES), "time": time}
    return {
        "strength": xarray.DataArray(np.array(found).T, labels),
        "theory": xarray.DataArray(np.array(exact), labels),
    }
