"""The rows of `cases` in PyTorch: arrays in, arrays out, in the arrays' precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cases
import naive_layers
import numpy as np
import torch
import torch_layers
from torch.nn import functional

torch.set_num_threads(1)  # sums in one order


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
    y = torch_layers.forward(layers, dict(leaves), at, naive_layers.Run())
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
    kind: str, options: Mapping[str, Any], w: np.ndarray, gradients: np.ndarray, rates: np.ndarray
) -> np.ndarray:
    """Return the parameters after each step, from `w` (p,) along gradients (steps, p).

    `rates` (steps,) holds each step's learning rate. PyTorch keeps some scalars (NAdam's product
    of momenta) in its default precision, whatever the parameters': here it is theirs.
    """
    usual = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, w.dtype.name))
    try:
        leaf, path = _leaf(w), []
        steps = getattr(torch.optim, kind)([leaf], **options)
        for gradient, lr in zip(gradients, rates, strict=True):
            steps.param_groups[0]["lr"] = float(lr)
            leaf.grad = torch.tensor(gradient)
            steps.step()
            path.append(leaf.detach().numpy().copy())
    finally:
        torch.set_default_dtype(usual)
    return np.array(path)


def schedule(
    chain: Sequence[tuple[int, str | None, Mapping[str, Any]]], lr: float, steps: int
) -> np.ndarray:
    """Return the rate of every step (steps,) of schedulers that begin at the steps given."""
    optimizer = torch.optim.SGD([_leaf(np.zeros(1))], lr)
    made = []
    for begin, kind, options in chain:
        if kind == "OneCycleLR":
            options = {**options, "total_steps": steps - begin, "cycle_momentum": False}
        same = {"lr_lambda": lambda t: 1.0}
        chosen = getattr(torch.optim.lr_scheduler, kind or "LambdaLR")
        made.append(chosen(optimizer, **(options if kind else same)))
    begins = [begin for begin, _, _ in chain[1:]]
    whole = torch.optim.lr_scheduler.SequentialLR(optimizer, made, begins) if begins else made[0]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        whole.step()
    return np.array(rates)
