"""PyTorch's normalisation, dropout, PReLU and softmax, with the arguments of `naive_norms`."""

from __future__ import annotations

import naive_norms
import torch
from torch.nn import functional
from torch_images import channels_first, channels_last


def batch_norm(x, p, run, eps=1e-5, momentum=0.1, affine=True):
    mean, var = p["running_mean"], p["running_var"]
    given = (p.get("weight"), p.get("bias"))
    if run.training and x.numel() == x.shape[-1]:  # PyTorch refuses one value a channel
        mean.lerp_(x.detach().reshape(-1), momentum)
        return naive_norms.scaled(x - x, p)
    x = channels_first(x)
    return channels_last(functional.batch_norm(x, mean, var, *given, run.training, momentum, eps))


def layer_norm(x, p, run, eps=1e-5, affine=True):
    return functional.layer_norm(x, x.shape[-1:], p.get("weight"), p.get("bias"), eps)


def rms_norm(x, p, run, eps=None, affine=True):
    return functional.rms_norm(x, x.shape[-1:], p.get("weight"), eps)


def group_norm(x, p, run, groups, eps=1e-5, affine=True):
    """Not by torch.nn.functional, which refuses a single value even where nothing trains."""
    given = (p.get("weight"), p.get("bias"))
    return channels_last(torch.group_norm(channels_first(x), groups, *given, eps))


def dropout(x, p, run, rate=0.5):
    """PyTorch draws other masks: the naive one takes their place."""
    return x * torch.tensor(naive_norms.mask(x.shape, rate, run)).to(x) if run.training else x


def prelu(x, p, run, alpha=0.25, per_channel=False):
    return channels_last(functional.prelu(channels_first(x), p["weight"]))


def softmax(x, p, run):
    return functional.softmax(x, -1)


LAYERS = {
    "BatchNorm": batch_norm,
    "LayerNorm": layer_norm,
    "RMSNorm": rms_norm,
    "GroupNorm": group_norm,
    "Dropout": dropout,
    "PReLU": prelu,
    "Softmax": softmax,
}
