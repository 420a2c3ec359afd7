"""Softmax of each row. x, y, dx, dy (m, c)."""

import numpy as np

from simdl._jit import REASSOCIATE, njit
from simdl.kernels.mathematics import exp
from simdl.kernels.statistics import total


@njit
def softmax_forward(y, x):
    """y = exp(x - max x) / sum exp(x - max x) by rows; a NaN or +inf makes its row NaN"""
    m, c = x.shape
    for i in range(m):
        row, out = x[i], y[i]
        highest = row[0]
        for j in range(1, c):
            highest = row[j] if row[j] > highest else highest
        for j in range(c):
            out[j] = row[j] - highest
    flat = y.reshape(m * c)
    for j in range(m * c):  # one long loop vectorises, short rows do not
        flat[j] = exp(flat[j])
    for i in range(m):
        out = y[i]
        scale = y.dtype.type(1.0 / total(out))  # NaN is still here even if it lost the maximum
        for j in range(c):
            out[j] *= scale


@njit
def softmax_backward(dx, dy, y):
    """dx = y (dy - sum_k dy_k y_k) by rows"""
    for i in range(y.shape[0]):
        row, given, out = y[i], dy[i], dx[i]
        centre = y.dtype.type(product_sum(given, row))
        for j in range(row.size):
            out[j] = row[j] * (given[j] - centre)


@njit(fastmath=REASSOCIATE)
def product_sum(a, b):
    """Sum of a b over (c,) each, in float64, reordered freely: a named reduction."""
    result = 0.0
    for j in range(a.size):
        result += np.float64(a[j]) * np.float64(b[j])
    return result
