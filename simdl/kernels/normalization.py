"""Normalisation of channels: over a batch (BatchNorm), over a sample's groups (GroupNorm).

A channel is a column: x, y, dx, dy (m, c) hold m values of c channels. Sums run in float64 over
some rows at once; a mean is taken off before squares are summed, so that nothing cancels. What
backward needs, mean and 1/std, is kept by forward. ``weight`` and ``bias`` (c,) may be empty: 1, 0.
Scratch: ``sums`` (.., c) float64, ``factors`` (.., c) of the arrays' precision.
"""

import numpy as np

from simdl._jit import njit

# --- columns --------------------------------------------------------------------------------------


@njit
def column_sums(sums, x):
    """sums (c,) float64 = sum of x (m, c) over rows"""
    m = x.shape[0]
    whole = m // 4 * 4
    sums[:] = 0.0
    for i in range(0, whole, 4):
        p, q, r, s = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(sums.size):
            left, right = np.float64(p[j]) + np.float64(q[j]), np.float64(r[j]) + np.float64(s[j])
            sums[j] += left + right
    for i in range(whole, m):
        row = x[i]
        for j in range(sums.size):
            sums[j] += np.float64(row[j])


@njit
def column_squares(sums, x, centre):
    """sums (c,) float64 = sum of (x - centre)^2 over rows of x (m, c); centre (c,) float64

    In float64, too: in float32 the square of 2e19 is inf, and a net that diverges would seem calm.
    """
    m = x.shape[0]
    whole = m // 2 * 2
    sums[:] = 0.0
    for i in range(0, whole, 2):
        p, q = x[i], x[i + 1]
        for j in range(sums.size):
            a, b = np.float64(p[j]) - centre[j], np.float64(q[j]) - centre[j]
            sums[j] += a * a + b * b
    for i in range(whole, m):
        row = x[i]
        for j in range(sums.size):
            a = np.float64(row[j]) - centre[j]
            sums[j] += a * a


@njit
def gradient_sums(plain, weighted, dy, x, mean):
    """plain, weighted (c,) float64 = sum of dy and of dy (x - mean) over rows (m, c)"""
    m = x.shape[0]
    whole = m // 2 * 2
    column_sums(plain, dy)
    weighted[:] = 0.0
    for i in range(0, whole, 2):  # with more rows, or both sums, LLVM leaves the loop scalar
        p, q, a, b = dy[i], dy[i + 1], x[i], x[i + 1]
        for j in range(weighted.size):
            weighted[j] += p[j] * (a[j] - mean[j]) + q[j] * (b[j] - mean[j])
    for i in range(whole, m):
        p, a = dy[i], x[i]
        for j in range(weighted.size):
            weighted[j] += p[j] * (a[j] - mean[j])


@njit
def shift_and_scale(y, x, mean, scale, shift):
    """y (m, c) = (x - mean) scale + shift, (c,) each"""
    for i in range(x.shape[0]):
        row, out = x[i], y[i]
        for j in range(row.size):
            out[j] = (row[j] - mean[j]) * scale[j] + shift[j]


@njit
def pull(dx, dy, x, mean, scale, constant, slope):
    """dx (m, c) = scale dy - constant - slope (x - mean), (c,) each"""
    for i in range(x.shape[0]):
        row, given, out = x[i], dy[i], dx[i]
        for j in range(row.size):
            out[j] = scale[j] * given[j] - constant[j] - slope[j] * (row[j] - mean[j])


# --- over a batch ---------------------------------------------------------------------------------


@njit
def batch_moments(mean, inverse, running_mean, running_var, x, eps, momentum, sums):
    """mean, inverse (c,) = mean and 1 / sqrt(variance + eps) of each column; running ones move

    The variance is over m, the running one over m - 1: running = (1 - momentum) running + momentum
    now. A single row has none: its inverse is 0, its y the bias, and running_var stays. Scratch
    sums (2, c). Ioffe and Szegedy 2015, algorithm 1.
    """
    m = x.shape[0]
    centre, squares, kept = sums[0], sums[1], 1.0 - momentum
    column_sums(centre, x)
    for j in range(centre.size):
        centre[j] /= m
    column_squares(squares, x, centre)
    for j in range(centre.size):
        mean[j] = centre[j]
        running_mean[j] = kept * running_mean[j] + momentum * centre[j]
        inverse[j] = 1.0 / np.sqrt(squares[j] / m + eps) if m > 1 else 0.0
        if m > 1:
            running_var[j] = kept * running_var[j] + momentum * (squares[j] / (m - 1))


@njit
def running_moments(mean, inverse, running_mean, running_var, eps):
    """mean, inverse (c,) = running_mean and 1 / sqrt(running_var + eps)"""
    for j in range(mean.size):
        mean[j] = running_mean[j]
        inverse[j] = 1.0 / np.sqrt(np.float64(running_var[j]) + eps)


@njit
def batch_norm_forward(y, x, mean, inverse, weight, bias, factors):
    """y (m, c) = (x - mean) inverse weight + bias; scratch factors (2, c)"""
    scale, shift = factors[0], factors[1]
    fill_factors(scale, shift, inverse, weight, bias)
    shift_and_scale(y, x, mean, scale, shift)


