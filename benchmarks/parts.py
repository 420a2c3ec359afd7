"""Where a step's time goes: the parts of the first shape's step, each alone, in one process.

Parts run over and over on the same warm buffers, so their sum is a little below the whole step.
"""

from __future__ import annotations

import os
import sys

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import time
from collections import namedtuple
from collections.abc import Callable
from statistics import median

import numba
import numpy as np
from numba import njit, types
from ours import Products, Simdl
from shapes import SHAPES, Task, task

from simdl import optimizers
from simdl._jit import address, call
from simdl.engine import passes
from simdl.engine.program import Layout
from simdl.engine.records import RUN, records
from simdl.kernels.adaptive import adam
from simdl.kernels.losses import softmax_cross_entropy
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.kernels.statistics import all_finite

ROUNDS, SECONDS = 9, 0.1
Step = namedtuple("Step", "at run x t order targets losses y dy first slots options")


@njit(error_model="numpy")
def repeat(count, part, step):
    """Call a part `count` times through its address, which no compiler looks through."""
    for _ in range(count):
        call(part, step)


@njit(error_model="numpy")
def repeat_ops(count, ops, run, at):
    """Forward and backward of some ops, `count` times."""
    for _ in range(count):
        passes.forward(ops, run, at)
        passes.backward(ops, run, at)


@njit(error_model="numpy")
def loss_part(step):
    softmax_cross_entropy(step.losses, step.dy, step.y, step.targets, 0.0)


@njit(error_model="numpy")
def adam_part(step):
    adam(step.at.params, step.at.grads, step.slots, step.options, 0.0, 1000)  # rate 0: stays put


@njit(error_model="numpy")
def gather_part(step):
    rows = step.targets.shape[0]
    batch = step.at.arena[: rows * step.x.shape[1]].reshape(rows, step.x.shape[1])
    for i in range(rows):
        chosen = step.order[i]
        batch[i] = step.x[chosen]
        step.targets[i] = step.t[chosen]


@njit(error_model="numpy")
def scan_part(step):
    if not (all_finite(step.at.arena[step.first :]) and all_finite(step.at.grads)):
        step.losses[0] = np.nan


@njit(error_model="numpy")
def order_part(step):
    permutation(step.order, 0, STREAM_ORDER, 0)


def prepare(given: Task) -> tuple[Layout, Step]:
    """Return a step's ops and buffers, filled by one forward and backward."""
    net = given.net
    program, options = net.program, np.array(optimizers.Adam().rule()[1])
    layout = program.layout(given.batch)
    flat = net.init(0).flat
    at = layout.tensors(flat, np.zeros_like(flat), np.zeros(0, np.float32))
    run = records(RUN, 1)
    run[0].rows, run[0].training = given.batch, 1
    step = Step(
        at, run, given.x.reshape(len(given.x), -1), given.t.astype(np.float32)[:, None], given.first.reshape(-1).copy(),
        np.zeros((given.batch, 1), np.float32), np.zeros(given.batch, np.float32),
        layout.view(at.arena, program.output), layout.view(at.deltas, program.output),
        layout.offsets[1], np.zeros((2, flat.size), np.float32), options,
    )  # fmt: skip
    gather_part(step)
    passes.forward(layout.ops, run[0], at)
    loss_part(step)
    passes.backward(layout.ops, run[0], at)
    return layout, step._replace(order=np.arange(len(given.x)))


def medians(parts: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Median microseconds of one call of each part, which takes the number of calls; in turns."""

    def once(part: Callable[[int], object], count: int) -> float:
        start = time.perf_counter()
        part(count)
        return (time.perf_counter() - start) / count

    counts = {}
    for name, part in parts.items():
        once(part, 10)  # compiles
        counts[name] = max(1, int(SECONDS / once(part, 1000)))
    rounds = [[once(parts[name], counts[name]) for name in parts] for _ in range(ROUNDS)]
    return {
        name: 1e6 * median(times)
        for name, times in zip(parts, zip(*rounds, strict=True), strict=True)
    }


def measure(given: Task) -> dict[str, float]:
    """Return microseconds a step of every part, and of the whole step."""
    layout, step = prepare(given)
    run, at = step.run[0], step.at
    signature = types.none(numba.typeof(step))
    products, ours = Products(given), Simdl(given)

    def of(part: Callable[[Step], None]) -> Callable[[int], object]:
        where = address(part, signature)
        return lambda count: repeat(count, where, step)

    def of_ops(chosen: np.ndarray) -> Callable[[int], object]:
        ops = layout.ops[chosen]
        return lambda count: repeat_ops(count, ops, run, at)

    found = medians(
        {
            "products": lambda count: products.train(np.empty(count * given.batch, np.int8)),
            "bias and its gradient": of_ops(layout.ops.n_weight > 0),
            "tanh": of_ops(layout.ops.n_weight == 0),
            "loss": of(loss_part),
            "Adam": of(adam_part),
            "finite scan": of(scan_part),
            "order": of(order_part),
            "gather": of(gather_part),
            "whole step": lambda count: ours.train(np.empty(count * given.batch, np.int8)),
        }
    )
    found["bias and its gradient"] -= found["products"]  # what dense layers take beyond it
    found["order"] *= given.batch / len(given.x)  # once an epoch
    return found


def main() -> int:
    """Print the parts, their sum and the whole step (set-up included, .6 ms a training)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    shape = SHAPES[0]
    given = task(shape)
    found = measure(given)
    whole = found.pop("whole step")
    print(f"{shape.name}, batch {shape.batch}: microseconds a step")
    for name, us in (found | {"sum": sum(found.values()), "whole step": whole}).items():
        print(f"  {name:24}{us:7.2f}{100 * us / whole:6.0f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
