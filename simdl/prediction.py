"""From a trained network's outputs to class names or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.data import Encoder
from simdl.data.arrays import inputs
from simdl.errors import InputError
from simdl.functional import forward
from simdl.losses import BinaryCrossEntropy, Loss

if TYPE_CHECKING:
    from simdl.network import Network
    from simdl.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of samples.

    Attributes
    ----------
    outputs : (N, k) the network's outputs; in regression in the units of the target
    labels : (N,) int64, the most probable classes; None in regression
    probabilities : (N, classes); None in regression and where the loss gives none
    classes : names of the classes; None in regression
    """

    outputs: np.ndarray
    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    classes: tuple[str, ...] | None = None

    @property
    def answers(self) -> np.ndarray:
        """Names of the classes (N,), or numbers (N, k)."""
        if self.labels is None or self.classes is None:
            return self.outputs
        return np.array(self.classes, dtype=np.str_)[self.labels]


def predict(net: Network, loss: Loss, params: Parameters, encoder: Encoder, x: Any) -> Predictions:
    """Return what a network says of raw samples (N, ...).

    Raises
    ------
    InputError
        If the samples do not fit the network, or what it says of one is no finite number.
    """
    missing = encoder.scaler is not None and encoder.scaler.fill is not None
    raw = inputs("x", x, missing)
    if encoder.scaler is not None and raw.shape[1:] != encoder.scaler.shift.shape:
        wanted = encoder.scaler.shift.shape
        raise InputError(f"x: samples of shape {raw.shape[1:]}: must be {wanted}, as in training")
    return from_inputs(net, loss, params, encoder, encoder.inputs(raw))


def from_inputs(
    net: Network, loss: Loss, params: Parameters, encoder: Encoder, x: np.ndarray
) -> Predictions:
    """The same for samples (N, ...) that are scaled already, as the parts of a `Data` are."""
    flat = np.prod(x.shape[1:]) == np.prod(net.input_shape)
    y = forward(net, params, x.reshape(-1, *net.input_shape) if flat else x).astype(np.float64)
    wrong = np.argwhere(~np.isfinite(y))
    if len(wrong):
        row, unit = wrong[0]
        raise InputError(
            f"outputs: {y[row, unit]} for sample {row}: must be finite numbers: neither the "
            "network nor the sample may hold numbers this large"
        )
    if encoder.classes is None:
        return Predictions(encoder.targets(y))
    if y.shape[1] > 1:
        shares = _softmax(y) if loss.labels else None
        return Predictions(y, y.argmax(axis=1), shares, encoder.classes)
    labels = (y[:, 0] > loss.threshold).astype(np.int64)
    told = isinstance(loss, BinaryCrossEntropy)  # the logit of the second class
    shares = _softmax(np.hstack([np.zeros_like(y), y])) if told else None
    return Predictions(y, labels, shares, encoder.classes)


def _softmax(y: np.ndarray) -> np.ndarray:
    shares = np.exp(y - y.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return how many samples (classes, classes) of each class, a row, got each label, a column."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def precision_recall(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall (classes,) of a confusion matrix; NaN where nothing counts.

    Precision: of what got the label, the share that is right. Recall: of what should get it, the
    share that does.
    """
    right = np.diag(counts).astype(float)
    given, there = counts.sum(axis=0), counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / given, right / there


def regression_errors(t: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return MSE, RMSE and R^2 of predictions y (N, k) for targets t (N, k).

    R^2 = 1 - sum (t-y)^2 / sum (t-mean t)^2, over all targets; NaN where t does not vary.
    """
    with np.errstate(over="ignore"):  # what is too large to be squared is inf
        squared = float(np.mean((t - y) ** 2))
    spread = float(np.mean((t - t.mean(axis=0)) ** 2))
    return {
        "MSE": squared,
        "RMSE": squared**0.5,
        "R^2": 1 - squared / spread if spread > 0 else float("nan"),
    }
