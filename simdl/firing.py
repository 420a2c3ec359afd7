"""Units that can fall silent for good: which there are, and which have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.engine.blas import single_thread
from simdl.functional import checked
from simdl.network import Network
from simdl.parameters import Parameters

if TYPE_CHECKING:
    from simdl.engine.program import Program


def units_of(program: Program, asked: bool = True) -> tuple[Any, list[str]]:
    """Return the table of units that may be dead, a row a layer, and the layers' paths.

    It is empty if nobody asked: to see which they are takes compiled code.
    """
    from simdl.engine.curves import can_die
    from simdl.engine.records import UNITS, records

    ops = [op for op in program.find("kernel") if asked and can_die(program, op)]
    table, paths = records(UNITS, len(ops)), [program.leaf(op)[0] for op in ops]
    first = 0
    for record, op, path in zip(table, ops, paths, strict=True):
        size = program.layer_outputs[path].shape[-1]  # of an image, its channels
        record["op"], record["n_units"], record["first"] = op, size, first
        first += size
    return table, paths


def flags(units: Any) -> np.ndarray:
    """Return room for a flag of every unit."""
    return np.zeros(int(sum(units["n_units"])), np.int64)


def dead_units(net: Network, params: Parameters, x: Any) -> dict[str, np.ndarray]:
    """Return which units fire for no sample of x (n, *input_shape), in inference mode.

    A unit fires where its activation is not 0. Only activation layers that can be 0 with slope 0
    over a half-line (ReLU) have units that can be dead; a unit of an image is a channel, and fires
    if any pixel does.

    Returns
    -------
    dict
        Path of the layer ("1", "3.0") to truth values (units,): which of its units are dead.

    Raises
    ------
    InputError
        If `x` or `params` do not fit the network.
    """
    from simdl.engine.probing import find_fired
    from simdl.engine.program import EVALUATION_ROWS
    from simdl.engine.records import RUN, records

    rows, buffers = checked(net, params, x)
    units, paths = units_of(net.program)
    layout, fired = net.program.layout(EVALUATION_ROWS), flags(units)
    at = layout.tensors(params.flat, np.zeros_like(params.flat), buffers, deltas=0)
    flat, control = rows.reshape(len(rows), -1), np.zeros(3, np.int64)
    with single_thread():
        run = records(RUN, 1)[0]
        find_fired(fired, units, EVALUATION_ROWS, layout.ops, run, at, flat, control)
    parts = np.split(fired == 0, units["first"][1:])
    return dict(zip(paths, parts, strict=False))  # without layers there is one part, empty
