"""Statistics of arrays: what probes and the divergence check read. Sums run in float64."""

import numpy as np

from simdl._jit import REASSOCIATE, by_precision, njit


@njit(fastmath=REASSOCIATE)
def sum_of_squares(x):
    """Sum of x^2 over x (n,), reordered freely: a named reduction."""
    total = 0.0
    for i in range(x.size):
        value = np.float64(x[i])
        total += value * value
    return total


@njit(fastmath=REASSOCIATE)
def total(x):
    """Sum over x (n,), reordered freely: a named reduction."""
    result = 0.0
    for i in range(x.size):
        result += np.float64(x[i])
    return result


@njit
def root_mean_square(x):
    """sqrt(mean(x^2)); NaN for an empty x."""
    return np.sqrt(sum_of_squares(x) / np.float64(x.size))


@njit
def mean(x):
    """Mean of x (n,); NaN for an empty x."""
    return total(x) / np.float64(x.size)


@njit(fastmath=REASSOCIATE)
def standard_deviation(x):
    """sqrt(mean((x - mean)^2)) in two passes; NaN for an empty x."""
    centre = total(x) / np.float64(x.size)
    squares = 0.0
    for i in range(x.size):
        off = np.float64(x[i]) - centre
        squares += off * off
    return np.sqrt(squares / np.float64(x.size))


@njit
def share_of_zeros(x):
    """Share of elements that are exactly 0."""
    zero = x.dtype.type(0)
    count = 0
    for i in range(x.size):
        count += 1 if x[i] == zero else 0
    return count / np.float64(x.size)  # plain Python, too, gives NaN for nothing


@njit
def count_below(x, limit):
    """How many elements of x (n,) have |x| < limit; NaN is not below."""
    count = 0
    for i in range(x.size):
        count += 1 if abs(np.float64(x[i])) < limit else 0
    return count


@njit(fastmath=REASSOCIATE)
def squared_distance(x, y):
    """Sum of (x - y)^2 over x, y (n,), reordered freely: a named reduction."""
    result = 0.0
    for i in range(x.size):
        off = np.float64(x[i]) - np.float64(y[i])
        result += off * off
    return result


@njit
def histogram(shares, x, edges):
    """Fill shares (k,) with the share of x (n,) in [edges[i], edges[i + 1]).

    The edges (k + 1,) increase. The last bin has its right edge, too, as in `numpy.histogram`. NaN
    is in no bin, nor is what lies outside, so that the shares may sum to less than 1.
    """
    k = shares.size
    shares[:] = 0.0
    for i in range(x.size):
        value = np.float64(x[i])
        if edges[0] <= value <= edges[k]:
            low, high = 0, k
            while high - low > 1:
                middle = (low + high) // 2
                if value >= edges[middle]:
                    low = middle
                else:
                    high = middle
            shares[low] += 1.0
    for i in range(k):
        shares[i] /= np.float64(x.size)


_EXPONENT32, _EXPONENT64 = np.int32(0x7F800000), np.int64(0x7FF0000000000000)


@njit(inline=True)
def _bad32(x):
    return np.int32(np.float32(x).view(np.int32) & _EXPONENT32) == _EXPONENT32


@njit(inline=True)
def _bad64(x):
    return np.int64(np.float64(x).view(np.int64) & _EXPONENT64) == _EXPONENT64


_is_bad = by_precision(_bad32, _bad64)


@njit
def all_finite(x):
    """Whether x (n,) holds no inf and no NaN: an integer scan, unmoved by any float mode."""
    bad = False
    for i in range(x.size):
        bad |= _is_bad(x[i])
    return not bad
