"""PyTorch's answer for a whole network, how far rounding moves it, and whether it is near a kink.

The answer is PyTorch's in float64. How well a network determines it shows where PyTorch computes it
again in float32, from inputs and parameters moved by a rounding, and norms by some more: a piece
that moves there by s may be expected to lie within some s of the truth in float32, and within some
s 2^-29 in float64. So a gradient that cancels (a bias before BatchNorm) is measured against what
cancels. Kinks alike: if an element is nearer to its kink than it moves there, the derivative is
nobody's to say.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cases
import naive_images
import naive_layers
import naive_norms
import numpy as np
import torch
import torch_images
import torch_layers

Head = Callable[[torch.Tensor], torch.Tensor]  # a number from the network's output
REPEATS = 3  # single-precision runs
CLEAR = 10.0  # times what an element moves: its least distance from a kink
UNSURE = 0.1  # of y: where float32 leaves so little of it, moves say nothing about smaller ones
NORMS = ("BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm")
KINKS = {row.layer[0]: row.kinks for row in cases.ACTIVATIONS} | {"PReLU": (0.0,)}


@dataclass
class Answer:
    """Arrays by name (y, loss, dx, gradients, running statistics), and distances from kinks."""

    pieces: dict[str, np.ndarray]
    distances: list[np.ndarray] = field(default_factory=list)


@functools.lru_cache(maxsize=64)
def mask(shape: tuple[int, ...], rate: float, seed: int, drawn: int) -> np.ndarray:
    return naive_norms.mask(shape, rate, naive_layers.Run(True, seed, drawn=drawn))


def dropout(x, p, run, rate=0.5):
    """As in `torch_norms`, each mask drawn once: the naive draw is slow."""
    if not run.training:
        return x
    return x * torch.tensor(mask(tuple(x.shape), rate, run.seed, run.number())).to(x)


def inverse_square_root(x, p, run, forward, backward, alpha):
    return x / torch.sqrt(1 + alpha * x**2)


FUNCTIONS: dict[str, Callable[..., Any]] = torch_layers.LAYERS | {
    "Dropout": dropout,
    "Activation": inverse_square_root,
}


def gaps(x, size, stride=None, padding=0):
    """How far the largest of each window is ahead of the second."""
    axes = x.ndim - 2
    stride = size if stride is None else stride
    sizes, strides, paddings = (naive_images.each(n, axes) for n in (size, stride, padding))
    x = torch_images.framed(
        torch_images.channels_first(x), sizes, strides, paddings, (1,) * axes, -torch.inf
    )
    for axis in range(axes):
        x = x.unfold(2 + axis, sizes[axis], strides[axis])
    first = x.flatten(-axes).topk(min(2, int(np.prod(sizes)))).values
    return first[..., 0] - first[..., -1] if np.prod(sizes) > 1 else torch.ones(())


def factors(kind, x, p, groups=1, eps=1e-5):
    """What dy is multiplied by in a norm's dx, before the moments' shares are taken off."""
    c = x.shape[-1]
    if kind == "BatchNorm":
        variance = x.var(tuple(range(x.ndim - 1)), correction=0)
    elif kind == "GroupNorm":
        of_groups = x.reshape(len(x), -1, groups, c // groups).var((1, 3), correction=0)
        ones = (1,) * (x.ndim - 2)
        variance = of_groups.repeat_interleave(c // groups, -1).reshape(len(x), *ones, c)
    elif kind == "LayerNorm":
        variance = x.var(-1, correction=0, keepdim=True)
    else:
        variance = (x**2).mean(-1, keepdim=True)
    return p.get("weight", 1.0) / torch.sqrt(variance + eps)


def rounding(x):
    """Some ulps, to either side: of less than one float32 keeps nothing."""
    return 2.0**-22 * (2 * torch.rand(x.shape, dtype=x.dtype) - 1)


def shaken(y, kind, x, p, *groups, eps=1e-5, **rest):
    """A norm's y, z and the first term of its dx off by some roundings.

    PyTorch's own terms at times cancel to 0 exactly, for a single channel say: others' need not.
    """
    with torch.no_grad():
        off = rounding(x) * factors(kind, x, p, *groups, eps=eps)
    y = y + rounding(y) * (y - p.get("bias", 0.0))  # for the weight's gradient, too
    return y + off * (x - x.detach())


def watched(functions: Mapping[str, Callable[..., Any]], distances: list[np.ndarray]) -> Any:
    """`functions` that also note how far from kinks their inputs are; in float32 shaken norms."""

    def note(kind: str) -> Callable[..., Any]:
        def apply(x, p, run, *arguments, **options):
            if kind.startswith("MaxPool"):
                distances.append(gaps(x.detach(), *arguments, **options).numpy())
            distances.extend((x.detach() - kink).numpy() for kink in KINKS.get(kind, ()))
            if kind not in NORMS or x.dtype != torch.float32:
                return functions[kind](x, p, run, *arguments, **options)
            x = x * (1 + rounding(x))  # equal numbers, whose mean is off by a rounding
            y = functions[kind](x, p, run, *arguments, **options)
            return shaken(y, kind, x, p, *arguments, **options)

        return apply

    return {kind: note(kind) for kind in functions}


def answer(
    layers: tuple[Any, ...],
    params: Mapping[str, np.ndarray],
    buffers: Mapping[str, np.ndarray],
    x: np.ndarray,
    head: Head,
    training: bool,
    functions: Mapping[str, Callable[..., Any]] = FUNCTIONS,
) -> Answer:
    """Return PyTorch's answer in the precision of x, gradients of head(y)."""
    distances: list[np.ndarray] = []
    at = torch.tensor(x).requires_grad_()
    leaves = {name: torch.tensor(value).requires_grad_() for name, value in params.items()}
    p = leaves | {name: torch.tensor(value) for name, value in buffers.items()}
    run = naive_layers.Run(training)
    y = naive_layers.forward(watched(functions, distances), layers, p, at, run)
    loss = head(y)
    loss.backward()
    pieces = {"y": y.detach(), "loss": loss.detach(), "dx": at.grad}
    pieces |= {name: leaf.grad for name, leaf in leaves.items()}
    pieces |= {name: p[name] for name in buffers}
    return Answer({name: piece.numpy() for name, piece in pieces.items()}, distances)


