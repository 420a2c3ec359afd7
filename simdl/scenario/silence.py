"""Units of ReLU networks that are silent: at birth, while they train, and what helps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.firing import dead_units
from simdl.functional import forward, vjp
from simdl.layers import ELU, GELU, Dense, Layer, LeakyReLU, PReLU, ReLU
from simdl.network import Network
from simdl.optimizers import SGD, Adam
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.result import Result
from simdl.training import train

KINDS: dict[str, Layer] = {
    "ReLU": ReLU(), "leaky ReLU": LeakyReLU(), "PReLU": PReLU(), "ELU": ELU(), "GELU": GELU(),
}  # fmt: skip
SIDES = np.array([1.0, -1.0])  # a network without biases is linear on either side of 0


def born(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Draw ReLU networks of one input, without biases, with He's weights, as arrays.

    Parameters
    ----------
    settings : `widths` of the hidden layers; `nets`, how many networks

    Returns
    -------
    dict
        By hidden layer, shares of networks of which it gives 0: `input`, at x = 1; `line`, at
        every x.
    """
    rng, nets = np.random.default_rng(seed), settings["nets"]
    h: Any = np.broadcast_to(SIDES.astype(np.float32), (nets, 1, 2))  # (networks, units, sides)
    silent, at_input, line = 0, [], []
    for width in settings["widths"]:
        scale = np.float32(math.sqrt(2 / h.shape[1]))
        weight = rng.standard_normal((len(h), width, h.shape[1]), np.float32)
        h = np.maximum(scale * weight @ h, 0)
        on = np.any(h > 0, axis=1)  # (networks, sides)
        alive = on.any(axis=1)
        silent += int(np.sum(~alive))
        at_input.append((silent + np.sum(alive & ~on[:, 0])) / nets)
        line.append(silent / nets)
        h = h[alive]  # what is silent stays so
    layers = {"layer": np.arange(1, len(line) + 1)}
    return {"input": xarray.DataArray(at_input, layers), "line": xarray.DataArray(line, layers)}


def narrow(width: int, depth: int, init: str) -> Network:
    """A network of one input, `depth` ReLU layers and one output."""
    stack = [layer for _ in range(depth) for layer in (Dense(width), ReLU())]
    return Network((1,), (*stack, Dense(1)), init)


