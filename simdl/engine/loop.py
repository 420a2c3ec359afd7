"""The compiled training loop: one call trains a chunk of seeds, without the GIL.

Nothing is allocated inside a step. Python watches through the control block.

What the loop does now and then (evaluate, judge, survey, finish) it calls through the plan's
addresses: linked in, the machine code of each would be made once more in every function above it,
half the time of a first run. What a training does not need is not compiled at all.
"""

from typing import Any

import numpy as np
from numba import types

from simdl import _jit
from simdl._jit import address, call, njit
from simdl.engine.divergence import diagnose
from simdl.engine.evaluation import evaluate_parts
from simdl.engine.judgement import finish, is_due, judge
from simdl.engine.ops.views import matrix
from simdl.engine.passes import backward, batch_loss, draw, forward
from simdl.engine.probing import look, look_at_update, survey
from simdl.engine.state import (
    CANCEL,
    CANCELLED,
    COMPLETED,
    EVALUATED,
    PROBED,
    SEED_INDEX,
    STATUS,
    STEP,
    STEPS_DONE,
)
from simdl.engine.updating import penalize, update
from simdl.kernels.copying import copy
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.kernels.statistics import all_finite, sum_of_squares


@njit
def gather(batch, targets, x, t, chosen):
    """Copy the chosen rows of x and t; plain loops cost a third of assigning whole rows."""
    for i in range(chosen.size):
        row, target = x[chosen[i]], t[chosen[i]]
        for j in range(row.size):
            batch[i, j] = row[j]
        for j in range(target.size):
            targets[i, j] = target[j]


@njit
def clip(grads, norm, value):
    """Scale grads (p,) to at most `norm` (Pascanu et al. 2013), then cut at +-value; 0 is off."""
    if norm > 0.0:
        factor = norm / (np.sqrt(sum_of_squares(grads)) + 1e-6)
        if factor < 1.0:
            scale = grads.dtype.type(factor)
            for i in range(grads.size):
                grads[i] *= scale
    if value > 0.0:
        limit = grads.dtype.type(value)
        for i in range(grads.size):
            grads[i] = limit if grads[i] > limit else (-limit if grads[i] < -limit else grads[i])


