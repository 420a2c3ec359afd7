"""What the loop does for probes: looks at batches and updates, surveys between two steps."""

from simdl._jit import call, njit
from simdl.engine.ops.views import matrix
from simdl.engine.passes import forward
from simdl.engine.state import CANCEL
from simdl.kernels.copying import copy, copy_rows


@njit
def look(table, options, step, out, ops, run, at):
    """Run the probes of `table` that are due at `step`; out (records, columns)."""
    for i in range(table.size):
        p = table[i]
        if step % p.every == 0:
            numbers = out[step // p.every, p.column : p.column + p.width]
            chosen = options[p.option : p.option + p.n_options]
            call(p.address, numbers, chosen, ops[p.op], run, at)


@njit
def look_at_update(probes, step, out, ops, run, params, moved):
    """Run the probes of the update that led to params (p,); moved.params holds those before."""
    for i in range(params.size):
        moved.grads[i] = params[i] - moved.params[i]
    look(probes.update, probes.options, step, out, ops, run, moved)


@njit
def mark_fired(fired, units, ops, rows, arena):
    """Set the flag of every unit that is not 0 for one of `rows` samples; return how many are 0."""
    silent = fired.size
    for i in range(units.size):
        u, op = units[i], ops[units[i].op]
        flags, y = fired[u.first : u.first + u.n_units], arena[op.y : op.y + rows * op.n_out]
        for start in range(0, y.size, u.n_units):
            for k in range(u.n_units):
                flags[k] |= y[start + k] != 0
    for k in range(fired.size):
        silent -= fired[k]
    return silent


@njit
def find_fired(fired, units, room, ops, run, at, x, control):
    """Fill fired (units,) with whether each unit is not 0 for some sample of x (n, inputs).

    In inference mode, `room` samples at a time; it ends where all have fired.
    """
    n = x.shape[0]
    run.rows, run.training = room, 0
    fired[:] = 0
    silent = fired.size
    for start in range(0, n, room):
        if silent == 0 or control[CANCEL] != 0:
            break
        rows = min(room, n - start)
        copy_rows(matrix(at.arena, 0, rows, x.shape[1]), x[start : start + rows])
        forward(ops, run, at)
        silent = mark_fired(fired, units, ops, rows, at.arena)


@njit
def dead_shares(out, fired, units):
    """Fill out (layers,) with the share of each layer's units that did not fire."""
    for i in range(units.size):
        u = units[i]
        silent = u.n_units
        for k in range(u.first, u.first + u.n_units):
            silent -= fired[k]
        out[i] = silent / u.n_units


@njit
def survey(how, space, x, s, step, probed, control):
    """Take of trial `s` what is due before `step`, or everything where the training ends."""
    ended = step == how.plan[0].steps
    surveys, units, counts = how.probes.surveys, how.probes.units, probed.counts[s]
    at, fired = space.at, space.watch.fired
    for i in range(surveys.size):
        v = surveys[i]
        if not ended and (v.every == 0 or step % v.every != 0):
            continue
        row = v.first + counts[i]
        counts[i] += 1
        if v.dead != 0:
            room, run = how.plan[0].eval_rows, space.run[0]
            find_fired(fired, units, room, how.eval_ops, run, space.eval_at, x, control)
            dead_shares(probed.dead[s, row], fired, units)
        else:
            kept, p = probed.snapshots[s, row], at.params.size
            copy(kept[:p], at.params)
            copy(kept[p:], at.buffers)
