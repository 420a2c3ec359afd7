"""Adapters of a residual connection: a fork before the branch, a join behind it.

At the fork nothing is copied: the join reads the fork's value again, and once the branch has
written its gradient there, the fork's backward adds the one that came past the branch.
"""

from simdl._jit import njit


@njit
def fork_forward(op, run, at):
    """Nothing: branch and join both read x."""


@njit
def fork_backward(op, run, at):
    """dx += dy of the join"""
    if op.propagate:
        n = run.rows * op.n_in
        dx, dy = at.deltas[op.x : op.x + n], at.deltas[op.skip : op.skip + n]
        for i in range(n):
            dx[i] += dy[i]


@njit
def join_forward(op, run, at):
    """y = branch + x"""
    n = run.rows * op.n_in
    branch, past = at.arena[op.x : op.x + n], at.arena[op.skip : op.skip + n]
    y = at.arena[op.y : op.y + n]
    for i in range(n):
        y[i] = branch[i] + past[i]


@njit
def join_backward(op, run, at):
    """The branch's gradient is dy; the fork adds the other share."""
    if op.propagate:
        n = run.rows * op.n_in
        dx, dy = at.deltas[op.x : op.x + n], at.deltas[op.y : op.y + n]
        for i in range(n):
            dx[i] = dy[i]
