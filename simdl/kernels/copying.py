"""Copies as plain loops: Numba's own assignment of arrays compiles messages that never come."""

from simdl._jit import njit


@njit
def copy(to, source):
    """to (n,) = source (n,)"""
    for i in range(source.size):
        to[i] = source[i]


@njit
def copy_rows(to, source):
    """The first rows of to (m, k) = source (n, k), n <= m"""
    for i in range(source.shape[0]):
        line, given = to[i], source[i]
        for j in range(given.size):
            line[j] = given[j]
