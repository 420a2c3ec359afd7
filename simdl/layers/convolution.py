"""Convolution of sequences and images, channels last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from simdl.layers.windows import Padding, PaddingPair, Pair, Windowed, each
from simdl.spec import Count, Flag, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value


class Convolution(Windowed):
    """y = x * W + b; W is W (*size, channels, filters), b (filters,)."""

    filters: int
    bias: Flag
    init: Any

    def __post_init__(self) -> None:
        from simdl.initializers import initializer

        if self.init is not None:
            made = initializer(self.init, f"{type(self).__name__}.init")
            object.__setattr__(self, "init", made)

    def channels(self, channels: int) -> int:
        return self.filters

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl._jit import address
        from simdl.engine.ops import convolution
        from simdl.engine.records import patches_signature
        from simdl.kernels.convolution import scratch_size
        from simdl.kernels.products import product_of_patches
        from simdl.kernels.windows import Window

        y = program.value(self.output_shape(x.shape))
        sizes, channels, fields = each(self.size, self.axes), x.shape[-1], self.record(x.shape)
        window, area = Window(*(fields[name] for name in Window._fields)), math.prod(sizes)
        lengths = (fields[name] for name in ("out_height", "out_width", "height", "width"))
        room = *lengths, channels, self.filters, window
        weight = program.parameter(path, "weight", (*sizes, channels, self.filters))
        program.op(
            convolution.forward,
            convolution.backward,
            x,
            y,
            weight=weight,
            bias=program.parameter(path, "bias", (self.filters,)) if self.bias else None,
            fans=(area * channels, area * self.filters),
            init=self.init,
            scratch=scratch_size(*room),
            patches=address(product_of_patches, patches_signature(program.dtype)),
            **fields,
        )
        return y


@spec
class Conv1D(Convolution):
    """Convolution of sequences (length, channels): y (out, filters), as PyTorch's Conv1d.

    Parameters
    ----------
    filters : channels of the output
    size : elements of a kernel
    stride : elements from one output to the next
    padding : zeros at either end; "valid" is none; "same" makes ceil(length / stride) outputs,
        what cannot be halved at the far end
    dilation : distance of the kernel's elements
    bias : whether there is a b
    init : initializer of this layer's weight (size, channels, filters); default the network's. Fans
        are size times channels, as in PyTorch
    """

    filters: Count
    size: Count
    stride: Count = 1
    padding: Padding = "valid"
    dilation: Count = 1
    bias: Flag = True
    init: Any = None
    axes: ClassVar[int] = 1


@spec
class Conv2D(Convolution):
    """Convolution of images (height, width, channels): y (out, out, filters), as PyTorch's Conv2d.

    Parameters
    ----------
    filters : channels of the output
    size, stride, padding, dilation : as of :class:`Conv1D`; one number, or (rows, columns)
    bias : whether there is a b
    init : initializer of this layer's weight (rows, columns, channels, filters); default the
        network's
    """

    filters: Count
    size: Count | Pair
    stride: Count | Pair = 1
    padding: Padding | PaddingPair = "valid"
    dilation: Count | Pair = 1
    bias: Flag = True
    init: Any = None
