"""The table of schedules: a row drives the naive reference, golden values, PyTorch and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdl.schedules import schedule

LR, STEPS, AN_EPOCH = 0.3, 60, 5
Link = tuple[int, str | None, Mapping[str, Any]]


@dataclass(frozen=True)
class ScheduleCase:
    """`spec` what `schedule=` takes; `chain` the same in PyTorch's names, lengths in steps: where
    each begins, its class (None: the rate stays), its options."""

    name: str
    spec: Any
    chain: tuple[Link, ...]

    def rates(self) -> np.ndarray:
        return schedule(self.spec).rates(LR, STEPS, AN_EPOCH)


def alone(name: str, spec: Any, kind: str, **options: Any) -> ScheduleCase:
    return ScheduleCase(name, spec, ((0, kind, options),))


SCHEDULES = (
    ScheduleCase("constant", "constant", ((0, None, {}),)),
    alone("step", {"name": "step", "step_size": 3}, "StepLR", step_size=15),
    alone(
        "step_by_steps", {"name": "step", "step_size": 7, "gamma": 0.6, "unit": "step"},
        "StepLR", step_size=7, gamma=0.6,
    ),
    alone(
        "multistep", {"name": "multistep", "milestones": [9, 2, 4], "gamma": 0.5},
        "MultiStepLR", milestones=[45, 10, 20], gamma=0.5,
    ),
    alone(
        "multistep_twice", {"name": "multistep", "milestones": [3, 3, 50], "unit": "step"},
        "MultiStepLR", milestones=[3, 3, 50],
    ),
    alone(
        "exponential", {"name": "exponential", "gamma": 0.8}, "StepLR", step_size=5, gamma=0.8,
    ),
    alone(
        "exponential_by_steps", {"name": "exponential", "gamma": 0.97, "unit": "step"},
        "ExponentialLR", gamma=0.97,
    ),
    alone("cosine", "cosine", "CosineAnnealingLR", T_max=60),
    alone(
        "cosine_again", {"name": "cosine", "T_max": 4, "eta_min": 0.02},
        "CosineAnnealingLR", T_max=20, eta_min=0.02,
    ),
    alone(
        "cosine_by_steps", {"name": "cosine", "T_max": 48, "eta_min": 0.5, "unit": "step"},
        "CosineAnnealingLR", T_max=48, eta_min=0.5,
    ),
    alone("warmup", "warmup", "LinearLR", total_iters=25),
    ScheduleCase(
        "warmup_cosine",
        {"name": "warmup", "total_iters": 2, "start_factor": 0.1, "then": "cosine"},
        (
            (0, "LinearLR", {"total_iters": 10, "start_factor": 0.1}),
            (10, "CosineAnnealingLR", {"T_max": 50}),
        ),
    ),
    ScheduleCase(
        "warmup_step",
        {"name": "warmup", "total_iters": 8, "start_factor": 0.5, "end_factor": 0.9,
         "unit": "step", "then": {"name": "step", "step_size": 12, "unit": "step"}},
        (
            (0, "LinearLR", {"total_iters": 8, "start_factor": 0.5, "end_factor": 0.9}),
            (8, "StepLR", {"step_size": 12}),
        ),
    ),
    alone("one_cycle", "one_cycle", "OneCycleLR", max_lr=LR),
    alone(
        "one_cycle_linear",
        {"name": "one_cycle", "anneal_strategy": "linear", "max_lr": 2, "pct_start": 0.45},
        "OneCycleLR", max_lr=2, anneal_strategy="linear", pct_start=0.45,
    ),
    alone(
        "one_cycle_three",
        {"name": "one_cycle", "three_phase": True, "div_factor": 5, "final_div_factor": 50},
        "OneCycleLR", max_lr=LR, three_phase=True, div_factor=5, final_div_factor=50,
    ),
    alone(
        "one_cycle_no_climb", {"name": "one_cycle", "pct_start": 0},
        "OneCycleLR", max_lr=LR, pct_start=0.0,
    ),
)  # fmt: skip
