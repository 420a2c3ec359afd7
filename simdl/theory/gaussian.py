"""Gaussian averages of activations, E over z ~ N(0, 1): what every mean-field formula is made of.

Activations go by name: sigmoid, tanh, relu, leaky_relu (negative slope `alpha`), identity. The last
three are one family, slope 1 above zero and a below, with closed forms; sigmoid and tanh are
integrated by the trapezoidal rule. `q` is the variance of a pre-activation (>= 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import expit

Function = Callable[[str, np.ndarray], np.ndarray]

SMOOTH = ("sigmoid", "tanh")
ACTIVATIONS = (*SMOOTH, "relu", "leaky_relu", "identity")


def negative_slope(activation: str, alpha: float = 0.01) -> float | None:
    """Return the slope below zero of a piecewise linear activation, None for a smooth one.

    Raises
    ------
    ValueError
        If the activation is none of `ACTIVATIONS`.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r}: must be one of {', '.join(ACTIVATIONS)}")
    return {"relu": 0.0, "leaky_relu": float(alpha), "identity": 1.0}.get(activation)


def _value(activation: str, x: np.ndarray) -> np.ndarray:
    return np.asarray(expit(x) if activation == "sigmoid" else np.tanh(x))


def _derivative(activation: str, x: np.ndarray) -> np.ndarray:
    # Both through exp(-|x|), whose tails do not cancel: tanh'(x) = 4 s'(2x).
    e = np.exp(-np.abs(x if activation == "sigmoid" else 2 * x))
    return np.asarray((1.0 if activation == "sigmoid" else 4.0) * e / (1 + e) ** 2)


def _nodes(q: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights, shape (n,), for averages of functions of sqrt(q) z.

    The trapezoidal rule errs by exp(-2 pi d / h), d the distance of the nearest pole from the real
    line; tanh's is pi / (2 sqrt q). The step makes that exp(-40); Gauss-Hermite at fixed order
    would lose its digits as q grows. n = O(sqrt q).
    """
    if not (math.isfinite(q) and q >= 0):
        raise ValueError(f"q: {q}: must be finite and not negative")
    step = min(0.25, math.pi**2 / (40 * math.sqrt(q))) if q else 0.25
    half = math.ceil(10 / step)
    z = step * np.arange(-half, half + 1)
    weight = np.exp(-0.5 * z * z)
    return z, weight / weight.sum()


def mean_square(activation: str, q: float, alpha: float = 0.01) -> float:
    """Return E[phi(sqrt(q) z)^2]; q (1 + a^2) / 2 in the ReLU family."""
    slope = negative_slope(activation, alpha)
    if slope is not None:
        return q * (1 + slope**2) / 2
    z, weight = _nodes(q)
    return float(weight @ _value(activation, math.sqrt(q) * z) ** 2)


def derivative_moment(activation: str, q: float, power: int = 2, alpha: float = 0.01) -> float:
    """Return E[phi'(sqrt(q) z)^power]; (1 + a^power) / 2 in the ReLU family."""
    slope = negative_slope(activation, alpha)
    if slope is not None:
        return (1 + slope**power) / 2
    z, weight = _nodes(q)
    return float(weight @ _derivative(activation, math.sqrt(q) * z) ** power)


def _pair_average(activation: str, function: Function, c: float, q: float) -> float:
    """Return E[f(u1) f(u2)], row by row: the full grid would not fit for large q."""
    z, weight = _nodes(q)
    root, rest = math.sqrt(q), math.sqrt(max(0.0, 1 - c * c))
    first = weight * function(activation, root * z)
    second = [weight @ function(activation, root * (c * x + rest * z)) for x in z]
    return float(first @ np.array(second))


def product(activation: str, c: float, q: float, alpha: float = 0.01) -> float:
    """Return E[phi(u1) phi(u2)] for Gaussians u1, u2 of variance q and correlation c in [-1, 1].

    ReLU family: phi(u) = (1+a)/2 u + (1-a)/2 |u|, E|u1 u2| = (2q/pi)(sqrt(1-c^2) + c asin c)
    (the arc-cosine kernel of order one).
    """
    slope = negative_slope(activation, alpha)
    if slope is None:
        return _pair_average(activation, _value, c, q)
    absolute = 2 / math.pi * (math.sqrt(max(0.0, 1 - c * c)) + c * math.asin(c))
    return q * ((1 + slope) ** 2 * c + (1 - slope) ** 2 * absolute) / 4


def derivative_product(activation: str, c: float, q: float, alpha: float = 0.01) -> float:
    """Return E[phi'(u1) phi'(u2)] for Gaussians u1, u2 of variance q and correlation c in [-1, 1].

    ReLU family: ((1+a)/2)^2 + ((1-a)/2)^2 (2/pi) asin c.
    """
    slope = negative_slope(activation, alpha)
    if slope is None:
        return _pair_average(activation, _derivative, c, q)
    return ((1 + slope) ** 2 + (1 - slope) ** 2 * 2 / math.pi * math.asin(c)) / 4
