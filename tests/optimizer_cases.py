"""The table of optimizers: a row drives the naive reference, NaN and PyTorch alike.

A new optimizer is a row here for its defaults and one for each of its options, and a function in
`naive_optimizers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl import optimizers


@dataclass(frozen=True)
class OptimizerCase:
    """`options` bear PyTorch's names; `torch` False where PyTorch has no such option or optimizer;
    `scheduled`: the rate changes from step to step."""

    name: str
    kind: str
    options: Mapping[str, Any]
    torch: bool = True
    scheduled: bool = False

    def spec(self) -> optimizers.Optimizer:
        return optimizers.optimizer({"name": self.kind, **self.options})

    def rates(self, steps: int) -> np.ndarray:
        """Return a rate for each step (steps,): the row's, or a cosine from it and back."""
        wave = np.cos(2 * np.pi * np.arange(steps) / max(steps, 1)) if self.scheduled else 1.0
        return np.full(steps, self.spec().lr) * (1 + wave) / 2


def _row(name: str, kind: str, **options: Any) -> OptimizerCase:
    """A row at a rate at which 200 steps go somewhere; later options replace it."""
    return OptimizerCase(name, kind, {"lr": 0.01} | options)


def _scheduled(name: str, kind: str, **options: Any) -> OptimizerCase:
    return OptimizerCase(name, kind, {"lr": 0.01} | options, scheduled=True)


def _own(name: str, kind: str, scheduled: bool = False, **options: Any) -> OptimizerCase:
    """A row that PyTorch knows nothing of."""
    return OptimizerCase(name, kind, {"lr": 0.01} | options, torch=False, scheduled=scheduled)