@njit
def train_one(how, space, parts, trials, s, records, control):
    """Train trial `s` of the chunk: `trials` and `records` get its results."""
    plan, ops, at = how.plan[0], how.ops, space.at
    run = space.run[0]
    x, t = parts.train
    d = min(s, x.shape[0] - 1)
    x, t = x[d], t[d]
    n, seed, report = x.shape[0], trials.seeds[s], records.report[s]
    copy(at.params, trials.params[s])
    copy(at.buffers, trials.buffers[s])
    slots = trials.slots[s]
    run.seed = seed
    probes, probed, moved = how.probes, records.probed, space.watch.moved
    epoch = 0
    start = n  # the first step draws an order
    report[STATUS] = COMPLETED
    for step in range(plan.steps):
        control[STEP] = step
        if control[CANCEL] != 0:
            report[STATUS] = CANCELLED
            break
        fresh = plan.evaluate_every > 0 and step % plan.evaluate_every == 0
        if fresh:
            now = records.evaluated[s, report[EVALUATED]]
            call(plan.evaluate, how, space, parts, plan.evaluate_parts, s, control, now)
            report[EVALUATED] += 1
        if is_due(plan, step):
            call(plan.judge, how, space, parts, trials, s, fresh, records, control)
            if report[STATUS] != COMPLETED:
                break
        if probes.surveys.size > 0:
            call(plan.survey, how, space, x, s, step, probed, control)
        if start >= n:
            permutation(space.order, seed, STREAM_ORDER, epoch)
            epoch += 1
            start = 0
        rows = min(plan.batch, n - start)
        run.rows, run.training, run.step = rows, 1, step
        batch, targets = matrix(at.arena, 0, rows, plan.n_input), space.targets[:rows]
        gather(batch, targets, x, t, space.order[start : start + rows])
        start += rows
        forward(ops, run, at)
        y = matrix(at.arena, plan.output, rows, plan.n_output)
        dy = matrix(at.deltas, plan.output, rows, plan.n_output)
        loss = batch_loss(plan, space.losses[:rows], dy, y, targets)
        backward(ops, run, at)
        if plan.probe_every > 0 and step % plan.probe_every == 0:
            look(probes.batch, probes.options, step, probed.looks[s], ops, run, at)
        report[PROBED] = step + 1
        sound = np.isfinite(loss) and all_finite(at.arena[plan.first :]) and all_finite(at.grads)
        if not (sound and all_finite(at.buffers)):
            diagnose(ops, run, at, step, loss, report)
            break
        penalize(how, at)
        clip(at.grads, plan.clip_norm, plan.clip_value)
        moving = plan.update_every > 0 and step % plan.update_every == 0
        if moving:
            copy(moved.params, at.params)
        update(how, at, slots, step)
        if moving:
            look_at_update(probes, step, probed.looks[s], ops, run, at.params, moved)
        report[STEPS_DONE] = step + 1
    if report[STATUS] == COMPLETED and not all_finite(at.params):
        diagnose(ops, run, at, plan.steps, loss, report)
    if report[STATUS] == COMPLETED and is_due(plan, plan.steps):
        fresh = plan.steps < 0  # a constant would be of another type
        call(plan.judge, how, space, parts, trials, s, fresh, records, control)
    if probes.surveys.size > 0 and report[STATUS] != CANCELLED:
        call(plan.survey, how, space, x, s, plan.steps, probed, control)
        if control[CANCEL] != 0:  # it may have been cut short
            report[STATUS] = CANCELLED
    call(plan.finish, how, space, parts, trials, s, records, control)


def link(
    how: Any, space: Any, parts: Any, trials: Any, draws: Any, records: Any, control: Any
) -> None:
    """Compile `train` for these arguments; enter the addresses of what it calls into the plan."""
    plan = how.plan[0]
    given = (how, space, parts, trials, draws, records, control)
    kinds = [_jit.typeof(value) for value in given]
    (how_, space_, parts_, trials_, draws_, records_, control_) = kinds
    flag, index = types.boolean, types.int64
    numbers = _jit.typeof(records.evaluated[0, 0])
    rows = _jit.typeof(parts.train.x[0])
    probed = _jit.typeof(records.probed)

    def of(function: Any, *arguments: Any) -> int:
        return address(function, types.none(how_, space_, *arguments))

    plan.evaluate = of(evaluate_parts, parts_, index, index, control_, numbers)
    plan.finish = of(finish, parts_, trials_, index, records_, control_)
    plan.train_one = of(train_one, parts_, trials_, index, records_, control_)
    if plan.judge_every:
        plan.judge = of(judge, parts_, trials_, index, flag, records_, control_)
    if how.probes.surveys.size:
        plan.survey = of(survey, rows, index, index, probed, control_)
    of(train, parts_, trials_, draws_, records_, control_)  # not within the time of a first call


@njit
def train(how, space, parts, trials, draws, records, control):
    """Train every trial of the chunk, one after the other.

    Parameters
    ----------
    how, space, parts, trials, records : see the tuples above
    draws : DRAW records; empty where trials.params holds the start already
    control : (3,) int64, shared with the thread that waits

    `link` has been called with the same.
    """
    register = _jit.flush_subnormals()
    for s in range(trials.seeds.size):
        control[SEED_INDEX] = s
        if draws.size > 0:
            draw(trials.params[s], draws, trials.seeds[s])
        if control[CANCEL] == 0:
            call(how.plan[0].train_one, how, space, parts, trials, s, records, control)
        else:
            records.report[s, STATUS] = CANCELLED
    _jit.restore_subnormals(register)
