"""The rows of `cases` in PyTorch: arrays in, arrays out, in the arrays' precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cases
import numpy as np
import torch
from torch.nn import functional

torch.set_num_threads(1)  # sums in one order
_ACTIVATIONS = {row.layer: row for row in cases.ACTIVATIONS}


def _leaf(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array).requires_grad_()


def activation(
    case: cases.ActivationCase, x: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return y and dx."""
    leaf = _leaf(x)
    y = getattr(functional, case.torch)(leaf, **case.options)
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), leaf.grad.numpy()


def _loss(case: cases.LossCase, y: torch.Tensor, t: np.ndarray) -> torch.Tensor:
    target = torch.tensor(t) if case.labels else torch.tensor(t).to(y.dtype)
    return getattr(functional, case.torch)(y, target, **case.options)


def loss(case: cases.LossCase, y: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean loss and dy."""
    leaf = _leaf(y)
    value = _loss(case, leaf, t)
    value.backward()
    return value.detach().numpy(), leaf.grad.numpy()


def _forward(
    layers: tuple[Any, ...], params: Mapping[str, torch.Tensor], x: torch.Tensor, path: str = ""
) -> torch.Tensor:
    for i, layer in enumerate(layers):
        where = f"{path}{i}"
        if layer[0] == "Dense":
            x = functional.linear(x, params[f"{where}.weight"].T, params[f"{where}.bias"])
        elif layer[0] == "Flatten":
            x = x.flatten(1)
        elif layer[0] == "Residual":
            x = x + _forward(layer[1], params, x, f"{where}.")
        elif layer[0] != "Identity":
            row = _ACTIVATIONS[layer]
            x = getattr(functional, row.torch)(x, **row.options)
    return x


def network(
    layers: tuple[Any, ...],
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    t: np.ndarray,
    case: cases.LossCase,
) -> dict[str, Any]:
    """Return output, loss, the loss's gradient at the input and by all parameters (flat)."""
    leaves = {name: _leaf(value) for name, value in params.items()}
    at = _leaf(x)
    y = _forward(layers, leaves, at)
    value = _loss(case, y, t)
    value.backward()
    grads = [leaf.grad.numpy().ravel() for leaf in leaves.values()]
    return {
        "output": y.detach().numpy(),
        "loss": value.detach().numpy(),
        "input_gradient": at.grad.numpy(),
        "gradient": np.concatenate(grads) if grads else np.zeros(0, x.dtype),
    }  # fmt: skip


def optimizer(
    kind: str, options: Mapping[str, Any], w: np.ndarray, gradients: np.ndarray
) -> np.ndarray:
    """Return the parameters after each step, from `w` (p,) along gradients (steps, p)."""
    leaf = _leaf(w)
    steps = getattr(torch.optim, kind)([leaf], **options)
    path = []
    for gradient in gradients:
        leaf.grad = torch.tensor(gradient)
        steps.step()
        path.append(leaf.detach().numpy().copy())
    return np.array(path)
