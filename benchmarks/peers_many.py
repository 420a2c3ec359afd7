"""Many seeds of one network: what a thread or a process of each contender does with some of them.

A function trains its seeds and returns their losses and the seconds that training took; data,
orders and the start are there before its clock runs, and stay for the next call.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from shapes import LR, SHAPES, Task, task

SHAPE = SHAPES[0]  # 64-32-32-10, batch 32
EPOCHS = 31  # of 33 steps
SEEDS = 64
PARTS = 2  # threads, or processes

Part = tuple[list[float], float]


@functools.cache
def tasks() -> tuple[Task, ...]:
    """The task of each seed: one data set, its own weights, its own first orders."""
    return tuple(task(SHAPE, seed) for seed in range(SEEDS))


def steps() -> int:
    """Steps of a timed training: whole epochs, about a thousand."""
    return EPOCHS * len(tasks()[0].x) // SHAPE.batch


def orders_of(seeds: range, first: bool) -> np.ndarray:
    """(seeds, epochs, samples): those of the check, as simdl draws them, or a shuffle an epoch."""
    if first:
        return np.stack([tasks()[seed].first.reshape(1, -1) for seed in seeds])
    one = np.tile(np.arange(len(tasks()[0].x)), (EPOCHS, 1))
    return np.stack([np.random.default_rng(seed).permuted(one, axis=1) for seed in seeds])


def chunks(count: int) -> list[range]:
    """The seeds in so many parts of one size."""
    size = SEEDS // count
    return [range(start, start + size) for start in range(0, SEEDS, size)]


@functools.cache
def ours() -> Callable[[int], Part]:
    """Chunks of seeds in threads, as a sweep runs them; orders are drawn on the clock."""
    from concurrent.futures import ThreadPoolExecutor

    import simdl
    from simdl.training import describe, train_chunk

    given = tasks()[0]
    net, data = given.net, simdl.Data(train=(given.x, given.t))
    starts = [net.init(seed) for seed in range(SEEDS)]
    for start, own in zip(starts, tasks(), strict=True):
        for view, array in zip(start.values(), own.start.values(), strict=True):
            view[:] = array
    pool = ThreadPoolExecutor(PARTS)

    def train(steps: int) -> Part:
        adam = simdl.optimizers.Adam(lr=LR)
        how = describe(net, batch_size=SHAPE.batch, optimizer=adam, steps=steps, probes=[])

        def part(seeds: range) -> list[Any]:
            own = [starts[seed] for seed in seeds]
            return train_chunk(how, [data], list(seeds), own, np.zeros(3, np.int64))

        begun = time.perf_counter()
        results = [one for some in pool.map(part, chunks(4 * PARTS)) for one in some]
        took = time.perf_counter() - begun
        nets = [result.params for result in results]
        return [simdl.value_and_grad(net, p, given.x, given.t)[0] for p in nets], took

    return train


@functools.cache
def jax_trained() -> Any:
    """Jit of vmap over seeds of scan over steps."""
    import jax
    import optax
    from peers_jax import run

    optimizer = optax.flatten(optax.adam(LR))

    def train(params: Any, x: Any, t: Any, orders: Any) -> Any:
        carry = params, {}, optimizer.init(params), None
        return run(carry, x, t, orders, optimizer, SHAPE.batch, SHAPE.layers, False)[0]

    over = jax.vmap(train, in_axes=(0, None, None, 0))
    return jax.jit(over)


@functools.cache
def jax_given(seeds: range, first: bool) -> Any:
    """Parameters with a seed axis, data, orders: on the device before the clock runs."""
    import jax
    from jax import numpy as jnp

    own = [tasks()[seed].start for seed in seeds]
    params = jax.tree.map(lambda *arrays: jnp.stack(arrays), *own)
    given = tasks()[0]
    orders = jnp.asarray(orders_of(seeds, first), jnp.int32)
    return jax.block_until_ready(
        (params, jnp.asarray(given.x), jnp.asarray(given.t, jnp.int32), orders)
    )


def jax_part(seeds: range, first: bool) -> Part:
    """Train some seeds in this process."""
    import jax
    from peers_jax import mean_loss

    arguments = jax_given(seeds, first)
    begun = time.perf_counter()
    params = jax.block_until_ready(jax_trained()(*arguments))
    took = time.perf_counter() - begun
    of = jax.vmap(lambda own, x, t: mean_loss(own, {}, SHAPE.layers, x, t)[0], (0, None, None))
    losses = of(params, *arguments[1:3])
    return [float(loss) for loss in losses], took


@functools.cache
def torch_given(seed: int) -> Any:
    """Model and tensors of a seed."""
    from peers_torch import Torch

    return Torch(tasks()[seed])


def torch_part(seeds: range, first: bool) -> Part:
    """Train some seeds in this process, one behind the other, on one thread."""
    losses, took = [], 0.0
    for seed, orders in zip(seeds, orders_of(seeds, first), strict=True):
        one = torch_given(seed)
        one.restart()
        begun = time.perf_counter()
        one.train(orders)
        took += time.perf_counter() - begun
        losses.append(one.loss())
    return losses, took
