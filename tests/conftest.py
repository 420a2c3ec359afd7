"""Lies here so that pytest puts this folder on the import path, for tests/oracle as well.

Two workers that both find nothing compiled would both compile the same: the training loop is
compiled before they start, for each precision in a process of its own. A file's tests run in one
worker, which makes what they look at once; long files come first, lest one worker is left with one.
"""

from __future__ import annotations

import pytest
from processes import run_together

TRAIN = """
import numpy as np, simdl
part = np.zeros((4, 2)), np.arange(4) % 2
net = simdl.Network((2,), [simdl.layers.Dense(2)], dtype="{dtype}")
data = simdl.Data(train=part, validation=part)
simdl.train(net, data, batch_size=2, epochs=1, stop="patience", probes=["sharpness"])
print("null")
"""
LONG = ("vanishing_gradients", "lanes", "cache", "mnist1d", "sweep_stale", "sweep_processes", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONG)


def pytest_sessionstart(session: pytest.Session) -> None:
    workers = getattr(session.config.option, "numprocesses", None)
    if workers and not hasattr(session.config, "workerinput"):
        run_together(TRAIN.format(dtype=dtype) for dtype in ("float32", "float64"))
