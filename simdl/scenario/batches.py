"""What batch sizes change about gradient descent: measurements on digits, ridge, XOR and wells."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray

from simdl.curvature import gradient_noise_scale
from simdl.data import Data, load
from simdl.functional import value_and_grad
from simdl.layers import Dense, Flatten, Tanh
from simdl.network import Network
from simdl.optimizers import SGD
from simdl.probes import Probe
from simdl.scenario.particles import barrier, descend, double_well_slope
from simdl.training import train

POPULATION = 1024  # training samples of the race
DRAWN = (1, 2, 4, 8, 16, 32, 64, 128)  # batch sizes whose gradients are compared
COMPARED = 256  # samples they are drawn from
FACTORS = (0.1, 0.3, 0.6, 1.0, 1.4, 1.8, 1.95, 1.98, 2.02, 2.05, 2.2)  # rate times L, convex loss
BLOWN = 1e6  # a diverged run scores this many times the first excess
WELL_BATCHES = (1, 16, "full")
WELL_TIME, WELL_NOISE, WELL_SAMPLES = 25.0, 2.0, 64  # rate times steps; std of the samples' slopes


def _digits(seed: int, count: int, copies: int = 1) -> Data:
    source = load("digits", split=(0.8, 0.1, 0.1), scale="standard", seed=seed)
    x, t = (np.concatenate([part[:count]] * copies) for part in source.train)
    return Data(train=(x, t), classes=source.classes)


def _perceptron(dtype: Literal["float32", "float64"] = "float32") -> Network:
    layers = (Flatten(), Dense(32), Tanh(), Dense(10))
    return Network((8, 8, 1), layers, "glorot_normal", dtype=dtype)


def _trained(settings: Mapping[str, Any], seed: int, data: Data, **more: Any) -> Any:
    optimizer = SGD(lr=settings["optimizer"]["lr"])
    batch = settings["batch"]
    return train(_perceptron(), data, optimizer=optimizer, batch_size=batch, seed=seed, **more)


def race(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Steps and samples until the training loss is at most `target`; a cap where it never is.

    `samples` distinct digits, each `copies` times. `cost` is the logarithm of the samples.
    """
    data = _digits(seed, settings["samples"], settings.get("copies", 1))
    count = len(data.train[0])
    size = count if settings["batch"] == "full" else settings["batch"]
    steps = 60 if size == count else 8 * POPULATION // size
    every = max(1, 16 // size)
    stop = {"name": "target", "metric": "train_loss", "value": settings["target"], "every": every}
    run = _trained(settings, seed, data, steps=steps, stop=stop, probes=[])
    taken = run.steps if run.status == "stopped_early" else steps
    return {"steps": taken, "samples": taken * size, "cost": math.log(taken * size)}


def curve(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Training loss after so many samples, on a grid of samples, and seconds a step.

    The seconds are those of this machine at this moment: they are shown, never judged.
    """
    data = _digits(seed, POPULATION)
    size = POPULATION if settings["batch"] == "full" else settings["batch"]
    seen = np.unique(np.geomspace(64, 32 * POPULATION, 40).astype(int) // 64 * 64)
    every, steps = max(1, 64 // size), 32 * POPULATION // size
    run = _trained(settings, seed, data, steps=steps, probes=[Probe("loss", every=every)])
    history = run.history["train_loss"]
    at = np.searchsorted(history["step"].values * size, seen, side="right") - 1
    timed = min(steps, 1000)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        _trained(settings, seed, data, steps=timed, probes=[])
        middle = time.perf_counter()
        _trained(settings, seed, data, steps=2 * timed, probes=[])
        taken.append((time.perf_counter() - middle - (middle - start)) / timed)
    loss = xarray.DataArray(history.values[at], {"seen": seen})
    return {"loss": loss, "seconds": abs(float(np.median(taken)))}


def gradients(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A batch's gradient against its samples' own, and its variance over 600 draws of a batch.

    `difference`: largest distance of the gradient on all samples from the mean of the samples'
    own, and of the step that BGD takes, over the largest element. `with` and `without`: variance,
    summed over parameters, over that of a single sample, drawn with and without replacement.
    """
    data, net = _digits(seed, COMPARED), _perceptron("float64")
    x, t = data.train
    params = net.init(seed)
    own = np.stack(
        [value_and_grad(net, params, x[i : i + 1], t[i : i + 1])[1].flat for i in range(len(x))]
    )
    mean, spread = own.mean(axis=0), own - own.mean(axis=0)
    s2 = float((spread**2).sum() / len(x))
    full = value_and_grad(net, params, x, t)[1].flat
    ran = train(
        net, data, optimizer=SGD(lr=1.0), batch_size="full", steps=1, params=params, probes=[]
    )
    step = params.flat - ran.params.flat
    worst = max(float(np.abs(g - mean).max()) for g in (full, step)) / float(np.abs(mean).max())
    rng, draws, kernel = np.random.default_rng(seed), 600, spread @ spread.T
    found: dict[str, list[float]] = {"with": [], "without": []}
    for batch in DRAWN:
        orders = rng.permuted(np.tile(np.arange(len(x)), (draws, 1)), axis=1)[:, :batch]
        for name, picked in (
            ("with", rng.integers(len(x), size=orders.shape)),
            ("without", orders),
        ):
            weights = np.zeros((draws, len(x)))
            np.add.at(weights, (np.arange(draws)[:, None], picked), 1 / batch)
            squares = np.einsum("di,ij,dj->d", weights, kernel, weights, optimize=True)
            found[name].append(float(squares.mean()) / s2)
    made = {name: xarray.DataArray(v, {"drawn": list(DRAWN)}) for name, v in found.items()}
    return {"difference": worst} | made


def noise_scale(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """tr(S) / |G|^2 of a linear regression: the library's over the closed form."""
    net, data, rows, t = _regression(seed)
    params = net.init(seed)
    own = 2 * (rows @ params.flat - t)[:, None] * rows
    mean = own.mean(axis=0)
    closed = ((own - mean) ** 2).sum() / len(own) / (mean**2).sum()
    return {"ratio": gradient_noise_scale(net, params, *data.train, "mse") / closed}


def _regression(seed: int) -> tuple[Network, Data, np.ndarray, np.ndarray]:
    """A linear network, data, and the data's rows with a 1 for the bias, condition about 10."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, 10)) * np.linspace(0.5, 1, 10)
    t = x @ rng.standard_normal(10) + rng.standard_normal(200)
    net = Network((10,), (Dense(1),), "lecun_normal", dtype="float64")
    return net, Data(train=(x, t)), np.column_stack([x, np.ones(200)]), t


def convex(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Ridge regression by BGD at `FACTORS` / L: excess loss at the end over that at the start.

    `edge`: L times the rate at which a start along the steepest direction neither grows nor
    shrinks, between 1.98 / L and 2.02 /
    """
    ridge = 0.1  # ridge / 2 |w|^2, bias included
    net, data, rows, t = _regression(seed)
    hessian = 2 * rows.T @ rows / len(rows) + ridge * np.eye(rows.shape[1])
    minimum = np.linalg.solve(hessian, 2 * rows.T @ t / len(rows))
    values, vectors = np.linalg.eigh(hessian)

    def excess(params: Any) -> float:
        off = params.flat - minimum
        return float(off @ hessian @ off)

    def left(start: Any, factor: float, steps: int) -> float:
        optimizer = SGD(lr=factor / values[-1], weight_decay=ridge)
        run = train(
            net, data, loss="mse", optimizer=optimizer, batch_size="full", steps=steps,
            params=start, penalize_biases=True, probes=[],
        )  # fmt: skip
        return BLOWN if run.status == "diverged" else excess(run.params) / excess(start)

    start = net.init(seed)
    found = [min(max(left(start, f, 1000), 1e-30), BLOWN) for f in FACTORS]
    steep = net.wrap(minimum + vectors[:, -1])
    low, high = (math.log(left(steep, factor, 50)) for factor in (1.98, 2.02))
    edge = 1.98 + 0.04 * low / (low - high)
    return {"excess": xarray.DataArray(found, {"factor": list(FACTORS)}), "edge": edge}


def xor(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Loss (nats) after 1,000 steps of BGD on XOR with two hidden units, from one start."""
    x = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    layers = (Dense(2), Tanh(), Dense(2))
    net = Network((2,), layers, "glorot_normal", dtype="float64")
    run = train(
        net, Data(train=(x, np.array([0, 1, 1, 0]))), optimizer=SGD(lr=1.0),
        batch_size="full", steps=1000, probes=[Probe("loss", every="end")], seed=seed,
    )  # fmt: skip
    return {"loss": run.metrics["train_loss"]}


def well(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Share of points that end in the local minimum of a double well, from starts all over it.

    Sample i has the loss V(x) + z_i x, the z_i of mean 0: all samples together have V. The batch
    sizes `WELL_BATCHES` share their starts.
    """
    rng, points, lr = np.random.default_rng(seed), settings["points"], settings["lr"]
    z = rng.standard_normal(WELL_SAMPLES)
    z = WELL_NOISE * (z - z.mean()) / z.std()
    start = np.tile(rng.uniform(-2, 2, points), (len(WELL_BATCHES), 1))

    def gradient(x: np.ndarray) -> np.ndarray:
        slope = double_well_slope(np.clip(x, -3, 3))  # cubic: a far point would be thrown to inf
        for row, size in zip(slope[:-1], WELL_BATCHES[:-1], strict=True):
            row += z[rng.integers(WELL_SAMPLES, size=(size, points))].mean(axis=0)
        return np.asarray(slope)

    *_, end = descend(SGD(lr=lr), gradient, start, round(WELL_TIME / lr))
    caught = np.mean(end > barrier(), axis=1)
    return {"caught": xarray.DataArray(caught, {"batch": [str(b) for b in WELL_BATCHES]})}


def stationary(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Variance of w on w^2 / 2 with gradients of variance 1, at a constant rate, in the end."""
    rng, points = np.random.default_rng(seed), settings["points"]
    optimizer = SGD(lr=settings["lr"], momentum=settings["momentum"])
    path = descend(
        optimizer, lambda w: w + rng.standard_normal(points), np.zeros(points), settings["steps"]
    )
    squares = [np.mean(w**2) for i, w in enumerate(path) if i >= 200 and i % 5 == 0]
    return {"variance": float(np.mean(squares))}
