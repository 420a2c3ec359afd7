"""Losses by name; each is the mean over the samples of a batch."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from simdl.errors import InputError
from simdl.spec import Positive, Share, from_table, spec


class Loss:
    """What training minimises."""

    labels: ClassVar[bool] = False  # whether targets are class indices
    threshold: ClassVar[float] = 0.5  # above it a single output says class 1

    def rule(self) -> tuple[Any, float]:
        """Return the compiled loss and its one number."""
        raise TypeError(f"{type(self).__name__} must define rule")

    def outputs(self, classes: int) -> int:
        """Return how many outputs a network needs to tell `classes` apart."""
        return classes

    def check(self, outputs: tuple[int, ...]) -> None:
        """Raise InputError where nothing can be learned from this loss of such outputs."""

    def targets(self, t: np.ndarray, outputs: tuple[int, ...], dtype: str, key: str) -> np.ndarray:
        """Return targets (n, m) as the engine takes them.

        Parameters
        ----------
        t : class indices (n,), or numbers (n,) or (n, k); but for softmax_cross_entropy, indices
            become one-hot targets, or stay 0 and 1 where the network has one output
        outputs : the network's output shape
        dtype : the network's precision
        key : which targets, for messages
        """
        if len(outputs) != 1:
            raise InputError(f"network: output shape {outputs}: must be flat: end with a Dense")
        t = np.asarray(t)
        if np.issubdtype(t.dtype, np.integer) and t.ndim == 1:
            alone = outputs[0] == 1 and not self.labels
            _check_labels(t, 2 if alone else outputs[0], outputs[0], key)
            if self.labels or alone:
                return t.astype(dtype)[:, None]
            return np.eye(outputs[0], dtype=dtype)[t]
        if self.labels:
            raise InputError(
                f"{key}: {t.dtype} {t.shape}: must be class indices, integers (n,); "
                "for numbers use loss='mse'"
            )
        t = t.reshape(len(t), -1)
        if t.shape[1] != outputs[0]:
            raise InputError(
                f"{key}: {t.shape[1]} numbers a sample: must be {outputs[0]}, the network's outputs"
            )
        return t.astype(dtype)


def _check_labels(t: np.ndarray, classes: int, outputs: int, key: str) -> None:
    outside = (t < 0) | (t >= classes)
    if outside.any():
        wrong = np.flatnonzero(outside)
        raise InputError(
            f"{key}: label {t[wrong[0]]} in row {wrong[0]}: must be 0 to {classes - 1}, "
            f"for the network has {outputs} output{'s' * (outputs != 1)}; whole numbers are "
            "classes: for regression give floats, or task='regression' where a file is loaded"
        )


@spec
class SoftmaxCrossEntropy(Loss):
    """-log softmax(logits)[label], natural logarithm (nats).

    Parameters
    ----------
    label_smoothing : share of the target spread evenly over all classes (Szegedy et al. 2016)
    """

    label_smoothing: Share = 0.0
    labels: ClassVar[bool] = True

    def check(self, outputs: tuple[int, ...]) -> None:
        if outputs == (1,):
            raise InputError(
                "network: 1 output: the softmax of one output is always 1, and the loss 0: use "
                "loss='binary_cross_entropy', which tells two classes by one output, or give one "
                "output a class"
            )

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import softmax_cross_entropy

        return softmax_cross_entropy, self.label_smoothing


@spec
class BinaryCrossEntropy(Loss):
    """-t log p - (1 - t) log(1 - p) with p = sigmoid(logit), mean over outputs (nats).

    Targets are class indices, or numbers from 0 to 1. Two classes need one output, which says
    class 1 where the logit is positive; with one output a class, labels become one-hot targets.
    """

    threshold: ClassVar[float] = 0.0

    def outputs(self, classes: int) -> int:
        return 1 if classes == 2 else classes

    def targets(self, t: np.ndarray, outputs: tuple[int, ...], dtype: str, key: str) -> np.ndarray:
        made = super().targets(t, outputs, dtype, key)
        wrong = np.argwhere((made < 0) | (made > 1))
        if len(wrong):
            row, column = wrong[0]
            raise InputError(
                f"{key}: {made[row, column]} in row {row}: must be from 0 to 1, a probability"
            )
        return made

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import binary_cross_entropy

        return binary_cross_entropy, 0.0


@spec
class MeanSquaredError(Loss):
    """Mean over outputs of (y - t)^2; labels become one-hot targets.

    Behind a Sigmoid it is the classical loss of binary and one-hot outputs.
    """

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import mean_squared_error

        return mean_squared_error, 0.0


@spec
class MeanAbsoluteError(Loss):
    """Mean over outputs of |y - t|; labels become one-hot targets."""

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import mean_absolute_error

        return mean_absolute_error, 0.0


@spec
class Huber(Loss):
    """Mean over outputs of e^2 / 2, and of delta (|e| - delta / 2) where |e| > delta; e = y - t.

    Parameters
    ----------
    delta : where the square goes over into a line (Huber 1964)
    """

    delta: Positive = 1.0

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import huber

        return huber, self.delta


KINDS: dict[str, type[Loss]] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
}


def loss(choice: Any, key: str = "loss") -> Loss:
    """Return the loss for a name ("softmax_cross_entropy", "mse"), a table or an instance.

    Names: softmax_cross_entropy, binary_cross_entropy, mse, mae, huber.
    """
    return from_table(KINDS, choice, key)
