"""Adapters of convolution."""

from simdl._jit import njit
from simdl.engine.ops.views import bias, input_images, output_images, weight, window
from simdl.kernels.convolution import (
    convolution_backward_input,
    convolution_backward_parameters,
    convolution_forward,
)


@njit
def forward(op, run, at):
    """Cut views and run `convolution_forward`."""
    y, x = output_images(op, run, at.arena), input_images(op, run, at.arena)
    w, b = weight(op, at.params), bias(op, at.params)
    convolution_forward(y, x, w, b, window(op), at.scratch, op.product, op.patches)


@njit
def backward(op, run, at):
    """Parameter gradients always, the input's where something before this op needs it."""
    dy, x = output_images(op, run, at.deltas), input_images(op, run, at.arena)
    dw, db = weight(op, at.grads), bias(op, at.grads)
    convolution_backward_parameters(dw, db, dy, x, window(op), at.scratch, op.product, op.patches)
    if op.propagate:
        dx, w = input_images(op, run, at.deltas), weight(op, at.params)
        convolution_backward_input(dx, dy, w, window(op), at.scratch, op.product, op.patches)
