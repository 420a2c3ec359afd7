"""PReLU (He et al. 2015): a leaky ReLU whose slopes are learned. x, y, dx, dy (m, c), weight (c,).

With one slope for all, values and dx are those of `activations.leaky_relu_forward`, `_backward`.
"""

import numpy as np

from simdl._jit import REASSOCIATE, njit


@njit
def prelu_forward(y, x, weight):
    """y = x where x > 0, else weight x"""
    zero = y.dtype.type(0)
    for i in range(x.shape[0]):
        row, out = x[i], y[i]
        for j in range(row.size):
            out[j] = row[j] if row[j] > zero else weight[j] * row[j]


@njit
def prelu_backward_input(dx, dy, x, weight):
    """dx = dy where x > 0, else weight dy"""
    zero = dx.dtype.type(0)
    for i in range(x.shape[0]):
        row, given, out = x[i], dy[i], dx[i]
        for j in range(row.size):
            out[j] = given[j] if row[j] > zero else weight[j] * given[j]


@njit
def prelu_backward_parameters(dweight, dy, x, sums):
    """dweight (c,) = sum of dy x over the rows where x is not above 0; scratch sums (c,) float64"""
    zero = x.dtype.type(0)
    sums[:] = 0.0
    for i in range(x.shape[0]):
        row, given = x[i], dy[i]
        for j in range(row.size):
            sums[j] += zero if row[j] > zero else given[j] * row[j]
    for j in range(dweight.size):
        dweight[j] = sums[j]


@njit(fastmath=REASSOCIATE)
def slope_gradient(dy, x):
    """Sum of dy x over x (n,) not above 0, in float64, reordered freely: a named reduction."""
    zero = x.dtype.type(0)
    result = 0.0
    for i in range(x.size):
        result += np.float64(zero if x[i] > zero else dy[i] * x[i])
    return result
