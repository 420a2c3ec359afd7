"""Adapters of pooling."""

from simdl._jit import array_view, njit
from simdl.engine.ops.views import input_images, output_images, outputs, window
from simdl.kernels.pooling import (
    average_pool_backward,
    average_pool_forward,
    global_average_backward,
    global_average_forward,
    max_pool_backward,
    max_pool_forward,
)


@njit
def max_forward(op, run, at):
    """Run `max_pool_forward`."""
    y, x = output_images(op, run, at.arena), input_images(op, run, at.arena)
    max_pool_forward(y, x, window(op))


@njit
def max_backward(op, run, at):
    """Run `max_pool_backward`."""
    if op.propagate:
        y, x = output_images(op, run, at.arena), input_images(op, run, at.arena)
        dy, dx = output_images(op, run, at.deltas), input_images(op, run, at.deltas)
        chosen = array_view(at.scratch, 0, op.channels)
        max_pool_backward(dx, dy, x, y, window(op), chosen)


@njit
def average_forward(op, run, at):
    """Run `average_pool_forward`."""
    y, x = output_images(op, run, at.arena), input_images(op, run, at.arena)
    average_pool_forward(y, x, window(op))


@njit
def average_backward(op, run, at):
    """Run `average_pool_backward`."""
    if op.propagate:
        dy, dx = output_images(op, run, at.deltas), input_images(op, run, at.deltas)
        average_pool_backward(dx, dy, window(op))


@njit(inline=True)
def _pixels(op, run, buffer):
    """The op's input by pixels (rows, pixels, channels)."""
    return array_view(buffer, op.x, run.rows, op.n_in // op.channels, op.channels)


@njit
def global_forward(op, run, at):
    """Run `global_average_forward`."""
    global_average_forward(outputs(op, run, at.arena), _pixels(op, run, at.arena))


@njit
def global_backward(op, run, at):
    """Run `global_average_backward`."""
    if op.propagate:
        global_average_backward(_pixels(op, run, at.deltas), outputs(op, run, at.deltas))


PAIRS = {
    "max": (max_forward, max_backward),
    "average": (average_forward, average_backward),
    "global": (global_forward, global_backward),
}
