"""What theory expects of the first layer's gradient at birth: dense networks of one activation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from simdl import initializers as I
from simdl import layers as L
from simdl.theory.propagation import propagate, variance_factor

LARGEST = 1e8  # of q: the Gaussian averages take sqrt(q) nodes
_NAMES = {L.Sigmoid: "sigmoid", L.Tanh: "tanh", L.ReLU: "relu", L.LeakyReLU: "leaky_relu"}


class Expectation(NamedTuple):
    """What `expected` returns.

    Attributes
    ----------
    ratio : RMS pre-activation gradient of the first weight layer over that of the last; NaN where
        there is no closed form
    factor : its geometric mean a layer
    why : why there is none, else empty
    """

    ratio: float = math.nan
    factor: float = math.nan
    why: str = ""


def expected(net: Any, mean_square: float, drawn: bool) -> Expectation:
    """Return what `simdl.theory.propagation` says of this depth, these widths and this initializer.

    Parameters
    ----------
    net : the network
    mean_square : of the inputs' features
    drawn : whether the weights were drawn by the network's initializers
    """
    if not drawn:
        return Expectation(why="the weights were given")
    try:
        dense, activation, alpha = _read(net.layers)
    except LookupError as found:
        return Expectation(why=str(found.args[0]))
    sizes, factors, fan_in = [], [], math.prod(net.input_shape)
    for layer in dense:
        factor = _factor(layer.init or net.initializer, fan_in, layer.units)
        if not factor:
            return Expectation(why="the initializer")
        factors.append(factor)
        sizes.append(layer.units)
        fan_in = layer.units
    if len(dense) < 2:
        return Expectation(1.0, 1.0)
    if activation in ("sigmoid", "tanh") and factors[0] * mean_square > LARGEST:
        return Expectation(why="the inputs' scale")
    profile = propagate(activation, factors, 0.0, mean_square, alpha)
    ratio = math.sqrt(float(profile.gradient[0]) * sizes[-1] / sizes[0])  # per unit
    return Expectation(ratio, ratio ** (1 / (len(dense) - 1)))


def _read(layers: Any) -> tuple[list[Any], str, float]:
    """Return the dense layers, and the name and slope of the activation behind all but the last.

    Raises
    ------
    LookupError
        With what stands in the way.
    """
    dense: list[Any] = []
    found: list[tuple[str, float]] = []
    last = last_dense(layers)
    for place, layer in enumerate(layers):
        if isinstance(layer, L.Dense):
            if len(found) < len(dense):
                found.append(("identity", 0.0))
            dense.append(layer)
        elif type(layer) in _NAMES and len(found) == len(dense) - 1:
            found.append((_NAMES[type(layer)], getattr(layer, "alpha", 0.0)))
        elif not isinstance(layer, L.Flatten | L.Identity):
            if last is not None and place > last:
                break  # what shapes the output is behind every gradient that is compared
            raise LookupError(type(layer).__name__)
    inner = dict.fromkeys(found[: len(dense) - 1])
    if len(inner) > 1:
        raise LookupError("activations of several kinds")
    return dense, *next(iter(inner), ("identity", 0.0))


def last_dense(layers: Any) -> int | None:
    """Where the last layer with weights stands if it is a plain dense one, else None."""
    weights = L.Dense | L.Conv1D | L.Conv2D | L.Residual
    weighted = [place for place, layer in enumerate(layers) if isinstance(layer, weights)]
    return weighted[-1] if weighted and isinstance(layers[weighted[-1]], L.Dense) else None


def _factor(initializer: Any, fan_in: int, fan_out: int) -> float | None:
    """Return s_w2 = fan_in Var(w); None for weights that are not independent of mean 0."""
    match initializer:
        case I.Scaled():
            fan = fan_in if initializer.fan == "in" else (fan_in + fan_out) / 2
            return initializer.gain * fan_in / fan
        case I.Normal():
            return variance_factor("normal", fan_in, fan_out, std=initializer.std)
        case I.Uniform():
            return variance_factor("uniform", fan_in, fan_out, limit=initializer.limit)
        case I.Orthogonal():
            return initializer.gain**2 * variance_factor("orthogonal", fan_in, fan_out)
    return None
