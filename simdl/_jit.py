"""The one place that knows how code is compiled: the decorator, its cache, calls through addresses.

Everything compiled goes through :func:`njit`. The measured reasons for its settings:

- ``fastmath={"contract"}``: fused multiply-adds are allowed, nothing that assumes away NaN or inf.
  Optimizers and penalties do without: a parameter's bits must not depend on where it lies.
- ``nogil``: threads run whole trials; ``parallel=True`` is banned (it aborts under a thread pool).
- Machine code is kept by :mod:`simdl._cache`, since Numba's own cache misses edits elsewhere.

With ``NUMBA_DISABLE_JIT=1`` all of it runs as plain Python.
"""

from __future__ import annotations

import contextlib
import functools
import math
import platform
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic as intrinsic  # for `simdl._tiles`
from numba.extending import overload
from numba.np.arrayobj import populate_array

from simdl._cache import DiskCache
from simdl.errors import InputError

JIT = not config.DISABLE_JIT
STRICT = {"contract"}
REASSOCIATE = {"contract", "reassoc", "nsz"}  # for reductions named as such, nowhere else
ROUNDED = set[str]()  # every operation rounds: in a b + c d a compiler may fuse either product

# --- the decorator --------------------------------------------------------------------------------


def njit(function: Any = None, *, fastmath: set[str] | None = None, inline: bool = False) -> Any:
    """Compile a function on first use, without the GIL, its machine code kept on disk.

    Parameters
    ----------
    fastmath : set of str, optional
        LLVM flags: ``STRICT`` (default); ``REASSOCIATE`` for a reduction that says so; ``ROUNDED``
        where an element's bits are not to depend on whether it lies in a vector or behind the last.
    inline : bool
        Inline into every caller; for scalar functions inside vectorised loops (Philox: .37 ns a
        word inlined, 1.84 ns not).
    """
    if function is None:
        return functools.partial(njit, fastmath=fastmath, inline=inline)
    if not JIT:
        return function
    dispatcher = numba.njit(
        function,
        nogil=True,
        error_model="numpy",
        fastmath=STRICT if fastmath is None else fastmath,
        forceinline=inline,
        no_cfunc_wrapper=True,  # which Numba makes for every function, and nothing of ours calls
    )
    if function.__closure__ is None:  # what a closure holds is in no digest
        with contextlib.suppress(ValueError):  # typed at a prompt: no source, no cache
            dispatcher._cache = DiskCache(function)
    return dispatcher


def by_precision(single: Any, double: Any) -> Any:
    """Join a float32 and a float64 scalar function into one that the argument's type chooses from.

    One source then serves both precisions where polynomials must differ.
    """

    def choose(x):  # type: ignore[no-untyped-def]
        return single(x) if isinstance(x, np.float32) else double(x)

    if JIT:

        @overload(choose, inline="always")
        def _choose(x):  # type: ignore[no-untyped-def]
            implementation = single if x == types.float32 else double
            return lambda x: implementation(x)

    return choose


# --- types, and calls through addresses -----------------------------------------------------------

_types: dict[Any, Any] = {}
_LAYOUT = 0x1 | 0x2 | 0x100 | 0x400  # NumPy's flags: C, Fortran, aligned, writable


def typeof(value: Any) -> Any:
    """Return Numba's type of arrays in (named) tuples, memoised: Numba takes 15 us an array."""
    key = _type_key(value)
    if key not in _types:
        _types[key] = numba.typeof(value)
    return _types[key]


