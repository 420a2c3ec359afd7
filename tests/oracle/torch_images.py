"""PyTorch's convolution and pooling, with the arguments and the axes of `naive_images`."""

from __future__ import annotations

import naive_images
import torch
from torch.nn import functional

torch.backends.mkldnn.enabled = False  # oneDNN in 2.13 crashes on some dilated convolutions


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def framed(x, sizes, strides, paddings, dilations, value):
    """x, channels first, with `value` around it; functional.pad begins with the last axis."""
    numbers = zip(x.shape[2:], sizes, strides, paddings, dilations, strict=True)
    around = [naive_images.borders(*four) for four in numbers]
    return functional.pad(x, [n for pair in reversed(around) for n in pair], value=value)


def convolution(axes):
    function = (functional.conv1d, functional.conv2d)[axes - 1]

    def apply(x, p, run, filters, size, stride=1, padding="valid", dilation=1, bias=True):
        weight = p["weight"].movedim((-1, -2), (0, 1)).contiguous()
        rest = {"bias": p["bias"] if bias else None, "stride": stride, "dilation": dilation}
        x = channels_first(x).contiguous()  # not all of PyTorch's own paths take views
        if padding == "same":  # PyTorch has none with a stride
            numbers = (naive_images.each(n, axes) for n in (size, stride, padding, dilation))
            x, padding = framed(x, *numbers, 0.0), 0
        return channels_last(function(x, weight, padding=padding, **rest))

    return apply


def pooling(axes, function, value):
    def apply(x, p, run, size, stride=None, padding=0):
        x, stride = channels_first(x), size if stride is None else stride
        if isinstance(padding, str):
            numbers = (naive_images.each(n, axes) for n in (size, stride, padding, 1))
            x, padding = framed(x, *numbers, value), 0
        return channels_last(function(x, size, stride, padding))

    return apply


def global_average(x, p, run):
    function = (functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d)[x.ndim - 3]
    return function(channels_first(x), 1).flatten(1)


LAYERS = {
    "Conv1D": convolution(1),
    "Conv2D": convolution(2),
    "MaxPool1D": pooling(1, functional.max_pool1d, -torch.inf),
    "MaxPool2D": pooling(2, functional.max_pool2d, -torch.inf),
    "AvgPool1D": pooling(1, functional.avg_pool1d, 0.0),
    "AvgPool2D": pooling(2, functional.avg_pool2d, 0.0),
    "GlobalAvgPool": global_average,
}
