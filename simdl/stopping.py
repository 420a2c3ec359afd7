"""Early stopping: rules that end a training by its validation loss, and keep the best parameters.

A rule is asked at its interval, `every` epoch or so many steps, from the first full interval on;
such a question is a judgement. It measures, in inference mode, what it needs and no more, whatever
the probes: the validation part, for some rules the training part, never the test part.

Prechelt's rules (1998, "Early stopping - but when?") count epochs as he does at the default
interval. Beside its own criterion each of them also stops once P_k, the training progress over a
strip of k judgements, is below `min_progress` at a strip's end; strips do not overlap.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from simdl.errors import InputError
from simdl.spec import Count, Finite, NonNegative, Positive, from_table, spec

if TYPE_CHECKING:
    import xarray

Interval = Count | Literal["epoch"]
Keep = Literal["best", "last"]


class Stop:
    """A rule that ends a training.

    Every rule takes `every`, the interval of its judgements: "epoch" or a number of steps; and
    `keep`: "best" returns the parameters of the best judgement, also where the rule never stops,
    "last" those at the end.
    """

    every: Any
    keep: Any

    def rule(self, judgements_an_epoch: float) -> tuple[Any, list[float]]:
        """Return the compiled rule and its options."""
        raise TypeError(f"{type(self).__name__} must define rule")

    @property
    def watched(self) -> str:
        """The metric that tells which judgement is the best."""
        return "validation_loss"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the data that are measured."""
        return ("validation",)

    @property
    def stalled(self) -> str:
        """What it means that training no longer moves."""
        return ""

    def __str__(self) -> str:
        fields = [f.name for f in dataclasses.fields(self) if f.name not in ("every", "keep")]  # type: ignore[arg-type]
        values = ((name, getattr(self, name)) for name in fields)
        said = (f"{k}={v if isinstance(v, str) else format(v, 'g')}" for k, v in values)
        return f"{type(self).__name__}({', '.join(said)})"


class _Strips(Stop):
    """What Prechelt's rules share: the training progress P_k."""

    k: Any
    min_progress: Any

    @property
    def parts(self) -> tuple[str, ...]:
        return ("train", "validation") if self.min_progress > 0 else ("validation",)

    @property
    def stalled(self) -> str:
        return f"training progress P_{self.k} below {self.min_progress:g}"


@spec
class Patience(Stop):
    """Stop once the validation loss has not fallen for so many epochs.

    Parameters
    ----------
    epochs : how long to wait, epochs, whatever the interval
    min_delta : a fall must be larger than this
    every, keep : see `Stop`
    """

    epochs: Count = 10
    min_delta: NonNegative = 0.0
    every: Interval = "epoch"
    keep: Keep = "best"

    def rule(self, judgements_an_epoch: float) -> tuple[Any, list[float]]:
        from simdl.kernels.stopping import patience

        return patience, [math.ceil(self.epochs * judgements_an_epoch), self.min_delta]


@spec
class GL(_Strips):
    """Stop as soon as the generalization loss 100 (E_va / E_opt - 1) exceeds alpha.

    Parameters
    ----------
    alpha : percent
    k : judgements a strip
    min_progress : stop below this P_k, per mille; 0 for never, then the training part is not
        measured
    every, keep : see `Stop`
    """

    alpha: Positive
    k: Count = 5
    min_progress: NonNegative = 0.1
    every: Interval = "epoch"
    keep: Keep = "best"

    def rule(self, judgements_an_epoch: float) -> tuple[Any, list[float]]:
        from simdl.kernels.stopping import gl

        return gl, [self.alpha, self.k, self.min_progress]


@spec
class PQ(_Strips):
    """Stop at the first strip end where generalization loss / training progress exceeds alpha.

    Parameters
    ----------
    alpha : percent / per mille
    k : judgements a strip
    min_progress : stop below this P_k, per mille; 0 for never
    every, keep : see `Stop`
    """

    alpha: Positive
    k: Count = 5
    min_progress: NonNegative = 0.1
    every: Interval = "epoch"
    keep: Keep = "best"

    @property
    def parts(self) -> tuple[str, ...]:
        return ("train", "validation")

    def rule(self, judgements_an_epoch: float) -> tuple[Any, list[float]]:
        from simdl.kernels.stopping import pq

        return pq, [self.alpha, self.k, self.min_progress]


