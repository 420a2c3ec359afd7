"""Adapters of activations: they call the pure kernels whose addresses the op record holds."""

from simdl._jit import call, njit
from simdl.engine.ops.views import flat_inputs, flat_outputs


@njit
def forward(op, run, at):
    """Run ``kernel(y, x, alpha)``."""
    y, x = flat_outputs(op, run, at.arena), flat_inputs(op, run, at.arena)
    call(op.kernel, y, x, op.alpha)


@njit
def backward(op, run, at):
    """Run ``kernel_backward(dx, dy, x, y, alpha)``."""
    if op.propagate:
        y, x = flat_outputs(op, run, at.arena), flat_inputs(op, run, at.arena)
        dy, dx = flat_outputs(op, run, at.deltas), flat_inputs(op, run, at.deltas)
        call(op.kernel_backward, dx, dy, x, y, op.alpha)
