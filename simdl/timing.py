"""Parts of a step, over and over, so that a clock can tell what each takes.

`how`, `space`, `parts` and `slots` are those of `simdl.engine.loop`; buffers stay warm.
"""

from typing import Any

import numpy as np

from simdl._jit import array_view, njit
from simdl.engine.loop import clip, gather
from simdl.engine.ops.views import matrix
from simdl.engine.passes import backward, batch_loss, forward
from simdl.engine.updating import penalize, update
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.kernels.products import multiply, multiply_by_transpose, multiply_transposed
from simdl.kernels.statistics import all_finite


@njit
def repeat_forward(count, ops, run, at):
    for _ in range(count):
        forward(ops, run, at)


@njit
def repeat_backward(count, ops, run, at):
    for _ in range(count):
        backward(ops, run, at)


@njit
def repeat_order(count, how, space, parts, slots):
    for i in range(count):
        permutation(space.order, 0, STREAM_ORDER, i)


@njit
def repeat_gather(count, how, space, parts, slots):
    plan, x, t = how.plan[0], parts.train.x[0], parts.train.t[0]
    rows = space.targets.shape[0]
    batch = matrix(space.at.arena, 0, rows, plan.n_input)
    for _ in range(count):
        gather(batch, space.targets, x, t, space.order[:rows])


@njit
def repeat_loss(count, how, space, parts, slots):
    plan, rows = how.plan[0], space.targets.shape[0]
    y = matrix(space.at.arena, plan.output, rows, plan.n_output)
    dy = matrix(space.at.deltas, plan.output, rows, plan.n_output)
    for _ in range(count):
        batch_loss(plan, space.losses, dy, y, space.targets)


@njit
def repeat_check(count, how, space, parts, slots):
    at = space.at
    for _ in range(count):
        sound = all_finite(at.arena[how.plan[0].first :]) and all_finite(at.grads)
        if not (sound and all_finite(at.buffers)):
            space.losses[0] = np.nan


@njit
def repeat_penalties(count, how, space, parts, slots):
    plan = how.plan[0]
    for _ in range(count):
        penalize(how, space.at)
        clip(space.at.grads, plan.clip_norm, plan.clip_value)


@njit
def repeat_update(count, how, space, parts, slots):
    for _ in range(count):
        update(how, space.at, slots, 0)


@njit
def repeat_products(count, product, y, x, w, kind):
    """The matrix products of a layer: 0 forward, 1 of its weight's gradient, 2 of its input's.

    y (n, m), x (n, k), w (k, m); each is written where its product is wanted.
    """
    nothing = array_view(y.reshape(y.size), 0, 0)
    for _ in range(count):
        if kind == 0:
            multiply(product, y, x, w, nothing)
        elif kind == 1:
            multiply_transposed(product, w, x, y, False)
        else:
            multiply_by_transpose(product, x, y, w)


PARTS: dict[str, Any] = {
    "order (an epoch's share)": repeat_order,
    "gather": repeat_gather,
    "loss": repeat_loss,
    "finite numbers?": repeat_check,
    "penalties, clipping": repeat_penalties,
    "optimizer": repeat_update,
}
