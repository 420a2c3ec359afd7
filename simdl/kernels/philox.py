"""Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, table 2).

A number is a pure function of where it is used, never of what was drawn before it: the key is
(seed, stream), the counter (block, op, step, 0), and element j takes word j % 4 of block j // 4.
So trials may run in any order, in any chunks, on any thread, and a mask need not be stored.
"""

import numpy as np

from simdl._jit import njit
from simdl.kernels.mathematics import log, sincos_turns

STREAM_WEIGHTS = 0
STREAM_ORDER = 1
STREAM_DROPOUT = 2
STREAM_SPLIT = 3
STREAM_DATA = 4
STREAM_NOISE = 5
STREAM_USER = 6
STREAM_PROBE = 7

_u = np.uint32
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)  # multipliers
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)  # key increments
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_UNIT = 2.0**-32


@njit(inline=True)
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Return four random 32-bit words (as uint64) of a counter (4 words) and a key (2 words)."""
    c0, c1, c2, c3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0, k1 = np.uint64(k0), np.uint64(k1)
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _32) ^ c1 ^ k0
        c2 = (p0 >> _32) ^ c3 ^ k1
        c1 = p1 & _LOW
        c3 = p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@njit(inline=True)
def _block(seed, stream, step, op, block):
    return philox4x32(block, op, step, 0, seed, stream)


@njit(inline=True)
def _unit(word):
    """A word as a number strictly inside (0, 1)."""
    return (np.float64(np.int64(word)) + 0.5) * _UNIT


@njit
def words(out, seed, stream, step, op):
    """Fill `out` (n,) uint32 with random words."""
    n = out.size
    for block in range((n + 3) // 4):
        four = _block(seed, stream, step, op, block)
        for j in range(min(4, n - 4 * block)):
            out[4 * block + j] = np.uint32(four[j])


@njit
def uniform(out, seed, stream, step, op):
    """Fill `out` (n,) with numbers uniform on (0, 1), steps of 2^-32."""
    n = out.size
    for block in range((n + 3) // 4):
        four = _block(seed, stream, step, op, block)
        for j in range(min(4, n - 4 * block)):
            out[4 * block + j] = _unit(four[j])


@njit(inline=True)
def _pair(first, second):
    """Two independent standard normals of two words (Box and Muller 1958)."""
    radius = np.sqrt(-2.0 * log(_unit(first)))
    sine, cosine = sincos_turns(_unit(second))
    return radius * cosine, radius * sine


@njit
def normal(out, seed, stream, step, op):
    """Fill `out` (n,) with standard normal numbers."""
    n = out.size
    whole = n // 4
    for block in range(whole):
        w0, w1, w2, w3 = _block(seed, stream, step, op, block)
        a, b = _pair(w0, w1)
        c, d = _pair(w2, w3)
        j = 4 * block
        out[j], out[j + 1], out[j + 2], out[j + 3] = a, b, c, d
    if 4 * whole < n:
        w0, w1, w2, w3 = _block(seed, stream, step, op, whole)
        last = _pair(w0, w1) + _pair(w2, w3)
        for j in range(4 * whole, n):
            out[j] = last[j - 4 * whole]


@njit
def bernoulli(out, p, seed, stream, step, op):
    """Fill `out` (n,) with 1 (probability `p`, to 2^-32) and 0."""
    n = out.size
    limit = np.uint64(p * 4294967296.0)
    one, zero = out.dtype.type(1), out.dtype.type(0)
    for block in range((n + 3) // 4):
        four = _block(seed, stream, step, op, block)
        for j in range(min(4, n - 4 * block)):
            out[4 * block + j] = one if four[j] < limit else zero


@njit
def permutation(order, seed, stream, step):
    """Fill `order` (n,) with a random permutation of 0..n-1 (Fisher-Yates; bias below n/2^32)."""
    n = order.size
    for i in range(n):
        order[i] = i
    for block in range((n + 2) // 4):
        four = _block(seed, stream, step, 0, block)
        for j in range(min(4, n - 1 - 4 * block)):
            i = n - 1 - 4 * block - j
            other = np.int64((four[j] * np.uint64(i + 1)) >> _32)
            kept = order[i]
            order[i] = order[other]
            order[other] = kept
