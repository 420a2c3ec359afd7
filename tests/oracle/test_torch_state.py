"""Parameters taken to PyTorch and back: the module of the same layers gives the same outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import DTYPES, build
from state_cases import NETWORKS, odd_buffers
from torch import nn

import simdl


class Residual(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


class GlobalAvgPool(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mean(-1)


class LayerNorm(nn.LayerNorm):
    """Over the channels alone, which are first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class RMSNorm(nn.RMSNorm):
    """Likewise."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def batch_norm(shape: tuple[int, ...], **options: Any) -> nn.Module:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[-1], **options)


def over_channels(kind: Any) -> Any:
    def make(shape: tuple[int, ...], affine: bool = True, **options: Any) -> nn.Module:
        return kind(shape[-1], elementwise_affine=affine, **options)

    return make


def prelu(shape: tuple[int, ...], alpha: float = 0.25, per_channel: bool = False) -> nn.Module:
    return nn.PReLU(shape[-1] if per_channel else 1, alpha)


def convolution(kind: Any) -> Any:
    def make(shape: tuple[int, ...], filters: int, size: Any, **options: Any) -> nn.Module:
        return kind(shape[-1], filters, size, **options)

    return make


MODULES: dict[str, Any] = {
    "Dense": lambda shape, units, **options: nn.Linear(shape[0], units, **options),
    "Flatten": lambda shape: nn.Flatten(),
    "Identity": lambda shape: nn.Identity(),
    "ReLU": lambda shape: nn.ReLU(),
    "Tanh": lambda shape: nn.Tanh(),
    "Conv1D": convolution(nn.Conv1d),
    "Conv2D": convolution(nn.Conv2d),
    "MaxPool1D": lambda shape, size: nn.MaxPool1d(size),
    "MaxPool2D": lambda shape, size: nn.MaxPool2d(size),
    "AvgPool2D": lambda shape, size: nn.AvgPool2d(size),
    "GlobalAvgPool": lambda shape: GlobalAvgPool(),
    "BatchNorm": batch_norm,
    "LayerNorm": over_channels(LayerNorm),
    "RMSNorm": over_channels(RMSNorm),
    "GroupNorm": lambda shape, groups, **options: nn.GroupNorm(groups, shape[-1], **options),
    "PReLU": prelu,
}  # fmt: skip


def sequential(layers: tuple[Any, ...], shape: tuple[int, ...], kind: Any = nn.Sequential) -> Any:
    """The module of the layers, one for each, written in PyTorch's own words."""
    modules = []
    for layer in layers:
        name, *arguments = layer
        if name == "Residual":
            modules.append(sequential(arguments[0], shape, Residual))
        else:
            options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            modules.append(MODULES[name](shape, *arguments, **options))
        (made,) = build((layer,))
        shape = made.output_shape(shape)
    return kind(*modules)


def output(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(
            torch.tensor(np.moveaxis(x, -1, 1)) if x.ndim > 2 else torch.tensor(x)
        ).numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back(name: str, dtype: str) -> None:
    shape, layers = NETWORKS[name]
    net = simdl.Network(shape, build(layers), dtype=dtype)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, *shape)).astype(dtype)
    params = net.init(0)
    params.flat[:] = rng.normal(size=params.flat.size)
    odd_buffers(params, rng)
    module = sequential(layers, shape).to(getattr(torch, dtype)).eval()
    bound = 1e-12 if dtype == "float64" else 2e-5

    own = module.state_dict()
    taken = simdl.from_torch(net, own)
    want = output(module, x)
    assert np.linalg.norm(simdl.forward(net, taken, x) - want) <= bound * np.linalg.norm(want)
    back = simdl.to_torch(net, taken)
    assert set(back) == set(own)
    assert all(torch.equal(back[key], own[key]) for key in own)

    counted = [name for name in own if name.endswith("num_batches_tracked")]
    assert len(counted) == sum(name.endswith("running_mean") for name in params.buffers)
    module.load_state_dict(simdl.to_torch(net, params), strict=True)
    got = simdl.forward(net, params, x)
    assert np.linalg.norm(output(module, x) - got) <= bound * np.linalg.norm(got)
    again = simdl.from_torch(net, module.state_dict())
    assert np.array_equal(again.flat, params.flat)
    assert np.array_equal(again.buffers.flat, params.buffers.flat)

    if counted:  # statistics move alike, and come back with the count of what moved them
        output(module.train(), x)
        simdl.forward(net, params, x, training=True)
        moved = module.state_dict()
        assert all(int(moved[name]) == 1 for name in counted)
        running = simdl.from_torch(net, moved).buffers.flat
        off = np.linalg.norm(running - params.buffers.flat)
        assert off <= bound * np.linalg.norm(params.buffers.flat)


def test_a_result_has_network_and_parameters() -> None:
    data = simdl.Data(train=(np.eye(6), np.arange(6) % 3))
    net = simdl.Network((6,), build(NETWORKS["mlp"][1]))
    result = simdl.train(net, data, batch_size=6, steps=1)
    own, given = simdl.to_torch(result), simdl.to_torch(net, result.params)
    assert set(own) == set(given) and all(torch.equal(own[key], given[key]) for key in own)
    for wrong in ((result, result.params), (net,), ("net",)):
        with pytest.raises(simdl.InputError, match=r"net: Result|params: NoneType|net: str"):
            simdl.to_torch(*wrong)


def test_tensors_are_copies_of_any_precision_and_place() -> None:
    shape, layers = NETWORKS["mlp"]
    net = simdl.Network(shape, build(layers))
    params = net.init(0)
    kept = params.flat.copy()
    state = simdl.to_torch(net, params)
    for tensor in state.values():
        tensor.add_(1)
    assert np.array_equal(params.flat, kept)
    halves = {name: nn.Parameter(value.to(torch.bfloat16)) for name, value in state.items()}
    taken = simdl.from_torch(net, halves)
    assert np.allclose(taken.flat, kept + 1, rtol=2**-8, atol=0)
