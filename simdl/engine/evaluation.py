"""Loss and accuracy over whole parts of the data, in inference mode."""

import numpy as np

from simdl._jit import call, njit
from simdl.engine.ops.views import matrix
from simdl.engine.passes import forward
from simdl.engine.state import CANCEL
from simdl.kernels.copying import copy_rows
from simdl.kernels.losses import count_correct
from simdl.kernels.statistics import total


@njit
def evaluate(plan, ops, run, at, losses, targets, x, t, control, out):
    """Mean loss and accuracy over x (n, inputs), t (n, targets) into out (2,), inference mode.

    Where the loss is no finite number the accuracy is NaN: what is largest among NaN means nothing.
    """
    room, n = plan.eval_rows, x.shape[0]
    run.rows, run.training = room, 0
    loss, correct = 0.0, 0
    for start in range(0, n, room):
        if control[CANCEL] != 0:
            return
        rows = min(room, n - start)
        copy_rows(matrix(at.arena, 0, rows, x.shape[1]), x[start : start + rows])
        copy_rows(targets, t[start : start + rows])
        forward(ops, run, at)
        y = matrix(at.arena, plan.eval_output, rows, plan.n_output)
        dy = matrix(at.deltas, 0, rows, plan.n_output)  # a loss gives it; it goes nowhere
        call(plan.loss, losses[:rows], dy, y, targets[:rows], plan.loss_option)
        loss += total(losses[:rows])
        correct += count_correct(y, targets, rows, plan.threshold)
    out[0], out[1] = loss / n, correct / n
    if not np.isfinite(loss):
        out[1] = np.nan


@njit
def evaluate_parts(how, space, parts, wanted, s, control, out):
    """Fill out (3, 2), train, validation, test by loss, accuracy, for the parts in `wanted`.

    `wanted` is a sum of 1, 2 and 4; a part without samples gives NaN. One call in a loop compiles
    in a third of the time of three.
    """
    plan, run, at = how.plan[0], space.run[0], space.eval_at
    losses, targets = space.eval_losses, space.eval_targets
    for i in range(3):
        part = parts[i]
        x, t = part.x[min(s, part.x.shape[0] - 1)], part.t[min(s, part.t.shape[0] - 1)]
        if wanted >> i & 1:
            out[i] = np.nan
            if x.shape[0] > 0:
                evaluate(plan, how.eval_ops, run, at, losses, targets, x, t, control, out[i])
