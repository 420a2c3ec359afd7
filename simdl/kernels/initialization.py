"""Initial weights, drawn by compiled code from the counter-based generator.

One signature: ``draw(weight, bias, scale, seed, op)`` with weight (fan_in, fan_out), bias
(fan_out,) already 0, or empty, ``scale`` the initializer's one number and ``op`` the count of dense
and convolution layers before this one, so that nets which differ in an activation or a norm start
from the same weights. float32 weights are the float64 ones up to rounding.
"""

import numpy as np

from simdl._jit import njit
from simdl.kernels.philox import STREAM_WEIGHTS, normal, uniform


@njit
def constant(weight, bias, scale, seed, op):
    """weight = scale"""
    weight[:] = scale


@njit
def draw_normal(weight, bias, scale, seed, op):
    """weight ~ N(0, scale^2)"""
    flat = weight.reshape(weight.size)
    normal(flat, seed, STREAM_WEIGHTS, 0, op)
    factor = weight.dtype.type(scale)
    for i in range(flat.size):
        flat[i] *= factor


@njit
def draw_uniform(weight, bias, scale, seed, op):
    """weight ~ U(-scale, scale)"""
    flat = weight.reshape(weight.size)
    draws = np.empty(flat.size)
    uniform(draws, seed, STREAM_WEIGHTS, 0, op)
    for i in range(flat.size):
        flat[i] = scale * (2.0 * draws[i] - 1.0)


@njit
def orthogonal(weight, bias, scale, seed, op):
    """weight = scale Q, Q uniform over matrices with orthonormal rows or columns (Saxe et al. 2014)

    QR of a normal matrix, columns multiplied by the sign of R's diagonal (Mezzadri 2007).
    """
    n_in, n_out = weight.shape
    rows, columns = max(n_in, n_out), min(n_in, n_out)
    draws = np.empty((rows, columns))
    normal(draws.reshape(rows * columns), seed, STREAM_WEIGHTS, 0, op)
    q, r = np.linalg.qr(draws)
    for j in range(columns):
        sign = -scale if r[j, j] < 0.0 else scale
        for i in range(rows):
            if n_in >= n_out:
                weight[i, j] = sign * q[i, j]
            else:
                weight[j, i] = sign * q[i, j]


@njit
def randomized_asymmetric(weight, bias, scale, seed, op):
    """N(0, scale^2) but one entry a unit, its bias included, ~ Beta(2, 1) (Lu et al. 2019, sec. 4)

    Beta(2, 1) is sqrt(U). Units thus rarely are born dead.
    """
    n_in, n_out = weight.shape
    draws = np.empty((n_in + 1) * n_out)
    normal(draws, seed, STREAM_WEIGHTS, 0, op)
    picks = np.empty(2 * n_out)
    uniform(picks, seed, STREAM_WEIGHTS, 1, op)
    for j in range(n_out):
        for i in range(n_in):
            weight[i, j] = scale * draws[i * n_out + j]
        if bias.size > 0:
            bias[j] = scale * draws[n_in * n_out + j]
        chosen = int(picks[2 * j] * (n_in + (bias.size > 0)))
        positive = np.sqrt(picks[2 * j + 1])
        if chosen < n_in:
            weight[chosen, j] = positive
        else:
            bias[j] = positive