OPTIMIZERS = (
    _row("sgd", "SGD", lr=0.05),
    _row("sgd_decay", "SGD", lr=0.05, weight_decay=0.02),
    _row("momentum", "SGD", lr=0.02, momentum=0.9),
    _row("dampening", "SGD", lr=0.02, momentum=0.9, dampening=0.3),
    _row("nesterov", "SGD", lr=0.02, momentum=0.9, nesterov=True),
    _row("nesterov_decay", "SGD", lr=0.02, momentum=0.8, nesterov=True, weight_decay=0.02),
    _row("momentum_all", "SGD", lr=0.02, momentum=0.7, dampening=0.1, weight_decay=0.01),
    _row("sgd_up", "SGD", lr=0.05, weight_decay=0.02, maximize=True),
    _row("momentum_up", "SGD", momentum=0.7, dampening=0.1, weight_decay=0.01, maximize=True),
    _row("nesterov_up", "SGD", momentum=0.8, nesterov=True, weight_decay=0.02, maximize=True),
    _scheduled("momentum_scheduled", "SGD", momentum=0.9, weight_decay=0.01),
    _row("adagrad", "Adagrad"),
    _row("adagrad_start", "Adagrad", initial_accumulator_value=0.5, eps=1e-3),
    _row("adagrad_decays", "Adagrad", lr=0.1, lr_decay=0.02, weight_decay=0.03),
    _row("adagrad_up", "Adagrad", lr=0.1, weight_decay=0.03, maximize=True),
    _scheduled("adagrad_scheduled", "Adagrad", lr=0.1, lr_decay=0.01, weight_decay=0.03),
    _row("adadelta", "Adadelta", lr=1.0),
    _row("adadelta_rho", "Adadelta", lr=0.5, rho=0.7, eps=1e-3),
    _row("adadelta_decay", "Adadelta", lr=1.0, weight_decay=0.03),
    _row("adadelta_up", "Adadelta", lr=1.0, weight_decay=0.03, maximize=True),
    _scheduled("adadelta_scheduled", "Adadelta", lr=1.0, weight_decay=0.03),
    _row("rmsprop", "RMSprop"),
    _row("rmsprop_alpha", "RMSprop", alpha=0.8, eps=1e-3, weight_decay=0.02),
    _row("rmsprop_momentum", "RMSprop", momentum=0.8, weight_decay=0.02),
    _row("rmsprop_centered", "RMSprop", centered=True, alpha=0.9),
    _row("rmsprop_all", "RMSprop", centered=True, momentum=0.6, weight_decay=0.02, alpha=0.95),
    _row("rmsprop_up", "RMSprop", weight_decay=0.02, maximize=True),
    _row("rmsprop_momentum_up", "RMSprop", momentum=0.6, weight_decay=0.02, maximize=True),
    _row("rmsprop_centered_up", "RMSprop", centered=True, weight_decay=0.02, maximize=True),
    _scheduled("rmsprop_scheduled", "RMSprop", momentum=0.6, weight_decay=0.02),
    _own("rmsprop_corrected", "RMSprop", alpha=0.95, bias_correction=True),
    _own("rmsprop_momentum_corrected", "RMSprop", momentum=0.6, bias_correction=True),
    _row("adam", "Adam"),
    _row("adam_betas", "Adam", betas=(0.8, 0.95), eps=1e-3),
    _row("adam_decay", "Adam", weight_decay=0.02),
    _row("adam_decoupled", "Adam", weight_decay=0.02, decoupled_weight_decay=True),
    _row("adam_up", "Adam", weight_decay=0.02, maximize=True),
    _row("amsgrad", "Adam", amsgrad=True, betas=(0.8, 0.7), weight_decay=0.02),
    _row("amsgrad_up", "Adam", amsgrad=True, betas=(0.8, 0.7), weight_decay=0.02, maximize=True),
    _scheduled("adam_scheduled", "Adam", weight_decay=0.02),
    _own("adam_raw", "Adam", bias_correction=False),
    _own("amsgrad_raw", "Adam", amsgrad=True, bias_correction=False),
    _row("adamw", "AdamW"),
    _row("adamw_betas", "AdamW", betas=(0.7, 0.9), eps=1e-3, weight_decay=0.3),
    _row("adamw_up", "AdamW", weight_decay=0.3, maximize=True),
    _row("adamw_amsgrad", "AdamW", amsgrad=True, betas=(0.8, 0.7), weight_decay=0.3),
    _scheduled("adamw_scheduled", "AdamW", weight_decay=0.3),
    _own("adamw_raw", "AdamW", weight_decay=0.3, bias_correction=False),
    _row("adamax", "Adamax"),
    _row("adamax_betas", "Adamax", betas=(0.8, 0.9), eps=1e-3, weight_decay=0.02),
    _row("adamax_up", "Adamax", weight_decay=0.02, maximize=True),
    _scheduled("adamax_scheduled", "Adamax", weight_decay=0.02),
    _row("nadam", "NAdam"),
    _row("nadam_betas", "NAdam", betas=(0.8, 0.95), eps=1e-3, momentum_decay=0.05),
    _row("nadam_decay", "NAdam", weight_decay=0.02),
    _row("nadam_decoupled", "NAdam", weight_decay=0.2, decoupled_weight_decay=True),
    _row("nadam_up", "NAdam", weight_decay=0.02, maximize=True),
    _scheduled("nadam_scheduled", "NAdam", weight_decay=0.02),
    _row("radam", "RAdam"),
    _row("radam_betas", "RAdam", betas=(0.8, 0.95), eps=1e-3),
    _row("radam_short", "RAdam", betas=(0.8, 0.5)),  # never rectified
    _row("radam_decay", "RAdam", weight_decay=0.02),
    _row("radam_decoupled", "RAdam", weight_decay=0.2, decoupled_weight_decay=True),
    _row("radam_up", "RAdam", weight_decay=0.02, maximize=True),
    _scheduled("radam_scheduled", "RAdam", weight_decay=0.02),
    _row("rprop", "Rprop"),
    _row("rprop_etas", "Rprop", etas=(0.3, 1.5), step_sizes=(1e-3, 0.5)),
    _row("rprop_up", "Rprop", maximize=True),
    _scheduled("rprop_scheduled", "Rprop"),
    _own("lion", "Lion"),
    _own("lion_decay", "Lion", betas=(0.8, 0.9), weight_decay=0.5),
    _own("lion_scheduled", "Lion", weight_decay=0.5, scheduled=True),
    _own("proximal_sgd", "ProximalSGD", lr=0.05, l1=0.3),
    _own("proximal_momentum", "ProximalSGD", l1=0.3, momentum=0.8),
    _own("proximal_scheduled", "ProximalSGD", l1=0.3, momentum=0.8, scheduled=True),
)
