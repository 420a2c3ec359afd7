"""One pass through a program: drawing its weights, forward, loss, backward."""

from simdl._jit import call, njit
from simdl.kernels.statistics import total


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
