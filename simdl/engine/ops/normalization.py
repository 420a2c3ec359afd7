"""Adapters of normalisation. The state of an op is what forward keeps: means, then 1/std.

Scratch: four rows of float64 sums, then four rows of factors, a column a channel.
"""

from simdl._jit import array_view, njit
from simdl.engine.ops.views import (
    bias,
    double_sums,
    input_channels,
    output_channels,
    weight_vector,
)
from simdl.kernels.normalization import (
    batch_moments,
    batch_norm_backward_input,
    batch_norm_backward_parameters,
    batch_norm_forward,
    group_norm_backward,
    group_norm_forward,
    running_moments,
    running_norm_backward_input,
)
from simdl.kernels.row_normalization import (
    layer_norm_backward,
    layer_norm_forward,
    rms_norm_backward,
    rms_norm_forward,
)

ROWS = 4  # of sums, and of factors


def scratch_size(channels: int) -> int:
    """Elements of the scratch, of either precision: a sum may take two."""
    return 3 * ROWS * channels


@njit(inline=True)
def _sums(op, at):
    return double_sums(at.scratch, ROWS, op.channels)


@njit(inline=True)
def _factors(op, at):
    return array_view(at.scratch, 2 * ROWS * op.channels, ROWS, op.channels)


@njit
def batch_forward(op, run, at):
    """Moments of the batch in training, running ones in inference; then `batch_norm_forward`."""
    y, x = output_channels(op, run, at.arena), input_channels(op, run, at.arena)
    state = array_view(at.arena, op.state, 2, op.channels)
    running = array_view(at.buffers, op.buffer, 2, op.channels)
    mean, inverse, sums = state[0], state[1], _sums(op, at)
    if run.training != 0:
        batch_moments(mean, inverse, running[0], running[1], x, op.epsilon, op.momentum, sums)
    else:
        running_moments(mean, inverse, running[0], running[1], op.epsilon)
    w, b = weight_vector(op, at.params), bias(op, at.params)
    batch_norm_forward(y, x, mean, inverse, w, b, _factors(op, at))


@njit
def batch_backward(op, run, at):
    """Through the moments of the batch in training; in inference they are constants."""
    dy, x = output_channels(op, run, at.deltas), input_channels(op, run, at.arena)
    state = array_view(at.arena, op.state, 2, op.channels)
    mean, inverse, sums = state[0], state[1], _sums(op, at)
    dw, db = weight_vector(op, at.grads), bias(op, at.grads)
    batch_norm_backward_parameters(dw, db, dy, x, mean, inverse, sums)
    if op.propagate:
        dx, w = input_channels(op, run, at.deltas), weight_vector(op, at.params)
        factors = _factors(op, at)
        if run.training != 0:
            batch_norm_backward_input(dx, dy, x, mean, inverse, w, sums, factors)
        else:
            running_norm_backward_input(dx, dy, inverse, w, factors)


@njit(inline=True)
def _pixels(op, run, buffer, offset):
    """Input or output by samples and pixels (rows, pixels, channels)."""
    return array_view(buffer, offset, run.rows, op.n_in // op.channels, op.channels)


@njit
def group_forward(op, run, at):
    """Run `group_norm_forward`."""
    y, x = _pixels(op, run, at.arena, op.y), _pixels(op, run, at.arena, op.x)
    state = array_view(at.arena, op.state, 2, run.rows, op.groups)
    w, b = weight_vector(op, at.params), bias(op, at.params)
    group_norm_forward(y, x, state[0], state[1], w, b, op.epsilon, _sums(op, at), _factors(op, at))


@njit
def group_backward(op, run, at):
    """Run `group_norm_backward`: the input's gradient comes with the parameters'."""
    x, dy = _pixels(op, run, at.arena, op.x), _pixels(op, run, at.deltas, op.y)
    dx = _pixels(op, run, at.deltas, op.x)
    state = array_view(at.arena, op.state, 2, run.rows, op.groups)
    dw, db, w = weight_vector(op, at.grads), bias(op, at.grads), weight_vector(op, at.params)
    sums, factors = _sums(op, at), _factors(op, at)
    group_norm_backward(dx, dw, db, dy, x, state[0], state[1], w, sums, factors)


@njit
def layer_forward(op, run, at):
    """Run `layer_norm_forward`."""
    y, x = output_channels(op, run, at.arena), input_channels(op, run, at.arena)
    state = array_view(at.arena, op.state, 2, x.shape[0])
    w, b = weight_vector(op, at.params), bias(op, at.params)
    layer_norm_forward(y, x, state[0], state[1], w, b, op.epsilon)


@njit
def layer_backward(op, run, at):
    """Run `layer_norm_backward`: the input's gradient comes with the parameters'."""
    x, dy = input_channels(op, run, at.arena), output_channels(op, run, at.deltas)
    dx, state = input_channels(op, run, at.deltas), array_view(at.arena, op.state, 2, x.shape[0])
    dw, db, w = weight_vector(op, at.grads), bias(op, at.grads), weight_vector(op, at.params)
    layer_norm_backward(dx, dw, db, dy, x, state[0], state[1], w, _sums(op, at)[:2])


@njit
def rms_forward(op, run, at):
    """Run `rms_norm_forward`."""
    y, x = output_channels(op, run, at.arena), input_channels(op, run, at.arena)
    inverse = array_view(at.arena, op.state, x.shape[0])
    rms_norm_forward(y, x, inverse, weight_vector(op, at.params), op.epsilon)


@njit
def rms_backward(op, run, at):
    """Run `rms_norm_backward`: the input's gradient comes with the parameters'."""
    x, dy = input_channels(op, run, at.arena), output_channels(op, run, at.deltas)
    dx, inverse = input_channels(op, run, at.deltas), array_view(at.arena, op.state, x.shape[0])
    dw, w = weight_vector(op, at.grads), weight_vector(op, at.params)
    rms_norm_backward(dx, dw, dy, x, inverse, w, _sums(op, at)[:1])


PAIRS = {
    "batch": (batch_forward, batch_backward),
    "group": (group_forward, group_backward),
    "layer": (layer_forward, layer_backward),
    "rms": (rms_forward, rms_backward),
}
