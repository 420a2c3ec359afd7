"""Normalisation of rows: each sample's (or pixel's) channels by themselves.

x, y, dx, dy (m, c). Sums run in float64 and are reordered freely: named reductions. The mean is
taken off before squares are summed. ``weight`` and ``bias`` (c,) may be empty: 1 and 0.
"""

import numpy as np

from simdl._jit import REASSOCIATE, njit
from simdl.kernels.statistics import sum_of_squares, total


@njit(fastmath=REASSOCIATE)
def squared_deviations(x, centre):
    """Sum of (x - centre)^2 over x (c,), reordered freely: a named reduction."""
    result = 0.0
    for j in range(x.size):
        off = np.float64(x[j]) - centre
        result += off * off
    return result


@njit(fastmath=REASSOCIATE)
def product_sums(dy, x, centre, weight):
    """Sums of g and g (x - centre), g = weight dy (c,), reordered freely: a named reduction."""
    plain, weighted = 0.0, 0.0
    if weight.size > 0:
        for j in range(x.size):
            g = np.float64(weight[j] * dy[j])
            plain += g
            weighted += g * np.float64(x[j] - centre)
    else:
        for j in range(x.size):
            g = np.float64(dy[j])
            plain += g
            weighted += g * np.float64(x[j] - centre)
    return plain, weighted


@njit
def layer_norm_forward(y, x, mean, inverse, weight, bias, eps):
    """y = (x - mean) inverse weight + bias; mean, inverse (m,): 1 / sqrt(variance + eps) of a row

    The variance is over c. Ba, Kiros and Hinton 2016, equation 3.
    """
    for i in range(x.shape[0]):
        row = x[i]
        centre = total(row) / row.size
        mean[i] = centre
        inverse[i] = 1.0 / np.sqrt(squared_deviations(row, centre) / row.size + eps)
        scale_row(y[i], row, mean[i], inverse[i], weight, bias)


@njit
def scale_row(y, x, mean, inverse, weight, bias):
    """y (c,) = (x - mean) inverse weight + bias"""
    if weight.size > 0 and bias.size > 0:
        for j in range(x.size):
            y[j] = (x[j] - mean) * inverse * weight[j] + bias[j]
    elif weight.size > 0:
        for j in range(x.size):
            y[j] = (x[j] - mean) * inverse * weight[j]
    else:
        for j in range(x.size):
            y[j] = (x[j] - mean) * inverse


@njit
def layer_norm_backward(dx, dweight, dbias, dy, x, mean, inverse, weight, sums):
    """dx = inverse (g - mean g - z mean(g z)), g = weight dy, z = (x - mean) inverse

    dweight (c,) = sum of dy z over rows, dbias (c,) = sum of dy, either may be empty. Scratch sums
    (2, c) float64.
    """
    sums[:] = 0.0
    for i in range(x.shape[0]):
        plain, weighted = product_sums(dy[i], x[i], mean[i], weight)
        inv = np.float64(inverse[i])
        constant = dx.dtype.type(plain / dx.shape[1])
        slope = dx.dtype.type(weighted * inv * inv / dx.shape[1])
        pull_row(dx[i], dy[i], x[i], mean[i], inverse[i], weight, constant, slope)
        if dweight.size > 0:
            add_products(sums[0], dy[i], x[i], mean[i], inverse[i])
        if dbias.size > 0:
            add_row(sums[1], dy[i])
    for j in range(dweight.size):
        dweight[j] = sums[0, j]
    for j in range(dbias.size):
        dbias[j] = sums[1, j]


@njit
def pull_row(dx, dy, x, mean, inverse, weight, constant, slope):
    """dx (c,) = inverse (weight dy - constant - slope (x - mean))"""
    if weight.size > 0:
        for j in range(x.size):
            dx[j] = inverse * (weight[j] * dy[j] - constant - slope * (x[j] - mean))
    else:
        for j in range(x.size):
            dx[j] = inverse * (dy[j] - constant - slope * (x[j] - mean))


@njit
def add_products(sums, dy, x, mean, inverse):
    """sums (c,) += dy (x - mean) inverse"""
    for j in range(sums.size):
        sums[j] += dy[j] * (x[j] - mean) * inverse


@njit
def add_row(sums, dy):
    """sums (c,) += dy"""
    for j in range(sums.size):
        sums[j] += dy[j]


@njit
def rms_norm_forward(y, x, inverse, weight, eps):
    """y = x inverse weight; inverse (m,) = 1 / sqrt(mean x^2 + eps) (Zhang and Sennrich 2019)"""
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        row = x[i]
        inverse[i] = 1.0 / np.sqrt(sum_of_squares(row) / row.size + eps)
        scale_row(y[i], row, zero, inverse[i], weight, weight[:0])


@njit
def rms_norm_backward(dx, dweight, dy, x, inverse, weight, sums):
    """dx = inverse (g - z mean(g z)), g = weight dy, z = x inverse; dweight (c,) = sum of dy z

    dweight may be empty. Scratch sums (1, c) float64.
    """
    zero = x.dtype.type(0)
    sums[:] = 0.0
    for i in range(x.shape[0]):
        _, weighted = product_sums(dy[i], x[i], zero, weight)
        inv = np.float64(inverse[i])
        slope = dx.dtype.type(weighted * inv * inv / dx.shape[1])
        pull_row(dx[i], dy[i], x[i], zero, inverse[i], weight, zero, slope)
        if dweight.size > 0:
            add_products(sums[0], dy[i], x[i], zero, inverse[i])
    for j in range(dweight.size):
        dweight[j] = sums[0, j]
