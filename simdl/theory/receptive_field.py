"""Which part of the input a unit sees, and where in it the weight lies.

One axis at a time; axes do not mix. Positions are input positions, counted from 0; negative ones
lie in the padding. Sources: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional
Neural Networks" (Distill 2019); Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive
Field in Deep Convolutional Neural Networks" (2016, arXiv:1701.04128).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Window:
    """A convolution or pooling along one axis: `size` taps, `dilation` apart, every `stride`.

    `padding` counts the positions added before the first; those after the last move no field.
    """

    size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise ValueError(f"{name}: {value!r}: must be a whole number, at least {least}")


@dataclass(frozen=True)
class Field:
    """The receptive field of the units of one layer along one axis.

    Attributes
    ----------
    size : input positions from the first that a unit sees to the last
    stride : input positions from one unit to the next; 0 where all units see the same
    padding : how far the first unit's field begins before position 0
    """

    size: int = 1
    stride: int = 1
    padding: int = 0

    @property
    def start(self) -> int:
        """Where the first unit's field begins."""
        return -self.padding

    @property
    def centre(self) -> float:
        """Middle of the first unit's field."""
        return self.start + (self.size - 1) / 2

    def interval(self, unit: int) -> tuple[int, int]:
        """First and last position that unit number `unit` sees, padding included."""
        first = self.start + unit * self.stride
        return first, first + self.size - 1

    def through(self, window: Window) -> Field:
        """The field behind one more window (Araujo et al. 2019, equations 2 and 4).

        r' = r + d (k - 1) j, j' = s j, P' = P + p j for r size, j stride, P padding of the field
        and k size, s stride, p padding, d dilation of the window.
        """
        return Field(
            self.size + window.dilation * (window.size - 1) * self.stride,
            self.stride * window.stride,
            self.padding + window.padding * self.stride,
        )

    def whole(self, units: int, length: int) -> Field:
        """The field of what joins all `units` (a dense layer, a global mean) of this layer.

        From where the first unit's field begins to where the last one's ends, cut to the input's
        `length`; all that is joined sees the same, which is nothing, size 0, in padding alone.
        """
        first = max(self.start, 0)
        last = min(self.interval(units - 1)[1], length - 1)
        return Field(max(last - first + 1, 0), 0, -first)

    def joined(self, other: Field) -> Field:
        """The field of the sum of two layers, as a residual connection makes."""
        if self.stride != other.stride:
            raise ValueError(f"stride: {self.stride} and {other.stride}: cannot be added unit wise")
        first = min(self.start, other.start)
        last = max(self.interval(0)[1], other.interval(0)[1])
        return Field(last - first + 1, self.stride, -first)


def fields(windows: Iterable[Window]) -> list[Field]:
    """Return the field behind each of `windows`, first to last."""
    found, field = [], Field()
    for window in windows:
        field = field.through(window)
        found.append(field)
    return found


def effective_sigma(windows: Sequence[Window]) -> float:
    """Return the standard deviation of the effective field, in input positions.

    The mean squared gradient behind random linear convolutions with independent weights of one
    variance is the distribution of a sum of uniform steps, one a layer: its variance is
    sum (d_l j_l)^2 (k_l^2 - 1) / 12, with j_l the stride before layer l. For n equal layers that is
    sqrt(n (k^2 - 1) / 12), near a Gaussian (Luo et al. 2016, section 2).
    """
    strides = [1, *(field.stride for field in fields(windows))]
    variances = (
        (w.dilation * j) ** 2 * (w.size**2 - 1) / 12
        for w, j in zip(windows, strides[:-1], strict=True)
    )
    return math.sqrt(sum(variances))


def share(windows: Sequence[Window]) -> float:
    """Return effective over theoretical field: four standard deviations (95 % of a Gaussian) / r.

    Like 1/sqrt(n) for n equal layers (Luo et al. 2016).
    """
    return 4 * effective_sigma(windows) / fields(windows)[-1].size


def spread(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the standard deviation (axes,) along each axis of a map of weights that are >= 0.

    For a map from `simdl.effective_receptive_field`, in input positions.
    """
    mass = np.asarray(weights, dtype=float)
    total = mass.sum()
    if not (mass >= 0).all() or not 0 < total < np.inf:
        raise ValueError("weights: must be finite, not negative, and not all 0")
    deviations = []
    for axis in range(mass.ndim):
        others = tuple(i for i in range(mass.ndim) if i != axis)
        profile = mass.sum(axis=others) / total
        positions = np.arange(profile.size)
        mean = profile @ positions
        deviations.append(math.sqrt(profile @ (positions - mean) ** 2))
    return np.array(deviations)
