"""The dense (fully connected) layer: y = x W + b."""

import numpy as np

from simdl._jit import njit


@njit
def dense_forward(y, x, weight, bias):
    """y (n, out) = x (n, in) @ weight (in, out) + bias (out,)"""
    np.dot(x, weight, y)
    for i in range(y.shape[0]):
        row = y[i]
        for j in range(row.size):
            row[j] += bias[j]


@njit
def dense_backward_parameters(dweight, dbias, dy, x):
    """dweight (in, out) = x^T @ dy, dbias (out,) = column sums of dy"""
    np.dot(x.T, dy, dweight)
    dbias[:] = 0
    for i in range(dy.shape[0]):
        row = dy[i]
        for j in range(row.size):
            dbias[j] += row[j]


@njit
def dense_backward_input(dx, dy, weight):
    """dx (n, in) = dy (n, out) @ weight^T"""
    np.dot(dy, weight.T, dx)
