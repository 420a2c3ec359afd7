"""Networks drawn by Hypothesis from the whole list of layers, as tuples that `cases.build` takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cases
from hypothesis import strategies as st

import simdl

MOST_LAYERS = 12  # Residuals and what is inside them counted alike
DEEPEST = 3  # Residuals in one another
EPS = (1e-5, 1e-2, 0.1)


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


@st.composite
def networks(draw: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Draw an input shape, flat, of sequences or images, and 1 to 12 layers that fit it."""
    ends = draw(st.sampled_from(((12,), (9, 5), (6, 6, 4))))
    shape = tuple(draw(st.integers(1, end)) for end in ends)
    return shape, stack(draw, shape, draw(st.integers(1, MOST_LAYERS)))


def stack(draw: Any, shape: tuple[int, ...], count: int, inside: int = 0) -> tuple[Any, ...]:
    """Draw `count` layers for samples of `shape`; those of a branch bring the shape back."""
    layers: list[Any] = []
    end = shape
    while (left := count - sum(1 for _ in kinds(tuple(layers)))) > 0:
        if inside and shape != end and left == 1:
            break
        kind = draw(st.sampled_from(fitting(shape, inside, left)))
        layers.append(DRAWS[kind](draw, kind, shape, inside, left))
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


def pairs(draw: Any, numbers: list[Any]) -> Any:
    """The number of each axis: one for all where they are the same, and at times as a pair."""
    if len(set(numbers)) == 1 and (len(numbers) == 1 or draw(st.booleans())):
        return numbers[0]
    return tuple(numbers)


def dense(draw, kind, shape, inside, left):
    options = {} if draw(st.booleans()) else {"bias": draw(st.booleans())}
    return ("Dense", draw(st.integers(1, 12)), options)


def convolution(draw, kind, shape, inside, left):
    filters, axes = draw(st.integers(1, 5)), len(shape) - 1
    named = "same" if inside else draw(st.sampled_from(("same", "valid", None)))
    sizes, strides, paddings, dilations = [], [], [], []
    for length in shape[:-1]:
        paddings.append(named or draw(st.integers(0, 2)))
        room = length + (0 if isinstance(paddings[-1], str) else 2 * paddings[-1])
        dilations.append(draw(st.integers(1, 2)))
        fits = 3 if named == "same" else min(3, (room - 1) // dilations[-1] + 1)
        sizes.append(draw(st.integers(1, fits)))
        strides.append(1 if inside else draw(st.integers(1, 2)))
    options = {
        "stride": pairs(draw, strides), "padding": named or pairs(draw, paddings),
        "dilation": pairs(draw, dilations), "bias": draw(st.booleans()),
    }  # fmt: skip
    return (f"Conv{axes}D", filters, pairs(draw, sizes), options)


def pooling(draw, kind, shape, inside, left):
    named = "same" if inside else draw(st.sampled_from(("same", "valid", None)))
    sizes, strides, paddings = [], [], []
    for length in shape[:-1]:
        size = draw(st.integers(1, 3 if named == "same" else min(3, length)))
        sizes.append(size)
        paddings.append(named or draw(st.integers(0, size // 2)))
        strides.append(1 if inside else draw(st.integers(1, 3)))
    options: dict[str, Any] = {"padding": named or pairs(draw, paddings)}
    if inside or draw(st.booleans()):
        options["stride"] = pairs(draw, strides)
    return (kind, pairs(draw, sizes), options)


def residual(draw, kind, shape, inside, left):
    return (kind, stack(draw, shape, draw(st.integers(1, left - 1)), inside + 1))


def normalization(draw, kind, shape, inside, left):
    options: dict[str, Any] = {"affine": draw(st.booleans())}
    if draw(st.booleans()):
        options["eps"] = draw(st.sampled_from(EPS))
    if kind == "BatchNorm" and draw(st.booleans()):
        options["momentum"] = draw(st.sampled_from((0.0, 0.3, 1.0)))
    divisors = [n for n in range(1, shape[-1] + 1) if shape[-1] % n == 0]
    groups = (draw(st.sampled_from(divisors)),) if kind == "GroupNorm" else ()
    return (kind, *groups, options)


def dropout(draw, kind, shape, inside, left):
    return (kind, draw(st.sampled_from((0.0, 0.2, 0.5))))


def prelu(draw, kind, shape, inside, left):
    return (kind, {"per_channel": draw(st.booleans())})


def activation(draw, kind, shape, inside, left):
    rows = [row.layer for row in cases.ACTIVATIONS if row.layer[0] == kind]
    return draw(st.sampled_from(rows)) if rows else (kind,)


SHAPED = (
    "Dense", "Conv1D", "Conv2D", "MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D",
    "GlobalAvgPool", "Flatten", "Residual",
)  # fmt: skip
DRAWS = dict.fromkeys(simdl.layers.KINDS, activation) | {
    "Dense": dense,
    "Residual": residual,
    "Dropout": dropout,
    "PReLU": prelu,
    "Activation": lambda draw, kind, shape, inside, left: OWN,
    **dict.fromkeys(("Conv1D", "Conv2D"), convolution),
    **dict.fromkeys(("MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D"), pooling),
    **dict.fromkeys(("BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm"), normalization),
}
