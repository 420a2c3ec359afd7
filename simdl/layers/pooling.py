"""Pooling of sequences and images, channels last: each channel by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simdl.errors import InputError
from simdl.layers.base import Layer
from simdl.layers.windows import Padding, PaddingPair, Pair, Windowed, each
from simdl.spec import Count, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value


class Pooling(Windowed):
    """One number for each window and channel."""

    function: ClassVar[str] = ""  # "max" or "average"

    def __post_init__(self) -> None:
        sizes, borders = each(self.size, self.axes), each(self.padding, self.axes)
        for size, border in zip(sizes, borders, strict=True):
            if not isinstance(border, str) and border > size // 2:
                raise InputError(
                    f"{type(self).__name__}.padding: {border}: must be at most {size // 2}, half "
                    f"of size {size}"
                )

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import pooling

        y = program.value(self.output_shape(x.shape))
        forward, backward = pooling.PAIRS[self.function]
        program.op(forward, backward, x, y, scratch=x.shape[-1], **self.record(x.shape))
        return y


@spec
class MaxPool1D(Pooling):
    """Largest of each window of a sequence (length, channels); the first of equals gets the
    gradient.

    Parameters
    ----------
    size : elements of a window
    stride : elements from one window to the next; default `size`
    padding : elements at either end that are never the largest, at most half of `size`; "valid"
        is none; "same" makes ceil(length / stride) outputs, what cannot be halved at the far end
    """

    size: Count
    stride: Count | None = None
    padding: Padding = 0
    axes: ClassVar[int] = 1
    function: ClassVar[str] = "max"


@spec
class MaxPool2D(Pooling):
    """Largest of each window of an image (height, width, channels).

    Parameters
    ----------
    size, stride, padding : as of :class:`MaxPool1D`; one number, or (rows, columns)
    """

    size: Count | Pair
    stride: Count | Pair | None = None
    padding: Padding | PaddingPair = 0
    function: ClassVar[str] = "max"


@spec
class AvgPool1D(Pooling):
    """Mean of each window of a sequence (length, channels); padding counts as zeros.

    Parameters
    ----------
    size, stride, padding : as of :class:`MaxPool1D`
    """

    size: Count
    stride: Count | None = None
    padding: Padding = 0
    axes: ClassVar[int] = 1
    function: ClassVar[str] = "average"


@spec
class AvgPool2D(Pooling):
    """Mean of each window of an image (height, width, channels); padding counts as zeros.

    Parameters
    ----------
    size, stride, padding : as of :class:`MaxPool1D`; one number, or (rows, columns)
    """

    size: Count | Pair
    stride: Count | Pair | None = None
    padding: Padding | PaddingPair = 0
    function: ClassVar[str] = "average"


@spec
class GlobalAvgPool(Layer):
    """Mean of each channel, which is the last axis, over all others: y (channels,)."""

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) < 2:
            raise InputError(
                f"GlobalAvgPool takes samples with axes before their channels, such as (8, 8, 16), "
                f"not shape {shape}: put it in place of Flatten(), not behind"
            )
        return shape[-1:]

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import pooling

        y = program.value(x.shape[-1:])
        forward, backward = pooling.PAIRS["global"]
        program.op(forward, backward, x, y, channels=x.shape[-1])
        return y
