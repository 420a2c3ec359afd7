"""The canary: compiled functions called through their addresses.

The engine calls every op this way, by Numba's own calling convention, which is internal to Numba.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import types
from processes import ROOT, run

import simdl
from simdl import _cache
from simdl import layers as L
from simdl._jit import address, call, call_value, njit

SECTION = "If the address canary fails"
WAY_BACK = (
    f"calls through addresses do not work under Numba {numba.__version__}: nothing that the engine "
    f'computes can be trusted; see "{SECTION}" in CONTRIBUTING.md'
)
KIND = np.dtype([("n", np.int64), ("scale", np.float64)], align=True)
Pair = namedtuple("Pair", "left right")


@contextmanager
def canary() -> Iterator[None]:
    """Say which Numba it is, and the way back, whatever goes wrong inside."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{WAY_BACK}: {error!r}") from error


@njit
def scale_into(y, x, factor):
    for i in range(x.size):
        y[i] = x[i] * y.dtype.type(factor)


@njit
def with_record(op, pair, step):
    for i in range(op.n):
        pair.left[i] += op.scale * pair.right[i] + step


@njit
def weighted_sum(op, pair):
    total = 0.0
    for i in range(op.n):
        total += op.scale * pair.right[i]
    return total


@njit
def refuse(y, x, factor):
    if factor < 0.0:
        raise ValueError("a planted error")
    y[:] = x


@njit
def run_scale(where, y, x, factor):
    call(where, y, x, factor)


@njit
def run_record(where, ops, pair, step):
    for i in range(ops.size):
        call(where, ops[i], pair, step)


@njit
def run_sum(where, ops, pair):
    return call_value(where, ops[0], pair)


def vector(dtype: str) -> types.Array:
    return types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_equal_the_direct_call(dtype: str) -> None:
    x = np.linspace(-3, 3, 11).astype(dtype)
    direct, through = np.zeros_like(x), np.zeros_like(x)
    with canary():
        where = address(scale_into, types.none(vector(dtype), vector(dtype), types.float64))
        for factor in (0.1, -7.0, math.inf):
            scale_into(direct, x, factor)
            run_scale(where, through, x, factor)
            assert np.array_equal(direct, through, equal_nan=True)


def test_records_and_tuples_of_arrays() -> None:
    ops = np.zeros(3, KIND).view(np.recarray)
    ops.n, ops.scale = [4, 2, 0], [0.5, 2.0, 9.0]
    pair = Pair(np.zeros(4), np.arange(4.0))
    expected = np.zeros(4)
    for op in ops:
        expected[: op.n] += op.scale * np.arange(4.0)[: op.n] + 3
    record, both = numba.typeof(ops).dtype, numba.typeof(pair)
    with canary():
        where = address(with_record, types.none(record, both, types.int64))
        run_record(where, ops, pair, 3)
        assert np.array_equal(pair.left, expected)
        value = address(weighted_sum, types.float64(record, both))
        assert run_sum(value, ops, pair) == 0.5 * (0 + 1 + 2 + 3)


def test_exceptions_propagate() -> None:
    x, y = np.ones(3), np.zeros(3)
    with canary():
        where = address(refuse, types.none(vector("float64"), vector("float64"), types.float64))
        with pytest.raises(ValueError, match="a planted error"):
            run_scale(where, y, x, -1.0)
        assert not y.any()
        run_scale(where, y, x, 1.0)
        assert y.all()


def test_many_calls_leave_no_reference_behind() -> None:
    import sys

    x, y = np.ones(3), np.zeros(3)
    where = address(scale_into, types.none(vector("float64"), vector("float64"), types.float64))
    before = sys.getrefcount(x), sys.getrefcount(y)
    with canary():
        for _ in range(100):
            run_scale(where, y, x, 2.0)
        assert (sys.getrefcount(x), sys.getrefcount(y)) == before


def test_address_from_the_disk_cache(tmp_path: Path) -> None:
    program = (
        "import json, numpy as np\nfrom simdl import _cache\nimport test_canary as c\n"
        "x, y = np.arange(5.0), np.zeros(5)\n"
        "v = c.vector('float64')\n"
        "c.run_scale(c.address(c.scale_into, c.types.none(v, v, c.types.float64)), y, x, 2.0)\n"
        "print(json.dumps([len(_cache.compiled), y.tolist()]))"
    )
    with canary():
        first, second = (run(program, NUMBA_CACHE_DIR=tmp_path) for _ in range(2))
        assert first[0] > 0 and second[0] == 0
        assert first[1] == second[1] == [0.0, 2.0, 4.0, 6.0, 8.0]


# --- the canary itself ----------------------------------------------------------------------------


def test_a_failing_canary_names_numba_and_the_way_back() -> None:
    wrong = address(refuse, types.none(vector("float64"), vector("float64"), types.float64))
    with pytest.raises(AssertionError) as failed, canary():
        y = np.zeros(3)
        run_scale(wrong, y, np.ones(3), 5.0)
        assert y[0] == 5.0  # not so: `refuse` copies
    assert numba.__version__ in str(failed.value)
    assert SECTION in str(failed.value) and "CONTRIBUTING.md" in str(failed.value)


def test_the_way_back_is_written_down() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"## {SECTION}" in text and "tests/test_canary.py" in text


# --- addresses ------------------------------------------------------------------------------------


def test_an_address_is_taken_once() -> None:
    signature = types.none(vector("float64"), vector("float64"), types.float64)
    assert address(scale_into, signature) == address(scale_into, signature)
    assert address(scale_into, signature) != address(refuse, signature)


@njit
def two_arguments(y, x):
    y[:] = x


@njit
def wrong_inside(y, x, factor):
    y[0] = "text"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (two_arguments, "function takes 2 arguments"),
        (wrong_inside, "setitem"),
        (weighted_sum, "function takes 2 arguments"),
        (math.sqrt, "must be a function under simdl.njit"),
        (3, "must be a function under simdl.njit"),
    ],
)
def test_wrong_signature_is_a_clear_error(function: object, said: str) -> None:
    signature = types.none(vector("float32"), vector("float32"), types.float64)
    with pytest.raises(simdl.InputError) as refused:
        address(function, signature)
    assert said in str(refused.value)
    assert getattr(function, "__name__", "3") in str(refused.value)


def test_wrong_result_type_is_refused() -> None:
    with pytest.raises(simdl.InputError, match=r"test_canary:scale_into does not compile.*float64"):
        address(scale_into, types.float64(vector("float64"), vector("float64"), types.float64))


# --- the loop -------------------------------------------------------------------------------------


def test_own_op_does_not_recompile_the_loop() -> None:
    rng = np.random.default_rng(0)
    data = simdl.Data(train=(rng.normal(size=(12, 4)), rng.integers(0, 3, 12)))

    def train(activation: L.Layer) -> simdl.Result:
        net = simdl.Network((4,), [L.Dense(5), activation, L.Dense(3)])
        return simdl.train(net, data, batch_size=5, epochs=1)

    train(L.ReLU())
    compiled, loaded = list(_cache.compiled), list(_cache.loaded)
    result = train(L.Activation("planted:same", "planted:same_backward"))
    assert result.status == "completed"
    assert _cache.compiled == compiled  # numba.njit functions are not counted
    assert _cache.loaded == loaded
