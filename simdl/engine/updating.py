"""The end of a step: penalties into the gradient, the optimizer's update, the proximal step."""

from simdl._jit import call, njit
from simdl.kernels.penalties import add_decay, soft_threshold


@njit
def penalize(how, at):
    """Add the gradient of the l2 penalty to at.grads, for the weights that are penalized.

    Going uphill (a sign of -1) it is taken away, so that it shrinks there, too.
    """
    l2 = how.plan[0].l2 * how.options[0, 0]
    if l2 != 0.0:
        for k in range(how.penalized.shape[0]):
            start, stop = how.penalized[k, 0], how.penalized[k, 1]
            add_decay(at.grads[start:stop], at.params[start:stop], l2)


@njit
def update(how, at, slots, step):
    """Take the optimizer's step, a group of parameters at a time, then the l1 penalty's.

    slots (k, p) is memory only: a group's slots lie together, so that they, too, are a matrix
    without gaps. One group is the whole vector, with nothing to cut.
    """
    plan, rate = how.plan[0], how.rates[step]
    count, memory = slots.shape[0], slots.reshape(slots.size)
    for k in range(how.groups.shape[0]):
        start, stop, row = how.groups[k, 0], how.groups[k, 1], how.groups[k, 2]
        own = memory[count * start : count * stop].reshape(count, stop - start)
        params, grads = at.params[start:stop], at.grads[start:stop]
        call(plan.update, params, grads, own, how.options[row], rate, step + 1)
    if plan.l1 > 0.0:
        for k in range(how.penalized.shape[0]):
            soft_threshold(at.params[how.penalized[k, 0] : how.penalized[k, 1]], rate * plan.l1)
