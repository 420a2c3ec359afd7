"""Convolution and pooling by definition: one window after the other. Nothing of ours is imported.

Images are (n, height, width, channels), sequences (n, length, channels).
"""

import itertools

import numpy as np


def each(given, axes):
    """One number an axis."""
    return given if isinstance(given, tuple) else (given,) * axes


def borders(length, size, stride, padding, dilation):
    """Elements of padding before and behind: "same" gives ceil(length / stride) windows."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return padding, padding
    missing = (int(np.ceil(length / stride)) - 1) * stride + (size - 1) * dilation + 1 - length
    missing = max(missing, 0)
    return missing // 2, missing - missing // 2


def frame(x, sizes, strides, paddings, dilations, value):
    """x with `value` around it."""
    numbers = zip(x.shape[1:-1], sizes, strides, paddings, dilations, strict=True)
    around = [(0, 0), *(borders(*four) for four in numbers), (0, 0)]
    return np.pad(x, around, constant_values=value)


def windows(x, sizes, strides, dilations):
    """Yield the place of each window in the output, and its elements (n, *size, channels)."""
    counts = [
        (length - (size - 1) * dilation - 1) // stride + 1
        for length, size, stride, dilation in zip(
            x.shape[1:-1], sizes, strides, dilations, strict=True
        )
    ]
    for place in itertools.product(*map(range, counts)):
        cut = tuple(
            slice(i * stride, i * stride + (size - 1) * dilation + 1, dilation)
            for i, size, stride, dilation in zip(place, sizes, strides, dilations, strict=True)
        )
        yield place, x[(slice(None), *cut)]


def over_windows(x, sizes, strides, dilations, function):
    """Collect function(window) (n, filters) of all windows."""
    made = {place: function(window) for place, window in windows(x, sizes, strides, dilations)}
    last, one = max(made), next(iter(made.values()))
    y = np.full((len(x), *(i + 1 for i in last), one.shape[-1]), np.nan)
    for place, value in made.items():
        y[(slice(None), *place)] = value
    return y


def convolution(axes):
    """The function of Conv1D or Conv2D."""

    def apply(x, p, run, filters, size, stride=1, padding="valid", dilation=1, bias=True):
        sizes, strides, paddings, dilations = (
            each(given, axes) for given in (size, stride, padding, dilation)
        )
        weight = p["weight"]
        assert weight.shape == (*sizes, x.shape[-1], filters)

        def product(window):
            sums = np.zeros((len(x), filters))
            for n, filter in itertools.product(range(len(x)), range(filters)):
                sums[n, filter] = (window[n] * weight[..., filter]).sum()
            return sums + p["bias"] if bias else sums

        framed = frame(x, sizes, strides, paddings, dilations, 0.0)
        return over_windows(framed, sizes, strides, dilations, product)

    return apply


def pooling(axes, value, reduction):
    """The function of a pooling layer; `value` is what padding holds."""

    def apply(x, p, run, size, stride=None, padding=0):
        sizes, strides, paddings = (
            each(given, axes) for given in (size, size if stride is None else stride, padding)
        )
        inner = tuple(range(1, axes + 1))
        ones = (1,) * axes
        framed = frame(x, sizes, strides, paddings, ones, value)
        return over_windows(framed, sizes, strides, ones, lambda w: reduction(w, axis=inner))

    return apply


def global_average(x, p, run):
    return x.mean(axis=tuple(range(1, x.ndim - 1)))


LAYERS = {
    "Conv1D": convolution(1),
    "Conv2D": convolution(2),
    "MaxPool1D": pooling(1, -np.inf, np.max),
    "MaxPool2D": pooling(2, -np.inf, np.max),
    "AvgPool1D": pooling(1, 0.0, np.mean),
    "AvgPool2D": pooling(2, 0.0, np.mean),
    "GlobalAvgPool": global_average,
}
