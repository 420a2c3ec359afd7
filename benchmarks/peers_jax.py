"""JAX: the whole training in one jitted call, a scan over epochs around a scan over batches."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from contenders import Contender
from jax import lax
from jax import numpy as jnp
from shapes import LR, Task


def mean_loss(params: Any, x: jax.Array, t: jax.Array) -> jax.Array:
    """Mean softmax cross-entropy of a tanh network; params: (w, b) a layer."""
    for weight, bias in params[:-1]:
        x = jnp.tanh(x @ weight + bias)
    weight, bias = params[-1]
    return optax.softmax_cross_entropy_with_integer_labels(x @ weight + bias, t).mean()


@partial(jax.jit, static_argnames=("optimizer", "batch"), donate_argnames="carry")
def run(
    carry: Any, x: jax.Array, t: jax.Array, orders: jax.Array, optimizer: Any, batch: int
) -> Any:
    """Train over `orders` (epochs, samples): one shuffle an epoch, then slices."""

    def step(carry: Any, samples: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        params, state = carry
        grads = jax.grad(mean_loss)(params, *samples)
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    def epoch(carry: Any, order: jax.Array) -> tuple[Any, None]:
        batches = x[order].reshape(-1, batch, x.shape[1]), t[order].reshape(-1, batch)
        return lax.scan(step, carry, batches)[0], None

    return lax.scan(epoch, carry, orders)[0]


class Jax(Contender):
    """One update an array, as optax.adam does it."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.x, self.t = jnp.asarray(task.x), jnp.asarray(task.t, jnp.int32)
        self.optimizer = self.make_optimizer()
        self.restart()

    def make_optimizer(self) -> optax.GradientTransformation:
        return optax.adam(LR)

    def restart(self) -> None:
        # a copy: the array is donated, and on a CPU it may share the task's memory
        params = jax.tree.map(lambda array: jnp.array(array, copy=True), list(self.task.weights))
        self.carry = jax.block_until_ready((params, self.optimizer.init(params)))

    def orders(self, steps: int) -> np.ndarray:
        return jax.block_until_ready(jnp.asarray(super().orders(steps), jnp.int32))

    def train(self, orders: Any) -> None:
        self.carry = jax.block_until_ready(
            run(self.carry, self.x, self.t, orders, self.optimizer, self.task.batch)
        )

    def loss(self) -> float:
        return float(mean_loss(self.carry[0], self.x, self.t))

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "optax": optax.__version__}


class JaxFlat(Jax):
    """One update over all parameters as one vector."""

    def make_optimizer(self) -> optax.GradientTransformation:
        return optax.flatten(optax.adam(LR))
