"""A network as a table of ops over flat buffers: built once, laid out for any batch size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl._jit import address
from simdl.engine.records import (
    DRAW,
    OP,
    Tensors,
    aligned,
    draw_signature,
    kernel_signatures,
    op_signature,
    product_signature,
    records,
)
from simdl.kernels.products import product

EVALUATION_ROWS = 128  # fixed, so that a sample's output does not depend on its company
KEPT_LAYOUTS = 8  # of a program, for calls with batches of ever other sizes


@dataclass(frozen=True)
class Value:
    """What an op reads or writes: a slot in the arena, and the shape of one sample."""

    slot: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def reshaped(self, *shape: int) -> Value:
        """The same memory under another shape."""
        return Value(self.slot, shape)


@dataclass(frozen=True)
class Parameter:
    """One array of the flat parameter vector, or of the running statistics."""

    name: str
    shape: tuple[int, ...]
    offset: int
    start: float = 0.0  # before anything is drawn

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """A program for batches of at most `rows` samples: ops with offsets, and the arena's size."""

    rows: int
    ops: Any
    offsets: tuple[int, ...]
    size: int
    scratch: int

    def tensors(
        self,
        params: np.ndarray,
        grads: np.ndarray,
        buffers: np.ndarray,
        deltas: int | None = None,
    ) -> Tensors:
        """Return the buffers of a run: the given ones, and fresh arena, deltas and scratch.

        Parameters
        ----------
        deltas : elements of the deltas where no gradient goes back; else they are the arena's
        """
        sizes = self.size, self.size if deltas is None else deltas, self.scratch
        fresh = [aligned(size, params.dtype) for size in sizes]
        return Tensors(params, grads, buffers, *fresh)

    def view(self, buffer: np.ndarray, value: Value, rows: int | None = None) -> np.ndarray:
        """View `value` in an arena or in deltas as (rows, *shape)."""
        rows = self.rows if rows is None else rows
        start = self.offsets[value.slot]
        return buffer[start : start + rows * value.size].reshape(rows, *value.shape)


