"""Learning rates one step at a time, from PyTorch's documentation: names, options in steps.

Nothing of ours is imported here.
"""

import itertools
import math


def step_lr(t, lr, steps, step_size, gamma=0.1):
    for _ in range(t // step_size):
        lr *= gamma
    return lr


def multi_step_lr(t, lr, steps, milestones, gamma=0.1):
    for milestone in milestones:
        if t >= milestone:
            lr *= gamma
    return lr


def exponential_lr(t, lr, steps, gamma):
    return lr * gamma**t


def cosine_annealing_lr(t, lr, steps, T_max, eta_min=0.0):
    return eta_min + 0.5 * (lr - eta_min) * (1 + math.cos(t / T_max * math.pi))


def linear_lr(t, lr, steps, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    if t >= total_iters:
        return lr * end_factor
    return lr * ((1 - t / total_iters) * start_factor + t / total_iters * end_factor)


def one_cycle_lr(
    t, lr, steps, max_lr, pct_start=0.3, anneal_strategy="cos", div_factor=25.0,
    final_div_factor=1e4, three_phase=False,
):  # fmt: skip
    first = max_lr / div_factor
    if three_phase:
        knots = [(0, first), (pct_start * steps - 1, max_lr), (2 * pct_start * steps - 2, first)]
    else:
        knots = [(0, first), (pct_start * steps - 1, max_lr)]
    knots.append((steps - 1, first / final_div_factor))
    for (begin, low), (end, high) in itertools.pairwise(knots):
        if t <= end:
            share = (t - begin) / (end - begin)
            if anneal_strategy == "cos":
                share = 0.5 - 0.5 * math.cos(math.pi * share)
            return low + share * (high - low)
    raise ValueError(t)


KINDS = {
    "StepLR": step_lr,
    "MultiStepLR": multi_step_lr,
    "ExponentialLR": exponential_lr,
    "CosineAnnealingLR": cosine_annealing_lr,
    "LinearLR": linear_lr,
    "OneCycleLR": one_cycle_lr,
}


def rates(chain, lr, steps):
    """The rate of every step of schedules one behind the other, each (begin, kind, options)."""
    found = []
    for t in range(steps):
        begin, kind, options = [link for link in chain if link[0] <= t][-1]
        found.append(lr if kind is None else KINDS[kind](t - begin, lr, steps - begin, **options))
    return found
