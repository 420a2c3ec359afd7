"""Adapters of PReLU: one slope for all, or one a channel."""

from simdl._jit import njit
from simdl.engine.ops.views import (
    double_sums,
    flat_inputs,
    flat_outputs,
    input_channels,
    output_channels,
    weight_vector,
)
from simdl.kernels.activations import leaky_relu_backward, leaky_relu_forward
from simdl.kernels.prelu import (
    prelu_backward_input,
    prelu_backward_parameters,
    prelu_forward,
    slope_gradient,
)


@njit
def forward(op, run, at):
    """Run `prelu_forward`."""
    y, x = output_channels(op, run, at.arena), input_channels(op, run, at.arena)
    prelu_forward(y, x, weight_vector(op, at.params))


@njit
def backward(op, run, at):
    """The slopes' gradient always, the input's where something before this op needs it."""
    dy, x = output_channels(op, run, at.deltas), input_channels(op, run, at.arena)
    sums = double_sums(at.scratch, 1, op.channels)[0]
    prelu_backward_parameters(weight_vector(op, at.grads), dy, x, sums)
    if op.propagate:
        prelu_backward_input(
            input_channels(op, run, at.deltas), dy, x, weight_vector(op, at.params)
        )


@njit
def shared_forward(op, run, at):
    """Run `leaky_relu_forward` with the learned slope."""
    leaky_relu_forward(
        flat_outputs(op, run, at.arena), flat_inputs(op, run, at.arena), at.params[op.weight]
    )


@njit
def shared_backward(op, run, at):
    """The slope's gradient always, the input's where something before this op needs it."""
    dy, x = flat_outputs(op, run, at.deltas), flat_inputs(op, run, at.arena)
    at.grads[op.weight] = slope_gradient(dy, x)
    if op.propagate:
        y, dx = flat_outputs(op, run, at.arena), flat_inputs(op, run, at.deltas)
        leaky_relu_backward(dx, dy, x, y, at.params[op.weight])
