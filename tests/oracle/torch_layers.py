"""PyTorch's side of the table of layers: functions with the arguments of `naive_layers`."""

from __future__ import annotations

from typing import Any

import cases
import naive_layers
import numpy as np
import torch
import torch_images
import torch_norms
from torch.nn import functional


def identity(x, p, run):
    return x


def flatten(x, p, run):
    return x.flatten(1)


def dense(x, p, run, units, bias=True):
    return functional.linear(x, p["weight"].T, p["bias"] if bias else None)


def activation(case):
    """The row of `cases.ACTIVATIONS` as a layer of the table."""

    def apply(x, p, run, *alpha):
        row = next(r for r in cases.ACTIVATIONS if r.layer == (case.layer[0], *alpha))
        return getattr(functional, row.torch)(x, **row.options)

    return apply


LAYERS = {case.layer[0]: activation(case) for case in cases.ACTIVATIONS} | {
    "Identity": identity,
    "Flatten": flatten,
    "Dense": dense,
    **torch_images.LAYERS,
    **torch_norms.LAYERS,
}


def forward(
    layers: tuple[Any, ...], p: dict[str, torch.Tensor], x: torch.Tensor, run: naive_layers.Run
) -> torch.Tensor:
    """Return the output of `layers`; running statistics in `p` are replaced in training."""
    return naive_layers.forward(LAYERS, layers, p, x, run)


def pull_back(
    layer: tuple[Any, ...], params: Any, x: np.ndarray, cotangent: np.ndarray, training: bool
) -> list[np.ndarray]:
    """Return y, the gradients at the input and by each parameter, and the running statistics."""
    at = torch.tensor(x).requires_grad_()
    leaves = {name: torch.tensor(value).requires_grad_() for name, value in params.items()}
    p = leaves | {name: torch.tensor(value) for name, value in params.buffers.items()}
    y = forward((layer,), p, at, naive_layers.Run(training))
    y.backward(torch.tensor(cotangent))
    made = [y.detach(), at.grad, *(leaf.grad for leaf in leaves.values())]
    return [part.numpy() for part in (*made, *(p[name] for name in params.buffers))]
