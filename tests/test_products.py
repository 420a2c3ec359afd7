"""Matrix products from tiles: against NumPy's at every edge of a tile, a strip, a block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from cases import DTYPES

from simdl._jit import address
from simdl.engine.records import product_signature
from simdl.kernels.products import (
    APART,
    DEEP,
    FEW,
    FULL,
    multiply,
    multiply_by_transpose,
    multiply_transposed,
    product,
    transpose,
)

ULPS = {"float32": 2e-6, "float64": 4e-15}  # norm-wise, for sums of up to 600 products
FAR = APART // 4  # columns of float32 that lie far apart
COLUMNS = (*range(1, 3 * FULL // 4 + 2), 100)  # every way to end in strips, of either precision
ROWS = (1, 3, 4, 5, 9)
LARGE = [  # rows, inner, columns: packed or not, A turned in blocks, more than one block deep
    (FEW, DEEP + 3, FAR), (FEW + 1, DEEP + 3, FAR + 5), (FAR + 70, 2 * DEEP + 1, 40),
    (FAR + 1, 5, FAR), (3, 2 * DEEP + 7, 2),
]  # fmt: skip


def entry(dtype: str) -> int:
    """The address of the product that the layers are given."""
    return address(product, product_signature(dtype))


def apart(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def drawn(rng: np.random.Generator, dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def check(dtype: str, rows: int, inner: int, columns: int) -> None:
    """Every kind of product, into memory that holds NaN and has a border."""
    rng = np.random.default_rng(rows + inner + columns)
    a, b, row, added = drawn(
        rng, dtype, (rows, inner), (inner, columns), (columns,), (rows, columns)
    )
    want, where = a.astype(float) @ b, entry(dtype)
    a_turned, b_turned = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    border = np.full(rows * columns + 64, np.nan, dtype)
    c = border[32:-32].reshape(rows, columns)
    for make, result in (
        (lambda: multiply(where, c, a, b, row), want + row),
        (lambda: multiply(where, c, a, b, row[:0]), want),
        (lambda: multiply_transposed(where, c, a_turned, b, False), want),
        (lambda: multiply_by_transpose(where, c, a, b_turned), want),
    ):
        c[:] = np.nan
        make()
        assert apart(c, result) < ULPS[dtype]
    c[:] = added
    multiply_transposed(where, c, a_turned, b, True)
    assert apart(c, want + added) < ULPS[dtype]
    assert np.isnan(border[:32]).all() and np.isnan(border[-32:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_edge(dtype: str) -> None:
    for rows, columns in itertools.product(ROWS, COLUMNS):
        check(dtype, rows, 1 + (rows + columns) % 7, columns)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_blocks(sizes: tuple[int, int, int], dtype: str) -> None:
    check(dtype, *sizes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(11, 70, 5), (40, 33, 20), (FEW + 9, DEEP + 9, FAR)], ids=str)
def test_a_row_does_not_depend_on_its_company(sizes: tuple[int, int, int], dtype: str) -> None:
    """Bit for bit: alone, among others, at any place."""
    rows, inner, columns = sizes
    rng = np.random.default_rng(1)
    a, b, row = drawn(rng, dtype, (rows, inner), (inner, columns), (columns,))
    whole = np.empty((rows, columns), dtype)
    multiply(entry(dtype), whole, a, b, row)
    for first, last in ((0, 1), (rows - 1, rows), (1, rows), (3, 9)):
        part = np.empty((last - first, columns), dtype)
        multiply(entry(dtype), part, a[first:last].copy(), b, row)
        assert np.array_equal(part, whole[first:last])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("columns", [3, 8, 21, FAR])
def test_nan_and_inf_stay_where_they_belong(columns: int, bad: float) -> None:
    rng = np.random.default_rng(2)
    for place in ("a", "b"):
        a, b = drawn(rng, "float32", (FEW + 3, 6), (6, columns))
        (a if place == "a" else b)[2, 1] = bad
        c = np.empty((FEW + 3, columns), np.float32)
        multiply(entry("float32"), c, a, b, c[0, :0].copy())
        with np.errstate(invalid="ignore"):
            want = a.astype(float) @ b
        assert np.array_equal(np.isnan(c), np.isnan(want))
        assert np.array_equal(np.isinf(c), np.isinf(want))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (8, 8), (33, 18), (40, 1), (1, 40)], ids=str)
def test_transpose(shape: tuple[int, int], dtype: str) -> None:
    (x,) = drawn(np.random.default_rng(3), dtype, shape)
    y = np.empty(shape[::-1], dtype)
    transpose(y, x)
    assert np.array_equal(y, x.T)
