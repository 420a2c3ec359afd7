"""A measurement of time: what an activation costs an element, and what a training step costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from simdl import data as datasets
from simdl import layers as L
from simdl.network import Network
from simdl.training import train

KINDS: dict[str, L.Elementwise] = {"sigmoid": L.Sigmoid(), "tanh": L.Tanh(), "relu": L.ReLU()}
OTHERS: dict[str, L.Elementwise] = {
    "leaky_relu": L.LeakyReLU(), "elu": L.ELU(), "selu": L.SELU(), "gelu": L.GELU(),
    "silu": L.SiLU(), "softplus": L.Softplus(), "softsign": L.Softsign(),
}  # fmt: skip
ELEMENTS = 4096  # timed at once, input and output lie in the first cache; as many as in a step
CALLS = 4


def cost(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Time activations, interleaved, in float32.

    Wall times: no two runs give the same, and nothing is judged by them without a wide margin.

    Parameters
    ----------
    settings : `repeats` of the activations, whose median is taken; `rounds` of the short
        trainings, of which the quickest counts

    Returns
    -------
    dict
        By activation: `element`, nanoseconds an element, forward and backward, a median. By
        `trained`, the activation of a 64-64-64-10 net: `step`, microseconds a training step on
        digits, batches of 32.
    """
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(2, ELEMENTS)).astype(np.float32)
    y, dx = np.empty_like(x), np.empty_like(x)
    every = KINDS | OTHERS
    taken: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(settings["repeats"]):
        for name, kind in every.items():
            (forward, backward), option = kind.kernels(), getattr(kind, "alpha", 0.0)
            spent = []
            for n in (ELEMENTS, 1):  # one element costs the call alone
                start = time.perf_counter_ns()
                for _ in range(CALLS):
                    forward(y[:n], x[:n], option)
                    backward(dx[:n], dy[:n], x[:n], y[:n], option)
                spent.append((time.perf_counter_ns() - start) / CALLS)
            taken[name].append((spent[0] - spent[1]) / (ELEMENTS - 1))
    # a clock that stood still gives 0, and ratios want positive numbers
    element = [max(float(np.median(times)), 1e-4) for times in taken.values()]
    return {
        "element": xarray.DataArray(element, {"activation": list(every)}),
        "step": xarray.DataArray(_steps(settings["rounds"], seed), {"trained": list(KINDS)}),
    }


def _steps(rounds: int, seed: int) -> list[float]:
    """Microseconds a training step, by activation: long runs less short ones.

    Other work on the machine only adds to them, and runs this short often escape it.
    """
    data = datasets.load("digits", split=(0.6, 0.2, 0.2), scale="standard", seed=seed)
    lengths = (25, 125)
    quickest = np.full((len(KINDS), 2), np.inf)
    for _ in range(rounds):
        for i, kind in enumerate(KINDS.values()):
            net = Network((64,), (L.Dense(64), kind, L.Dense(64), kind, L.Dense(10)))
            for j, steps in enumerate(lengths):
                start = time.perf_counter()
                train(net, data, steps=steps, seed=seed, probes=[])
                quickest[i, j] = min(quickest[i, j], time.perf_counter() - start)
    taken = np.diff(quickest, axis=1)[:, 0] / (lengths[1] - lengths[0]) * 1e6
    return [max(float(t), 1e-3) for t in taken]