def settled(layers: tuple[Any, ...], dtype: str) -> tuple[Any, ...]:
    """`layers` with the eps that depends on the precision (RMSNorm's) written out."""
    made = []
    for kind, *arguments in layers:
        if kind == "Residual":
            arguments = [settled(arguments[0], dtype)]
        elif kind == "RMSNorm":
            options = arguments[0] if arguments else {}
            arguments = [{"eps": float(np.finfo(dtype).eps), **options}]
        made.append((kind, *arguments))
    return tuple(made)


def in_single(arrays: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Float32, moved by at most a rounding."""
    return {
        name: (value * (1 + 2.0**-24 * rng.uniform(-1, 1, value.shape))).astype(np.float32)
        for name, value in arrays.items()
    }


@dataclass(frozen=True)
class Judged:
    """The answer in float64, how far each piece moves in float32, and whether these can be judged:
    y still itself in float32, and no kink near."""

    pieces: dict[str, np.ndarray]
    moved: dict[str, float]
    clear: bool


def judged(
    layers: tuple[Any, ...],
    params: Mapping[str, np.ndarray],
    buffers: Mapping[str, np.ndarray],
    x: np.ndarray,
    head: Head,
    training: bool,
    functions: Mapping[str, Callable[..., Any]] = FUNCTIONS,
) -> Judged:
    """Return PyTorch's answer to float64 arrays with what rounding does to it."""
    right = answer(layers, params, buffers, x, head, training, functions)
    rng, singles = np.random.default_rng(0), []
    torch.manual_seed(0)
    for _ in range(REPEATS):
        given = in_single(params, rng), in_single(buffers, rng), in_single({"x": x}, rng)["x"]
        singles.append(answer(layers, *given, head, training, functions))
    moved = {
        name: max(float(np.linalg.norm(single.pieces[name] - piece)) for single in singles)
        for name, piece in right.pieces.items()
    }
    others = zip(*(single.distances for single in singles), strict=True)
    pairs = zip(right.distances, others, strict=True)
    sure = moved["y"] <= UNSURE * float(np.linalg.norm(right.pieces["y"]))
    return Judged(right.pieces, moved, sure and all(clear(*pair) for pair in pairs))


def clear(distance: np.ndarray, singles: tuple[np.ndarray, ...]) -> bool:
    """Whether every element is far from its kink, or exactly on it in every run (a ReLU's 0)."""
    finite = np.isfinite(distance)
    moves = [np.where(finite, single, 0) - np.where(finite, distance, 0) for single in singles]
    away = np.abs(distance) > CLEAR * max(float(np.abs(move).max()) for move in moves)
    on = (distance == 0) & np.all([single == 0 for single in singles], axis=0)
    return bool((away | on).all())
