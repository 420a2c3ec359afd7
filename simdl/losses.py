"""Losses by name; each is the mean over the samples of a batch."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from simdl.errors import InputError
from simdl.spec import Share, from_table, spec


class Loss:
    """What training minimises."""

    labels: ClassVar[bool] = False  # whether targets are class indices

    def rule(self) -> tuple[Any, float]:
        """Return the compiled loss and its one number."""
        raise TypeError(f"{type(self).__name__} must define rule")

    def targets(self, t: np.ndarray, outputs: tuple[int, ...], dtype: str, key: str) -> np.ndarray:
        """Return targets (n, m) as the engine takes them.

        Parameters
        ----------
        t : class indices (n,), or numbers (n,) or (n, k)
        outputs : the network's output shape
        dtype : the network's precision
        key : which targets, for messages
        """
        if len(outputs) != 1:
            raise InputError(f"network: output shape {outputs}: must be flat: end with a Dense")
        t = np.asarray(t)
        if np.issubdtype(t.dtype, np.integer) and t.ndim == 1:
            _check_labels(t, outputs[0], key)
            if self.labels:
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


def _check_labels(t: np.ndarray, classes: int, key: str) -> None:
    wrong = np.flatnonzero((t < 0) | (t >= classes))
    if wrong.size:
        raise InputError(
            f"{key}: label {t[wrong[0]]} in row {wrong[0]}: must be 0 to {classes - 1}, "
            f"for the network has {classes} outputs; whole numbers are classes: for regression "
            "give floats, or task='regression' where a file is loaded"
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

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import softmax_cross_entropy

        return softmax_cross_entropy, self.label_smoothing


@spec
class MeanSquaredError(Loss):
    """Mean over outputs of (y - t)^2; labels become one-hot targets."""

    def rule(self) -> tuple[Any, float]:
        from simdl.kernels.losses import mean_squared_error

        return mean_squared_error, 0.0


KINDS: dict[str, type[Loss]] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "mse": MeanSquaredError,
}


def loss(choice: Any, key: str = "loss") -> Loss:
    """Return the loss for a name ("softmax_cross_entropy", "mse"), a table or an instance."""
    return from_table(KINDS, choice, key)
