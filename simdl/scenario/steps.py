"""What optimizers do step by step: measurements of rates, escapes, paths and regret."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray

from simdl._jit import njit
from simdl.data import load
from simdl.layers import Dense, Flatten, Tanh
from simdl.network import Network
from simdl.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop
from simdl.scenario.landscapes import LANDSCAPES
from simdl.scenario.particles import barrier, descend, double_well, double_well_slope
from simdl.theory import descent
from simdl.training import train

OPTIMIZERS: dict[str, Optimizer] = {
    "SGD": SGD(), "momentum": SGD(momentum=0.9), "AdaGrad": Adagrad(), "RMSProp": RMSprop(),
    "Adam": Adam(), "corrected": RMSprop(alpha=0.999, bias_correction=True),
}  # fmt: skip
CURVATURES = np.geomspace(1, 100, 9)  # of the quadratics: condition 100
BEFORE, AFTER = 500, 1000  # steps before and after the gradients change
LOOKS = np.union1d(
    np.geomspace(1, BEFORE + AFTER, 60).astype(int), BEFORE
)  # steps at which rates are kept
SINCE = np.unique(np.geomspace(1, AFTER, 40).astype(int))  # the same, since the change
PATH_RATES = np.geomspace(1e-4, 10, 21)


def at_rate(name: str, lr: float) -> Optimizer:
    """An optimizer of `OPTIMIZERS` at a learning rate."""
    chosen: Any = OPTIMIZERS[name]
    made: Optimizer = dataclasses.replace(chosen, lr=lr)
    return made


def _stepped(
    optimizer: Optimizer, gradient: Callable[[int, np.ndarray], np.ndarray], w: Any, steps: int
) -> Iterator[np.ndarray]:
    """Yield the rate of each step: the step, downhill, over the gradient."""
    seen: list[np.ndarray] = []

    def remembered(now: np.ndarray) -> np.ndarray:
        seen.append(gradient(len(seen), now))
        return seen[-1]

    path = descend(optimizer, remembered, w, steps)
    before = next(path)
    for after in path:
        yield (before - after) / seen[-1]
        before = after


def coordinates(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Rate of each coordinate after 100 noisy steps on a quadratic, over that of the steepest.

    Curvatures are `CURVATURES`, starts and noise are drawn; geometric means over 32 starts.
    """
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((32, CURVATURES.size))

    def gradient(_: int, w: np.ndarray) -> np.ndarray:
        return np.asarray(CURVATURES * (w + 0.1 * rng.standard_normal(w.shape)))

    *_, rate = _stepped(at_rate(settings["optimizer"], 0.01), gradient, start, 100)
    mean = np.exp(np.log(np.abs(rate)).mean(axis=0))
    return {"rate": xarray.DataArray(mean / mean[-1], {"curvature": CURVATURES})}


