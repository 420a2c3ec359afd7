"""Badly scaled ReLU networks in training, with and without clipping of the gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import xarray

from simdl.data import load
from simdl.layers import Dense, ReLU
from simdl.network import Network
from simdl.optimizers import SGD
from simdl.probes import Probe
from simdl.result import Result
from simdl.scenario.tuning import CAP, RATE
from simdl.training import train

NEVER = 0.0  # a norm that stands for no clipping
SHARES = (0.2, 0.4, 0.6, 1.0)  # of the steps: budgets, after which accuracy is taken
CHANCE = 0.1  # accuracy of guessing


def gain(s2: float) -> dict[str, Any]:
    """Initial weights of variance s2 / n_in."""
    return {"name": "scaled", "gain": s2}


def trained(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train a ReLU network on digits by SGD from weights of variance `gain` / n_in.

    Parameters
    ----------
    settings : `depth` hidden layers of `width`; `gain`; `clip`, the largest norm of the gradient,
        or NEVER; `steps` of batches of 32; `optimizer.lr`
    seed : draws the split of the data, the weights and the order of the samples

    Returns
    -------
    dict
        `accuracy`, of the test, and `loss`, of the training in nats, at the end: CHANCE and CAP
        after a divergence. `test` and `validation`: accuracies after SHARES of the steps.
        `error`, of validation: what rates are tuned by. A rate is safe if a quarter of the steps
        at twice of it neither diverges nor leaves a network that guesses; where it is not, `error`
        is nan and `validation` CHANCE: else a few seeds choose a rate at which others are lost.
    """
    width, steps, depth = settings["width"], settings["steps"], settings["depth"]
    stack = [layer for _ in range(depth) for layer in (Dense(width), ReLU())]
    net = Network((64,), (*stack, Dense(10)), gain(settings["gain"]))
    data, every = load("digits", seed=seed), max(1, steps // 5)

    def run(lr: float, steps: int, probes: list[Probe]) -> Result:
        return train(
            net, data, seed=seed, steps=steps, optimizer=SGD(lr),
            clip_norm=settings["clip"] or None, probes=probes,
        )  # fmt: skip

    def learns(result: Result) -> bool:
        return result.metrics["train_accuracy"] > 1.5 * CHANCE  # nan, after a divergence, is not

    lr = settings["optimizer"]["lr"]
    made = run(lr, steps, [Probe("accuracy", every=every), Probe("loss", every=every)])
    ended = made.status != "diverged"
    safe = ended and learns(run(2 * lr, max(1, steps // 4), [Probe("accuracy", every="end")]))
    after = [round(steps * share) for share in SHARES]
    curves = made.history.reindex(step=after).fillna(CHANCE)

    def reached(part: str) -> xarray.DataArray:
        return xarray.DataArray(curves[f"{part}_accuracy"].values, {"share": list(SHARES)})

    return {
        "validation": reached("validation") if safe else CHANCE + 0 * reached("validation"),
        "test": reached("test"),
        "error": 1 - made.metrics["validation_accuracy"] if safe else math.nan,
        "accuracy": made.metrics["test_accuracy"] if ended else CHANCE,
        "loss": min(CAP, made.metrics["train_loss"]) if ended else CAP,
    }


def gained(survey: xarray.Dataset) -> xarray.DataArray:
    """Test accuracy with clipping less without, each at the rate that validates best.

    By depth, gain, seed, share: every cell and budget chooses its own rates.
    """
    best = survey["validation"].mean("seed").argmax(RATE)
    reached = survey["test"].isel({RATE: best})
    return reached.isel(clip=1, drop=True) - reached.isel(clip=0, drop=True)
