"""The engine's data: an op, a run and the buffers, and the one signature of every op.

A program is an array of OP records. Compiled code reads their fields by name; an op's addresses
say what to call, so that a new op never recompiles the loop.
"""

from collections import namedtuple
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import types

_INTEGERS = (
    "forward",  # address of the adapter, signature `op_signature`
    "backward",
    "kernel",  # address of an activation's pure kernels, 0 elsewhere
    "kernel_backward",
    "product",  # address of the matrix product, where there is one
    "patches",  # of that of patches, in convolutions
    "layer",  # which leaf layer it came from
    "x",  # offset of the input in the arena (and in the deltas)
    "y",  # offset of the output
    "n_in",  # elements a sample
    "n_out",
    "weight",  # offset in the parameters, and size
    "n_weight",
    "bias",
    "n_bias",
    "buffer",  # offset in the running statistics, and size
    "n_buffer",
    "state",  # offset in the arena of what forward keeps for backward, whatever the rows
    "propagate",  # whether backward must reach the input
    "skip",  # offset of the other input of a join, or of the join's output at a fork
    "number",  # which of the ops that draw random numbers it is
    "height",  # of an image at the input; a sequence is an image of height 1
    "width",
    "channels",
    "out_height",
    "out_width",
    "out_channels",  # columns of the weight matrix, in dense layers too
    "size_h",  # of a convolution's kernel or a pooling window
    "size_w",
    "stride_h",
    "stride_w",
    "pad_top",
    "pad_left",
    "dilation_h",
    "dilation_w",
    "groups",
)
_NUMBERS = ("alpha", "epsilon", "momentum")
OP = np.dtype(
    [(name, np.int64) for name in _INTEGERS] + [(name, np.float64) for name in _NUMBERS],
    align=True,
)

# rows in this batch; 1 in training; the step from 0; the seed
RUN = np.dtype([(name, np.int64) for name in ("rows", "training", "step", "seed")], align=True)

# a look of a probe at an op: what to call, when, where its numbers and its options are
PROBE = np.dtype(
    [
        (name, np.int64)
        for name in ("address", "op", "every", "column", "width", "option", "n_options")
    ],
    align=True,
)

# what is taken of a training between two steps: dead units, or a copy of the parameters; every so
# many steps (0 for the end only); the first row in its records
SURVEY = np.dtype([(name, np.int64) for name in ("dead", "every", "first")], align=True)

# units (channels of an image) that may be dead: their op, how many, the first one's flag
UNITS = np.dtype([(name, np.int64) for name in ("op", "n_units", "first")], align=True)

# how an initializer fills one weight matrix (n_in x n_out), and its bias if it has one
DRAW = np.dtype(
    [(name, np.int64) for name in ("address", "weight", "n_in", "n_out", "bias", "n_bias", "op")]
    + [("scale", np.float64)],
    align=True,
)

# what a training does, beside the network
PLAN = np.dtype(
    [
        (name, np.int64)
        for name in (
            "loss",  # addresses
            "update",
            "train_one",  # of parts of the loop
            "evaluate",
            "judge",
            "survey",
            "finish",
            "steps",
            "batch",
            "n_input",  # elements a sample
            "output",  # offset of the output in the training arena
            "eval_output",  # ... in the evaluation arena
            "n_output",
            "first",  # where the activations begin in the training arena, behind the input
            "eval_rows",
            "probe_every",  # steps between looks at a batch, 0 for none
            "update_every",  # steps between looks at an update, 0 for none
            "evaluate_every",  # steps between evaluations, 0 for none
            "evaluate_end",
            "evaluate_parts",  # which parts: a sum of 1, 2, 4 for train, validation, test
            "stop",  # address of the stop rule
            "judge_every",  # steps between judgements, 0 for no rule
            "judge_parts",  # which parts it needs
            "watched_part",  # what tells the best parameters
            "watched_kind",  # 0 loss, 1 accuracy
            "keep_best",
        )
    ]
    + [
        (name, np.float64)
        for name in ("loss_option", "threshold", "clip_norm", "clip_value", "l1", "l2")
    ],
    align=True,
)

