"""Weights under a penalty, a decay or an early stop: what training leaves of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl.data import Data, load
from simdl.layers import Dense, Flatten, ReLU
from simdl.network import Network
from simdl.optimizers import SGD, Adam, AdamW, Optimizer
from simdl.parameters import Parameters
from simdl.probes import Probe
from simdl.theory import penalties as theory
from simdl.training import train

PULL = 0.3  # of a full-batch step on orthonormal data: what is left of the error is 1 - PULL
STEPS = 120  # of them: .7^120 is below 1e-18
EDGES = np.linspace(-0.5, 0.5, 51)  # of the histograms of weights
STEP = 0.05  # most time of one step of gradient descent that stands for the flow
LEAST = 200  # steps, however short the time


def orthonormal(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Fit a linear neuron with a penalty on orthonormal samples, by full-batch gradient descent.

    Parameters
    ----------
    settings : `kind`, "l1" or "l2"; `strength`, lambda of |y - X w|^2 / 2; `features`; `samples`

    Returns
    -------
    dict
        `weight` (feature,), sorted by the weights without a penalty, in `free`; `theory`, the
        closed form.
    """
    n, p, strength = settings["samples"], settings["features"], settings["strength"]
    rng = np.random.default_rng(seed)
    x = np.linalg.qr(rng.normal(size=(n, p)))[0]
    free = np.sort(rng.normal(size=p))
    y = x @ free + rng.normal(size=n)
    free = x.T @ y
    form = theory.lasso if settings["kind"] == "l1" else theory.ridge
    half = 2 / n  # the loss is the mean over samples, the closed form's half the sum
    run = train(
        Network((p,), (Dense(1, bias=False),), "lecun_normal", "float64"),
        Data(train=(x, y[:, None])), loss="mse", optimizer=SGD(lr=PULL / half), batch_size="full",
        steps=STEPS, seed=seed, **{settings["kind"]: half * strength},
    )  # fmt: skip
    order, at = np.argsort(free), {"feature": np.arange(p)}
    return {
        name: xarray.DataArray(np.ravel(values)[order], at)
        for name, values in (
            ("weight", run.params["0.weight"]), ("free", free), ("theory", form(free, strength)),
        )
    }  # fmt: skip


def decay(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Follow a weight of 1 that no data pull at, under Adam with an L2 penalty and under AdamW.

    Parameters
    ----------
    settings : `strength`, lambda; `lr`; `steps`

    Returns
    -------
    dict
        `weight` (optimizer, step), "Adam + L2" and "AdamW".
    """
    lr, strength, steps = settings["lr"], settings["strength"], settings["steps"]
    net = Network((1,), (Dense(1, bias=False),), "lecun_normal", "float64")
    still = Data(train=(np.zeros((1, 1)), np.zeros((1, 1))))  # an input of 0: no gradient
    rules: dict[str, Optimizer] = {
        "Adam + L2": Adam(lr=lr, weight_decay=strength),
        "AdamW": AdamW(lr=lr, weight_decay=strength),
    }
    at, paths = [0, *range(1, 10), *range(10, steps + 1, 10)], []
    for rule in rules.values():
        path = [1.0]
        for many in at[1:]:
            start = Parameters.like(net.init(seed), np.ones(1))
            run = train(
                net, still, loss="mse", optimizer=rule, batch_size="full", steps=many, params=start
            )
            path.append(float(run.params.flat[0]))
        paths.append(path)
    return {"weight": xarray.DataArray(paths, {"optimizer": [*rules], "step": at})}


def stopped(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Expected risks of gradient descent stopped at t and of ridge with a penalty of n / t.

    Trained on unit targets, one a sample, which gives the map from targets to weights and with it
    the expectation over the noise without drawing any. From 0, on |y - X w|^2 / (2 n), small steps.

    Parameters
    ----------
    settings : `samples`, n; `features`; `noises`, variances; |w| is 1; `time`, t

    Returns
    -------
    dict
        `descent`, `ridge` (noise,): expected |w' - w|^2.
    """
    n, p, time = settings["samples"], settings["features"], settings["time"]
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(n, p)), rng.normal(size=p)
    w /= np.linalg.norm(w)
    steps = max(LEAST, round(time / STEP))
    net = Network((p,), (Dense(n, bias=False),), "lecun_normal", "float64")
    start = Parameters.like(net.init(seed), np.zeros(p * n))
    run = train(
        net, Data(train=(x, np.eye(n))), loss="mse", optimizer=SGD(lr=time / steps * n / 2),
        batch_size="full", steps=steps, params=start,
    )  # fmt: skip
    found = np.asarray(run.params["0.weight"]).reshape(p, n)
    exact = theory.ridge_map(x, n / time)
    noises = list(settings["noises"])
    return {
        name: xarray.DataArray(
            [theory.expected_risk(m, x, w, noise) for noise in noises], {"noise": noises}
        )
        for name, m in (("descent", found), ("ridge", exact))
    }


def network(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a network of two hidden ReLU layers on digits with a penalty, by SGD.

    Parameters
    ----------
    settings : `l1`, `l2`; `width`; `lr`; `epochs`

    Returns
    -------
    dict
        `weights` (weight,), share of the dense weights in each bin of `EDGES`, by its middle;
        `zeros`, share that is exactly 0; `accuracy`, of the test part.
    """
    data, hidden = load("digits", seed=seed), (Dense(settings["width"]), ReLU())
    net = Network(data.input_shape, (Flatten(), *hidden, *hidden, Dense(10)), "he_normal")
    run = train(
        net, data, optimizer=SGD(lr=settings["lr"]), batch_size=32, epochs=settings["epochs"],
        l1=settings["l1"], l2=settings["l2"], seed=seed, probes=[Probe("accuracy", every="end")],
    )  # fmt: skip
    weights = np.concatenate([np.ravel(v) for k, v in run.params.items() if k.endswith("weight")])
    counts = np.histogram(np.clip(weights, EDGES[0], EDGES[-1]), EDGES)[0]
    middles = np.round((EDGES[1:] + EDGES[:-1]) / 2, 6)
    return {
        "weights": xarray.DataArray(counts / len(weights), {"weight": middles}),
        "zeros": float(np.mean(weights == 0)),
        "accuracy": run.metrics["test_accuracy"],
    }
