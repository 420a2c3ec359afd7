"""What is timed: four networks on digits, and the start and batches that all contenders share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LR = 1e-3  # Adam's; betas and eps are the same defaults everywhere
SEED = 0
CHECKED_STEPS = 10


@dataclass(frozen=True)
class Shape:
    """A tanh network and its batch.

    Attributes
    ----------
    widths : inputs, hidden layers, classes
    goals : how many times faster than a peer simdl is meant to be; printed, never asserted
    """

    name: str
    widths: tuple[int, ...]
    batch: int
    goals: dict[str, float]


SHAPES = (
    Shape("64-32-32-10", (64, 32, 32, 10), 32, {"pytorch": 16, "jax": 1.4}),
    Shape("64-(20x64)-10", (64, *[64] * 20, 10), 32, {"pytorch": 5, "jax": 1.1}),
    Shape("64-128-128-10", (64, 128, 128, 10), 64, {"pytorch": 3.5, "jax": 1}),
    Shape("64-512-512-10", (64, 512, 512, 10), 128, {}),
)


@dataclass(frozen=True)
class Task:
    """What every contender gets: equal data, equal weights, equal first batches.

    Attributes
    ----------
    x, t : (n, 64) float32 standardised digits, (n,) int64 classes; n is a multiple of `batch`, so
        that nobody has a short last batch, which would cost some peers a second compilation
    weights : (w (in, out), b (out,)) a layer
    first : (CHECKED_STEPS, batch) the samples of the first steps, as simdl draws them
    """

    widths: tuple[int, ...]
    batch: int
    x: np.ndarray
    t: np.ndarray
    weights: tuple[tuple[np.ndarray, np.ndarray], ...]
    first: np.ndarray


def network(widths: tuple[int, ...]):
    """Return the network in simdl's words."""
    import simdl
    from simdl import layers as L

    hidden = [layer for width in widths[1:-1] for layer in (L.Dense(width), L.Tanh())]
    return simdl.Network((widths[0],), [*hidden, L.Dense(widths[-1])])


def task(shape: Shape, seed: int = SEED) -> Task:
    """Return a shape's task: data cut to whole batches, simdl's weights and order of a seed."""
    import simdl
    from simdl.kernels.philox import STREAM_ORDER, permutation

    x, t = simdl.data.load("digits", seed=SEED).train
    n = len(x) // shape.batch * shape.batch
    x = np.ascontiguousarray(x[:n].reshape(n, -1), np.float32)
    params = network(shape.widths).init(seed)
    arrays = [params[name].copy() for name in params]  # weight, bias, weight, bias, ...
    needed = CHECKED_STEPS * shape.batch
    orders = np.empty((math.ceil(needed / n), n), np.int64)
    for epoch, order in enumerate(orders):
        permutation(order, seed, STREAM_ORDER, epoch)
    first = orders.reshape(-1)[:needed].reshape(CHECKED_STEPS, shape.batch)
    weights = tuple(zip(arrays[::2], arrays[1::2], strict=True))
    return Task(shape.widths, shape.batch, x, t[:n].astype(np.int64), weights, first)
