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
from shapes import LR, SEED, Layers, Task

from simdl import layers as L

Arrays = dict[str, jax.Array]


def convolved(layer: Any, x: jax.Array, weight: jax.Array) -> jax.Array:
    one = weight.ndim == 3
    padding = layer.padding
    if not isinstance(padding, str):
        padding = [(padding, padding)] * (1 if one else 2)
    order = ("NHC", "HIO", "NHC") if one else ("NHWC", "HWIO", "NHWC")
    stride = (layer.stride,) * (1 if one else 2)
    padding = padding.upper() if isinstance(padding, str) else padding
    return lax.conv_general_dilated(x, weight, stride, padding, dimension_numbers=order)


def normalized(
    layer: Any, x: jax.Array, own: Arrays, kept: Arrays, training: bool
) -> tuple[jax.Array, Arrays]:
    """Batch normalization, and its new running statistics."""
    mean, variance = kept["running_mean"], kept["running_var"]
    if training:
        m = x.size // x.shape[-1]
        axes = tuple(range(x.ndim - 1))
        now = x.mean(axes), x.var(axes)
        kept = {
            "running_mean": mean + layer.momentum * (now[0] - mean),
            "running_var": variance + layer.momentum * (now[1] * m / (m - 1) - variance),
        }
        mean, variance = now
    y = (x - mean) * lax.rsqrt(variance + layer.eps)
    return y * own["weight"] + own["bias"], kept


def forward(
    layers: Layers, params: Arrays, stats: Arrays, x: jax.Array, key: Any, training: bool
) -> tuple[jax.Array, Arrays]:
    """Return the outputs and the new running statistics; without a key nothing is dropped."""
    made = dict(stats)
    for i, layer in enumerate(layers):
        own, kept = (
            {k.partition(".")[2]: v for k, v in given.items() if k.partition(".")[0] == str(i)}
            for given in (params, stats)
        )
        match layer:
            case L.Flatten():
                x = x.reshape(len(x), -1)
            case L.Dense():
                x = x @ own["weight"] + own["bias"]
            case L.Conv1D() | L.Conv2D():
                x = convolved(layer, x, own["weight"]) + own["bias"]
            case L.MaxPool2D():  # its gradient is faster than that of a reduce_window
                n, h, w, c = x.shape
                k = layer.size
                x = x.reshape(n, h // k, k, w // k, k, c).max((2, 4))
            case L.BatchNorm():
                x, kept = normalized(layer, x, own, kept, training)
                made |= {f"{i}.{name}": value for name, value in kept.items()}
            case L.Dropout():
                if training and key is not None:
                    mask = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - layer.rate, x.shape)
                    x = jnp.where(mask, x / (1 - layer.rate), 0.0)
            case L.ReLU():
                x = jax.nn.relu(x)
            case L.Tanh():
                x = jnp.tanh(x)
            case _:
                raise TypeError(f"{layer}: not known")
    return x, made


def mean_loss(
    params: Arrays, stats: Arrays, layers: Layers, x: jax.Array, t: jax.Array,
    key: Any = None, training: bool = False,
) -> tuple[jax.Array, Arrays]:  # fmt: skip
    """Mean softmax cross-entropy, and the new running statistics."""
    y, stats = forward(layers, params, stats, x, key, training)
    return optax.softmax_cross_entropy_with_integer_labels(y, t).mean(), stats


@partial(
    jax.jit, static_argnames=("optimizer", "batch", "layers", "dropping"), donate_argnames="carry"
)
def run(
    carry: Any, x: jax.Array, t: jax.Array, orders: jax.Array, optimizer: Any, batch: int,
    layers: Layers, dropping: bool,
) -> Any:  # fmt: skip
    """Train over `orders` (epochs, samples): one shuffle an epoch, then slices.

    carry : parameters, running statistics, optimizer state, key
    """
    drops = dropping and any(isinstance(layer, L.Dropout) for layer in layers)

    def step(carry: Any, samples: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        params, stats, state, key = carry
        key, own = jax.random.split(key) if drops else (key, None)
        grads, stats = jax.grad(mean_loss, has_aux=True)(params, stats, layers, *samples, own, True)
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), stats, state, key), None

    def epoch(carry: Any, order: jax.Array) -> tuple[Any, None]:
        batches = x[order].reshape(-1, batch, *x.shape[1:]), t[order].reshape(-1, batch)
        return lax.scan(step, carry, batches)[0], None

    return lax.scan(epoch, carry, orders)[0]


class Jax(Contender):
    """One update an array, as optax.adam does it."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        jax.config.update("jax_enable_x64", task.x.dtype == np.float64)
        self.x, self.t = jnp.asarray(task.x), jnp.asarray(task.t, jnp.int32)
        self.optimizer = self.make_optimizer()
        self.restart()

    def make_optimizer(self) -> optax.GradientTransformation:
        return optax.adam(LR)

    def restart(self) -> None:
        # copies: the arrays are donated, and on a CPU they may share the task's memory
        given = {name: jnp.array(v, copy=True) for name, v in self.task.start.items()}
        stats = {name: v for name, v in given.items() if ".running_" in name}
        params = {name: v for name, v in given.items() if name not in stats}
        state = self.optimizer.init(params)
        self.carry = jax.block_until_ready((params, stats, state, jax.random.key(SEED)))

    def orders(self, steps: int) -> np.ndarray:
        return jax.block_until_ready(jnp.asarray(super().orders(steps), jnp.int32))

    def train(self, orders: Any) -> None:
        task = self.task
        self.carry = jax.block_until_ready(
            run(self.carry, self.x, self.t, orders, self.optimizer, task.batch, task.layers,
                self.dropping)
        )  # fmt: skip

    def loss(self) -> float:
        given = self.task.layers, self.x, self.t
        return float(mean_loss(*self.carry[:2], *given, training=True)[0])

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "optax": optax.__version__}


class JaxFlat(Jax):
    """One update over all parameters as one vector."""

    def make_optimizer(self) -> optax.GradientTransformation:
        return optax.flatten(optax.adam(LR))
