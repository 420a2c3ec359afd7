"""A measurement that many scenarios share: signal and gradient of a network at birth, by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl import layers as L
from simdl.configuration import Configuration
from simdl.data import Data
from simdl.functional import Pullback, forward, vjp
from simdl.network import Network
from simdl.parameters import Parameters
from simdl.scenario.seeds import nth_seed

SATURATED = 0.98  # |output| from which a unit counts as saturated


def derivative(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Derivative of an activation on a grid of inputs x in [-10, 10], from the network itself."""
    x = np.linspace(-10, 10, 401)[:, None]
    activation = {"tanh": L.Tanh(), "relu": L.ReLU()}[settings["activation"]]
    net = Network((1,), (activation,), dtype="float64")
    found = vjp(net, net.init(seed), x, np.ones_like(x)).input[:, 0]
    return {"derivative": xarray.DataArray(found, {"x": x[:, 0]})}


def at_birth(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Measure freshly initialised perceptrons on digits, layer by layer, in float64.

    Parameters
    ----------
    settings : `network`, a table as in a configuration; `nets`, how many networks are averaged;
        `batch`, samples; `cotangent`: "random", one direction for all samples, or "loss", the
        gradient of the cross-entropy; `norms`: whether to compare with the weights' norms (slow);
        `training`: whether batch normalisation takes the batch's own statistics, as in training
    seed : draws the split of the data, the weights and the direction

    Returns
    -------
    dict
        Over the hidden layers, means over samples: `gradient`, the sum of squares by the
        pre-activations; `signal`, the sum of squares that leaves the layer; `weight_gradient`, that
        of one sample's weight gradient. `batch_gradient`: RMS of the batch's weight gradient.
        Single numbers: `back` and `forward`, the mean factor a layer of the squares between
        inner layers; `saturated`, the share of |output| > .98 in the last hidden layer; `bound`,
        the largest factor a layer of the gradient over its bound .25 ||W||.
    """
    table = {"network": settings["network"], "dtype": "float64"}
    configuration = Configuration.parse(table)
    data = configuration.data(seed)
    net = configuration.build(data).net
    x = data.train[0][: settings["batch"]].reshape(-1, *net.input_shape)
    training = settings.get("training", False)
    found: dict[str, list[Any]] = {}
    for k in range(settings["nets"]):
        params = net.init(nth_seed(seed, k))
        if settings["cotangent"] == "random":
            direction = np.random.default_rng([seed, k]).normal(size=net.output_shape)
            cotangent = np.tile(direction, (len(x), 1))
        else:
            cotangent = _cross_entropy(net, params, x, data, training)
        passed = vjp(net, params, x, cotangent, training)
        for name, value in _by_layer(net, params, x, passed, settings.get("norms", False)).items():
            found.setdefault(name, []).append(value)
    return {name: _mean(values) for name, values in found.items()}


def _cross_entropy(
    net: Network, params: Parameters, x: np.ndarray, data: Data, training: bool
) -> np.ndarray:
    """Each sample's gradient of the loss by the logits: softmax minus target."""
    logits = forward(net, params, x, training)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    classes = np.eye(net.output_shape[0])[data.train[1][: len(x)]]
    return np.asarray(odds / odds.sum(axis=1, keepdims=True) - classes)


def _by_layer(
    net: Network, params: Parameters, x: np.ndarray, passed: Pullback, norms: bool
) -> dict[str, Any]:
    weights = [name for name in params if params[name].ndim > 1]  # a norm's is a vector
    *hidden, _ = paths = [name.removesuffix(".weight") for name in weights]
    tops = [int(path.partition(".")[0]) for path in paths]
    entering = [x, *(passed.outputs[top - 1] for top in tops[1:])]  # what each weight multiplies
    squares = np.stack([np.sum(h.reshape(len(x), -1) ** 2, axis=1) for h in entering])
    g2 = np.stack([np.sum(passed.layers[path] ** 2, axis=1) for path in hidden])  # (layers, n)
    below, h2 = squares[:-1], squares[1:]
    with np.errstate(divide="ignore", invalid="ignore"):  # a narrow ReLU net may be dead
        back, ahead = g2[1:-2] / g2[2:-1], h2[2:] / h2[1:-1]
        reached = np.sqrt(g2[:-1] / g2[1:])
    made = {
        "gradient": g2.mean(axis=1),
        "signal": h2.mean(axis=1),
        "weight_gradient": (below * g2).mean(axis=1),
        "batch_gradient": np.array(
            [np.sqrt(np.mean(passed.params[f"{path}.weight"] ** 2)) for path in hidden]
        ),
        "back": float(np.mean(back)),
        "forward": float(np.mean(ahead)),
        "saturated": float(np.mean(np.abs(entering[-1]) > SATURATED)),
    }
    if norms:
        bounds = [0.25 * np.linalg.norm(params[f"{path}.weight"], 2) for path in hidden[1:]]
        made["bound"] = float(np.max(reached / np.array(bounds)[:, None]))
    return made


def _mean(values: list[Any]) -> Any:
    """Mean over networks: a number, or an array over layers 1, 2, ..."""
    middle = np.mean(values, axis=0)
    if middle.ndim == 0:
        return float(middle)
    return xarray.DataArray(middle, {"layer": np.arange(1, len(middle) + 1)})
