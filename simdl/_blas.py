"""Matrix products: BLAS through Numba's own door, with what `np.dot` lacks.

`np.dot(a, b, out)` neither adds to `out` nor takes part of a matrix; both cost a copy. The symbol
is the one that Numba itself links `np.dot` to (SciPy's BLAS), so it needs no library of ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from simdl._jit import JIT, intrinsic

_SYMBOL = "numba_xxgemm"


def _gemm(typing_context, c, a, b, transpose_a, transpose_b, beta):  # type: ignore[no-untyped-def]
    """Call BLAS, which counts by columns: C = A B by rows is C^T = B^T A^T to it."""
    signature = types.none(c, a, b, transpose_a, transpose_b, beta)

    def generate(context, builder, sig, values):  # type: ignore[no-untyped-def]
        pointer, letter = ir.IntType(8).as_pointer(), ir.IntType(8)
        size = context.get_value_type(types.intp)
        arguments = (
            [letter] * 3 + [size] * 3 + [pointer] * 2 + [size, pointer, size] + [pointer] * 2
        )
        kind = ir.FunctionType(ir.IntType(32), [*arguments, size])
        function = cgutils.get_or_insert_function(builder.module, kind, _SYMBOL)
        real = sig.args[0].dtype

        def scalar(value: Any) -> Any:
            return builder.bitcast(cgutils.alloca_once_value(builder, value), pointer)

        def flag(index: int) -> Any:
            wanted = context.cast(builder, values[index], sig.args[index], types.boolean)
            return builder.select(
                wanted, ir.Constant(letter, ord("t")), ir.Constant(letter, ord("n"))
            )

        arrays = [
            context.make_array(t)(context, builder, v)
            for t, v in zip(sig.args[:3], values[:3], strict=True)
        ]
        (rows, columns), inner_shape = (
            cgutils.unpack_tuple(builder, arrays[0].shape, 2),
            cgutils.unpack_tuple(builder, arrays[1].shape, 2),
        )
        turned = context.cast(builder, values[3], sig.args[3], types.boolean)
        inner = builder.select(turned, inner_shape[0], inner_shape[1])
        step = context.get_constant(
            types.intp, context.get_abi_sizeof(context.get_value_type(real))
        )
        data = [builder.bitcast(array.data, pointer) for array in arrays]
        leading = [
            builder.sdiv(cgutils.unpack_tuple(builder, array.strides, 2)[0], step)
            for array in arrays
        ]
        one = context.get_constant(real, 1.0)
        added = context.cast(builder, values[5], sig.args[5], real)
        builder.call(
            function,
            [
                ir.Constant(letter, ord("s" if real == types.float32 else "d")),
                flag(4), flag(3), columns, rows, inner,
                scalar(one), data[2], leading[2], data[1], leading[1],
                scalar(added), data[0], leading[0],
            ],
        )  # fmt: skip
        return context.get_dummy_value()

    return signature, generate


def _gemm_plainly(c, a, b, transpose_a, transpose_b, beta):  # type: ignore[no-untyped-def]
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    c[:] = product + np.asarray(beta, c.dtype) * c if beta != 0 else product


# ``gemm(c, a, b, transpose_a, transpose_b, beta)``: c = op(a) op(b) + beta c, all of one precision,
# the last axis of each contiguous; with beta 0 what c holds, NaN included, does not matter.
gemm = intrinsic(_gemm) if JIT else _gemm_plainly
