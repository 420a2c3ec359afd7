"""Probes of one op: ``probe(out, options, op, run, tensors)``, after backward, before the update.

out (k,) float64 gets what is measured, options (m,) float64 say how. `update_ratio` comes after the
update, with tensors of it: parameters before the step, and as gradient what the step adds.
"""

import numpy as np

from simdl._jit import call, njit
from simdl.kernels.statistics import (
    count_below,
    histogram,
    mean,
    root_mean_square,
    share_of_zeros,
    standard_deviation,
    sum_of_squares,
)

BLOCK = 512  # activations whose slopes are taken at once; the scratch has room for twice as many


@njit
def gradient_norm(out, options, op, run, at):
    """L2 norm of the batch-mean gradient, of all parameters, whatever the op."""
    out[0] = np.sqrt(sum_of_squares(at.grads))


@njit
def weight_gradient_rms(out, options, op, run, at):
    """RMS over the weight's elements of the batch-mean gradient."""
    out[0] = root_mean_square(at.grads[op.weight : op.weight + op.n_weight])


@njit
def weight_rms(out, options, op, run, at):
    """RMS over the weight's elements."""
    out[0] = root_mean_square(at.params[op.weight : op.weight + op.n_weight])


@njit
def update_ratio(out, options, op, run, at):
    """RMS of what the step adds to the weight over RMS of the weight before it."""
    added = root_mean_square(at.grads[op.weight : op.weight + op.n_weight])
    out[0] = np.float64(added) / root_mean_square(at.params[op.weight : op.weight + op.n_weight])


@njit
def output_gradient_rms(out, options, op, run, at):
    """RMS over samples and units of each *sample's* gradient at the op's output.

    The loss is a mean, so the stored gradient is the sample's over the number of rows.
    """
    n = run.rows * op.n_out
    out[0] = np.float64(run.rows) * root_mean_square(at.deltas[op.y : op.y + n])


@njit
def output_mean(out, options, op, run, at):
    """Mean over samples and units of the op's output."""
    out[0] = mean(at.arena[op.y : op.y + run.rows * op.n_out])


@njit
def output_std(out, options, op, run, at):
    """Standard deviation over samples and units of the op's output."""
    out[0] = standard_deviation(at.arena[op.y : op.y + run.rows * op.n_out])


@njit
def output_histogram(out, options, op, run, at):
    """Share of the op's outputs in each bin; options are the edges."""
    histogram(out, at.arena[op.y : op.y + run.rows * op.n_out], options)


@njit
def output_zero_share(out, options, op, run, at):
    """Share of exact zeros in the op's output: under ReLU the inputs that are not positive."""
    out[0] = share_of_zeros(at.arena[op.y : op.y + run.rows * op.n_out])


@njit
def saturation(out, options, op, run, at):
    """Share of activations whose slope is, without its sign, below options[0].

    The slope is what the activation's own backward kernel makes of dy = 1.
    """
    n = run.rows * op.n_out
    ones, slopes = at.scratch[:BLOCK], at.scratch[BLOCK : 2 * BLOCK]
    ones[:] = 1
    below = 0
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        x = at.arena[op.x + start : op.x + start + size]
        y = at.arena[op.y + start : op.y + start + size]
        call(op.kernel_backward, slopes[:size], ones[:size], x, y, op.alpha)
        below += count_below(slopes[:size], options[0])
    out[0] = below / np.float64(n)
