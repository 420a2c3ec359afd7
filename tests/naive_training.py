"""Training written from the textbook in plain NumPy, slowly: what `simdl.train` is compared with.

It imports nothing of ours. Weights, the order of the samples and the labels come as arguments. A
network is a list: "dense" takes the next weight and bias, "tanh" and "relu" are activations, and a
list inside the list is a residual branch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


def forward(layers: list, params: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, list]:
    """Return the output and what `backward` needs. `params` is used up from its front."""
    tape: list[Any] = []
    for layer in layers:
        if layer == "dense":
            weight, bias = params.pop(0), params.pop(0)
            tape.append((x, weight))
            x = x @ weight + bias
        elif layer == "tanh":
            x = np.tanh(x)
            tape.append(x)
        elif layer == "relu":
            tape.append(x > 0)
            x = np.where(x > 0, x, 0.0)
        else:
            branch, inner = forward(layer, params, x)
            tape.append(inner)
            x = x + branch
    return x, tape


def backward(layers: list, tape: list, dy: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], list]:
    """Return dx, the parameters' gradients in order, and each dense layer's dy."""
    grads: list[np.ndarray] = []
    at_dense: list[np.ndarray] = []
    for layer, kept in zip(reversed(layers), reversed(tape), strict=True):
        if layer == "dense":
            x, weight = kept
            grads = [x.T @ dy, dy.sum(0), *grads]
            at_dense = [dy, *at_dense]
            dy = dy @ weight.T
        elif layer == "tanh":
            dy = dy * (1 - kept**2)
        elif layer == "relu":
            dy = dy * kept
        else:
            dx, inner, inner_dense = backward(layer, kept, dy)
            grads, at_dense = inner + grads, inner_dense + at_dense
            dy = dy + dx
    return dy, grads, at_dense


def cross_entropy(y: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of -log softmax(y)[t], and its gradient by y."""
    n = len(y)
    shifted = y - y.max(1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    hot = np.eye(y.shape[1])[t]
    return float(-(hot * log_softmax).sum() / n), (np.exp(log_softmax) - hot) / n


def squared_error(y: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over samples and outputs of (y - t)^2, and its gradient by y; labels become one-hot."""
    if t.dtype.kind == "i":
        t = np.eye(y.shape[1])[t]
    return float(((y - t) ** 2).mean()), 2 * (y - t) / y.size


@dataclass
class SGD:
    """w -= lr (g + decay w), with velocity v = momentum v + g if there is momentum."""

    momentum: float = 0.0
    nesterov: bool = False
    decay: Any = 0.0  # one number, or one a parameter
    velocity: np.ndarray | None = None

    def step(self, w: np.ndarray, g: np.ndarray, lr: float) -> np.ndarray:
        g = g + self.decay * w
        if self.momentum == 0:
            return w - lr * g
        first = self.velocity is None
        self.velocity = g.copy() if first else self.momentum * self.velocity + g
        return w - lr * (g + self.momentum * self.velocity if self.nesterov else self.velocity)


@dataclass
class Adam:
    """Kingma and Ba 2015, algorithm 1."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    m: Any = 0.0
    v: Any = 0.0
    t: int = 0

    def step(self, w: np.ndarray, g: np.ndarray, lr: float) -> np.ndarray:
        self.t += 1
        first, second = self.betas
        self.m = first * self.m + (1 - first) * g
        self.v = second * self.v + (1 - second) * g**2
        m, v = self.m / (1 - first**self.t), self.v / (1 - second**self.t)
        return w - lr * m / (np.sqrt(v) + self.eps)


def clip(g: np.ndarray, norm: float, value: float) -> np.ndarray:
    """Scale to at most `norm`, then cut at +-value; 0 is off."""
    if norm:
        g = g * min(1.0, norm / (np.linalg.norm(g) + 1e-6))
    return np.clip(g, -value, value) if value else g


def penalized_places(shapes: list[tuple[int, ...]], biases: bool) -> np.ndarray:
    """1 for each number of a weight matrix, 0 for others unless `biases`: (p,)."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    return np.repeat([float(biases or len(shape) > 1) for shape in shapes], sizes)


@dataclass
class Run:
    """What was done: parameters at the end, and what was measured before each step."""

    params: np.ndarray
    train_loss: list[float] = field(default_factory=list)  # over the whole training part
    accuracy: list[float] = field(default_factory=list)
    gradient_rms: list[list[float]] = field(default_factory=list)  # of each weight
    preactivation_gradient_rms: list[list[float]] = field(default_factory=list)


def train(
    layers: list, shapes: list[tuple[int, ...]], start: np.ndarray, x: np.ndarray, t: np.ndarray,
    orders: list[np.ndarray], loss: Any, optimizer: Any, batch: int, steps: int, rates: np.ndarray,
    norm: float = 0.0, value: float = 0.0, l1: float = 0.0, l2: float = 0.0, biases: bool = False,
) -> Run:  # fmt: skip
    """Train for `steps` steps.

    Parameters
    ----------
    shapes : of the parameters, in the order in which they lie in `start` (p,)
    orders : a permutation of the samples for every epoch
    rates : a learning rate for every step
    l1, l2 : penalties on weights, and on biases where `biases` says so
    """

    def split(flat: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        parts = np.split(flat, ends[:-1].astype(int))
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    batches = [order[i : i + batch] for order in orders for i in range(0, len(x), batch)]
    w = start.copy()
    penalized = penalized_places(shapes, biases)
    run = Run(w)

    def measure() -> None:
        y, _ = forward(layers, split(w), x)
        run.train_loss.append(loss(y, t)[0])
        labels = t if t.dtype.kind == "i" else t.argmax(1)
        run.accuracy.append(float((y.argmax(1) == labels).mean()))

    for rows, rate in zip(batches[:steps], rates[:steps], strict=True):
        measure()
        y, tape = forward(layers, split(w), x[rows])
        _, dy = loss(y, t[rows])
        _, grads, at_dense = backward(layers, tape, dy)
        run.gradient_rms.append([float(np.sqrt((g**2).mean())) for g in grads[::2]])
        per_sample = [len(rows) * d for d in at_dense]  # the loss is a mean
        run.preactivation_gradient_rms.append([float(np.sqrt((d**2).mean())) for d in per_sample])
        g = np.concatenate([g.ravel() for g in grads]) + l2 * penalized * w
        w = optimizer.step(w, clip(g, norm, value), rate)
        w = np.sign(w) * np.maximum(abs(w) - rate * l1 * penalized, 0)
    measure()
    run.params = w
    return run
