"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simdl.layers.base import Layer
from simdl.spec import Share, spec

if TYPE_CHECKING:
    from simdl.engine.program import Program, Value


@spec
class Dropout(Layer):
    """y = x m / (1 - rate) in training, m 0 with probability rate, else 1; y = x in inference.

    Every element by itself, as PyTorch's Dropout (Srivastava et al. 2014, inverted). The mask is a
    function of seed, step and of how many such layers come before; initial weights do not depend on
    it.

    Parameters
    ----------
    rate : probability of a 0, from 0 to below 1
    """

    rate: Share = 0.5

    def lower(self, program: Program, path: str, x: Value) -> Value:
        from simdl.engine.ops import dropout

        y, number = program.value(x.shape), program.number()
        program.op(dropout.forward, dropout.backward, x, y, alpha=self.rate, number=number)
        return y
