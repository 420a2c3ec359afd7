"""The compiled training loop: one call trains a chunk of seeds, without the GIL.

Nothing is allocated inside a step. Python watches through the control block.
"""

from collections import namedtuple

import numpy as np

from simdl import _jit
from simdl._jit import call, call_value, njit
from simdl.engine.ops.views import matrix
from simdl.kernels.losses import count_correct
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.kernels.statistics import all_finite, sum_of_squares, total

# control block: Python sets CANCEL, the loop writes the others
CANCEL, SEED_INDEX, STEP = 0, 1, 2

# what a trial reports: one row of `report`
STATUS, STEPS_DONE, CAUSE, WHERE, AT_STEP, PROBED, EVALUATED = 0, 1, 2, 3, 4, 5, 6
REPORT_SIZE = 7
RUNNING, COMPLETED, DIVERGED, CANCELLED = 0, 1, 2, 3
ACTIVATIONS, LOSS, GRADIENT, PARAMETERS = 1, 2, 3, 4

Part = namedtuple("Part", "x t")  # (d, n, inputs), (d, n, targets); d = 1 where seeds share it
Parts = namedtuple("Parts", "train validation test")

# the trials of a chunk: seeds (s,), params (s, p), buffers (s, b), slots (s, k, p)
Trials = namedtuple("Trials", "seeds params buffers slots")

# what is measured: probed (s, records, probes), evaluated (s, records, 3 parts, loss and accuracy),
# report (s, REPORT_SIZE)
Records = namedtuple("Records", "probed evaluated report")

# scratch: one RUN record, tensors for training and for evaluation, a batch's losses and targets,
# order (n,)
Space = namedtuple("Space", "run at eval_at losses eval_losses targets eval_targets order")

# how: one PLAN record, ops for training and for evaluation, probes, rates (steps,), options (m,)
How = namedtuple("How", "plan ops eval_ops probes rates options")


@njit
def draw(params, draws, seed):
    """Draw initial weights into the flat vector of parameters (p,); the rest stays."""
    for i in range(draws.size):
        d = draws[i]
        weight = params[d.weight : d.weight + d.n_in * d.n_out].reshape(d.n_in, d.n_out)
        call(d.address, weight, params[d.bias : d.bias + d.n_bias], d.scale, seed, d.op)


@njit
def draw_many(params, draws, seeds):
    """Draw the initial weights of seeds (s,) into params (s, p)."""
    for s in range(seeds.size):
        draw(params[s], draws, seeds[s])


@njit
def forward(ops, run, at):
    """Run every op's forward."""
    for i in range(ops.size):
        op = ops[i]
        call(op.forward, op, run, at)


@njit
def backward(ops, run, at):
    """Run every op's backward, last first; at.deltas holds the gradient at the output."""
    for i in range(ops.size - 1, -1, -1):
        op = ops[i]
        call(op.backward, op, run, at)


@njit
def batch_loss(plan, losses, dy, y, t):
    """Fill each sample's loss and the gradient of their mean; return the mean."""
    call(plan.loss, losses, dy, y, t, plan.loss_option)
    return total(losses) / losses.size


@njit
def evaluate(plan, ops, run, at, losses, targets, x, t, control, out):
    """Mean loss and accuracy over x (n, inputs), t (n, targets) into out (2,), inference mode."""
    room, n = plan.eval_rows, x.shape[0]
    run.rows, run.training = room, 0
    loss, correct = 0.0, 0
    for start in range(0, n, room):
        if control[CANCEL] != 0:
            return
        rows = min(room, n - start)
        matrix(at.arena, 0, rows, x.shape[1])[:] = x[start : start + rows]
        targets[:rows] = t[start : start + rows]
        forward(ops, run, at)
        y = matrix(at.arena, plan.eval_output, rows, plan.n_output)
        dy = matrix(at.deltas, plan.eval_output, rows, plan.n_output)
        call(plan.loss, losses[:rows], dy, y, targets[:rows], plan.loss_option)
        loss += total(losses[:rows])
        correct += count_correct(y, targets, rows, plan.threshold)
    out[0], out[1] = loss / n, correct / n