@spec
class UP(_Strips):
    """Stop once the validation loss has risen from strip end to strip end, s times in a row.

    Parameters
    ----------
    s : successive rises
    k : judgements a strip
    min_progress : stop below this P_k, per mille; 0 for never, then the training part is not
        measured
    every, keep : see `Stop`
    """

    s: Count
    k: Count = 5
    min_progress: NonNegative = 0.1
    every: Interval = "epoch"
    keep: Keep = "best"

    def rule(self, judgements_an_epoch: float) -> tuple[Any, list[float]]:
        from simdl.kernels.stopping import up

        return up, [self.s, self.k, self.min_progress]


@spec
class Target(Stop):
    """Stop once a loss is at most, or an accuracy at least, a value.

    The best judgement is the best by this metric: at the stop it is the last one.

    Parameters
    ----------
    metric : "train_loss", "train_accuracy", "validation_loss" or "validation_accuracy"
    value : what to reach
    every, keep : see `Stop`
    """

    metric: Literal["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    value: Finite
    every: Interval = "epoch"
    keep: Keep = "best"

    @property
    def watched(self) -> str:
        return self.metric

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.metric.partition("_")[0],)

    def rule(self, judgements_an_epoch: float) -> tuple[Any, list[float]]:
        from simdl.kernels.stopping import target

        return target, [*map(float, place(self.metric)), self.value]


KINDS: dict[str, type[Stop]] = {
    "patience": Patience,
    "GL": GL,
    "PQ": PQ,
    "UP": UP,
    "target": Target,
}


def place(metric: str) -> tuple[int, int]:
    """Return where a judgement holds a metric: its part, and 0 for the loss, 1 for the accuracy."""
    part, _, kind = metric.partition("_")
    return ("train", "validation").index(part), ("loss", "accuracy").index(kind)


def stop(choice: Any, key: str = "stop") -> Stop | None:
    """Return the rule for a name, a table (``{name = "GL", alpha = 5}``) or itself; None: none."""
    return None if choice is None else from_table(KINDS, choice, key)


def check_data(rule: Stop, has_validation: bool, has_classes: bool) -> None:
    """Raise InputError unless the data hold what the rule measures."""
    if "validation" in rule.parts and not has_validation:
        raise InputError(
            f"stop: {rule}: needs validation data: give data.validation, or a split whose second "
            "share is above 0"
        )
    if rule.watched.endswith("accuracy") and not has_classes:
        raise InputError(
            f"stop.metric: {rule.watched!r}: must be a loss: the targets are no classes"
        )


# --- what became of it ----------------------------------------------------------------------------


def steps_between(rule: Stop, an_epoch: int) -> int:
    """Return the steps from one judgement to the next."""
    return an_epoch if rule.every == "epoch" else int(rule.every)


def moment(step: int, an_epoch: int) -> str:
    """Say how far a training is after `step` steps."""
    return f"epoch {step // an_epoch}" if step % an_epoch == 0 else f"step {step}"


def best_of(
    rule: Stop | None, judged: np.ndarray, index: int, an_epoch: int
) -> dict[str, Any] | None:
    """Return when judgement `index` of `judged` (n, 3, 2) was made and what it saw; -1: None."""
    if rule is None or index < 0:
        return None
    step = (index + 1) * steps_between(rule, an_epoch)
    epoch = step / an_epoch if step % an_epoch else step // an_epoch
    return {
        "step": step,
        "epoch": epoch,
        rule.watched: float(judged[(index, *place(rule.watched))]),
    }


def seen_by(rule: Stop | None, judged: np.ndarray, an_epoch: int) -> xarray.Dataset:
    """Return the judgements (n, 3, 2) over their steps, without what the rule did not measure."""
    import xarray

    steps = np.arange(1, len(judged) + 1) * (steps_between(rule, an_epoch) if rule else 1)
    arrays = {}
    for part in rule.parts if rule else ():
        for kind in ("loss", "accuracy"):
            values = judged[(slice(None), *place(f"{part}_{kind}"))]
            if kind == "loss" or not np.isnan(values).all():
                arrays[f"{part}_{kind}"] = ("step", values)
    return xarray.Dataset(arrays, {"step": steps, "epoch": ("step", steps / an_epoch)})
