"""Cutting an op's arrays out of the flat buffers."""

import numpy as np

from simdl._jit import array_view, njit
from simdl.kernels.windows import Window


@njit(inline=True)
def matrix(buffer, offset, rows, columns):
    """View of `buffer` (flat) as (rows, columns), from `offset` on."""
    return array_view(buffer, offset, rows, columns)


@njit(inline=True)
def inputs(op, run, buffer):
    """The op's input (rows, n_in): in the arena its values, in the deltas their gradient."""
    return matrix(buffer, op.x, run.rows, op.n_in)


@njit(inline=True)
def outputs(op, run, buffer):
    """The op's output (rows, n_out): in the arena its values, in the deltas their gradient."""
    return matrix(buffer, op.y, run.rows, op.n_out)


@njit(inline=True)
def weight(op, buffer):
    """The op's weight as a matrix (..., out_channels), in parameters or gradients."""
    return matrix(buffer, op.weight, op.n_weight // op.out_channels, op.out_channels)


@njit(inline=True)
def bias(op, buffer):
    """The op's bias (n_bias,), empty if it has none, in parameters or gradients."""
    return array_view(buffer, op.bias, op.n_bias)


@njit(inline=True)
def flat_inputs(op, run, buffer):
    """The op's input as a vector (rows n_in,)."""
    return array_view(buffer, op.x, run.rows * op.n_in)


@njit(inline=True)
def flat_outputs(op, run, buffer):
    """The op's output as a vector (rows n_out,)."""
    return array_view(buffer, op.y, run.rows * op.n_out)


@njit(inline=True)
def input_images(op, run, buffer):
    """The op's input (rows, height, width, channels), values or their gradient."""
    return array_view(buffer, op.x, run.rows, op.height, op.width, op.channels)


@njit(inline=True)
def output_images(op, run, buffer):
    """The op's output (rows, out_height, out_width, out_channels), values or their gradient."""
    return array_view(buffer, op.y, run.rows, op.out_height, op.out_width, op.out_channels)


@njit(inline=True)
def window(op):
    """The window that the op moves over its input."""
    return Window(
        op.size_h, op.size_w, op.stride_h, op.stride_w,
        op.pad_top, op.pad_left, op.dilation_h, op.dilation_w,
    )  # fmt: skip


@njit(inline=True)
def input_channels(op, run, buffer):
    """The op's input by channels (rows pixels, channels), values or their gradient."""
    return array_view(buffer, op.x, run.rows * op.n_in // op.channels, op.channels)


@njit(inline=True)
def output_channels(op, run, buffer):
    """The output, of the input's shape, by channels (rows pixels, channels), or its gradient."""
    return array_view(buffer, op.y, run.rows * op.n_in // op.channels, op.channels)


@njit(inline=True)
def weight_vector(op, buffer):
    """The op's weight as a vector (n_weight,), empty if it has none, in parameters or gradients."""
    return array_view(buffer, op.weight, op.n_weight)


@njit(inline=True)
def double_sums(scratch, count, columns):
    """Room at the front of the scratch for `count` rows of float64 sums (count, columns)."""
    size = count * columns
    room = array_view(scratch, 0, size * (8 // scratch.itemsize)).view(np.float64)
    return array_view(room, 0, count, columns)
