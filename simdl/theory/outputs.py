"""Softmax and sigmoid outputs: what they give, how temperature spreads them, how losses pull.

Sources: Bridle 1990 (softmax); Nielsen, "Neural Networks and Deep Learning" (2015), chapter 3 (the
neuron that learns slowly when it is badly wrong).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def softmax(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return exp(z / T) / sum exp(z / T) over the last axis of z (..., c)."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))  # the shift changes nothing
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def entropy(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return H = -sum p ln p (...,) of the softmax at T, nats: from 0 (cold) to ln c (hot)."""
    p = softmax(logits, temperature)
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)


def entropy_slope(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return dH / dT = Var_p(z) / T^3 (...,), which is never negative: heat only spreads."""
    z, p = np.asarray(logits, dtype=np.float64), softmax(logits, temperature)
    centred = z - np.sum(p * z, axis=-1, keepdims=True)
    return np.sum(p * centred**2, axis=-1) / temperature**3


def pull(output: ArrayLike, target: ArrayLike, loss: str) -> NDArray[np.float64]:
    """Return dC / dz of a sigmoid neuron with output a = sigmoid(z) and target y.

    "squared", C = (y - a)^2 / 2: (a - y) a (1 - a), which vanishes where a is badly wrong;
    "entropy", C = -y ln a - (1 - y) ln(1 - a): a - y.
    """
    a, y = np.asarray(output, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if loss not in ("squared", "entropy"):
        raise ValueError(f"loss: {loss!r}: must be 'squared' or 'entropy'")
    return (a - y) * a * (1 - a) if loss == "squared" else a - y


def neuron(
    weight: float, bias: float, loss: str, rate: float = 0.15, epochs: int = 300
) -> NDArray[np.float64]:
    """Return the output (epochs + 1,) of one sigmoid neuron taught to turn x = 1 into y = 0.

    Gradient descent on `pull`'s loss from (weight, bias); element k is the output after k steps.
    """
    z, outputs = weight + bias, np.empty(epochs + 1)
    for k in range(epochs + 1):
        outputs[k] = 1 / (1 + np.exp(-z))
        z -= 2 * rate * float(pull(outputs[k], 0.0, loss))  # x = 1: weight and bias move alike
    return outputs
