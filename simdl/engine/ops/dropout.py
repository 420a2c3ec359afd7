"""Adapters of dropout."""

from simdl._jit import njit
from simdl.engine.ops.views import flat_inputs, flat_outputs
from simdl.kernels.dropout import copy, dropout


@njit
def forward(op, run, at):
    """Run `dropout` in training; in inference y = x."""
    _pass(op, run, flat_outputs(op, run, at.arena), flat_inputs(op, run, at.arena))


@njit
def backward(op, run, at):
    """The same with the gradient: the mask is drawn again."""
    if op.propagate:
        _pass(op, run, flat_inputs(op, run, at.deltas), flat_outputs(op, run, at.deltas))


@njit(inline=True)
def _pass(op, run, to, given):
    if run.training != 0:
        dropout(to, given, op.alpha, run.seed, run.step, op.number)
    else:
        copy(to, given)
