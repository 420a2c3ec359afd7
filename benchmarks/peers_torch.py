"""PyTorch, eager: tensors made beforehand, one shuffle an epoch then slices, fused Adam."""

from __future__ import annotations

import numpy as np
import torch
from contenders import Contender
from shapes import LR, Task
from torch import nn
from torch.nn.functional import cross_entropy

torch.set_num_threads(1)


class Torch(Contender):
    """The usual loop, without a DataLoader, which costs more than these networks."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.x, self.t = torch.from_numpy(task.x), torch.from_numpy(task.t)
        layers: list[nn.Module] = []
        for n_in, n_out in zip(task.widths, task.widths[1:], strict=False):
            layers += [nn.Linear(n_in, n_out), nn.Tanh()]
        self.model = nn.Sequential(*layers[:-1])
        self.restart()

    def restart(self) -> None:
        linears = [layer for layer in self.model if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, (weight, bias) in zip(linears, self.task.weights, strict=True):
                layer.weight.copy_(torch.from_numpy(weight.T))
                layer.bias.copy_(torch.from_numpy(bias))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LR, fused=True)

    def train(self, orders: np.ndarray) -> None:
        model, optimizer, batch = self.model, self.optimizer, self.task.batch
        for order in torch.from_numpy(orders):
            for x, t in zip(self.x[order].split(batch), self.t[order].split(batch), strict=True):
                optimizer.zero_grad(set_to_none=True)
                cross_entropy(model(x), t).backward()
                optimizer.step()

    def loss(self) -> float:
        with torch.no_grad():
            return cross_entropy(self.model(self.x), self.t).item()

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}
