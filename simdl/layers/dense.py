"""The dense layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simdl.errors import InputError
from simdl.layers.base import Layer
from simdl.spec import Count, Flag, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value


@spec
class Dense(Layer):
    """y = x W + b, W (in, units), b (units,).

    Parameters
    ----------
    units : number of outputs
    init : initializer of this layer's weight; default the network's
    bias : whether there is a b
    """

    units: Count
    init: Any = None
    bias: Flag = True

    def __post_init__(self) -> None:
        from simdl.initializers import initializer

        if self.init is not None:
            object.__setattr__(self, "init", initializer(self.init, "Dense.init"))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != 1:
            raise InputError(f"Dense takes flat samples, not shape {shape}: put Flatten() before")
        return (self.units,)

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import dense

        y = program.value((self.units,))
        program.op(
            dense.forward,
            dense.backward,
            x,
            y,
            weight=program.parameter(path, "weight", (x.size, self.units)),
            bias=program.parameter(path, "bias", (self.units,)) if self.bias else None,
            fans=(x.size, self.units),
            init=self.init,
            out_channels=self.units,
        )
        return y
