"""Subnormal numbers must not slow a deep sigmoid net: 50 sigmoid layers against 50 tanh layers.

Prints microseconds a step and the ratio, medians of interleaved rounds, on one core.
"""

from __future__ import annotations

import os
import time
from statistics import median

import simdl
from simdl import layers as L

DEPTH, WIDTH, BATCH, STEPS, ROUNDS = 50, 32, 32, 300, 9
# U(+-1/sqrt(fan_in)): the sigmoid net's gradient shrinks to .14 a layer, past the smallest normal
# float32 before the first layer
INIT = {"name": "scaled", "gain": 1 / 3, "uniform": True}


def timed(activation: L.Layer, data: simdl.Data) -> float:
    """Seconds a step of one training."""
    layers = [L.Dense(WIDTH), activation] * DEPTH + [L.Dense(10)]
    net = simdl.Network((64,), layers, init=INIT)
    start = time.perf_counter()
    simdl.train(net, data, batch_size=BATCH, steps=STEPS, probes=[], seed=0)
    return (time.perf_counter() - start) / STEPS


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    data = simdl.data.load("digits", seed=0)
    rounds = [(timed(L.Sigmoid(), data), timed(L.Tanh(), data)) for _ in range(ROUNDS + 1)][
        1:
    ]  # the first compiles
    sigmoid, tanh = (median(column) for column in zip(*rounds, strict=True))
    ratio = median(s / t for s, t in rounds)
    print(
        f"{DEPTH} sigmoid layers {1e6 * sigmoid:.0f} us a step, {DEPTH} tanh layers "
        f"{1e6 * tanh:.0f} us, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
