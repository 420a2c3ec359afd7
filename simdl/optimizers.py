"""Optimizers: PyTorch's definitions, defaults and option names; every step is one compiled loop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.errors import InputError
from simdl.parameters import Parameters, as_parameters
from simdl.spec import Finite, NonNegative, Share, from_table, spec


@dataclass(frozen=True)
class State:
    """An optimizer's memory: `slots` (k, p) in the parameters' layout, `t` steps taken."""

    slots: np.ndarray
    t: int = 0


class Optimizer:
    """A rule that turns gradients into new parameters."""

    lr: float

    def rule(self) -> tuple[Any, list[float], int]:
        """Return the compiled update, its options and how many slots it needs."""
        raise TypeError(f"{type(self).__name__} must define rule")

    def init(self, params: Parameters) -> State:
        """Return the state before the first step."""
        return State(np.zeros((self.rule()[2], params.flat.size), params.flat.dtype))

    def update(
        self, params: Parameters, grads: Parameters, state: State, lr: float | None = None
    ) -> tuple[Parameters, State]:
        """Return parameters and state after one step; the arguments stay as they are.

        Parameters
        ----------
        params, grads : mappings with the same keys, as `Network.init` and `value_and_grad` give
        state : what `init` or the last `update` returned
        lr : learning rate of this step; default the optimizer's

        Raises
        ------
        InputError
            If the gradient or the state is not one of these parameters and this optimizer.
        """
        params, grads = as_parameters(params, "params"), as_parameters(grads, "grads")
        if grads.flat.shape != params.flat.shape or grads.flat.dtype != params.flat.dtype:
            raise InputError(
                f"grads: {grads.flat.size} of {grads.flat.dtype}: must match the parameters, "
                f"{params.flat.size} of {params.flat.dtype}"
            )
        function, options, count = self.rule()
        _check_state(state, (count, params.flat.size), params.flat.dtype, type(self).__name__)
        new, slots = params.copy(), state.slots.copy(order="C")
        rate = _checked_rate(self.lr if lr is None else lr)
        function(new.flat, grads.flat, slots, np.array(options, float), rate, state.t + 1)
        return new, State(slots, state.t + 1)


def _check_state(state: Any, shape: tuple[int, int], dtype: Any, name: str) -> None:
    """Raise InputError unless `state` is what the compiled update indexes without looking."""
    if not isinstance(state, State):
        raise InputError(f"state: {type(state).__name__}: must be what {name}.init returns")
    slots, t = state.slots, state.t
    if not isinstance(slots, np.ndarray) or slots.shape != shape or slots.dtype != dtype:
        given = (
            f"{slots.shape} of {slots.dtype}"
            if isinstance(slots, np.ndarray)
            else type(slots).__name__
        )
        raise InputError(f"state.slots: {given}: must be {shape} of {dtype}, as {name}.init gives")
    if isinstance(t, bool) or not isinstance(t, int | np.integer) or t < 0:
        raise InputError(f"state.t: {t!r}: must be a whole number of steps, 0 or more")


def _checked_rate(lr: Any) -> float:
    number = isinstance(lr, int | float | np.number) and not isinstance(
        lr, bool | np.complexfloating
    )
    if not number or not 0 <= lr < math.inf:
        raise InputError(f"lr: {lr!r}: must be a finite number, 0 or more")
    return float(lr)


@spec
class SGD(Optimizer):
    """w -= lr v, v = momentum v + (1 - dampening) g; without momentum v = g.

    Parameters
    ----------
    lr : learning rate
    momentum : 0 for none; no factor 1 - momentum
    dampening : share of the gradient withheld, from the second step on
    nesterov : look ahead (Sutskever et al. 2013); needs momentum and no dampening
    weight_decay : L2 penalty, added to the gradient
    """

    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: Finite = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise InputError("SGD.nesterov: True: needs momentum above 0 and dampening 0")

    def rule(self) -> tuple[Any, list[float], int]:
        from simdl.kernels.optimizers import sgd, sgd_momentum, sgd_nesterov

        options = [self.weight_decay, self.momentum, self.dampening]
        if self.nesterov:
            return sgd_nesterov, options, 1
        return (sgd_momentum, options, 1) if self.momentum > 0 else (sgd, options, 0)


@spec
class Adam(Optimizer):
    """w -= lr m^ / (sqrt(v^) + eps) (Kingma and Ba 2015).

    Parameters
    ----------
    lr : learning rate
    betas : decay of the averages of g and of g^2
    eps : added outside the root
    weight_decay : L2 penalty, added to the gradient
    bias_correction : divide the averages by 1 - beta^t
    """

    lr: NonNegative = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    bias_correction: bool = True

    def rule(self) -> tuple[Any, list[float], int]:
        from simdl.kernels.optimizers import adam

        options = [*self.betas, self.eps, self.weight_decay, float(self.bias_correction)]
        return adam, options, 2


KINDS: dict[str, type[Optimizer]] = {"SGD": SGD, "Adam": Adam}


def optimizer(choice: Any, key: str = "optimizer") -> Optimizer:
    """Return the optimizer for a name, a table (``{name = "Adam", lr = 1e-3}``) or itself."""
    return from_table(KINDS, choice, key)
