"""Inputs well and badly scaled: real tables, condition numbers, and the steps they cost."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simdl.data import Source, source
from simdl.errors import InputError
from simdl.layers import Dense, Flatten, Tanh
from simdl.network import Network
from simdl.optimizers import SGD
from simdl.probes import Probe
from simdl.scenario.particles import descend
from simdl.scenario.tuning import CAP
from simdl.theory import descent
from simdl.training import train

TABLES = {"breast cancer": "breast_cancer.csv", "wine": "wine_data.csv"}
TARGETS = {"breast cancer": 0.2, "wine": 0.2, "digits": 0.3}  # validation loss, nats
EVERY = 2  # steps between looks
FEATURES = 10  # of the quadratics


@functools.cache
def table(name: str) -> Source:
    """Return a real data set, unscaled.

    "breast cancer", 569 samples of 30 measurements with standard deviations of .003 to 570
    (Wolberg et al. 1995), and "wine", 178 of 13, .12 to 315 (Aeberhard and Forina 1991), both of
    the UCI Machine Learning Repository, as scikit-learn ships them; or "digits".
    """
    if name == "digits":
        return source("digits")
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"data: {name!r}: needs scikit-learn: pip install scikit-learn")
    path = Path(spec.submodule_search_locations[0], "datasets", "data", TABLES[name])
    values = np.loadtxt(path, delimiter=",", skiprows=1)
    return Source(x=values[:, :-1], t=values[:, -1].astype(np.int64), name=name)


def reach(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train by SGD, batches of 32, until the validation loss is that of `TARGETS`.

    Parameters
    ----------
    settings : `data`, of `table`; `scale`, "none", "minmax" or "standard"; `width` of the hidden
        layer (tanh); `steps` at most; `optimizer.lr`
    seed : draws split, weights and order

    Returns
    -------
    dict
        `steps` taken, all of them if it does not get there; `cost`, their logarithm; `score`, the
        same and a thousandth of the loss in the end, which ranks those that do not get there.
    """
    data = table(settings["data"]).split(scale=settings["scale"], seed=seed)
    layers = (Flatten(), Dense(settings["width"]), Tanh(), Dense(data.n_classes or 1))
    net = Network(data.input_shape, layers, "glorot_normal")
    target = TARGETS[settings["data"]]
    stop = {"name": "target", "metric": "validation_loss", "value": target, "every": EVERY}
    run = train(
        net, data, optimizer=SGD(lr=settings["optimizer"]["lr"]), steps=settings["steps"],
        stop=stop, seed=seed, probes=[Probe("loss", every="end")],
    )  # fmt: skip
    taken = run.steps if run.status == "stopped_early" else settings["steps"]
    loss = run.metrics["validation_loss"]
    left = min(loss, CAP) if math.isfinite(loss) else CAP
    return {"steps": taken, "cost": math.log(taken), "score": math.log(taken) + left / 1000}


def condition(x: np.ndarray, bias: bool = False) -> float:
    """Condition number of the second moment of x (n, d), with a 1 appended to each sample or not.

    The squared ratio of singular values, which has twice the digits of an eigenvalue's.
    """
    rows = np.column_stack([x, np.ones(len(x))]) if bias else x
    values = np.linalg.svd(np.linalg.qr(rows, mode="r"), compute_uv=False)
    return float((values[0] / values[-1]) ** 2)


def uniform(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Condition numbers of uniform features: `plain`, with `bias`, and once `standard`-ised.

    Parameters
    ----------
    settings : `features`; `samples`, how many of them a feature
    """
    features = settings["features"]
    x = np.random.default_rng(seed).random((settings["samples"] * features, features))
    return {
        "plain": condition(x),
        "bias": condition(x, bias=True),
        "standard": condition((x - x.mean(axis=0)) / x.std(axis=0)),
    }


def real(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Condition numbers of a real data set's training part, scaled: `plain` and with `bias`."""
    data = table(settings["data"]).split(scale=settings["scale"], seed=seed)
    x = data.samples("train", "float64")
    return {"plain": condition(x), "bias": condition(x, bias=True)}


def slow(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Teach a linear neuron inputs of one condition number, by gradient descent at its best rate.

    Parameters
    ----------
    settings : `condition`; `error`, the share of its distance from the solution left in the end

    Returns
    -------
    dict
        `steps` taken.
    """
    kappa, rng = settings["condition"], np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((5 * FEATURES, FEATURES)))
    turn, _ = np.linalg.qr(rng.standard_normal((FEATURES, FEATURES)))
    x = (q * np.sqrt(np.geomspace(1, kappa, FEATURES))) @ turn  # curvature x^T x: 1 to kappa
    solution = rng.standard_normal(FEATURES)
    t = x @ solution
    limit = 2 * math.ceil(kappa * math.log(1 / settings["error"]))
    path = descend(
        SGD(lr=descent.best_rate(1.0, kappa)), lambda w: x.T @ (x @ w - t), np.zeros(FEATURES),
        limit,
    )  # fmt: skip
    wanted = settings["error"] * np.linalg.norm(solution)
    taken = next((i for i, w in enumerate(path) if np.linalg.norm(w - solution) <= wanted), limit)
    return {"steps": taken}
