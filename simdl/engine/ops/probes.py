"""Probes of one op: ``probe(op, run, tensors) -> float64``, after backward, before the update."""

import numpy as np

from simdl._jit import njit
from simdl.kernels.statistics import (
    mean,
    root_mean_square,
    share_of_zeros,
    standard_deviation,
)


@njit
def weight_gradient_rms(op, run, at):
    """RMS over the weight's elements of the batch-mean gradient."""
    return root_mean_square(at.grads[op.weight : op.weight + op.n_weight])


@njit
def weight_rms(op, run, at):
    """RMS over the weight's elements."""
    return root_mean_square(at.params[op.weight : op.weight + op.n_weight])


@njit
def output_gradient_rms(op, run, at):
    """RMS over samples and units of each *sample's* gradient at the op's output.

    The loss is a mean, so the stored gradient is the sample's over the number of rows.
    """
    n = run.rows * op.n_out
    return np.float64(run.rows) * root_mean_square(at.deltas[op.y : op.y + n])


@njit
def output_mean(op, run, at):
    """Mean over samples and units of the op's output."""
    return mean(at.arena[op.y : op.y + run.rows * op.n_out])


@njit
def output_std(op, run, at):
    """Standard deviation over samples and units of the op's output."""
    return standard_deviation(at.arena[op.y : op.y + run.rows * op.n_out])


@njit
def output_zero_share(op, run, at):
    """Share of exact zeros in the op's output: under ReLU the inputs that are not positive."""
    return share_of_zeros(at.arena[op.y : op.y + run.rows * op.n_out])
