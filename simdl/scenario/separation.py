"""What networks with and without activations can tell apart: toys, dichotomies, truth tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray
from scipy.optimize import nnls

from simdl.data import Data, load
from simdl.functional import forward
from simdl.layers import Dense, Layer, ReLU
from simdl.network import Network
from simdl.optimizers import SGD, Adam
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.schedules import Cosine
from simdl.training import train

TOYS: dict[str, dict[str, Any]] = {
    "xor": {"samples": 2000}, "circles": {"noise": 0.05}, "moons": {"noise": 0.05},
    "spirals": {"turns": 0.75},
}  # fmt: skip
NETS = ("linear", "deep linear", "one hidden layer")
RATES = dict(zip(NETS, (0.3, 0.02, 0.02), strict=True))  # of Adam with all points
CLEAR = 1e-3  # logit from which on a point counts as told apart
SIDE = 61  # points a side of a map
REACH = 2.2  # of a map, in standard deviations of the inputs


def network(kind: str, inputs: int, outputs: int, width: int, dtype: Any = "float32") -> Network:
    """Return one of NETS; of the deep linear ones, three hidden layers without activations."""
    hidden: tuple[Layer, ...] = ()
    if kind == "deep linear":
        hidden = (Dense(width), Dense(width), Dense(width))
    elif kind == "one hidden layer":
        hidden = (Dense(width), ReLU())
    init = "he_normal" if kind == "one hidden layer" else "glorot_normal"
    return Network((inputs,), (*hidden, Dense(outputs)), init, dtype)


def toy(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a network to tell two classes of points in the plane apart, by Adam.

    The rate falls to 0 along a cosine, so that what is convex gets to its minimum.

    Parameters
    ----------
    settings : `data`, of TOYS; `net`, of NETS; `width`; `steps` of batches of 128; `map`, whether
        to draw one

    Returns
    -------
    dict
        `accuracy` and `loss` (nats), of the test. With a map: `odds` of class 1 over SIDE x SIDE
        points of the plane, and the `points` and `labels` of 200 samples.
    """
    data = load(settings["data"], split=(0.6, 0.1, 0.3), seed=seed, **TOYS[settings["data"]])
    net = network(settings["net"], 2, 2, settings["width"])
    made = train(
        net, data, optimizer=Adam(0.01), schedule=Cosine(), batch_size=128, seed=seed,
        steps=settings["steps"], probes=[Probe("loss", "end"), Probe("accuracy", "end")],
    )  # fmt: skip
    found: dict[str, Any] = {
        "accuracy": made.metrics["test_accuracy"], "loss": made.metrics["test_loss"],
    }  # fmt: skip
    if settings["map"]:
        side = np.linspace(-REACH, REACH, SIDE)
        grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        logits = forward(net, made.params, grid)
        odds = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])).reshape(SIDE, SIDE)
        found["odds"] = xarray.DataArray(odds, {"y": side, "x": side})
        x, t = data.train
        sample = np.arange(200)
        found["points"] = xarray.DataArray(x[:200], {"sample": sample, "axis": ["x", "y"]})
        found["labels"] = xarray.DataArray(t[:200], {"sample": sample})
    return found