@njit
def fill_factors(scale, shift, inverse, weight, bias):
    """scale (c,) = inverse weight, shift (c,) = bias"""
    one, zero = scale.dtype.type(1), scale.dtype.type(0)
    for j in range(scale.size):
        scale[j] = inverse[j] * (weight[j] if weight.size > 0 else one)
        shift[j] = bias[j] if bias.size > 0 else zero


@njit
def batch_norm_backward_parameters(dweight, dbias, dy, x, mean, inverse, sums):
    """dweight (c,) = sum of dy (x - mean) inverse, dbias (c,) = sum of dy; either may be empty

    sums (2, c): the sums of dy and of dy (x - mean), which `batch_norm_backward_input` reads.
    """
    gradient_sums(sums[0], sums[1], dy, x, mean)
    for j in range(dweight.size):
        dweight[j] = sums[1, j] * inverse[j]
    for j in range(dbias.size):
        dbias[j] = sums[0, j]


@njit
def batch_norm_backward_input(dx, dy, x, mean, inverse, weight, sums, factors):
    """dx (m, c) = weight inverse (dy - mean dy - z mean(dy z)), z = (x - mean) inverse

    Through the statistics of the batch; sums (2, c) as made by the parameters' gradient, scratch
    factors (3, c). Ioffe and Szegedy 2015, section 3.
    """
    m = x.shape[0]
    scale, constant, slope = factors[0], factors[1], factors[2]
    for j in range(scale.size):
        share = np.float64(inverse[j]) * (weight[j] if weight.size > 0 else 1.0)
        scale[j] = share
        constant[j] = share * sums[0, j] / m
        slope[j] = share * sums[1, j] / m * (np.float64(inverse[j]) * inverse[j])
    pull(dx, dy, x, mean, scale, constant, slope)


@njit
def running_norm_backward_input(dx, dy, inverse, weight, factors):
    """dx (m, c) = weight inverse dy: running statistics are constants; scratch factors (2, c)"""
    scale = factors[0]
    fill_factors(scale, factors[1], inverse, weight, weight[:0])
    for i in range(dy.shape[0]):
        given, out = dy[i], dx[i]
        for j in range(given.size):
            out[j] = scale[j] * given[j]


# --- over the groups of a sample ------------------------------------------------------------------


@njit
def share_in_groups(columns, groups, count):
    """columns (c,) float64: each becomes the sum over its group of c / groups columns / count"""
    size = columns.size // groups
    for g in range(groups):
        group = columns[g * size : (g + 1) * size]
        total = 0.0
        for j in range(size):
            total += group[j]
        group[:] = total / count


@njit
def group_norm_forward(y, x, mean, inverse, weight, bias, eps, sums, factors):
    """y (n, p, c) = (x - mean) inverse weight + bias, the moments of a sample's group of channels

    mean, inverse (n, groups): of the group's channels and all p pixels, 1 / sqrt(variance + eps).
    Scratch sums (2, c), factors (4, c). Wu and He 2018, equations 1 and 2.
    """
    n, p, c = x.shape
    groups = mean.shape[1]
    size = c // groups
    centre, squares = sums[0], sums[1]
    for i in range(n):
        column_sums(centre, x[i])
        share_in_groups(centre, groups, p * size)
        column_squares(squares, x[i], centre)
        share_in_groups(squares, groups, p * size)
        for g in range(groups):
            mean[i, g] = centre[g * size]
            inverse[i, g] = 1.0 / np.sqrt(squares[g * size] + eps)
        spread(factors[0], mean[i])
        spread(factors[1], inverse[i])
        fill_factors(factors[2], factors[3], factors[1], weight, bias)
        shift_and_scale(y[i], x[i], factors[0], factors[2], factors[3])


@njit
def spread(columns, by_group):
    """columns (c,) = by_group (groups,), each for all of its columns"""
    size = columns.size // by_group.size
    for g in range(by_group.size):
        columns[g * size : (g + 1) * size] = by_group[g]


@njit
def group_norm_backward(dx, dweight, dbias, dy, x, mean, inverse, weight, sums, factors):
    """dx = weight inverse dy less its shares by the group's mean and by z = (x - mean) inverse

    dx (n, p, c) = inverse (g - mean g - z mean(g z)), g = weight dy, means over the group; dweight
    (c,) = sum of dy z, dbias (c,) = sum of dy, either may be empty. Scratch sums (4, c), factors
    (4, c).
    """
    n, p, c = x.shape
    groups = mean.shape[1]
    count = p * (c // groups)
    plain, weighted, dw, db = sums[0], sums[1], sums[2], sums[3]
    centre, scale, constant, slope = factors[0], factors[1], factors[2], factors[3]
    sums[2:] = 0.0
    for i in range(n):
        spread(centre, mean[i])
        spread(constant, inverse[i])
        gradient_sums(plain, weighted, dy[i], x[i], centre)
        for j in range(c):
            w = np.float64(weight[j]) if weight.size > 0 else 1.0
            inv = np.float64(constant[j])
            db[j] += plain[j]
            dw[j] += weighted[j] * inv
            scale[j] = w * inv
            plain[j] *= w * inv
            weighted[j] *= w * inv * inv * inv
        share_in_groups(plain, groups, count)
        share_in_groups(weighted, groups, count)
        for j in range(c):
            constant[j], slope[j] = plain[j], weighted[j]
        pull(dx[i], dy[i], x[i], centre, scale, constant, slope)
    for j in range(dweight.size):
        dweight[j] = dw[j]
    for j in range(dbias.size):
        dbias[j] = db[j]
