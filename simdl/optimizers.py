"""Optimizers: PyTorch's definitions, defaults and option names; every step is one compiled loop.

`maximize` goes uphill; `weight_decay` shrinks every parameter unless a training excludes some.
"""

from __future__ import annotations

from typing import Any

from simdl.adaptive import Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop
from simdl.errors import InputError
from simdl.spec import Finite, Flag, NonNegative, Positive, Share, from_table, spec
from simdl.updates import Optimizer, State

__all__ = [
    "KINDS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "Optimizer",
    "ProximalSGD", "RAdam", "RMSprop", "Rprop", "State", "optimizer",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)


@spec
class SGD(Optimizer):
    """w -= lr v, v = momentum v + (1 - dampening) g; without momentum v = g.

    Parameters
    ----------
    lr : learning rate
    momentum : 0 for none; no factor 1 - momentum
    dampening : share of the gradient withheld, from the second step on
    weight_decay : L2 penalty, added to the gradient
    nesterov : look ahead (Sutskever et al. 2013); needs momentum and no dampening
    maximize : go uphill
    """

    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: Finite = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: Flag = False
    maximize: Flag = False

    def __post_init__(self) -> None:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise InputError("SGD.nesterov: True: needs momentum above 0 and dampening 0")

    def rule(self) -> tuple[Any, list[float], int]:
        from simdl.kernels.optimizers import sgd, sgd_momentum, sgd_nesterov

        options = [-1.0 if self.maximize else 1.0, self.weight_decay, self.momentum, self.dampening]
        if self.nesterov:
            return sgd_nesterov, options, 1
        return (sgd_momentum, options, 1) if self.momentum > 0 else (sgd, options, 0)


@spec
class Rprop(Optimizer):
    """Each parameter has its own step, lengthened while the gradient keeps its sign.

    The form without weight-backtracking (Igel and Huesken 2000); meant for full batches.

    Parameters
    ----------
    lr : the length of every step at first; a schedule's later rates do nothing, as in PyTorch
    etas : factors where the sign turns and where it stays
    step_sizes : shortest and longest step
    maximize : go uphill
    """

    lr: NonNegative = 1e-2
    etas: tuple[Positive, Positive] = (0.5, 1.2)
    step_sizes: tuple[NonNegative, NonNegative] = (1e-6, 50.0)
    maximize: Flag = False

    def __post_init__(self) -> None:
        if not self.etas[0] < 1 < self.etas[1]:
            raise InputError(f"Rprop.etas: {self.etas}: must be one below and one above 1")
        if self.step_sizes[0] > self.step_sizes[1]:
            raise InputError(f"Rprop.step_sizes: {self.step_sizes}: the shortest must come first")

    def rule(self) -> tuple[Any, list[float], int]:
        from simdl.kernels.optimizers import rprop

        return rprop, [-1.0 if self.maximize else 1.0, 0.0, *self.etas, *self.step_sizes], 2


@spec
class Lion(Optimizer):
    """w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w)  (Chen et al. 2023, algorithm 2).

    Parameters
    ----------
    lr : learning rate; smaller than Adam's, since every step is that long
    betas : decay of the average inside the sign, and of m itself
    weight_decay : decoupled
    """

    lr: NonNegative = 1e-4
    betas: tuple[Share, Share] = (0.9, 0.99)
    weight_decay: NonNegative = 0.0

    def rule(self) -> tuple[Any, list[float], int]:
        from simdl.kernels.optimizers import lion

        return lion, [1.0, self.weight_decay, *self.betas], 1


@spec
class ProximalSGD(Optimizer):
    """A step of SGD, then the soft threshold by lr l1: the proximal gradient method for l1 |w|.

    Weights become exactly 0 (ISTA: Daubechies et al. 2004). Like weight decay, `l1` acts on every
    parameter unless a training excludes some.

    Parameters
    ----------
    lr : learning rate
    l1 : the penalty's factor
    momentum : 0 for none; a share of the last move, soft threshold included (iPiano: Ochs et al.
        2014), which at a constant rate and without l1 is SGD's momentum
    """

    lr: NonNegative = 1e-3
    l1: NonNegative = 0.0
    momentum: NonNegative = 0.0

    def rule(self) -> tuple[Any, list[float], int]:
        from simdl.kernels.optimizers import proximal_sgd, proximal_sgd_momentum

        if self.momentum > 0:
            return proximal_sgd_momentum, [1.0, self.l1, self.momentum], 1
        return proximal_sgd, [1.0, self.l1], 0


KINDS: dict[str, type[Optimizer]] = {
    kind.__name__: kind
    for kind in (
        SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, NAdam, RAdam, Rprop, Lion,
        ProximalSGD,
    )
}  # fmt: skip


def optimizer(choice: Any, key: str = "optimizer") -> Optimizer:
    """Return the optimizer for a name, a table (``{name = "Adam", lr = 1e-3}``) or itself."""
    return from_table(KINDS, choice, key)
