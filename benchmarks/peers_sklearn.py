"""scikit-learn: MLPClassifier, an epoch a call of partial_fit."""

from __future__ import annotations

import numpy as np
import sklearn
from contenders import Contender
from shapes import LR, Task
from sklearn.neural_network import MLPClassifier


class Sklearn(Contender):
    """The shuffle is ours: its own gathers every batch with checks, which takes longer."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.classes = np.arange(task.widths[-1])
        self.x = task.x.reshape(len(task.x), -1)
        self.model = MLPClassifier(
            task.widths[1:-1], activation="tanh", solver="adam", alpha=0.0,
            learning_rate_init=LR, batch_size=task.batch, shuffle=False, random_state=0,
        )  # fmt: skip
        rows = np.arange(task.batch)
        self.model.partial_fit(self.x[rows], task.t[rows], classes=self.classes)  # makes its arrays
        self.restart()

    def restart(self) -> None:
        model = self.model
        for i, (weight, bias) in enumerate(self.task.dense):
            model.coefs_[i][:] = weight
            model.intercepts_[i][:] = bias
        if hasattr(model, "_optimizer"):
            del model._optimizer  # the next call makes a fresh one

    def train(self, orders: np.ndarray) -> None:
        for order in orders:
            self.model.partial_fit(self.x[order], self.task.t[order])

    def loss(self) -> float:
        shares = self.model.predict_proba(self.x)
        return float(-np.log(shares[np.arange(len(shares)), self.task.t]).mean())

    def versions(self) -> dict[str, str]:
        return {"scikit-learn": sklearn.__version__}
