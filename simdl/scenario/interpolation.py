"""Fits that reproduce their training data, noise included: what they predict of new data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simdl.data import Data, load
from simdl.layers import Dense, Flatten, ReLU
from simdl.network import Network
from simdl.optimizers import SGD
from simdl.probes import Probe
from simdl.training import train

TARGETS = 8  # of least squares, for each draw of the samples


def least_squares(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Fit linear targets by least squares on a part of the features, over and over.

    The shortest of the best weights. Gaussian x and noise, unit vectors w of random direction:
    `TARGETS` of them for each x.

    Parameters
    ----------
    settings : `samples`; `features` of the targets; `chosen`, how many of them are fitted;
        `noise`, its variance; `draws`

    Returns
    -------
    dict
        `risk`, the mean over the draws of the squared error on new samples, without their noise.
    """
    n, p, total = settings["samples"], settings["chosen"], settings["features"]
    rng, risks = np.random.default_rng([seed, p, total]), []
    for _ in range(settings["draws"]):
        x, w = rng.standard_normal((n, total)), rng.standard_normal((total, TARGETS))
        w /= np.linalg.norm(w, axis=0)
        y = x @ w + np.sqrt(settings["noise"]) * rng.standard_normal((n, TARGETS))
        risks.append(np.sum((w[:p] - shortest(x[:, :p], y)) ** 2) + np.sum(w[p:] ** 2))
    return {"risk": float(np.mean(risks)) / TARGETS}


def shortest(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the shortest weights (p, k) that fit y (n, k) best on x (n, p), of full rank."""
    n, p = x.shape
    return np.linalg.solve(x.T @ x, x.T @ y) if p <= n else x.T @ np.linalg.solve(x @ x.T, y)


def relabelled(t: np.ndarray, share: float, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return labels t (n,) of which a share, drawn at random, is drawn anew from all classes."""
    new = t.copy()
    rows = rng.choice(len(t), round(share * len(t)), replace=False)
    new[rows] = rng.integers(classes, size=len(rows))
    return new


def mislabelled(t: np.ndarray, share: float, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return labels t (n,), each of which is wrong, any other class, with probability `share`."""
    other = (t + rng.integers(1, classes, size=len(t))) % classes
    return np.where(rng.random(len(t)) < share, other, t)


def mlp(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a network of two hidden ReLU layers on MNIST-1D, some of whose labels are random.

    SGD with momentum .9, batches of 100, as in the published experiment (Greydanus and Kobak 2020,
    section 3.3 of its second version). The test set is the published one, its labels are true.

    Parameters
    ----------
    settings : `width`; `samples` trained on, at most 4,000; `share` of their labels that is drawn
        anew; `lr`; `epochs`

    Returns
    -------
    dict
        `error`, share of the test set that is classified wrongly at the end; `left`, the same of
        the training set with the labels it was trained on.
    """
    rng, source = np.random.default_rng(seed), load("mnist1d", split=(0.8, 0, 0.2), seed=seed)
    rows = rng.permutation(len(source.train[1]))[: settings["samples"]]
    t = relabelled(source.train[1][rows], settings["share"], 10, rng)
    data = Data(train=(source.train[0][rows], t), test=source.test, classes=source.classes)
    hidden = (Dense(settings["width"]), ReLU())
    net = Network(data.input_shape, (Flatten(), *hidden, *hidden, Dense(10)), "he_normal")
    run = train(
        net, data, optimizer=SGD(lr=settings["lr"], momentum=0.9), batch_size=100,
        epochs=settings["epochs"], seed=seed, probes=[Probe("accuracy", every="end")],
    )  # fmt: skip
    return {
        "error": 1 - run.metrics["test_accuracy"], "left": 1 - run.metrics["train_accuracy"],
    }  # fmt: skip
