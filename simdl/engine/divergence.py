"""What left the finite numbers first, and where."""

import numpy as np

from simdl._jit import njit
from simdl.engine.state import (
    ACTIVATIONS,
    AT_STEP,
    CAUSE,
    DIVERGED,
    GRADIENT,
    LOSS,
    PARAMETERS,
    STATISTICS,
    STATUS,
    WHERE,
)
from simdl.kernels.statistics import all_finite


@njit
def diagnose(ops, run, at, step, loss, report):
    """Report what left the finite numbers first, and in which op.

    Order: the parameters (made by the step before), then this step's activations, running
    statistics, loss, gradient.
    """
    report[STATUS], report[AT_STEP], report[WHERE] = DIVERGED, step, -1
    for i in range(ops.size):
        op = ops[i]
        sound = all_finite(at.params[op.weight : op.weight + op.n_weight])
        if not (sound and all_finite(at.params[op.bias : op.bias + op.n_bias])):
            report[CAUSE], report[WHERE] = PARAMETERS, i
            report[AT_STEP] = max(step - 1, 0)  # the update that made them
            return
    for i in range(ops.size):
        op = ops[i]
        if not all_finite(at.arena[op.y : op.y + run.rows * op.n_out]):
            report[CAUSE], report[WHERE] = ACTIVATIONS, i
            return
    for i in range(ops.size):
        op = ops[i]
        if not all_finite(at.buffers[op.buffer : op.buffer + op.n_buffer]):
            report[CAUSE], report[WHERE] = STATISTICS, i
            return
    if not np.isfinite(loss):
        report[CAUSE], report[WHERE] = LOSS, ops.size - 1
        return
    report[CAUSE] = GRADIENT
    for i in range(ops.size - 1, -1, -1):
        op = ops[i]
        sound = all_finite(at.grads[op.weight : op.weight + op.n_weight])
        sound = sound and all_finite(at.grads[op.bias : op.bias + op.n_bias])
        if op.propagate:
            sound = sound and all_finite(at.deltas[op.x : op.x + run.rows * op.n_in])
        if not sound:
            report[WHERE] = i
            return
