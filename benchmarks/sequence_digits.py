"""Test accuracies on MNIST-1D against the published ones (Greydanus and Kobak 2020).

Theirs: Adam at a rate of .01, batches of 100, 6,000 steps, the accuracy after the last, one seed.
Their initial weights and biases are PyTorch's, U(+-1/sqrt(fan_in)); here biases begin at 0, and the
order of the samples is drawn anew each epoch, where theirs is fixed. Prints one line a model.

    python benchmarks/sequence_digits.py [--steps 6000] [--seeds 5]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import simdl
from simdl import layers as L
from simdl import optimizers as O

INIT = {"name": "scaled", "gain": 1 / 3, "uniform": True}


@dataclass(frozen=True)
class Model:
    """Published test accuracy in percent, and number of parameters."""

    layers: list[Any]
    accuracy: float
    parameters: int

    def network(self) -> simdl.Network:
        return simdl.Network((40, 1), self.layers, init=INIT)


def convolution(size: int) -> list[Any]:
    return [L.Conv1D(25, size, stride=2, padding=1), L.ReLU()]


MODELS = {
    "logistic": Model([L.Flatten(), L.Dense(10)], 31.5, 410),
    "mlp": Model(
        [L.Flatten(), L.Dense(100), L.ReLU(), L.Residual([L.Dense(100), L.ReLU()]), L.Dense(10)],
        65.0, 15_210,
    ),
    "cnn": Model(
        [*convolution(5), *convolution(3), *convolution(3), L.Flatten(), L.Dense(10)], 92.0, 5_210
    ),
}  # fmt: skip


def published_data() -> simdl.Data:
    """The 4,000 training and 1,000 test samples, as published: already of mean 0 and variance 1."""
    return simdl.data.load("mnist1d", split=(0.8, 0, 0.2), scale="none")


def accuracy(model: Model, data: simdl.Data, steps: int, seed: int) -> float:
    """Test accuracy in percent after the last step."""
    result = simdl.train(
        model.network(), data, optimizer=O.Adam(lr=0.01), batch_size=100, steps=steps, seed=seed,
        probes=[simdl.Probe("accuracy", "end")],
    )  # fmt: skip
    return 100 * float(result.metrics["test_accuracy"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Test accuracies on MNIST-1D.")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    data = published_data()
    for name, model in MODELS.items():
        start = time.perf_counter()
        found = [accuracy(model, data, asked.steps, seed) for seed in range(asked.seeds)]
        seconds = (time.perf_counter() - start) / asked.seeds
        print(
            f"{name:<9} {model.network().n_parameters:>6,} parameters  test {np.mean(found):.1f} %"
            f" ({', '.join(f'{value:.1f}' for value in found)})  published {model.accuracy:.1f} %"
            f"  {seconds:.1f} s a seed"
        )


if __name__ == "__main__":
    main()