def _type_key(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num & _LAYOUT
    return type(value), *map(_type_key, value)


_addresses: dict[tuple[Any, Any], int] = {}
_functions: dict[int, Any] = {}  # keeps dispatchers alive; with the JIT off, what an address means


def address(function: Any, signature: Any) -> int:
    """Return the address of `function` compiled for `signature` (memoised), to be used by `call`.

    Parameters
    ----------
    function : an `njit` function
    signature : Numba signature, return type included

    Raises
    ------
    InputError
        If the function does not compile for the signature, with Numba's own first lines.
    """
    key = (function, signature)
    if key not in _addresses:
        if not JIT:
            where = id(function)
        else:
            if not hasattr(function, "get_compile_result"):
                raise InputError(f"{function!r}: must be a function under simdl.njit or numba.njit")
            try:
                result = function.get_compile_result(signature)
            except Exception as error:  # NumbaError, or what a wrong function makes Numba raise
                said = [line for line in str(error).splitlines() if line.strip()][:6]
                raise InputError(
                    f"{function.__module__}:{function.__name__} does not compile for arguments "
                    f"{', '.join(map(str, signature.args))} and result {signature.return_type}: "
                    + " ".join(said)
                ) from error
            where = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
        _functions[where] = function
        _addresses[key] = where
    return _addresses[key]


def _caller(returns: Any) -> Any:
    """Return a compiled-code function ``call(address, *arguments)`` for one return type.

    It follows Numba's own calling convention, so errors propagate, and it costs 2.8 ns; tuples of
    functions cost 42 us a slot a call, first-class function types drop errors. The caller must
    pass exactly the types the address was compiled for: programs see to it.
    """

    def signature(typing_context, address, *arguments):  # type: ignore[no-untyped-def]
        def generate(context, builder, sig, values):  # type: ignore[no-untyped-def]
            argument_types = list(sig.args[1])
            unpacked = cgutils.unpack_tuple(builder, values[1], len(argument_types))
            convention = context.call_conv
            kind = convention.get_function_type(returns, argument_types)
            pointer = builder.inttoptr(values[0], kind.as_pointer())
            status, result = convention.call_function(
                builder, pointer, returns, argument_types, unpacked
            )
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return result

        return returns(types.int64, types.StarArgTuple(tuple(arguments))), generate

    return signature


def _call_plainly(address, *arguments):  # type: ignore[no-untyped-def]
    return _functions[address](*arguments)


call = intrinsic(_caller(types.none)) if JIT else _call_plainly
call_value = intrinsic(_caller(types.float64)) if JIT else _call_plainly


# --- views without bookkeeping --------------------------------------------------------------------


def _array_view(typing_context, buffer, offset, *shape):  # type: ignore[no-untyped-def]
    """Build the array record of ``buffer[offset:]`` in `shape`, owning nothing."""
    view = types.Array(buffer.dtype, len(shape), "C")

    def generate(context, builder, sig, values):  # type: ignore[no-untyped-def]
        flat = context.make_array(sig.args[0])(context, builder, values[0])
        kinds = list(sig.args[2])
        sizes = cgutils.unpack_tuple(builder, values[2], len(kinds))
        sizes = [
            context.cast(builder, n, kind, types.intp) for n, kind in zip(sizes, kinds, strict=True)
        ]
        start = context.cast(builder, values[1], sig.args[1], types.intp)
        step = context.get_constant(types.intp, context.get_abi_sizeof(flat.data.type.pointee))
        itemsize, strides = step, [step]
        for size in reversed(sizes[1:]):
            step = builder.mul(step, size)
            strides.insert(0, step)
        made = context.make_array(view)(context, builder)
        data = builder.gep(flat.data, [start])
        populate_array(made, data, sizes, strides, itemsize, None)
        return made._getvalue()

    return view(buffer, offset, types.StarArgTuple(shape)), generate


def _array_slice(buffer, offset, *shape):  # type: ignore[no-untyped-def]
    return buffer[offset : offset + math.prod(shape)].reshape(shape)


# Slicing and reshaping count references, which adds up over ten views a layer; these live no
# longer than the call that makes them, while the caller holds the buffer.
array_view = intrinsic(_array_view) if JIT else _array_slice


# --- subnormal numbers ----------------------------------------------------------------------------

_FLUSH = 0x8040  # flush results to zero, take subnormal inputs as zero
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _swap_mode(typing_context, wanted):  # type: ignore[no-untyped-def]
    """Set the SSE control register to `wanted` (or, if negative, add the flush bits)."""

    def generate(context, builder, sig, values):  # type: ignore[no-untyped-def]
        word = ir.IntType(32)
        if not _X86:
            return ir.Constant(word, 0)
        slot = cgutils.alloca_once(builder, word)
        pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
        module = builder.module
        store = cgutils.get_or_insert_function(module, kind, "llvm.x86.sse.stmxcsr")
        load = cgutils.get_or_insert_function(module, kind, "llvm.x86.sse.ldmxcsr")
        builder.call(store, [pointer])
        before = builder.load(slot)
        adding = builder.icmp_signed("<", values[0], ir.Constant(word, 0))
        added = builder.or_(before, ir.Constant(word, _FLUSH))
        builder.store(builder.select(adding, added, values[0]), slot)
        builder.call(load, [pointer])
        return before

    return types.int32(types.int32), generate


def _keep_mode(wanted):  # type: ignore[no-untyped-def]
    return 0


_swap = intrinsic(_swap_mode) if JIT else _keep_mode


@njit
def flush_subnormals() -> int:
    """Make this thread treat subnormal numbers as zero; return the register as it was.

    Deep sigmoid nets otherwise run 14 times slower. Elsewhere than on x86 it does nothing.
    """
    return _swap(np.int32(-1))


@njit
def restore_subnormals(register: int) -> None:
    """Put back what `flush_subnormals` returned."""
    _swap(np.int32(register))
