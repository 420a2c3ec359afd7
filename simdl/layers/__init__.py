"""Layers: frozen descriptions, built in order by :class:`simdl.Network`."""

from simdl.layers.activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    Elementwise,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from simdl.layers.base import Layer
from simdl.layers.convolution import Conv1D, Conv2D
from simdl.layers.dense import Dense
from simdl.layers.dropout import Dropout
from simdl.layers.normalization import BatchNorm, GroupNorm, LayerNorm, RMSNorm
from simdl.layers.pooling import AvgPool1D, AvgPool2D, GlobalAvgPool, MaxPool1D, MaxPool2D
from simdl.layers.structure import Flatten, Identity, Residual

KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Dense, Flatten, Residual, Identity, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU,
        Softplus, Softsign, Activation, Conv1D, Conv2D, MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D,
        GlobalAvgPool, BatchNorm, LayerNorm, RMSNorm, GroupNorm, Dropout, PReLU, Softmax,
    )
}  # fmt: skip

__all__ = [
    "ELU", "GELU", "KINDS", "SELU", "Activation", "AvgPool1D", "AvgPool2D", "BatchNorm", "Conv1D",
    "Conv2D", "Dense", "Dropout", "Elementwise", "Flatten", "GlobalAvgPool", "GroupNorm",
    "Identity", "Layer", "LayerNorm", "LeakyReLU", "MaxPool1D", "MaxPool2D", "PReLU", "RMSNorm",
    "ReLU", "Residual", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
