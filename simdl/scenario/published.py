"""Published convolutional networks, as far as their windows go: what each unit sees.

A network's kernels, strides and paddings are those of its publication; the numbers of channels
matter in VGG-16 alone, which is whole. Inputs are images of 224 x 224 pixels in three colours.
"""

from __future__ import annotations

from simdl.layers import (
    AvgPool2D,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
)
from simdl.network import Network
from simdl.theory.receptive_field import Field

IMAGE = (224, 224, 3)
# Araujo, Norris and Sim 2019, its table: behind the last convolution or pooling, both axes.
FIELDS = {
    "AlexNet-v2": Field(195, 32, 64), "VGG-16": Field(212, 32, 90),
    "MobileNet-v1": Field(315, 32, 126), "ResNet-v1-50": Field(483, 32, 239),
}  # fmt: skip
VGG_POOLS = (6, 16, 44, 100, 212)  # sizes behind VGG-16's pools
VGG_PARAMETERS, VGG_FC6 = 138_357_544, 102_764_544  # Simonyan and Zisserman 2015; its first Dense


def alexnet() -> list[Layer]:
    """Krizhevsky 2014, "one weird trick"."""
    last = [Conv2D(2, 3, padding="same"), ReLU()] * 3
    return [
        Conv2D(2, 11, stride=4), ReLU(), MaxPool2D(3, 2),
        Conv2D(2, 5, padding="same"), ReLU(), MaxPool2D(3, 2), *last, MaxPool2D(3, 2),
    ]  # fmt: skip


def vgg() -> list[Layer]:
    """Simonyan and Zisserman 2015, configuration D, without its dense layers."""
    layers: list[Layer] = []
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        layers += [Conv2D(filters, 3, padding=1), ReLU()] * count + [MaxPool2D(2)]
    return layers


def vgg_head() -> list[Layer]:
    """The dense layers of VGG-16, behind its last pool."""
    return [Flatten(), Dense(4096), ReLU(), Dense(4096), ReLU(), Dense(1000)]


def mobilenet() -> list[Layer]:
    """Howard et al. 2017; a mean of each channel stands for its own 3 x 3 convolution."""
    layers: list[Layer] = [Conv2D(2, 3, stride=2, padding="same")]
    for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1):
        layers += [AvgPool2D(3, stride, "same"), ReLU(), Conv2D(2, 1), ReLU()]
    return layers


def resnet() -> list[Layer]:
    """He et al. 2016, 50 layers, strides at the end of each block.

    Of the units that halve the image the branch only: their shortcut is no identity.
    """
    layers: list[Layer] = [Conv2D(2, 7, stride=2, padding=3), MaxPool2D(3, 2, "same")]
    for block, count in enumerate((3, 4, 6, 3)):
        for unit in range(count):
            halves = block < 3 and unit == count - 1
            middle = Conv2D(2, 3, stride=2 if halves else 1, padding=1)
            branch = [Conv2D(2, 1), ReLU(), middle, ReLU(), Conv2D(2, 1)]
            layers += branch if halves else [Residual(tuple(branch))]
    return layers


def networks() -> dict[str, Network]:
    """The networks of `FIELDS`; nothing is allocated."""
    layers = {
        "AlexNet-v2": alexnet(), "VGG-16": vgg(), "MobileNet-v1": mobilenet(),
        "ResNet-v1-50": resnet(),
    }  # fmt: skip
    return {name: Network(IMAGE, tuple(each)) for name, each in layers.items()}