@njit
def evaluate_part(how, space, part, s, control, out):
    """Loss and accuracy of trial `s` on one part into out (2,); NaN where the part is empty."""
    x, t = part.x[min(s, part.x.shape[0] - 1)], part.t[min(s, part.t.shape[0] - 1)]
    out[:] = np.nan
    if x.shape[0] > 0:
        losses, targets = space.eval_losses, space.eval_targets
        run = space.run[0]
        evaluate(how.plan[0], how.eval_ops, run, space.eval_at, losses, targets, x, t, control, out)


@njit
def evaluate_parts(how, space, parts, s, control, out):
    """Fill out (3, 2): train, validation, test by loss, accuracy."""
    evaluate_part(how, space, parts.train, s, control, out[0])
    evaluate_part(how, space, parts.validation, s, control, out[1])
    evaluate_part(how, space, parts.test, s, control, out[2])


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
def diagnose(ops, run, at, step, loss, report):
    """Report what left the finite numbers first, and in which op.

    Order: the parameters (made by the step before), then this step's activations, loss, gradient.
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


@njit
def train_one(how, space, parts, trials, s, records, control):
    """Train trial `s` of the chunk: `trials` and `records` get its results."""
    plan, ops, at = how.plan[0], how.ops, space.at
    run = space.run[0]
    x, t = parts.train
    d = min(s, x.shape[0] - 1)
    x, t = x[d], t[d]
    n, seed, report = x.shape[0], trials.seeds[s], records.report[s]
    at.params[:] = trials.params[s]
    at.buffers[:] = trials.buffers[s]
    slots = trials.slots[s]
    run.seed = seed
    probed = evaluated = epoch = 0
    start = n  # the first step draws an order
    report[STATUS] = COMPLETED
    for step in range(plan.steps):
        control[STEP] = step
        if control[CANCEL] != 0:
            report[STATUS] = CANCELLED
            break
        if plan.evaluate_every > 0 and step % plan.evaluate_every == 0:
            evaluate_parts(how, space, parts, s, control, records.evaluated[s, evaluated])
            evaluated += 1
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
            for i in range(how.probes.size):
                probe = how.probes[i]
                records.probed[s, probed, i] = call_value(probe.address, ops[probe.op], run, at)
            probed += 1
        if not (np.isfinite(loss) and all_finite(at.arena[plan.first :]) and all_finite(at.grads)):
            diagnose(ops, run, at, step, loss, report)
            break
        clip(at.grads, plan.clip_norm, plan.clip_value)
        call(plan.update, at.params, at.grads, slots, how.options, how.rates[step], step + 1)
        report[STEPS_DONE] = step + 1
    if report[STATUS] == COMPLETED and not all_finite(at.params):
        diagnose(ops, run, at, plan.steps, loss, report)
    if plan.evaluate_end and report[STATUS] != CANCELLED:
        evaluate_parts(how, space, parts, s, control, records.evaluated[s, evaluated])
        evaluated += 1
        if control[CANCEL] != 0:  # it may have been cut short
            report[STATUS] = CANCELLED
    report[PROBED], report[EVALUATED] = probed, evaluated
    trials.params[s] = at.params
    trials.buffers[s] = at.buffers


@njit
def train(how, space, parts, trials, draws, records, control):
    """Train every trial of the chunk, one after the other.

    Parameters
    ----------
    how, space, parts, trials, records : see the tuples above
    draws : DRAW records; empty where trials.params holds the start already
    control : (3,) int64, shared with the thread that waits
    """
    register = _jit.flush_subnormals()
    for s in range(trials.seeds.size):
        control[SEED_INDEX] = s
        if draws.size > 0:
            draw(trials.params[s], draws, trials.seeds[s])
        if control[CANCEL] == 0:
            train_one(how, space, parts, trials, s, records, control)
        else:
            records.report[s, STATUS] = CANCELLED
    _jit.restore_subnormals(register)
