"""Activations that misbehave where the data say so: a module, so that files can name them.

A value above `MARK` is the signal; everything else passes unchanged. `alpha` chooses what is
planted: 1 for inf, -1 for -inf, 0 for NaN.
"""

import numba
import numpy as np

MARK = 1e6


@numba.njit
def same(y, x, alpha):
    y[:] = x


@numba.njit
def same_backward(dx, dy, x, y, alpha):
    dx[:] = dy


@numba.njit
def spoil(y, x, alpha):
    for i in range(x.size):
        y[i] = alpha * np.inf if x[i] > MARK else x[i]


@numba.njit
def blind(y, x, alpha):
    """Zero for what is marked or not finite."""
    for i in range(x.size):
        y[i] = x[i] if np.isfinite(x[i]) and x[i] < MARK else 0.0


@numba.njit
def blind_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = dy[i] if np.isfinite(x[i]) and x[i] < MARK else 0.0


@numba.njit
def spoil_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = alpha * np.inf if x[i] > MARK else dy[i]


@numba.njit
def enlarge(y, x, alpha):
    """1e25 for what is marked: its square is beyond float32, its double is not."""
    for i in range(x.size):
        y[i] = 1e25 if x[i] > MARK else x[i]


@numba.njit
def halve(y, x, alpha):
    """alpha / 2, whatever x: subnormal or flushed to 0 where alpha is the smallest normal."""
    for i in range(x.size):
        y[i] = alpha * 0.5


@numba.njit
def square(y, x, alpha):
    for i in range(x.size):
        y[i] = x[i] * x[i]


@numba.njit
def square_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = 2 * x[i] * dy[i]


@numba.njit
def low(y, x, alpha):
    """min(x - alpha, 0): silent on the other side, and from elsewhere on, than ReLU."""
    for i in range(x.size):
        y[i] = x[i] - alpha if x[i] < alpha else 0.0


@numba.njit
def low_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = dy[i] if x[i] < alpha else 0.0


@numba.njit
def allocate(y, x, alpha):
    y[:] = np.maximum(x, 0.0)  # a new array each time


@numba.njit
def refuse(y, x, alpha):
    for i in range(x.size):
        if x[i] > MARK:
            raise RuntimeError("a marked value")
        y[i] = x[i]
