"""Matrix products as the layers need them, cut to what BLAS does best.

Measured with OpenBLAS 0.3.30 on AVX-512, float32, one thread. Up to 10^6 multiply-adds OpenBLAS
multiplies without packing: 64 x 128 x 128 takes 25.4 us whole and 18.9 us in two parts. A
transposed second factor leaves that path's good kernel: 32 x 64 x 64 takes 4.1-5.2 us with W^T as
BLAS's transposed argument, 3.7 us with W^T written out first (1.2 us). Beyond some 250 x 250
weights neither helps.
"""

from simdl._blas import gemm
from simdl._jit import njit

UNPACKED = 1_000_000  # multiply-adds that BLAS does without packing
ROWS = 16  # parts are multiples of it


@njit
def rows_at_once(rows, a_row):
    """How many of `rows` to multiply at once, where each takes `a_row` multiply-adds."""
    if rows * a_row <= UNPACKED or a_row * ROWS > UNPACKED:
        return rows
    return UNPACKED // (a_row * ROWS) * ROWS


@njit
def multiply(c, a, b):
    """c (n, m) = a (n, k) @ b (k, m)"""
    n = c.shape[0]
    part = rows_at_once(n, b.size)
    if part == n:
        gemm(c, a, b, False, False, 0.0)
    else:
        for i in range(0, n, part):
            gemm(c[i : i + part], a[i : i + part], b, False, False, 0.0)


@njit
def multiply_transposed(c, a, b, beta):
    """c (n, m) = a (k, n)^T @ b (k, m) + beta c"""
    n = c.shape[0]
    part = rows_at_once(n, b.size)
    if part == n:
        gemm(c, a, b, True, False, beta)
    else:
        for i in range(0, n, part):
            gemm(c[i : i + part], a[:, i : i + part], b, True, False, beta)


@njit
def multiply_by_transpose(c, a, b, scratch):
    """c (n, m) = a (n, k) @ b (m, k)^T; scratch (k, m) takes b^T where that is faster"""
    if b.size * ROWS > UNPACKED:
        gemm(c, a, b, False, True, 0.0)
    else:
        transpose(scratch, b)
        multiply(c, a, scratch)


@njit
def transpose(y, x):
    """y (k, m) = x (m, k)^T, 16 rows of x at a time, so that y is written in whole lines"""
    m, k = x.shape
    whole = m // 16 * 16
    for i in range(0, whole, 16):
        for j in range(k):
            for u in range(16):
                y[j, i + u] = x[i + u, j]
    for j in range(k):
        for i in range(whole, m):
            y[j, i] = x[i, j]


@njit
def add_column_sums(sums, a):
    """sums (m,) += sum of a (n, m) over rows: four at once, .09 us instead of .32 for 32 x 64"""
    n = a.shape[0]
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        p, q, r, s = a[i], a[i + 1], a[i + 2], a[i + 3]
        for j in range(sums.size):
            sums[j] += (p[j] + q[j]) + (r[j] + s[j])
    for i in range(whole, n):
        row = a[i]
        for j in range(sums.size):
            sums[j] += row[j]


@njit
def add_to_rows(a, row):
    """a (n, m) += row (m,)"""
    for i in range(a.shape[0]):
        own = a[i]
        for j in range(own.size):
            own[j] += row[j]
