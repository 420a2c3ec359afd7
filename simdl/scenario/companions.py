"""Whether a sample's output depends on the samples it shares a batch with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simdl.data import load
from simdl.functional import forward
from simdl.layers import Dense, ReLU
from simdl.network import Network
from simdl.scenario.normalized import NORMS

LOOKED_AT = 8  # samples


def companions(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Put some digits into two batches each, with others drawn anew; compare their outputs.

    A network of two hidden layers at birth, as it behaves in training.

    Parameters
    ----------
    settings : `norm`, "batch" or "layer"; `batch`, samples; `width`

    Returns
    -------
    dict
        `change`, RMS of a sample's change of output over the RMS of outputs; `largest`, the largest
        absolute change, from one company to another or to being alone.
    """
    width, size = settings["width"], settings["batch"]
    block = (Dense(width), *NORMS[settings["norm"]], ReLU())
    net = Network((64,), (*block, *block, Dense(10)), "he_normal")
    data, rng = load("digits", seed=seed), np.random.default_rng(seed)
    x, params = data.samples("train", "float32"), net.init(seed)

    def output(sample: int, others: np.ndarray) -> np.ndarray:
        place = int(rng.integers(len(others) + 1))
        rows = np.insert(others, place, sample)
        return forward(net, params, x[rows], training=True)[place]

    changes, alone, squares = [], [], []
    for sample in range(LOOKED_AT):
        rest = np.delete(np.arange(len(x)), sample)
        one, other = (output(sample, rng.choice(rest, size - 1, replace=False)) for _ in range(2))
        changes.append(one - other)
        alone.append(one - output(sample, rest[:0]))
        squares.append(np.mean(one**2))
    return {
        "change": float(np.sqrt(np.mean(np.square(changes)) / np.mean(squares))),
        "largest": float(np.max(np.abs([changes, alone]))),
    }