class Program:
    """Collects ops, values and parameters while a network is lowered.

    Parameters
    ----------
    dtype : "float32" or "float64"
    input_shape : shape of one sample
    """

    def __init__(self, dtype: str, input_shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.parameters: list[Parameter] = []
        self.buffers: list[Parameter] = []  # running statistics
        self.leaves: list[tuple[str, str]] = []  # of each leaf layer: path ("3.0"), name ("Dense")
        self.layer_outputs: dict[str, Value] = {}  # path -> output
        self._sizes: list[tuple[int, int]] = []  # of each slot: elements a sample, and once
        self._scratch = 0
        self._drawing = 0  # ops that draw random numbers
        self._ops: list[dict[str, Any]] = []
        self._lowering: list[int] = []  # leaves being lowered, the innermost last
        self._layouts: dict[tuple[int, bool], Layout] = {}
        self.input = self.value(input_shape)
        self.output = self.input

    # --- building -------------------------------------------------------------------------------

    @contextmanager
    def layer(self, path: str, name: str) -> Iterator[None]:
        """Within the block ops belong to the layer at `path`, unless to one inside it."""
        self.leaves.append((path, name))
        self._lowering.append(len(self.leaves) - 1)
        yield
        self._lowering.pop()

    def value(self, shape: tuple[int, ...]) -> Value:
        """Reserve a slot for an output of `shape` a sample."""
        self._sizes.append((math.prod(shape), 0))
        return Value(len(self._sizes) - 1, tuple(shape))

    def state(self, size: int) -> Value:
        """Reserve a slot of `size` elements, whatever the rows: what forward keeps for backward."""
        self._sizes.append((0, size))
        return Value(len(self._sizes) - 1, (size,))

    def parameter(
        self, path: str, name: str, shape: tuple[int, ...], start: float = 0.0
    ) -> Parameter:
        """Append an array to the flat parameter vector; it begins at `start` if not drawn."""
        return _append(self.parameters, f"{path}.{name}", shape, start)

    def buffer(self, path: str, name: str, shape: tuple[int, ...], start: float) -> Parameter:
        """Append an array to the running statistics."""
        return _append(self.buffers, f"{path}.{name}", shape, start)

    def number(self) -> int:
        """Return the number of the next op that draws random numbers."""
        self._drawing += 1
        return self._drawing - 1

    def op(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        x: Value,
        y: Value,
        *,
        weight: Parameter | None = None,
        bias: Parameter | None = None,
        buffer: Parameter | None = None,
        buffers: int = 1,
        state: Value | None = None,
        skip: Value | None = None,
        kernels: tuple[Any, Any] | None = None,
        fans: tuple[int, int] | None = None,
        init: Any = None,
        scratch: int = 0,
        **fields: float,
    ) -> None:
        """Append an op that reads `x` and writes `y`, for the layer that is being lowered.

        Parameters
        ----------
        forward, backward : the adapters
        weight, bias : its parameters; `fans` says that the weight is drawn, and by which fans
        buffer : the first of its `buffers` running statistics, which follow one another
        state : what forward keeps for backward
        skip : the other value of a fork or a join
        kernels : the pure kernels of an activation
        init : initializer of this weight; default the network's
        scratch : elements it may write over in each call, whatever the rows
        **fields : further fields of the OP record, such as alpha, stride_h
        """
        signature = op_signature(self.dtype)
        slots = {"x": x, "y": y, "state": state, "skip": skip}
        entry: dict[str, Any] = {
            "forward": address(forward, signature),
            "backward": address(backward, signature),
            "layer": self._lowering[-1],
            "n_in": x.size,
            "n_out": y.size,
            "slots": {name: value.slot for name, value in slots.items() if value is not None},
        } | fields
        for name, parameter in (("weight", weight), ("bias", bias), ("buffer", buffer)):
            if parameter is not None:
                entry[name], entry[f"n_{name}"] = parameter.offset, parameter.size
        if buffer is not None:
            entry["n_buffer"] *= buffers
        if fans is not None:
            entry["fans"], entry["init"] = fans, init
            entry["product"] = address(product, product_signature(self.dtype))
        if kernels is not None:
            forms = kernel_signatures(self.dtype)
            entry["kernel"] = address(kernels[0], forms[0])
            entry["kernel_backward"] = address(kernels[1], forms[1])
        self._scratch = max(self._scratch, scratch)
        self._ops.append(entry)

    # --- reading --------------------------------------------------------------------------------

    @property
    def n_parameters(self) -> int:
        """Length of the flat parameter vector."""
        return _length(self.parameters)

    @property
    def n_buffers(self) -> int:
        """Length of the flat vector of running statistics."""
        return _length(self.buffers)

    def start(self, table: list[Parameter]) -> np.ndarray:
        """Flat vector of what `parameters` or `buffers` hold before anything is drawn."""
        made = np.zeros(_length(table), self.dtype)
        for entry in table:
            made[entry.offset : entry.offset + entry.size] = entry.start
        return made

    def find(self, field: str) -> list[int]:
        """Indices of the ops that have `field` ("weight", "fans" if it is drawn, "kernel")."""
        return [i for i, entry in enumerate(self._ops) if field in entry]

    def leaf(self, op: int) -> tuple[str, str]:
        """Path and name of the layer that op number `op` belongs to."""
        return self.leaves[self._ops[op]["layer"]]

    def op_of(self, path: str, field: str = "weight") -> int:
        """Index of the first op of the layer at `path`."""
        return next(i for i in self.find(field) if self.leaf(i)[0] == path)

    def layout(self, rows: int, to_input: bool = False) -> Layout:
        """Lay the program out for batches of at most `rows` samples.

        Parameters
        ----------
        rows : samples the arena has room for
        to_input : bring gradients back to the input, too; training does without
        """
        key = (rows, to_input)
        found = self._layouts.get(key)  # threads may share a program: one look, no second
        if found is None:
            found = self._lay_out(rows, to_input)
            if len(self._layouts) >= KEPT_LAYOUTS:
                self._layouts.clear()
            self._layouts[key] = found
        return found

    def _lay_out(self, rows: int, to_input: bool) -> Layout:
        step = 64 // np.dtype(self.dtype).itemsize
        offsets, size = [], 0
        for a_sample, once in self._sizes:
            offsets.append(size)
            size += -(-(rows * a_sample + once) // step) * step
        ops = records(OP, len(self._ops))
        useful = to_input  # whether anything before the op has parameters
        for record, entry in zip(ops, self._ops, strict=True):
            for name in OP.names or ():
                record[name] = entry.get(name, 0)
            for name, slot in entry["slots"].items():
                record[name] = offsets[slot]
            record["propagate"] = useful
            useful = useful or "weight" in entry or "bias" in entry
        return Layout(rows, ops, tuple(offsets), size, self._scratch)

    def weights(self) -> list[tuple[int, int]]:
        """Where the weights of dense and convolution layers lie: start and stop of each."""
        drawn = [entry for entry in self._ops if "fans" in entry]
        return [(entry["weight"], entry["weight"] + entry["n_weight"]) for entry in drawn]

    def draws(self, initializer: Any) -> Any:
        """Return the table by which compiled code draws the initial weights.

        `initializer.rule(fan_in, fan_out)` returns a compiled function and its scale; an op's own
        initializer goes before the network's.
        """
        drawn = [entry for entry in self._ops if "fans" in entry]
        table = records(DRAW, len(drawn))
        signature = draw_signature(self.dtype)
        for count, (record, entry) in enumerate(zip(table, drawn, strict=True)):
            function, scale = (entry["init"] or initializer).rule(*entry["fans"])
            record["address"], record["scale"] = address(function, signature), scale
            record["n_out"], record["op"] = entry["out_channels"], count
            record["n_in"] = entry["n_weight"] // entry["out_channels"]
            for name in ("weight", "bias", "n_bias"):
                record[name] = entry.get(name, 0)
        return table


def _append(table: list[Parameter], name: str, shape: tuple[int, ...], start: float) -> Parameter:
    made = Parameter(name, tuple(shape), _length(table), start)
    table.append(made)
    return made


def _length(table: list[Parameter]) -> int:
    return table[-1].offset + table[-1].size if table else 0
