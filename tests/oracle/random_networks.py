"""Networks of all kinds of layers drawn by Hypothesis, as tuples that `cases.build` takes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cases
from hypothesis import strategies as st

import simdl

MOST_LAYERS = 12  # Residuals and what is inside them counted alike
DEEPEST = 3  # Residuals in one another
EPS = (1e-5, 1e-2, 0.1)
BOTH = (True, False)


@simdl.njit
def inverse_square_root(y, x, alpha):
    """y = x / sqrt(1 + alpha x^2)"""
    for i in range(x.size):
        y[i] = x[i] / (1 + alpha * x[i] * x[i]) ** 0.5


@simdl.njit
def inverse_square_root_backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = dy[i] / (1 + alpha * x[i] * x[i]) ** 1.5


OWN = ("Activation", inverse_square_root, inverse_square_root_backward, 0.5)


def kinds(layers: tuple[Any, ...]) -> Iterator[str]:
    """Yield the kind of every layer, of those in branches too."""
    for kind, *arguments in layers:
        yield kind
        if kind == "Residual":
            yield from kinds(arguments[0])


def output_shape(shape: tuple[int, ...], layers: tuple[Any, ...]) -> tuple[int, ...]:
    for layer in cases.build(layers):
        shape = layer.output_shape(shape)
    return shape


Drawn = tuple[tuple[int, ...], tuple[Any, ...], int]


@st.composite
def networks(draw: Any) -> Drawn:
    """Draw an input shape, 1 to 12 layers that fit it, a seed.

    All but their number comes from one seed: what Hypothesis draws choice by choice it also mutates
    choice by choice, and of 200 networks most would be one another's twins.
    """
    return network(draw(st.randoms(use_true_random=True)), draw(st.integers(1, MOST_LAYERS)))


def network(rng: random.Random, count: int) -> Drawn:
    """Draw an input shape, flat, of sequences or of images, `count` layers and a seed."""
    ends = rng.choice(((12,), (9, 5), (6, 6, 4)))
    shape = tuple(rng.randint(1, end) for end in ends)
    return shape, stack(rng, shape, count), rng.randint(0, 2**20)


def stack(
    rng: random.Random, shape: tuple[int, ...], count: int, inside: int = 0
) -> tuple[Any, ...]:
    """Draw `count` layers for samples of `shape`; those of a branch bring the shape back."""
    layers: list[Any] = []
    end = shape
    while (left := count - sum(1 for _ in kinds(tuple(layers)))) > 0:
        if inside and shape != end and left == 1:
            break
        kind = rng.choice(fitting(shape, inside, left))
        layers.append(DRAWS[kind](rng, kind, shape, inside, left))
        shape = output_shape(shape, (layers[-1],))
    if shape != end and inside:  # only channels can differ
        back = (("Dense", end[-1]), ("Conv1D", end[-1], 1), ("Conv2D", end[-1], 1))
        layers.append(back[len(shape) - 1])
    return tuple(layers)


def fitting(shape: tuple[int, ...], inside: int, left: int) -> list[str]:
    """Kinds for samples of `shape`; those with weights, windows or sums several times over."""
    axes = len(shape) - 1
    found = [kind for kind in simdl.layers.KINDS if kind not in SHAPED]
    found += 2 * ["BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm", "PReLU", "Softmax", "Dropout"]
    if axes:
        found += 5 * [f"{name}{axes}D" for name in ("Conv", "MaxPool", "AvgPool")]
    if axes and not inside:
        found += ["GlobalAvgPool", "Flatten"]
    if not axes:
        found += [*(6 * ["Dense"]), "Flatten"]
    if inside < DEEPEST and left > 1:
        found += 4 * ["Residual"]
    return found


def pairs(rng: random.Random, numbers: list[Any]) -> Any:
    """The number of each axis: one for all where they are the same, and at times as a pair."""
    if len(set(numbers)) == 1 and (len(numbers) == 1 or rng.choice(BOTH)):
        return numbers[0]
    return tuple(numbers)


def dense(rng, kind, shape, inside, left):
    options = {} if rng.choice(BOTH) else {"bias": rng.choice(BOTH)}
    return ("Dense", rng.randint(1, 12), options)


def convolution(rng, kind, shape, inside, left):
    filters, axes = rng.randint(1, 5), len(shape) - 1
    named = "same" if inside else rng.choice(("same", "valid", None))
    sizes, strides, paddings, dilations = [], [], [], []
    for length in shape[:-1]:
        paddings.append(named or rng.randint(0, 2))
        room = length + (0 if isinstance(paddings[-1], str) else 2 * paddings[-1])
        dilations.append(rng.randint(1, 2))
        fits = 3 if named == "same" else min(3, (room - 1) // dilations[-1] + 1)
        sizes.append(rng.randint(1, fits))
        strides.append(1 if inside else rng.randint(1, 2))
    options = {
        "stride": pairs(rng, strides), "padding": named or pairs(rng, paddings),
        "dilation": pairs(rng, dilations), "bias": rng.choice(BOTH),
    }  # fmt: skip
    return (f"Conv{axes}D", filters, pairs(rng, sizes), options)


def pooling(rng, kind, shape, inside, left):
    named = "same" if inside else rng.choice(("same", "valid", None))
    sizes, strides, paddings = [], [], []
    for length in shape[:-1]:
        size = rng.randint(1, 3 if named == "same" else min(3, length))
        sizes.append(size)
        paddings.append(named or rng.randint(0, size // 2))
        strides.append(1 if inside else rng.randint(1, 3))
    options: dict[str, Any] = {"padding": named or pairs(rng, paddings)}
    if inside or rng.choice(BOTH):
        options["stride"] = pairs(rng, strides)
    return (kind, pairs(rng, sizes), options)


def residual(rng, kind, shape, inside, left):
    return (kind, stack(rng, shape, rng.randint(1, left - 1), inside + 1))


def normalization(rng, kind, shape, inside, left):
    options: dict[str, Any] = {"affine": rng.choice(BOTH)}
    if rng.choice(BOTH):
        options["eps"] = rng.choice(EPS)
    if kind == "BatchNorm" and rng.choice(BOTH):
        options["momentum"] = rng.choice((0.0, 0.3, 1.0))
    divisors = [n for n in range(1, shape[-1] + 1) if shape[-1] % n == 0]
    groups = (rng.choice(divisors),) if kind == "GroupNorm" else ()
    return (kind, *groups, options)


def dropout(rng, kind, shape, inside, left):
    return (kind, rng.choice((0.0, 0.2, 0.5)))


def prelu(rng, kind, shape, inside, left):
    return (kind, {"per_channel": rng.choice(BOTH)})


def activation(rng, kind, shape, inside, left):
    rows = [row.layer for row in cases.ACTIVATIONS if row.layer[0] == kind]
    return rng.choice(rows) if rows else (kind,)


SHAPED = (
    "Dense", "Conv1D", "Conv2D", "MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D",
    "GlobalAvgPool", "Flatten", "Residual",
)  # fmt: skip
DRAWS = dict.fromkeys(simdl.layers.KINDS, activation) | {
    "Dense": dense,
    "Residual": residual,
    "Dropout": dropout,
    "PReLU": prelu,
    "Activation": lambda rng, kind, shape, inside, left: OWN,
    **dict.fromkeys(("Conv1D", "Conv2D"), convolution),
    **dict.fromkeys(("MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D"), pooling),
    **dict.fromkeys(("BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm"), normalization),
}
