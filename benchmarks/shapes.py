"""What is timed: networks, and the start and batches that all contenders share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

import simdl
from simdl import layers as L

LR = 1e-3  # Adam's; betas and eps are the same defaults everywhere
SEED = 0
CHECKED_STEPS = 10

Layers = tuple[L.Layer, ...]


@dataclass(frozen=True)
class Shape:
    """A network, its data and its batch.

    Attributes
    ----------
    data : a data set's name
    goals : how many times faster than a peer simdl is meant to be, and within how many times its
        own matrix products alone; printed, never asserted
    double : whether the check is in double precision: through 20 batch normalizations rounding
        grows to percents of the loss within ten steps, between two runs of one peer, too
    """

    name: str
    layers: Layers
    batch: int
    data: str = "digits"
    goals: dict[str, float] = field(default_factory=dict)
    double: bool = False


def mlp(*widths: int, inner: Callable[[], Layers] = lambda: (L.Tanh(),)) -> Layers:
    hidden = [layer for width in widths[:-1] for layer in (L.Dense(width), *inner())]
    return (L.Flatten(), *hidden, L.Dense(widths[-1]))


def normalized() -> Layers:
    return L.BatchNorm(), L.ReLU(), L.Dropout(0.2)


def images() -> Layers:
    """Two convolutions of 3 x 3, each pooled by 2."""
    convolutions = [(L.Conv2D(n, 3, padding="same"), L.ReLU(), L.MaxPool2D(2)) for n in (16, 32)]
    return (*convolutions[0], *convolutions[1], L.Flatten(), L.Dense(10))


def sequences() -> Layers:
    """The published network of MNIST-1D (Greydanus and Kobak 2020)."""
    inner = [
        (L.Conv1D(25, size, stride=2, padding=1), L.ReLU()) for size in (5, 3, 3)
    ]  # fmt: skip
    return (*(layer for pair in inner for layer in pair), L.Flatten(), L.Dense(10))


SHAPES = (
    Shape("64-32-32-10", mlp(32, 32, 10), 32, goals={"pytorch": 20, "jax": 1.7, "products": 1.75}),
    Shape("64-16-10", mlp(16, 10), 16, goals={"pytorch": 36, "jax": 2}),
    Shape(
        "64-(20x64)-10", mlp(*[64] * 20, 10), 32,
        goals={"pytorch": 5.5, "jax": 1.25, "products": 1.5},
    ),
    Shape(
        "same, BatchNorm, ReLU, dropout", mlp(*[64] * 20, 10, inner=normalized), 32,
        goals={"pytorch": 6.5, "jax": 4}, double=True,
    ),
    Shape(
        "64-128-128-10", mlp(128, 128, 10), 64,
        goals={"pytorch": 3.8, "jax": 1.05, "products": 1.35},
    ),
    Shape(
        "64-512-512-10", mlp(512, 512, 10), 128,
        goals={"pytorch": 1.05, "jax": 0.75, "products": 1.15},
    ),
    Shape("CNN, 8x8", images(), 64, goals={"pytorch": 2.5, "jax": 6}),
    Shape("CNN, 28x28", images(), 64, "mnist", {"pytorch": 1, "jax": 8}),
    Shape("1D CNN, MNIST-1D", sequences(), 100, "mnist1d", {"pytorch": 2.5, "jax": 3.5}),
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What every contender gets: equal data, equal weights, equal first batches.

    Attributes
    ----------
    x, t : (n, *input_shape) standardised, in the task's precision, (n,) int64 classes; n is a
        multiple of `batch`, so that nobody has a short last batch, which would cost some peers a
        second compilation
    start : the parameters and the running statistics, by name
    first : (CHECKED_STEPS, batch) the samples of the first steps, as simdl draws them
    """

    layers: Layers
    batch: int
    x: np.ndarray
    t: np.ndarray
    start: dict[str, np.ndarray]
    first: np.ndarray

    @cached_property
    def net(self) -> simdl.Network:
        return simdl.Network(self.x.shape[1:], self.layers, dtype=self.x.dtype.name)

    @cached_property
    def undropped(self) -> simdl.Network:
        """The same without dropout, whose masks differ: what the check compares."""
        layers = [replace(v, rate=0.0) if isinstance(v, L.Dropout) else v for v in self.layers]
        return simdl.Network(self.x.shape[1:], layers, dtype=self.x.dtype.name)

    def in_double(self) -> Task:
        """The same in double precision."""
        start = {name: array.astype(np.float64) for name, array in self.start.items()}
        return replace(self, x=self.x.astype(np.float64), start=start)

    @property
    def plain(self) -> bool:
        """Whether it is dense layers with tanh between them."""
        return all(isinstance(layer, L.Flatten | L.Dense | L.Tanh) for layer in self.layers)

    @property
    def dense(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Weight (in, out) and bias (out,) of each dense layer of a plain network."""
        arrays = list(self.start.values())
        return tuple(zip(arrays[::2], arrays[1::2], strict=True))

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers and classes of a plain network."""
        return (self.x[0].size, *(len(bias) for _, bias in self.dense))


def task(shape: Shape, seed: int = SEED) -> Task:
    """Return a shape's task: data cut to whole batches, simdl's weights and order of a seed."""
    from simdl.kernels.philox import STREAM_ORDER, permutation

    x, t = simdl.data.load(shape.data, seed=SEED).train
    n = len(x) // shape.batch * shape.batch
    x = np.ascontiguousarray(x[:n], np.float32)
    params = simdl.Network(x.shape[1:], shape.layers).init(seed)
    both: dict[str, Any] = dict(params) | dict(params.buffers)
    needed = CHECKED_STEPS * shape.batch
    orders = np.empty((math.ceil(needed / n), n), np.int64)
    for epoch, order in enumerate(orders):
        permutation(order, seed, STREAM_ORDER, epoch)
    first = orders.reshape(-1)[:needed].reshape(CHECKED_STEPS, shape.batch)
    start = {name: array.copy() for name, array in both.items()}
    return Task(shape.layers, shape.batch, x, t[:n].astype(np.int64), start, first)
