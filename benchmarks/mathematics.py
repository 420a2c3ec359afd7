"""Nanoseconds an element of exp, tanh and sigmoid against NumPy's, float32 and float64.

4,096 elements, warm, in turns; medians of rounds. sigmoid is compared with 1 / (1 + np.exp(-x)).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from simdl import njit
from simdl.kernels.mathematics import exp, sigmoid, tanh

SIZE, ROUNDS, CALLS = 4096, 31, 200
GOALS = {"exp": 1.0, "tanh": 1.8, "sigmoid": 1.0}  # at most so many times NumPy's time, float32


def over(function: Callable) -> Callable:
    @njit
    def fill(count, y, x):
        for _ in range(count):
            for i in range(x.size):
                y[i] = function(x[i])

    return fill


OURS = {"exp": over(exp), "tanh": over(tanh), "sigmoid": over(sigmoid)}


def theirs(name: str, y: np.ndarray, x: np.ndarray, room: np.ndarray) -> None:
    if name == "sigmoid":
        np.negative(x, out=room)
        np.exp(room, out=room)
        np.add(room, 1, out=room)
        np.divide(1, room, out=y)
    else:
        getattr(np, name)(x, out=y)


def main() -> int:
    """Print a line a function and a precision."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(0).normal(0, 3, SIZE).astype(dtype)
        y, room = np.empty_like(x), np.empty_like(x)
        for name, ours in OURS.items():
            ours(1, y, x)
            found: list[tuple[float, float]] = []
            for _ in range(ROUNDS):
                marks = [time.perf_counter()]
                ours(CALLS, y, x)
                marks.append(time.perf_counter())
                for _ in range(CALLS):
                    theirs(name, y, x, room)
                marks.append(time.perf_counter())
                found.append((marks[1] - marks[0], marks[2] - marks[1]))
            mine, numpy = (1e9 * median(v) / CALLS / SIZE for v in zip(*found, strict=True))
            ratio = median(a / b for a, b in found)
            goal = f", goal {GOALS[name]}" if dtype is np.float32 else ""
            print(
                f"{name:8}{np.dtype(dtype).name:9} {mine:.3f} ns an element, NumPy {numpy:.3f}, "
                f"ratio {ratio:.2f}{goal}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