def collapsed(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A deep linear network against the one layer that its weights multiply to, in float64.

    Returns
    -------
    dict
        `difference`, the largest of the outputs for 1,000 normal inputs, over the outputs' RMS.
    """
    net = network("deep linear", 2, 2, settings["width"], "float64")
    params, x = net.init(seed), np.random.default_rng(seed).standard_normal((1000, 2))
    weight, bias = np.eye(2), np.zeros(2)
    for i in range(4):
        params[f"{i}.bias"][:] = np.random.default_rng([seed, i]).standard_normal(
            params[f"{i}.bias"].shape
        )
        weight, bias = weight @ params[f"{i}.weight"], bias @ params[f"{i}.weight"]
        bias = bias + params[f"{i}.bias"]
    y = forward(net, params, x)
    return {"difference": float(np.abs(y - (x @ weight + bias)).max() / np.sqrt(np.mean(y**2)))}


def is_separable(x: np.ndarray, signs: np.ndarray) -> bool:
    """Whether a hyperplane through 0 leaves all points x (n, d) on the side of their signs (n,).

    It does unless 0 lies in the convex hull of sign * x (Gordan 1873), to which non-negative least
    squares find the shortest way; a point nearer than 1e-8 counts as 0.
    """
    z = signs[:, None] * x
    _, distance = nnls(np.vstack([z.T, np.ones(len(z))]), np.append(np.zeros(z.shape[1]), 1.0))
    return bool(distance > 1e-8)


def labellings(points: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return signs (k, points): every labelling up to the total sign, or `most` drawn ones."""
    if 2 ** (points - 1) <= most:
        pairs = itertools.product((-1.0, 1.0), repeat=points - 1)
        return np.array([(1.0, *rest) for rest in pairs])
    return rng.choice([-1.0, 1.0], (most, points))


def dichotomies(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Label normal points in all ways, or in many: which share is separable?

    Parameters
    ----------
    settings : `dimension`; `bias`, whether the hyperplane need not go through 0; `points`, how
        many, a list; `tries`, labellings at most

    Returns
    -------
    dict
        `share`, by number of points.
    """
    rng, shares = np.random.default_rng(seed), []
    for n in settings["points"]:
        x = rng.standard_normal((n, settings["dimension"]))
        x = np.column_stack([x, np.ones(n)]) if settings["bias"] else x
        signs = labellings(n, settings["tries"], rng)
        shares.append(np.mean([is_separable(x, own) for own in signs]))
    return {"share": xarray.DataArray(shares, {"points": list(settings["points"])})}


def learned(
    kind: str, x: np.ndarray, signs: np.ndarray, width: int, steps: int, seed: int
) -> np.ndarray:
    """Train a network with an output for each labelling; which are learned without an error?

    Parameters
    ----------
    x : points (n, d)
    signs : labellings (k, n)

    Returns
    -------
    numpy.ndarray
        Truth values (k,).
    """
    net = network(kind, x.shape[1], len(signs), width)
    made = train(
        net, Data(train=(x, (signs.T > 0).astype(float))), loss="binary_cross_entropy",
        optimizer=Adam(RATES[kind]), schedule=Cosine(), batch_size="full", steps=steps,
        seed=seed, probes=[],
    )  # fmt: skip
    away = forward(net, made.params, x).T * signs  # rounding alone gives XOR's outputs signs
    return np.asarray((away > CLEAR).all(axis=1))


def trained_dichotomies(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The same by training: the share of labellings that a network learns without an error.

    Parameters
    ----------
    settings : `dimension`; `points`, how many; `net`, of NETS, with biases; `width`; `steps` of
        Adam with all points; `tries`, labellings at most

    Returns
    -------
    dict
        `share`, of what the network learns; `separable`, of what is separable.
    """
    rng, n = np.random.default_rng(seed), settings["points"]
    x = rng.standard_normal((n, settings["dimension"]))
    signs = labellings(n, settings["tries"], rng)
    won = learned(settings["net"], x, signs, settings["width"], settings["steps"], seed)
    raised = np.column_stack([x, np.ones(n)])
    return {
        "share": float(won.mean()),
        "separable": float(np.mean([is_separable(raised, own) for own in signs])),
    }


def truth_tables(inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all inputs (2^n, n) of -1 and 1, and all Boolean functions (2^2^n, 2^n) as signs."""
    x = np.array(list(itertools.product((-1.0, 1.0), repeat=inputs)))
    return x, np.array(list(itertools.product((-1.0, 1.0), repeat=len(x))))


def boolean(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """How many Boolean functions of two and of three inputs are separable, and are learned?

    Parameters
    ----------
    settings : `width`; `steps`, of Adam with the whole table

    Returns
    -------
    dict
        By inputs: `separable`, a count. By inputs and net: `learned`, without an error.
    """
    separable, counts = [], []
    for n in (2, 3):
        x, tables = truth_tables(n)
        raised = np.column_stack([x, np.ones(len(x))])
        separable.append(sum(is_separable(raised, table) for table in tables))
        counts.append([
            int(learned(kind, x, tables, settings["width"], settings["steps"], seed).sum())
            for kind in NETS
        ])  # fmt: skip
    return {
        "separable": xarray.DataArray(separable, {"inputs": [2, 3]}),
        "learned": xarray.DataArray(counts, {"inputs": [2, 3], "net": list(NETS)}),
    }


XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR_TARGETS = np.array([0, 1, 1, 0])


def xor_solution() -> tuple[Network, Parameters]:
    """Two hidden ReLUs that compute XOR: relu(x1 + x2) - 2 relu(x1 + x2 - 1)."""
    net = Network((2,), (Dense(2), ReLU(), Dense(1)), dtype="float64")
    params = net.init(0)
    params["0.weight"][:], params["0.bias"][:] = 1.0, [0.0, -1.0]
    params["2.weight"][:], params["2.bias"][:] = [[1.0], [-2.0]], 0.0
    return net, params


def xor(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """XOR's four points: the best that a linear network reaches, and what hidden units do.

    Parameters
    ----------
    settings : `steps` of gradient descent with all four points

    Returns
    -------
    dict
        Of a linear network with squared error: `outputs`, by sample, and with cross-entropy:
        `loss`, nats. `accuracy`, the best of 10^4 drawn linear classifiers. `solution`: the largest
        error of `xor_solution`.
    """
    net = Network((2,), (Dense(1),), dtype="float64")
    ends: dict[str, Any] = {}
    for loss in ("mse", "binary_cross_entropy"):
        data = Data(train=(XOR, XOR_TARGETS[:, None].astype(float)))
        made = train(
            net, data, loss=loss, optimizer=SGD(0.4), batch_size="full", steps=settings["steps"],
            seed=seed, probes=[Probe("loss", "end")],
        )  # fmt: skip
        ends[loss] = made
    rng = np.random.default_rng(seed)
    drawn = XOR @ rng.standard_normal((2, 10_000)) + rng.standard_normal(10_000)
    right = ((drawn > 0) == (XOR_TARGETS[:, None] > 0)).mean(axis=0)
    outputs = forward(net, ends["mse"].params, XOR)[:, 0]
    solved, params = xor_solution()
    error = np.abs(forward(solved, params, XOR)[:, 0] - XOR_TARGETS)
    return {
        "outputs": xarray.DataArray(outputs, {"sample": np.arange(4)}),
        "loss": ends["binary_cross_entropy"].metrics["train_loss"],
        "accuracy": float(max(right.max(), (1 - right).max())),
        "solution": float(error.max()),
    }


def hidden_units(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """How many networks with few hidden ReLUs learn XOR's four points?

    Parameters
    ----------
    settings : `units`; `nets`, how many starts; `steps` of Adam

    Returns
    -------
    dict
        `solved`, the share that gets all four right with a mean squared error below .001.
    """
    net = Network((2,), (Dense(settings["units"]), ReLU(), Dense(1)), "he_normal")
    data = Data(train=(XOR, XOR_TARGETS[:, None].astype(float)))
    solved = 0
    for k in range(settings["nets"]):
        made = train(
            net, data, loss="mse", optimizer=Adam(0.05), schedule=Cosine(), batch_size="full",
            steps=settings["steps"], seed=(seed + k * 2**20) % 2**32, probes=[],
        )  # fmt: skip
        off = forward(net, made.params, XOR)[:, 0] - XOR_TARGETS
        solved += math.fsum(off**2) / 4 < 1e-3
    return {"solved": solved / settings["nets"]}
