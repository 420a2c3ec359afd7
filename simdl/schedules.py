"""Learning-rate schedules: the rate of every step, after PyTorch's definitions and option names.

Lengths count epochs, or steps with ``unit="step"``. What falls in stairs changes where such a unit
begins; what is smooth (cosine, warm-up, one cycle) moves at every step either way, as a PyTorch
scheduler does that is stepped after every batch, with its lengths in steps.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from simdl.errors import InputError
from simdl.spec import Count, Flag, NonNegative, Positive, Real, from_table, spec

Unit = Literal["epoch", "step"]
Part = Annotated[Real, Field(ge=0, le=1)]


class Schedule:
    """What the optimizer's learning rate becomes, step by step."""

    def rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        """Return the learning rate of every step (steps,).

        Parameters
        ----------
        lr : the optimizer's learning rate
        steps : of the whole training
        steps_an_epoch : how many steps see the training set once

        Raises
        ------
        InputError
            If there are fewer rates than steps, or one is not finite.
        """
        with np.errstate(over="ignore"):
            made = self._rates(lr, steps, steps_an_epoch)
        if not np.isfinite(made).all():
            name, step = type(self).__name__, int(np.argmin(np.isfinite(made)))
            raise InputError(f"schedule: {name}: rate {made[step]} at step {step}: must be finite")
        return made

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} must define _rates")


def _length(value: float, unit: Unit, steps_an_epoch: int) -> float:
    """A length in steps."""
    return value * steps_an_epoch if unit == "epoch" else value


def _units(steps: int, unit: Unit, steps_an_epoch: int) -> np.ndarray:
    """How many units have passed before each step (steps,)."""
    return np.arange(steps) // (steps_an_epoch if unit == "epoch" else 1)


@spec
class Constant(Schedule):
    """lr, always. (PyTorch's ConstantLR is another thing: a warm-up in one stair.)"""

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        return np.full(steps, lr, float)


@spec
class Step(Schedule):
    """lr gamma^floor(t / step_size) (StepLR).

    Parameters
    ----------
    step_size : units between falls
    gamma : what each fall multiplies by
    unit : "epoch" or "step"
    """

    step_size: Count
    gamma: NonNegative = 0.1
    unit: Unit = "epoch"

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        return lr * self.gamma ** (_units(steps, self.unit, steps_an_epoch) // self.step_size)


@spec
class MultiStep(Schedule):
    """lr gamma^(how many milestones are reached) (MultiStepLR).

    Parameters
    ----------
    milestones : units before each fall; one that is given twice falls twice
    gamma : what each fall multiplies by
    unit : "epoch" or "step"
    """

    milestones: tuple[Count, ...]
    gamma: NonNegative = 0.1
    unit: Unit = "epoch"

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        t = _units(steps, self.unit, steps_an_epoch)
        return lr * self.gamma ** np.searchsorted(np.sort(self.milestones), t, side="right")


@spec
class Exponential(Schedule):
    """lr gamma^t (ExponentialLR); within an epoch the rate holds, unless the unit is a step.

    Parameters
    ----------
    gamma : what each unit multiplies by
    unit : "epoch" or "step"
    """

    gamma: NonNegative
    unit: Unit = "epoch"

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        return lr * self.gamma ** _units(steps, self.unit, steps_an_epoch)


@spec
class Cosine(Schedule):
    """eta_min + (lr - eta_min) (1 + cos(pi t / T_max)) / 2 (CosineAnnealingLR; Loshchilov and
    Hutter 2017, without restarts); beyond T_max it rises again, as PyTorch's does.

    Parameters
    ----------
    T_max : units of the fall; None for the whole training
    eta_min : the lowest rate
    unit : "epoch" or "step"
    """

    T_max: Positive | None = None
    eta_min: NonNegative = 0.0
    unit: Unit = "epoch"

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        length = steps if self.T_max is None else _length(self.T_max, self.unit, steps_an_epoch)
        turn = np.pi * np.arange(steps) / length
        return self.eta_min + (lr - self.eta_min) * (1 + np.cos(turn)) / 2


@spec
class Warmup(Schedule):
    """lr (start_factor + (end_factor - start_factor) t / total_iters) for total_iters (LinearLR),
    then another schedule, which begins there and has the steps that are left (SequentialLR).

    Parameters
    ----------
    total_iters : units of the warm-up; part of an epoch is rounded up to whole steps
    start_factor, end_factor : 0 to 1 (PyTorch's start_factor is above 0)
    then : schedule behind it: a name, a table, an instance or rates
    unit : "epoch" or "step"
    """

    total_iters: Positive = 5.0
    start_factor: Part = 1 / 3
    end_factor: Part = 1.0
    then: Any = "constant"
    unit: Unit = "epoch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", schedule(self.then, "Warmup.then"))

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        length = _length(self.total_iters, self.unit, steps_an_epoch)
        t = np.arange(min(int(np.ceil(length)), steps))
        warm = lr * (self.start_factor + (self.end_factor - self.start_factor) * t / length)
        left = steps - t.size
        return np.append(warm, self.then.rates(lr, left, steps_an_epoch)) if left else warm


