"""Adapters of the dense layer."""

from simdl._jit import njit
from simdl.engine.ops.views import bias, inputs, outputs, weight
from simdl.kernels.dense import dense_backward_input, dense_backward_parameters, dense_forward


@njit
def forward(op, run, at):
    """Cut views and run `dense_forward`."""
    dense_forward(
        outputs(op, run, at.arena),
        inputs(op, run, at.arena),
        weight(op, at.params),
        bias(op, at.params),
        op.product,
    )


@njit
def backward(op, run, at):
    """Parameter gradients always, the input's where something before this op needs it."""
    dy = outputs(op, run, at.deltas)
    dense_backward_parameters(
        weight(op, at.grads), bias(op, at.grads), dy, inputs(op, run, at.arena), op.product
    )
    if op.propagate:
        dense_backward_input(inputs(op, run, at.deltas), dy, weight(op, at.params), op.product)
