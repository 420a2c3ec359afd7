"""Adapters of activations: they call the pure kernels whose addresses the op record holds."""

from simdl._jit import call, njit


@njit
def forward(op, run, at):
    """Run ``kernel(y, x, alpha)``."""
    n = run.rows * op.n_in
    x, y = at.arena[op.x : op.x + n], at.arena[op.y : op.y + n]
    call(op.kernel, y, x, op.alpha)


@njit
def backward(op, run, at):
    """Run ``kernel_backward(dx, dy, x, y, alpha)``."""
    if op.propagate:
        n = run.rows * op.n_in
        x, y = at.arena[op.x : op.x + n], at.arena[op.y : op.y + n]
        dx, dy = at.deltas[op.x : op.x + n], at.deltas[op.y : op.y + n]
        call(op.kernel_backward, dx, dy, x, y, op.alpha)
