"""What probes measure, written from the definitions in plain NumPy. It imports nothing of ours.

A network is a list such as ``["dense", "sigmoid", "dense"]``; its parameters are one vector, each
dense layer's weight (in, out) before its bias (out,), with `shapes` telling their sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float)),
}
LARGEST = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0}


def split(flat: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Cut a vector into arrays of these shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(s) for part, s in zip(np.split(flat, ends), shapes, strict=True)]


@dataclass
class Pass:
    """One batch: each layer's input and output, the gradient at each layer's output."""

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    deltas: list[np.ndarray]
    grads: list[np.ndarray]


def run(layers: list[str], params: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> Pass:
    """Forward and backward of the mean softmax cross-entropy; labels t (n,)."""
    inputs, outputs, kept = [], [], list(params)
    weights = []
    for layer in layers:
        inputs.append(x)
        if layer == "dense":
            weights.append(kept.pop(0))
            x = x @ weights[-1] + kept.pop(0)
        else:
            weights.append(None)
            x = ACTIVATIONS[layer][0](x)
        outputs.append(x)
    p = np.exp(x - x.max(1, keepdims=True))
    d = (p / p.sum(1, keepdims=True) - np.eye(x.shape[1])[t]) / len(t)
    deltas, grads = [], []
    for layer, x, weight in zip(layers[::-1], inputs[::-1], weights[::-1], strict=True):
        deltas.insert(0, d)
        if layer == "dense":
            grads = [x.T @ d, d.sum(0), *grads]
            d = d @ weight.T
        else:
            d = d * ACTIVATIONS[layer][1](x)
    return Pass(inputs, outputs, deltas, grads)


def rms(x: np.ndarray) -> float:
    return float(np.sqrt((x**2).mean()))


def look(
    layers: list[str], shapes: list[tuple[int, ...]], before: np.ndarray, after: np.ndarray,
    x: np.ndarray, t: np.ndarray, edges: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Return what is measured of one step: a number, or a list of one for each layer that has it.

    before, after : parameters (p,) around the step; x, t : its batch
    """
    w, moved = split(before, shapes), split(after - before, shapes)
    made = run(layers, w, x, t)
    dense = [i for i, layer in enumerate(layers) if layer == "dense"]
    curved = [i for i, layer in enumerate(layers) if layer != "dense"]
    y = [made.outputs[i] for i in curved]
    slopes = [
        np.abs(ACTIVATIONS[layers[i]][1](made.inputs[i])) / LARGEST[layers[i]] for i in curved
    ]
    return {
        "gradient_norm": np.sqrt(sum((g**2).sum() for g in made.grads)),
        "gradient_rms": [rms(g) for g in made.grads[::2]],
        "weight_rms": [rms(v) for v in w[::2]],
        "update_ratio": [rms(m) / rms(v) for m, v in zip(moved[::2], w[::2], strict=True)],
        "preactivation_gradient_rms": [rms(len(x) * made.deltas[i]) for i in dense],
        "preactivation_mean": [made.outputs[i].mean() for i in dense],
        "preactivation_std": [made.outputs[i].std() for i in dense],
        "activation_mean": [v.mean() for v in y],
        "activation_std": [v.std() for v in y],
        "activation_histogram": [np.histogram(v, edges)[0] / v.size for v in y],
        "zero_share": [(v == 0).mean() for v in y],
        "saturation": [(s < 0.04).mean() for s in slopes],
    }


def silent(outputs: np.ndarray) -> np.ndarray:
    """Which units (the last axis) are 0 for every sample and everywhere."""
    return (outputs == 0).all(axis=tuple(range(outputs.ndim - 1)))


def hessian(gradient: Callable[[np.ndarray], np.ndarray], w: np.ndarray) -> np.ndarray:
    """Return the Hessian (p, p) of a function by its gradient, one central difference a column."""
    step, columns = 1e-5, []
    for unit in np.eye(w.size):
        columns.append((gradient(w + step * unit) - gradient(w - step * unit)) / (2 * step))
    made = np.array(columns)
    return (made + made.T) / 2


def plain_power(h: np.ndarray, rounds: int = 500) -> float:
    """Power iteration without a shift: it finds the eigenvalue of the largest absolute value."""
    v = np.arange(1.0, len(h) + 1)
    for _ in range(rounds):
        v = h @ v / np.linalg.norm(h @ v)
    return float(v @ h @ v)


def noise_scale(gradients: np.ndarray) -> float:
    """tr(S) / |G|^2 of the samples' gradients (n, p), S with 1/n."""
    mean = gradients.mean(0)
    return float(((gradients - mean) ** 2).sum(1).mean() / (mean**2).sum())
