"""Adapters of softmax."""

from simdl._jit import njit
from simdl.engine.ops.views import input_channels, output_channels
from simdl.kernels.softmax import softmax_backward, softmax_forward


@njit
def forward(op, run, at):
    """Run `softmax_forward`."""
    softmax_forward(output_channels(op, run, at.arena), input_channels(op, run, at.arena))


@njit
def backward(op, run, at):
    """Run `softmax_backward`."""
    if op.propagate:
        dx, dy = input_channels(op, run, at.deltas), output_channels(op, run, at.deltas)
        softmax_backward(dx, dy, output_channels(op, run, at.arena))
