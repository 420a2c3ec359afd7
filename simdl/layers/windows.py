"""A window that moves over images: how its numbers are given, and the shape that it makes.

An image is (height, width, channels), a sequence (length, channels); to the engine a sequence is
an image of height 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from simdl.errors import InputError
from simdl.layers.base import Layer
from simdl.spec import Count

Border = Annotated[int, Field(ge=0, strict=True)]
Padding = Literal["valid", "same"] | Border
Pair = tuple[Count, Count]
PaddingPair = tuple[Border, Border]

SAMPLES = {1: "sequences (length, channels)", 2: "images (height, width, channels)"}
NAMES = {1: ("length",), 2: ("height", "width")}


@dataclass(frozen=True)
class Axis:
    """What a window does along one axis."""

    length: int
    out: int
    size: int
    stride: int
    pad: int  # before the first element
    dilation: int


class Windowed(Layer):
    """A layer with a window over the `axes` of a sample; each of its numbers may be a pair."""

    axes: ClassVar[int] = 2
    size: Any
    stride: Any
    padding: Any

    def channels(self, channels: int) -> int:
        """Channels of the output."""
        return channels

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*(axis.out for axis in self.along(shape)), self.channels(shape[-1]))

    def along(self, shape: tuple[int, ...]) -> list[Axis]:
        """What the window does along each axis of samples of `shape`.

        Raises
        ------
        InputError
            If samples have not that many axes, or the window does not fit in.
        """
        kind, count = type(self).__name__, self.axes
        if len(shape) != count + 1:
            raise InputError(
                f"{kind} takes {SAMPLES[count]}, not shape {shape}: give the network such an "
                f"input_shape, {'(8, 8, 1)' if count == 2 else '(40, 1)'} say, and no Flatten() "
                f"before it"
            )
        stride = self.size if self.stride is None else self.stride
        numbers = (self.size, stride, self.padding, getattr(self, "dilation", 1))
        settings = zip(*(each(given, count) for given in numbers), strict=True)
        found = [_axis(*pair) for pair in zip(shape, settings, strict=False)]
        wrong = [
            f"{kind}.size: {_reach(axis)} elements from first to last: must be at most "
            f"{axis.length + 2 * axis.pad}, the {name} {axis.length} and a padding of {axis.pad} "
            f"at either end"
            for name, axis in zip(NAMES[count], found, strict=True)
            if axis.out < 1
        ]
        if wrong:
            raise InputError(*wrong)
        return found

    def record(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Fields of the op's record for samples of `shape`."""
        found = self.along(shape)
        rows, columns = found if len(found) == 2 else (Axis(1, 1, 1, 1, 0, 1), found[0])
        made = {
            "height": rows.length, "out_height": rows.out, "pad_top": rows.pad,
            "width": columns.length, "out_width": columns.out, "pad_left": columns.pad,
            "channels": shape[-1], "out_channels": self.channels(shape[-1]),
        }  # fmt: skip
        for letter, axis in (("h", rows), ("w", columns)):
            for name in ("size", "stride", "dilation"):
                made[f"{name}_{letter}"] = getattr(axis, name)
        return made


def each(given: Any, axes: int) -> tuple[Any, ...]:
    """One value an axis: as given, or the same for all."""
    return given if isinstance(given, tuple) else (given,) * axes


def _reach(axis: Axis) -> int:
    """Elements from a window's first to its last."""
    return (axis.size - 1) * axis.dilation + 1


def _axis(length: int, numbers: tuple[Any, ...]) -> Axis:
    """Place windows along `length`; "same" puts what cannot be halved behind the end."""
    size, stride, padding, dilation = numbers
    reach = (size - 1) * dilation + 1
    if padding == "same":
        out = -(-length // stride)
        return Axis(
            length, out, size, stride, max((out - 1) * stride + reach - length, 0) // 2, dilation
        )
    pad = 0 if padding == "valid" else padding
    out = (length + 2 * pad - reach) // stride + 1
    return Axis(length, out, size, stride, pad, dilation)