@spec
class OneCycle(Schedule):
    """Up to the highest rate and down to almost nothing over the whole training (OneCycleLR; Smith
    and Topin 2018). The momentum stays as it is: PyTorch's `cycle_momentum` is left out.

    Parameters
    ----------
    max_lr : the highest rate; None for the optimizer's
    pct_start : share of the training that climbs
    anneal_strategy : "cos" or "linear"
    div_factor : the first rate is max_lr / div_factor
    final_div_factor : the last rate is the first / final_div_factor
    three_phase : fall to the first rate in as many steps as the climb took, then to the last
    """

    max_lr: Positive | None = None
    pct_start: Part = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4
    three_phase: Flag = False

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        top = lr if self.max_lr is None else self.max_lr
        first = top / self.div_factor
        last, climb = first / self.final_div_factor, self.pct_start * steps
        ends, levels = [climb - 1, steps - 1], [first, top, last]
        if self.three_phase:
            ends, levels = [climb - 1, 2 * climb - 2, steps - 1], [first, top, first, last]
        t = np.arange(steps)
        rates = np.full(steps, levels[-1])
        begins = [0.0, *ends[:-1]]
        for i in reversed(range(len(ends))):  # the first phase that has not ended counts
            length = ends[i] - begins[i]
            share = (t - begins[i]) / length if length else np.ones(steps)  # PyTorch divides by 0
            if self.anneal_strategy == "cos":
                share = (1 - np.cos(np.pi * share)) / 2
            moved = levels[i] + (levels[i + 1] - levels[i]) * share
            rates = np.where((t <= ends[i]) | (i == len(ends) - 1), moved, rates)
        return rates


@spec
class Values(Schedule):
    """A rate for every step; more than there are steps may be given.

    Parameters
    ----------
    values : numbers (steps,), at least 0 and finite
    """

    values: Any

    def __post_init__(self) -> None:
        try:
            given = np.asarray(self.values, float)
        except (TypeError, ValueError):
            given = np.zeros(())
        # NumPy reads True and "3" as numbers
        if given.ndim != 1 or any(isinstance(v, bool | np.bool_ | str) for v in self.values):
            raise InputError(
                f"Values.values: {reprlib.repr(self.values)}: must be numbers in one row, a rate "
                f"for every step (or one of {', '.join(sorted(KINDS))} by name, table or instance)"
            )
        if not (np.isfinite(given).all() and (given >= 0).all()):
            raise InputError(
                "Values.values: holds a negative rate, inf or NaN: must be at least 0 and finite"
            )
        object.__setattr__(self, "values", tuple(given.tolist()))

    def _rates(self, lr: float, steps: int, steps_an_epoch: int) -> np.ndarray:
        given = np.array(self.values)
        if given.size < steps:
            raise InputError(
                f"schedule: shape {given.shape}: must hold a rate for each of {steps} steps"
            )
        return given[:steps]


KINDS: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "multistep": MultiStep,
    "exponential": Exponential,
    "cosine": Cosine,
    "warmup": Warmup,
    "one_cycle": OneCycle,
    "values": Values,
}


def schedule(choice: Any, key: str = "schedule") -> Schedule:
    """Return the schedule for a name, a table, rates in a row, or itself; None is constant.

    A table with `values` needs no name.
    """
    if choice is None:
        return Constant()
    if isinstance(choice, Mapping) and "name" not in choice and "values" in choice:
        choice = {"name": "values"} | dict(choice)
    elif not isinstance(choice, str | Mapping | Schedule):
        choice = {"name": "values", "values": choice}
    return from_table(KINDS, choice, key)
