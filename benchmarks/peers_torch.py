"""PyTorch, eager: tensors made beforehand, one shuffle an epoch then slices, fused Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from contenders import Contender
from shapes import LR, Task
from torch import nn
from torch.nn.functional import cross_entropy

from simdl import layers as L
from simdl import state_dict

torch.set_num_threads(1)


def module(layer: Any, shape: tuple[int, ...]) -> nn.Module:
    """Return the module that does what a layer does to inputs of `shape`, channels last."""
    axes = len(shape) - 1
    match layer:
        case L.Flatten():
            return nn.Flatten()
        case L.Dense():
            return nn.Linear(shape[-1], layer.units)
        case L.Conv1D() | L.Conv2D():
            kind = nn.Conv1d if isinstance(layer, L.Conv1D) else nn.Conv2d
            return kind(shape[-1], layer.filters, layer.size, layer.stride, layer.padding)
        case L.MaxPool2D():
            return nn.MaxPool2d(layer.size)
        case L.BatchNorm():
            kind = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)[axes]
            return kind(shape[-1], eps=layer.eps, momentum=layer.momentum)
        case L.Dropout():
            return nn.Dropout(layer.rate)
        case L.ReLU():
            return nn.ReLU()
        case L.Tanh():
            return nn.Tanh()
    raise TypeError(f"{layer}: no module known")


class Torch(Contender):
    """The usual loop, without a DataLoader, which costs more than these networks."""

    memory = torch.contiguous_format

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        x = np.ascontiguousarray(np.moveaxis(task.x, -1, 1)) if task.x.ndim > 2 else task.x
        self.x, self.t = torch.from_numpy(x), torch.from_numpy(task.t)
        if self.x.ndim == 4:
            self.x = self.x.contiguous(memory_format=self.memory)
        shapes = [task.x.shape[1:], *task.net.shapes]
        self.model = nn.Sequential(*map(module, task.layers, shapes)).to(self.x.dtype)
        own = task.net.init(0)
        for values in (own, own.buffers):
            for name in values:
                values[name] = task.start[name]
        arrays = state_dict.to_arrays(task.net, own)
        self.start = {name: torch.from_numpy(np.array(v)) for name, v in arrays.items()}
        self.answer = self.prepared()
        self.restart()

    def prepared(self) -> Any:
        """Return what is called to get the outputs."""
        return self.model

    def restart(self) -> None:
        self.model.load_state_dict(self.start, strict=False)  # which does not count batches
        if self.x.ndim == 4:
            self.model.to(memory_format=self.memory)
        self.drop(self.dropping)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LR, fused=True)

    def drop(self, dropping: bool) -> None:
        """Let dropout drop or not."""
        for part, layer in zip(self.model, self.task.layers, strict=True):
            if isinstance(part, nn.Dropout):
                part.p = layer.rate if dropping else 0.0

    def train(self, orders: np.ndarray) -> None:
        answer, optimizer, batch = self.answer, self.optimizer, self.task.batch
        for order in torch.from_numpy(orders):
            for x, t in zip(self.x[order].split(batch), self.t[order].split(batch), strict=True):
                optimizer.zero_grad(set_to_none=True)
                cross_entropy(answer(x), t).backward()
                optimizer.step()

    def loss(self) -> float:
        self.drop(False)
        with torch.no_grad():
            return cross_entropy(self.model(self.x), self.t).item()

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}


class TorchChannelsLast(Torch):
    """Images with their channels last in memory, which oneDNN may like better."""

    memory = torch.channels_last


class TorchCompiled(Torch):
    """The model through `torch.compile`."""

    def prepared(self) -> Any:
        return torch.compile(self.model)
