"""Layers: frozen descriptions, built in order by :class:`simdl.Network`."""

from simdl.layers.activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    Elementwise,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Tanh,
)
from simdl.layers.base import Layer
from simdl.layers.dense import Dense
from simdl.layers.structure import Flatten, Identity, Residual

KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Dense, Flatten, Residual, Identity, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, SELU, GELU, SiLU,
        Softplus, Softsign, Activation,
    )
}  # fmt: skip

__all__ = [
    "ELU", "GELU", "KINDS", "SELU", "Activation", "Dense", "Elementwise", "Flatten", "Identity",
    "Layer", "LeakyReLU", "ReLU", "Residual", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh",
]  # fmt: skip
