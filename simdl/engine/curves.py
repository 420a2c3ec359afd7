"""What an activation's curve looks like, from its own compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from simdl._jit import call, njit
from simdl.engine.program import Program

_REACH = 16.0
_BENDS = (-1e-6, 1e-6)  # beside 0, where a slope may jump
_FAR = 4.0  # where a half-line over which a function is 0 has begun


@njit
def _respond(op, y, slopes, x, ones):  # type: ignore[no-untyped-def]
    """y = f(x), slopes = f'(x), all (n,)."""
    call(op.kernel, y, x, op.alpha)
    call(op.kernel_backward, slopes, ones, x, y, op.alpha)


def curve(program: Program, op: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return x from -16 to 16, f(x) and f'(x); None where there is no kernel of a single curve."""
    record: Any = program.layout(1).ops[op]
    if record.kernel == 0 or record.kernel_backward == 0:
        return None
    x = np.append(np.linspace(-_REACH, _REACH, 8193), _BENDS).astype(program.dtype)
    y, slopes = np.zeros_like(x), np.zeros_like(x)
    _respond(record, y, slopes, x, np.ones_like(x))
    return x, y, slopes


def largest_slope(program: Program, op: int) -> float:
    """Return the largest |f'(x)| for |x| <= 16."""
    found = curve(program, op)
    return np.nan if found is None else float(np.fmax.reduce(np.abs(found[2])))


def can_die(program: Program, op: int) -> bool:
    """Whether f is 0, and flat, over a half-line that has begun at -4 or at 4."""
    found = curve(program, op)
    if found is None:
        return False
    x, y, slopes = found
    flat = (y == 0) & (slopes == 0)
    return bool(flat[x <= -_FAR].all() or flat[x >= _FAR].all())