def change(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Rates while gradients change their size by `factor` after `BEFORE` steps.

    Gradients have random signs and sizes of 1, or `factor`, times e^(.1 z), whatever w; 16 of them.

    Returns
    -------
    dict
        `rate`, by step (`LOOKS`), at a learning rate of 1. `against`, by steps since the change
        (`SINCE`): the rate over that of the same optimizer, its bias corrected, which has seen
        nothing but the new gradients. Geometric means.
    """
    rng = np.random.default_rng(seed)
    size = np.exp(0.1 * rng.standard_normal((BEFORE + AFTER, 16)))
    drawn = size * rng.choice([-1.0, 1.0], size.shape)
    drawn[BEFORE:] *= settings["factor"]
    name, start = settings["optimizer"], np.zeros(16)
    fresh = RMSprop(lr=1, bias_correction=True) if name == "RMSProp" else at_rate(name, 1.0)

    def logs(optimizer: Optimizer, gradients: np.ndarray) -> np.ndarray:
        rates = _stepped(optimizer, lambda t, _: gradients[t], start, len(gradients))
        return np.array([np.log(rate).mean() for rate in rates])

    rate = logs(at_rate(name, 1.0), drawn)
    against = rate[BEFORE:] - logs(fresh, drawn[BEFORE:])
    return {
        "rate": xarray.DataArray(np.exp(rate[LOOKS - 1]), {"step": LOOKS}),
        "against": xarray.DataArray(np.exp(against[SINCE - 1]), {"since": SINCE}),
    }


def escape(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Points that roll down a double well from beyond its local minimum, with noisy gradients.

    Returns
    -------
    dict
        `escaped`, the share that crosses the barrier within `steps`; `stayed`, the share that is
        beyond it in the end; `loss`, the mean over points and the second half of the steps.
    """
    rng, points = np.random.default_rng(seed), settings["points"]
    start = rng.uniform(1.5, 2.5, points)

    def gradient(x: np.ndarray) -> np.ndarray:  # cubic: a far point would be thrown to inf
        return double_well_slope(np.clip(x, -3, 3)) + 0.3 * rng.standard_normal(points)

    optimizer = at_rate(settings["arm"], settings["optimizer"]["lr"])
    crossed, losses = np.zeros(points, bool), []
    for x in descend(optimizer, gradient, start, settings["steps"]):
        crossed |= x < barrier()
        losses.append(double_well(np.clip(x, -3, 3)).mean())
    return {
        "escaped": float(crossed.mean()),
        "stayed": float((x < barrier()).mean()),
        "loss": float(np.mean(losses[len(losses) // 2 :])),
    }


def path(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A path on a landscape at the rate, of `PATH_RATES`, that gets lowest within `steps`.

    Rates at which it stays in the landscape's box come first.
    """
    ground = LANDSCAPES[settings["landscape"]]
    best: tuple[Any, ...] = ((True, math.inf),)
    for lr in PATH_RATES:
        optimizer = at_rate(settings["optimizer"], float(lr))
        with np.errstate(over="ignore", invalid="ignore"):
            steps = descend(optimizer, ground.gradient, np.array(ground.start), settings["steps"])
            points = np.stack(list(steps))
            end = float(ground.value(points[-1]))
        (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
        box = ground.box
        left_it = box[0] > left or right > box[1] or box[2] > bottom or top > box[3]
        if (left_it, end) < best[0]:
            best = ((left_it, end), float(lr), points)
    (_, end), lr, points = best
    walked = xarray.DataArray(points, {"step": np.arange(len(points)), "axis": ["x", "y"]})
    return {"path": walked, "lr": lr, "end": end}


def quadratic(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Contraction a step on a quadratic of condition 100, and where momentum begins to diverge.

    Returns
    -------
    dict
        `plain`, at the rate 2 / (L + mu), over steps 100 to 500; `heavy`, of the heavy ball at its
        optimum, the distance divided by the step, over steps 40 to 120; their paths, the distance
        over the first, up to there; `edge`, rate times
        curvature at which momentum .9 neither grows nor shrinks; `first`, the largest distance of
        Adam's first step from -lr sign(g), over lr, for gradients of .01 to 100.
    """
    rng = np.random.default_rng(seed)
    start = rng.standard_normal(CURVATURES.size)
    low, high = float(CURVATURES[0]), float(CURVATURES[-1])

    def distances(optimizer: Optimizer, steps: int) -> np.ndarray:
        walked = descend(optimizer, lambda w: CURVATURES * w, start, steps)
        return np.array([np.linalg.norm(w) for w in walked])

    plain = distances(SGD(lr=descent.best_rate(low, high)), 500)
    lr, momentum = descent.heavy_ball(low, high)
    heavy = distances(SGD(lr=lr, momentum=momentum), 120)

    def growth(factor: float) -> float:
        steep = SGD(lr=factor * descent.largest_rate(1, 0.9), momentum=0.9)
        *_, end = descend(steep, lambda w: w, np.ones(1), 600)
        return math.log(abs(float(end[0])))

    below, above = growth(0.9995), growth(1.0005)
    g = 10 ** rng.uniform(-2, 2, 1000) * rng.choice([-1.0, 1.0], 1000)
    _, after = descend(Adam(lr=0.1), lambda w: g, np.zeros(1000), 1)
    walked = {"step": np.arange(121)}
    return {
        "plain_path": xarray.DataArray(plain[:121] / plain[0], walked),
        "heavy_path": xarray.DataArray(heavy / heavy[0], walked),
        "plain": float((plain[500] / plain[100]) ** (1 / 400)),
        "heavy": float(((heavy[120] / 120) / (heavy[40] / 40)) ** (1 / 80)),
        "edge": descent.largest_rate(1, 0.9) * (0.9995 + 0.001 * below / (below - above)),
        "first": float(np.abs(after / 0.1 + np.sign(g)).max()),
    }


PLAYERS: dict[str, Optimizer] = {"Adam": Adam(), "AMSGrad": Adam(amsgrad=True), "SGD": SGD()}
# By name, not as arguments: what is compiled can then be kept.
_adam, _amsgrad, _sgd = (player.rule()[0] for player in PLAYERS.values())


@njit
def _online(player, options, slots, large, rate, points, regret):  # type: ignore[no-untyped-def]
    """Reddi et al. (2018), theorem 1: fill `points` and the mean `regret` after each step."""
    x, g, total = np.ones(1), np.empty(1), 0.0
    for t in range(1, points.size + 1):
        points[t - 1] = x[0]
        g[0] = large if t % 3 == 1 else -1.0
        total += g[0] * (x[0] + 1.0)  # against x = -1, the best fixed point
        regret[t - 1] = total / t
        if player == 0:
            _adam(x, g, slots, options, rate / np.sqrt(t), t)
        elif player == 1:
            _amsgrad(x, g, slots, options, rate / np.sqrt(t), t)
        else:
            _sgd(x, g, slots, options, rate / np.sqrt(t), t)
        x[0] = min(max(x[0], -1.0), 1.0)


def online(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Adam's counter-example: losses C x at every third step, else -x, on [-1, 1], from 1.

    Adam, AMSGrad: beta1 0, beta2 1 / (1 + C^2), no bias correction, eps 0; rates .5 / sqrt t.

    Returns
    -------
    dict
        `off`, the largest distance from 1 of x at steps 1, 4, 7, ...; `regret`, its mean by step.
    """
    large = settings["C"]
    chosen: Any = PLAYERS[settings["optimizer"]]
    if isinstance(chosen, Adam):
        betas = (0.0, 1 / (1 + large**2))
        chosen = dataclasses.replace(chosen, betas=betas, bias_correction=False, eps=0.0)
    _, options, count = chosen.rule()
    player = list(PLAYERS).index(settings["optimizer"])
    points, regret = np.empty((2, settings["steps"]))
    _online(
        player, np.array(options, float), np.zeros((count, 1)), float(large), 0.5, points, regret
    )
    looks = np.unique(np.geomspace(1, settings["steps"], 60).astype(int))
    return {
        "off": float(np.abs(points[::3] - 1).max()),
        "regret": xarray.DataArray(regret[looks - 1], {"step": looks}),
    }


def digits(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Steps until the validation loss on digits is .3 nats, at most `steps`; `cost`, their log."""
    data = load("digits", split=(0.6, 0.2, 0.2), scale="standard", seed=seed)
    net = Network((8, 8, 1), (Flatten(), Dense(32), Tanh(), Dense(10)), "glorot_normal")
    stop = {"name": "target", "metric": "validation_loss", "value": 0.3, "every": 2}
    optimizer = at_rate(settings["arm"], settings["optimizer"]["lr"])
    run = train(
        net, data, optimizer=optimizer, steps=settings["steps"], stop=stop, seed=seed, probes=[]
    )
    taken = run.steps if run.status == "stopped_early" else settings["steps"]
    return {"steps": taken, "cost": math.log(taken)}
