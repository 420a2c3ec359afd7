"""Layers that only shape or connect: Identity, Flatten, Residual."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simdl.errors import InputError
from simdl.layers.base import Layer
from simdl.spec import spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value


@spec
class Identity(Layer):
    """y = x"""

    def lower(self, program: Program, path: str, x: Value) -> Value:
        return x


@spec
class Flatten(Layer):
    """One sample as a vector, last axis fastest."""

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(shape),)

    def lower(self, program: Program, path: str, x: Value) -> Value:
        return x.reshaped(x.size)


@spec
class Residual(Layer):
    """y = x + branch(x) (He et al. 2016); the branch must keep the shape.

    Parameters
    ----------
    layers : the branch, in order
    """

    layers: tuple[Any, ...]

    def __post_init__(self) -> None:
        check_layers(self.layers, "Residual.layers")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        inside = stack_shapes(self.layers, shape)[-1]
        if inside != shape:
            raise InputError(f"Residual: branch turns {shape} into {inside}: must keep the shape")
        return shape

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import residual

        y = program.value(x.shape)
        program.op(residual.fork_forward, residual.fork_backward, x, x, skip=y)
        branch = lower_stack(self.layers, program, path, x)
        program.op(residual.join_forward, residual.join_backward, branch, y, skip=x)
        return y


def check_layers(layers: tuple[Any, ...], key: str) -> None:
    """Raise InputError unless every entry is a layer and there is at least one."""
    if not layers:
        raise InputError(f"{key}: empty: must hold at least one layer")
    wrong = [
        f"{key}.{i}: {v!r}: must be a layer, such as Dense(10)"
        for i, v in enumerate(layers)
        if not isinstance(v, Layer)
    ]
    if wrong:
        raise InputError(*wrong)


def stack_shapes(layers: tuple[Any, ...], shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes behind each of `layers`, for samples of `shape`; errors name the layer."""
    shapes = []
    for i, layer in enumerate(layers):
        try:
            shape = layer.output_shape(shape)
        except InputError as error:
            raise InputError(*(f"layers.{i}: {problem}" for problem in error.problems)) from None
        shapes.append(shape)
    return shapes


def lower_stack(layers: tuple[Any, ...], program: Program, path: str, x: Value) -> Value:
    """Lower `layers` one after the other; each one's output is kept under its path."""
    for i, layer in enumerate(layers):
        inner = f"{path}.{i}" if path else str(i)
        with program.layer(inner, type(layer).__name__):
            x = layer.lower(program, inner, x)
        program.layer_outputs[inner] = x
    return x