def newborn(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Look at freshly initialised networks of one input: which layers give 0 on all of [-2, 2]?

    Parameters
    ----------
    settings : `width`, `depth` hidden layers; `init`; `nets`, how many networks

    Returns
    -------
    dict
        `line`, the share of networks by hidden layer.
    """
    depth, x = settings["depth"], np.linspace(-2, 2, 16)[:, None]
    net = narrow(settings["width"], depth, settings["init"])
    silent = np.zeros(depth)
    for k in range(settings["nets"]):
        passed = vjp(net, net.init((seed + k * 2**20) % 2**32), x, np.zeros_like(x))
        silent += [not passed.outputs[2 * i + 1].any() for i in range(depth)]
    layers = {"layer": np.arange(1, depth + 1)}
    return {"line": xarray.DataArray(silent / settings["nets"], layers)}


def collapse(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train networks of one input on y = |x|: which shares are constant before, and after?

    Parameters
    ----------
    settings : `width`, `depth` hidden layers; `nets`, how many networks; `steps` of Adam at `lr`,
        batches of 64 of 256 points of [-sqrt 3, sqrt 3]

    Returns
    -------
    dict
        `born` and `trained`, shares of networks. One that is born constant has no gradient but
        that of its last bias: it is not trained, and counts as constant.
    """
    net = narrow(settings["width"], settings["depth"], "he_normal")
    x = np.random.default_rng(seed).uniform(-math.sqrt(3), math.sqrt(3), (256, 1))
    data = Data(train=(x, np.abs(x)))
    constant = np.zeros(2)
    for k in range(settings["nets"]):
        own = (seed + k * 2**20) % 2**32
        params = net.init(own)
        born = is_constant(net, params, x)
        constant += born
        if not born:
            made = train(
                net, data, loss="mse", optimizer=Adam(settings["lr"]), batch_size=64,
                steps=settings["steps"], seed=own, probes=[],
            )  # fmt: skip
            constant[1] += is_constant(net, made.params, x)
    before, after = constant / settings["nets"]
    return {"born": float(before), "trained": float(after)}


def is_constant(net: Network, params: Parameters, x: np.ndarray) -> bool:
    """Whether the output is the same for all samples, to the bit."""
    return float(np.ptp(forward(net, params, x))) == 0


def look(net: Network, params: Parameters, data: Data) -> np.ndarray:
    """Which units are dead, layer by layer, then weights and biases of the first layer."""
    flags = np.concatenate(list(dead_units(net, params, data.train[0]).values()))
    return np.concatenate([flags, params["0.weight"].ravel(), params["0.bias"]])


def prepared(settings: Mapping[str, Any], seed: int) -> tuple[Network, Data, Parameters]:
    """Return a network, digits and where the training starts.

    Parameters
    ----------
    settings : `depth` hidden layers of `width`; `kind` of activation, ReLU unless it is given;
        `bias`, at which hidden units start, and `scale`, a factor of the inputs, which are
        grey levels from 0 to 1, unless they are as usual
    """
    kind = KINDS[settings.get("kind", "ReLU")]
    stack = [layer for _ in range(settings["depth"]) for layer in (Dense(settings["width"]), kind)]
    net = Network((64,), (*stack, Dense(10)), settings.get("init", "he_normal"))
    digits = load("digits", split=(0.6, 0.2, 0.2), scale="minmax", seed=seed)
    factor = settings.get("scale", 1.0)

    def part(pair: Any) -> Any:
        return factor * pair[0].reshape(-1, 64), pair[1]

    data = Data(part(digits.train), part(digits.validation), part(digits.test))
    params = net.init(seed)
    for i in range(settings["depth"]):
        params[f"{2 * i}.bias"][:] += settings.get("bias", 0.0)
    return net, data, params


def run(settings: Mapping[str, Any], seed: int, probes: list[Any]) -> tuple[Network, Data, Result]:
    """Train by SGD as `prepared` says.

    Parameters
    ----------
    settings : besides, `lr`, `momentum`, `steps` of batches of 32
    """
    net, data, params = prepared(settings, seed)
    made = train(
        net, data, optimizer=SGD(settings["lr"], momentum=settings.get("momentum", 0.0)),
        steps=settings["steps"], seed=seed, params=params,
        probes=[Probe("accuracy", "end"), *probes],
    )  # fmt: skip
    return net, data, made


def lives(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Follow every unit of a ReLU network through its training on digits by SGD.

    Parameters
    ----------
    settings : as of `run`; `every`, the steps of an interval

    Returns
    -------
    dict
        By step: `negative`, the share of units and samples with an input of at most 0; `dead`, the
        share of units that are off for every training sample. By step and unit: `off`, whether it
        is. By hidden layer: `began`, intervals at the begin of which a unit is dead; `revived`,
        those at whose end it is not. `moved`: by how much a weight of a unit of the first layer
        changes at most while the unit is dead. `accuracy`, of the test; 0 after a divergence.
    """
    every, width, depth = settings["every"], settings["width"], settings["depth"]
    _, _, made = run(settings, seed, [Probe(look, every), Probe("zero_share", every)])
    at = np.arange(0, settings["steps"], every)
    seen = made.history["look"].sel(step=made.history["step"].isin(at)).values
    off, first = np.split(seen, [width * depth], axis=1)
    incoming = first.reshape(len(seen), -1, width)  # the last row: biases
    dead = off.reshape(len(seen), depth, width) > 0
    resting = dead[:-1, :1] & dead[1:, :1]
    moves = np.where(resting, np.abs(np.diff(incoming, axis=0)), 0)
    shares = made.history["zero_share"].mean("layer").reindex(step=at).values
    layers = {"layer": np.arange(1, depth + 1)}
    short = len(at) - len(seen)  # it diverged
    known = np.pad(off, ((0, short), (0, 0)), constant_values=np.nan)
    units = {"step": at, "unit": np.arange(width * depth)}
    return {
        "negative": xarray.DataArray(shares, {"step": at}),
        "dead": xarray.DataArray(known.mean(axis=1), {"step": at}),
        "off": xarray.DataArray(known, units),
        "began": xarray.DataArray(dead[:-1].sum(axis=(0, 2)), layers),
        "revived": xarray.DataArray((dead[:-1] & ~dead[1:]).sum(axis=(0, 2)), layers),
        "moved": float(moves.max(initial=0)),
        "accuracy": np.nan_to_num(made.metrics["test_accuracy"]),
    }


def silent(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a network on digits by SGD; which of its units have no gradient left?

    Parameters
    ----------
    settings : as of `run`

    Returns
    -------
    dict
        `silent`, how many hidden units have a gradient of exactly 0 for every training sample, by
        their inputs, in float64, at the end; `share` of all; `accuracy`, of the test.
    """
    net, data, made = run(settings, seed, [])
    wide = Network(net.input_shape, net.layers, net.initializer, "float64")
    params = wide.init(seed)
    params.flat[:] = made.params.flat
    x, t = data.train
    logits = forward(wide, params, x)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    slope = odds / odds.sum(axis=1, keepdims=True) - np.eye(10)[t]
    passed = vjp(wide, params, x, slope)
    tops = [2 * i for i in range(settings["depth"])]
    count = sum(int((passed.layers[top] == 0).all(axis=0).sum()) for top in tops)
    return {
        "silent": count,
        "share": count / (settings["width"] * settings["depth"]),
        "accuracy": np.nan_to_num(made.metrics["test_accuracy"]),
    }
