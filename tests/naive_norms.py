"""The specification of normalisation, dropout, PReLU and softmax, by definition, in plain NumPy."""

from __future__ import annotations

import naive
import numpy as np

DROPOUT = 2  # the stream of masks


def scaled(z, p):
    """z weight + bias, where there are any."""
    return z * p.get("weight", 1.0) + p.get("bias", 0.0)


def standardized(x, axes, eps):
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps)


def batch_norm(x, p, run, eps=1e-5, momentum=0.1, affine=True):
    """Of a single value a channel the bias comes out, and running_var stays."""
    axes = tuple(range(x.ndim - 1))
    if not run.training:
        return scaled((x - p["running_mean"]) / np.sqrt(p["running_var"] + eps), p)
    count, mean = x.size // x.shape[-1], x.mean(axis=axes)
    p["running_mean"] = (1 - momentum) * p["running_mean"] + momentum * mean
    if count == 1:
        return scaled(x - mean, p)
    p["running_var"] = (1 - momentum) * p["running_var"] + momentum * x.var(axis=axes, ddof=1)
    return scaled(standardized(x, axes, eps), p)


def layer_norm(x, p, run, eps=1e-5, affine=True):
    return scaled(standardized(x, -1, eps), p)


def rms_norm(x, p, run, eps=None, affine=True):
    eps = np.finfo(x.dtype).eps if eps is None else eps
    return scaled(x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps), p)


def group_norm(x, p, run, groups, eps=1e-5, affine=True):
    by_group = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    return scaled(standardized(by_group, (1, 3), eps).reshape(x.shape), p)


def mask(shape, rate, run):
    """0 or 1 / (1 - rate) for each element of a batch of `shape`."""
    n = int(np.prod(shape))
    kept = naive.bernoulli(n, 1 - rate, run.seed, DROPOUT, run.step, run.number())
    return kept.reshape(shape) / (1 - rate)


def dropout(x, p, run, rate=0.5):
    return x * mask(x.shape, rate, run) if run.training else x


def prelu(x, p, run, alpha=0.25, per_channel=False):
    return np.where(x > 0, x, p["weight"] * x)


def softmax(x, p, run):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


LAYERS = {
    "BatchNorm": batch_norm,
    "LayerNorm": layer_norm,
    "RMSNorm": rms_norm,
    "GroupNorm": group_norm,
    "Dropout": dropout,
    "PReLU": prelu,
    "Softmax": softmax,
}
