"""Landscapes in two dimensions on which paths of optimizers are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Landscape:
    """A function of points (..., 2), its gradient, and where a path begins.

    Attributes
    ----------
    value, gradient : points (..., 2) to (...) and (..., 2)
    start : (x, y)
    box : (left, right, bottom, top) of what is drawn
    minimum : (x, y), or None where the function falls without end
    """

    value: Function
    gradient: Function
    start: tuple[float, float]
    box: tuple[float, float, float, float]
    minimum: tuple[float, float] | None


# Curvatures 1 and 50, turned by 30 degrees: along the axes, optimizers that scale each coordinate
# would have it too easy.
_TURN = np.array([[np.cos(np.pi / 6), -np.sin(np.pi / 6)], [np.sin(np.pi / 6), np.cos(np.pi / 6)]])
_BENT = _TURN @ np.diag([1.0, 50.0]) @ _TURN.T


def _quadratic(w: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(w * (w @ _BENT), axis=-1) / 2)


def _quadratic_gradient(w: np.ndarray) -> np.ndarray:
    return np.asarray(w @ _BENT)


def _rosenbrock(w: np.ndarray) -> np.ndarray:
    x, y = w[..., 0], w[..., 1]
    return np.asarray((1 - x) ** 2 + 100 * (y - x**2) ** 2)


def _rosenbrock_gradient(w: np.ndarray) -> np.ndarray:
    x, y = w[..., 0], w[..., 1]
    off = y - x**2
    return np.stack([2 * (x - 1) - 400 * x * off, 200 * off], axis=-1)


def _beale_terms(w: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The three numbers that are squared, with their derivatives by x and y."""
    x, y = w[..., 0], w[..., 1]
    return [
        (c - x + x * y**k, y**k - 1, k * x * y ** (k - 1))
        for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))
    ]


def _beale(w: np.ndarray) -> np.ndarray:
    return np.asarray(sum(term**2 for term, _, _ in _beale_terms(w)))


def _beale_gradient(w: np.ndarray) -> np.ndarray:
    terms = _beale_terms(w)
    return np.stack([sum(2 * t * d[i] for t, *d in terms) for i in (0, 1)], axis=-1)


def _saddle(w: np.ndarray) -> np.ndarray:
    x, y = w[..., 0], w[..., 1]
    return np.asarray(x**2 / 2 - y**2 / 2 + y**4 / 4)


def _saddle_gradient(w: np.ndarray) -> np.ndarray:
    x, y = w[..., 0], w[..., 1]
    return np.stack([x, y**3 - y], axis=-1)


# The saddle at 0 lies between two minima at y = -1 and 1; Beale (1958), Rosenbrock (1960).
LANDSCAPES = {
    "ill-conditioned": Landscape(
        _quadratic, _quadratic_gradient, (-3.5, -1.0), (-4.0, 1.2, -2.6, 1.2), (0.0, 0.0)
    ),
    "Rosenbrock": Landscape(
        _rosenbrock, _rosenbrock_gradient, (-1.2, 1.0), (-1.7, 1.7, -0.6, 2.0), (1.0, 1.0)
    ),
    "Beale": Landscape(_beale, _beale_gradient, (1.0, 1.5), (0.2, 4.2, -0.6, 1.9), (3.0, 0.5)),
    "saddle": Landscape(
        _saddle, _saddle_gradient, (-1.5, 1e-3), (-1.8, 0.9, -0.3, 1.6), (0.0, 1.0)
    ),
}