# flat buffers of one precision: parameters, their gradient, running statistics, activations, the
# gradients by these (same layout), and room that any op may write over
Tensors = namedtuple("Tensors", "params grads buffers arena deltas scratch")


def records(kind: np.dtype, count: int) -> Any:
    """Return `count` zeroed records whose fields read as attributes, compiled or not."""
    return np.zeros(count, kind).view(np.recarray)


def aligned(size: int, dtype: Any) -> np.ndarray:
    """Return zeros (size,) that begin on a 64-byte boundary (14 % faster GEMM)."""
    width = np.dtype(dtype).itemsize
    spare = 64 // width
    block = np.zeros(size + spare, dtype)
    start = (-block.ctypes.data % 64) // width
    return block[start : start + size]


@cache
def _types(dtype: str) -> tuple[Any, Any]:
    real = numba.from_dtype(np.dtype(dtype))
    return real, types.Array(real, 1, "C")


@cache
def op_signature(dtype: str, returns: Any = types.none) -> Any:
    """Signature of adapters: (op, run, tensors)."""
    vector = np.zeros(1, dtype)
    at = Tensors(*[vector] * 6)
    return returns(
        numba.typeof(records(OP, 1)).dtype, numba.typeof(records(RUN, 1)).dtype, numba.typeof(at)
    )


@cache
def probe_signature(dtype: str) -> Any:
    """Signature of probes: (out, options, op, run, tensors)."""
    numbers = types.Array(types.float64, 1, "C")
    return types.none(numbers, numbers, *op_signature(dtype).args)


@cache
def kernel_signatures(dtype: str) -> tuple[Any, Any]:
    """Signatures of an activation's kernels: (y, x, alpha), (dx, dy, x, y, alpha)."""
    _, vector = _types(dtype)
    none, alpha = types.none, types.float64
    return none(vector, vector, alpha), none(vector, vector, vector, vector, alpha)


@cache
def product_signature(dtype: str) -> Any:
    """Signature of `products.product`: (c, a, b, turn_a, turn_b, s, s_row)."""
    _, vector = _types(dtype)
    matrix, flag = types.Array(vector.dtype, 2, "C"), types.boolean
    return types.none(matrix, matrix, matrix, flag, flag, vector, types.int64)


@cache
def patches_signature(dtype: str) -> Any:
    """Signature of `products.product_of_patches`: (c, columns, a, b, s, s_row)."""
    from simdl.kernels.products import Side

    _, vector = _types(dtype)
    number = types.int64
    side = types.NamedTuple((vector, *[number] * (len(Side._fields) - 1)), Side)
    return types.none(vector, number, side, vector, vector, number)


@cache
def loss_signature(dtype: str) -> Any:
    """Signature of losses: (losses, dy, y, t, option)."""
    real, vector = _types(dtype)
    matrix = types.Array(real, 2, "C")
    return types.none(vector, matrix, matrix, matrix, types.float64)


@cache
def update_signature(dtype: str) -> Any:
    """Signature of optimizers: (params, grads, slots, options, lr, t)."""
    real, vector = _types(dtype)
    options = types.Array(types.float64, 1, "C")
    slots = types.Array(real, 2, "C")
    return types.none(vector, vector, slots, options, types.float64, types.int64)


@cache
def stop_signature() -> Any:
    """Signature of stop rules: (memory, seen, options) -> float64."""
    real = types.float64
    vector = types.Array(real, 1, "C")
    return real(vector, types.Array(real, 3, "C"), vector)


@cache
def draw_signature(dtype: str) -> Any:
    """Signature of initializers: (weight, bias, scale, seed, op)."""
    real, vector = _types(dtype)
    matrix = types.Array(real, 2, "C")
    return types.none(matrix, vector, types.float64, types.int64, types.int64)
