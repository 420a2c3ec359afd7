"""Whether a network's gradients are those of its loss: central differences in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simdl.errors import InputError
from simdl.functional import checked, forward, vjp
from simdl.losses import loss as make_loss
from simdl.network import Network
from simdl.parameters import Parameters
from simdl.spec import Count

INPUT = "input"
_EPS = float(np.finfo(float).eps)
_STEP = _EPS ** (1 / 3)
_KINK = 1e-3  # one-sided slopes that differ by more, of the key's scale, are of a kink


class GradientRow(NamedTuple):
    """One parameter, or the input.

    Attributes
    ----------
    key : "0.weight", ..., or "input"
    error : largest difference over the key's largest slope, or over a hundred-thousandth of the
        loss, below which differences resolve nothing; inf where a slope is no finite number
    entry : where in the array it is
    given, expected : the gradient there, and the slope of the loss
    checked : entries that were looked at
    kinks : how many of them sit at a kink; there any slope between left and right is right
    """

    key: str
    error: float
    entry: tuple[int, ...]
    given: float
    expected: float
    checked: int
    kinks: int


class GradientCheck(tuple[GradientRow, ...]):
    """What `check_gradients` returns: a row a key; ``print`` shows a table."""

    __slots__ = ()

    @property
    def worst(self) -> GradientRow:
        """The row of the largest error."""
        return max(self, key=lambda row: row.error)

    def __str__(self) -> str:
        lines = [f"{'key':<20} {'error':>8} {'given':>11} {'expected':>11}  entry"]
        for row in self:
            kinks = f", {row.kinks} at kinks" if row.kinks else ""
            lines.append(
                f"{row.key:<20} {row.error:>8.1e} {row.given:>11.4g} {row.expected:>11.4g}"
                f"  {list(row.entry)} of {row.checked} checked{kinks}"
            )
        return "\n".join(lines)


def check_gradients(
    net: Network,
    params: Parameters,
    x: Any,
    t: Any,
    loss: Any = "softmax_cross_entropy",
    training: bool = True,
    seed: int = 0,
    entries: Count = 50,
) -> GradientCheck:
    """Compare gradients of the mean loss by input and parameters with central differences.

    Everything is computed in float64, whatever the network's precision, on copies. A right gradient
    is off by 1e-6 and less, a wrong one rarely by less than 1e-2. Nothing is raised for it.

    Parameters
    ----------
    x, t, loss, training, seed : as of `simdl.value_and_grad`
    entries : at most so many of each array are looked at, drawn at random

    Returns
    -------
    GradientCheck
        A row a parameter and one for the input; `.worst` is the worst of them.

    Raises
    ------
    InputError
        If `params`, `x` or `t` do not fit the network.
    """
    if isinstance(entries, bool) or not isinstance(entries, int) or entries < 1:
        raise InputError(f"entries: {entries!r}: must be a whole number of at least 1")
    checked(net, params, x)
    twin = Network(net.input_shape, net.layers, net.initializer, "float64")
    own = twin.wrap(params.flat.astype(float), params.buffers.flat.astype(float))
    chosen = make_loss(loss)
    targets = chosen.targets(t, twin.output_shape, "float64", "t")
    rows = np.array(x, dtype=float)
    if len(targets) != len(rows):
        raise InputError(f"t: {len(targets)} targets: must be {len(rows)}, one a sample of x")
    function, option = chosen.rule()

    def value() -> tuple[float, np.ndarray]:
        y = forward(twin, own, rows, training, seed)
        losses, dy = np.empty(len(rows)), np.empty_like(y)
        function(losses, dy.reshape(len(rows), -1), y.reshape(len(rows), -1), targets, option)
        return float(losses.mean()), dy

    pulled = vjp(twin, own, rows, value()[1], training, seed)
    arrays = {INPUT: (rows, pulled.input)}
    arrays |= {key: (own[key], pulled.params[key]) for key in own}
    rng = np.random.default_rng(0)
    with np.errstate(invalid="ignore", over="ignore"):  # what is no number counts as inf
        return GradientCheck(
            _row(key, *pair, lambda: value()[0], rng, entries) for key, pair in arrays.items()
        )


def _row(
    key: str,
    array: np.ndarray,
    gradient: np.ndarray,
    value: Callable[[], float],
    rng: np.random.Generator,
    entries: int,
) -> GradientRow:
    """Move entries of `array` one by one, in place and back."""
    places = np.sort(rng.permutation(array.size)[:entries])
    here = value()
    left, right, middle = np.empty((3, places.size))
    for i, place in enumerate(places):
        at = np.unravel_index(place, array.shape)
        kept = array[at]
        step = _STEP * max(1.0, abs(kept))
        array[at] = below = kept - step
        behind = value()
        array[at] = above = kept + step
        ahead = value()
        array[at] = kept
        left[i], right[i] = (here - behind) / (kept - below), (ahead - here) / (above - kept)
        middle[i] = (ahead - behind) / (above - below)
    given = gradient.reshape(-1)[places]
    floor = 1e-5 * abs(here)
    scale = max(float(np.abs([given, middle]).max()), floor) or 1.0
    kinked = np.abs(right - left) > _KINK * scale
    outside = np.maximum(np.minimum(left, right) - given, given - np.maximum(left, right))
    errors = np.where(kinked, np.maximum(outside, 0.0), np.abs(given - middle)) / scale
    errors[~np.isfinite(errors)] = math.inf
    i = int(np.argmax(errors))
    entry = tuple(int(n) for n in np.unravel_index(places[i], array.shape))
    numbers = float(errors[i]), entry, float(given[i]), float(middle[i])
    return GradientRow(key, *numbers, places.size, int(kinked.sum()))
