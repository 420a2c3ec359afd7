"""Inverted dropout (Srivastava et al. 2014): the mask is drawn again whenever it is needed."""

import numpy as np

from simdl._jit import njit
from simdl.kernels.philox import STREAM_DROPOUT, philox4x32


@njit
def dropout(y, x, rate, seed, step, op):
    """y (n,) = x m / (1 - rate), m = 1 with probability 1 - rate (to 2^-32), else 0

    Backward is the same with dy for x. Element j is kept where word j % 4 of block j // 4 lies
    below 2^32 (1 - rate), as `philox.bernoulli` has it; four words a block, so that it vectorises.
    NaN and inf that are dropped are NaN, as in NumPy and PyTorch.
    """
    n, real = x.size, x.dtype.type
    limit = np.uint64((1.0 - rate) * 4294967296.0)
    zero, scale = real(0), real(1.0 / (1.0 - rate))
    for block in range(n // 4):
        w0, w1, w2, w3 = philox4x32(block, op, step, 0, seed, STREAM_DROPOUT)
        j = 4 * block
        y[j] = x[j] * (scale if w0 < limit else zero)
        y[j + 1] = x[j + 1] * (scale if w1 < limit else zero)
        y[j + 2] = x[j + 2] * (scale if w2 < limit else zero)
        y[j + 3] = x[j + 3] * (scale if w3 < limit else zero)
    if n % 4 > 0:
        last = philox4x32(n // 4, op, step, 0, seed, STREAM_DROPOUT)
        for j in range(n // 4 * 4, n):
            y[j] = x[j] * (scale if last[j % 4] < limit else zero)


@njit
def copy(y, x):
    """y (n,) = x: dropout in inference"""
    for i in range(x.size):
        y[i] = x[i]
