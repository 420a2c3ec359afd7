"""What every layer offers: the shape it makes, and how it becomes ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value


class Layer:
    """A frozen description of one layer; it holds no numbers that train."""

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one sample's output for one sample's input of `shape` (no batch axis).

        Raises
        ------
        InputError
            If the layer cannot take that shape.
        """
        return shape

    def lower(self, program: Program, path: str, x: Value) -> Value:
        """Append the layer's parameters and ops to `program`; return where its output lies."""
        raise TypeError(f"{type(self).__name__} must define lower")
