"""What a contender is, and the process in which each one lives."""

from __future__ import annotations

import importlib
import time
import traceback
from abc import ABC, abstractmethod

import numpy as np
from shapes import Task

from simdl import layers as L

# name -> module, class; every other contender is compared with the first
CONTENDERS = {
    "simdl": ("ours", "Simdl"),
    "pytorch": ("peers_torch", "Torch"),
    "pytorch-last": ("peers_torch", "TorchChannelsLast"),
    "pytorch-compiled": ("peers_torch", "TorchCompiled"),
    "jax": ("peers_jax", "Jax"),
    "jax-flat": ("peers_jax", "JaxFlat"),
    "scikit-learn": ("peers_sklearn", "Sklearn"),
    "products": ("ours", "Products"),
    "blas": ("ours", "Blas"),
}
PLAIN = ("scikit-learn", "products", "blas")  # know dense layers with tanh only
IMAGES = ("pytorch-last",)
SLOW = ("pytorch-compiled",)  # to start: left out of the quick run
LONGEST = 20_000  # steps a round: later the loss nears 0 and subnormals slow whoever keeps them


def able(task: Task, quick: bool) -> list[str]:
    """Names of the contenders that can do a task."""
    left = () if task.plain else PLAIN
    left += () if any(isinstance(v, L.Conv2D) for v in task.layers) else IMAGES
    left += SLOW if quick else ()
    return [name for name in CONTENDERS if name not in left]


class Contender(ABC):
    """Trains one task; `restart` first, then `train`."""

    trains = True  # has a loss that must fall and agree with the others'
    dropping = True  # whether dropout drops, which it does not in the check

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def restart(self) -> None:
        """Go back to the task's weights and to a fresh optimizer."""

    @abstractmethod
    def train(self, orders: np.ndarray) -> None:
        """Train; return when it is done.

        Parameters
        ----------
        orders : (epochs, samples) the samples of each epoch in order; whole batches
        """

    @abstractmethod
    def loss(self) -> float:
        """Mean cross-entropy over the task's data as one batch, nothing dropped.

        By its own statistics: behind a batch normalization biases get no gradient but rounding,
        which Adam makes steps of; these are seen by running statistics alone.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Name and version of what does the work."""

    def orders(self, steps: int) -> np.ndarray:
        """Draw the orders for at least `steps` steps, whole epochs."""
        n = len(self.task.x)
        epochs = -(-steps * self.task.batch // n)
        one = np.arange(n)
        return np.random.default_rng(0).permuted(np.tile(one, (epochs, 1)), axis=1)

    def seconds(self, steps: int) -> float:
        """Seconds a step, over about `steps` steps from the start.

        Off the clock: start, optimizer state and drawing the peers' orders (not applying them).
        """
        self.restart()
        orders = self.orders(steps)
        start = time.perf_counter()
        self.train(orders)
        return (time.perf_counter() - start) * self.task.batch / orders.size

    # --- what the process answers ---------------------------------------------------------------

    def check(self) -> float | None:
        """Loss after the first steps on the common batches; None for what does not train."""
        if not self.trains:
            return None
        self.dropping = False
        self.restart()
        self.train(self.task.first.reshape(1, -1))
        self.dropping = True
        return self.loss()

    def warm(self, budget: float) -> int:
        """Compile and warm up; return how many steps fill `budget` seconds."""
        steps = 1
        for share in (0.1, 0.5, 1.0):
            self.seconds(steps)  # JAX compiles for each new length
            steps = min(LONGEST, 1 + int(share * budget / self.seconds(steps)))
        self.seconds(steps)
        return steps

    def trained(self) -> tuple[float, float] | None:
        """Loss before and after the last timed training."""
        if not self.trains:
            return None
        after = self.loss()
        self.restart()
        return self.loss(), after


def serve(name: str, task: Task, pipe) -> None:
    """Answer method calls over a pipe: (method, arguments) -> (done, result or traceback)."""
    try:
        module, kind = CONTENDERS[name]
        contender = getattr(importlib.import_module(module), kind)(task)
        pipe.send((True, contender.versions()))
        for method, arguments in iter(pipe.recv, None):
            pipe.send((True, getattr(contender, method)(*arguments)))
    except Exception:
        pipe.send((False, traceback.format_exc()))
