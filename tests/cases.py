"""One table a kind: its rows drive naive references, gradient checks, PyTorch and NaN tests alike.

A new activation, loss or initializer is one row here. Networks are written as plain
tuples, ``("Dense", 8)``, ``("Dense", 8, {"bias": False})`` or ``("Residual", (...))``, so that the
naive reference and PyTorch read the same description as :func:`build` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import simdl
from simdl import layers as L
from simdl import losses

DTYPES = ("float32", "float64")
SHAPES = ((1, 1), (1, 7), (5, 1), (33, 10))  # (samples, width), a single one of each included


@dataclass(frozen=True)
class ActivationCase:
    """`layer` as a tuple, `kernel` its name among the kernels, `torch` a function of
    torch.nn.functional with its options; `kinks`: where the derivative bends or jumps."""

    name: str
    kernel: str
    layer: tuple[Any, ...]
    torch: str
    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: float = 0.0
    kinks: tuple[float, ...] = ()


ACTIVATIONS = (
    ActivationCase("sigmoid", "sigmoid", ("Sigmoid",), "sigmoid"),
    ActivationCase("tanh", "tanh", ("Tanh",), "tanh"),
    ActivationCase("relu", "relu", ("ReLU",), "relu", kinks=(0.0,)),
    ActivationCase(
        "leaky_relu", "leaky_relu", ("LeakyReLU",), "leaky_relu", alpha=0.01, kinks=(0.0,)
    ),
    ActivationCase(
        "leaky_relu_steep", "leaky_relu", ("LeakyReLU", 0.3), "leaky_relu",
        {"negative_slope": 0.3}, 0.3, (0.0,),
    ),
    ActivationCase("elu", "elu", ("ELU",), "elu", alpha=1.0, kinks=(0.0,)),
    ActivationCase("elu_half", "elu", ("ELU", 0.5), "elu", {"alpha": 0.5}, 0.5, (0.0,)),
    ActivationCase("selu", "selu", ("SELU",), "selu", kinks=(0.0,)),
    ActivationCase("gelu", "gelu", ("GELU",), "gelu"),
    ActivationCase("silu", "silu", ("SiLU",), "silu"),
    ActivationCase("softplus", "softplus", ("Softplus",), "softplus", kinks=(20.0,)),
    ActivationCase("softsign", "softsign", ("Softsign",), "softsign", kinks=(0.0,)),
)  # fmt: skip


@dataclass(frozen=True)
class LossCase:
    """`spec` what `loss=` takes, `naive` its name in `naive.LOSSES`; `labels`: class indices,
    `shares`: targets from 0 to 1, the ends among them."""

    name: str
    spec: Any
    naive: str
    labels: bool
    torch: str
    options: Mapping[str, Any] = field(default_factory=dict)
    option: float = 0.0
    shares: bool = False


LOSSES = (
    LossCase(
        "softmax_cross_entropy", "softmax_cross_entropy", "softmax_cross_entropy", True,
        "cross_entropy",
    ),
    LossCase(
        "softmax_cross_entropy_smooth", {"name": "softmax_cross_entropy", "label_smoothing": 0.1},
        "softmax_cross_entropy", True, "cross_entropy", {"label_smoothing": 0.1}, 0.1,
    ),
    LossCase("mse", "mse", "mse", False, "mse_loss"),
    LossCase("mae", "mae", "mae", False, "l1_loss"),
    LossCase("huber", "huber", "huber", False, "huber_loss", option=1.0),
    LossCase(
        "huber_wide", {"name": "huber", "delta": 2.5}, "huber", False, "huber_loss",
        {"delta": 2.5}, 2.5,
    ),
    LossCase(
        "binary_cross_entropy", "binary_cross_entropy", "binary_cross_entropy", False,
        "binary_cross_entropy_with_logits", shares=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class InitializerCase:
    """`spec` what `init=` takes, `draw` the naive function ``draw_...``, `scale` its number.

    `std` is the standard deviation of a weight where that is known in closed form; `torch` the
    function of torch.nn.init of the same distribution.
    """

    name: str
    spec: Any
    draw: str
    scale: Callable[[int, int], float]
    std: Callable[[int, int], float] | None = None
    torch: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def _family(
    name: str, variance: Callable[[int, int], float], torch: str, **options: str
) -> tuple[InitializerCase, InitializerCase]:
    """The normal and the uniform member of a family of one variance."""

    def std(n_in: int, n_out: int) -> float:
        return math.sqrt(variance(n_in, n_out))

    def limit(n_in: int, n_out: int) -> float:
        return math.sqrt(3 * variance(n_in, n_out))

    return (
        InitializerCase(
            f"{name}_normal", f"{name}_normal", "normal", std, std,
            f"{torch}_normal_", options,
        ),
        InitializerCase(
            f"{name}_uniform", f"{name}_uniform", "uniform", limit, std,
            f"{torch}_uniform_", options,
        ),
    )  # fmt: skip


INITIALIZERS = (
    InitializerCase("zeros", "zeros", "constant", lambda i, o: 0.0, lambda i, o: 0.0),
    InitializerCase(
        "constant", {"name": "constant", "value": 0.25}, "constant", lambda i, o: 0.25
    ),
    InitializerCase(
        "normal", {"name": "normal", "std": 0.02}, "normal", lambda i, o: 0.02, lambda i, o: 0.02
    ),
    InitializerCase(
        "uniform", {"name": "uniform", "limit": 0.3}, "uniform", lambda i, o: 0.3,
        lambda i, o: 0.3 / math.sqrt(3),
    ),
    *_family("lecun", lambda i, o: 1 / i, "kaiming", nonlinearity="linear"),
    *_family("glorot", lambda i, o: 2 / (i + o), "xavier"),
    *_family("xavier", lambda i, o: 2 / (i + o), "xavier"),
    *_family("he", lambda i, o: 2 / i, "kaiming", nonlinearity="relu"),
    *_family("kaiming", lambda i, o: 2 / i, "kaiming", nonlinearity="relu"),
    InitializerCase(
        "orthogonal", "orthogonal", "orthogonal", lambda i, o: 1.0,
        lambda i, o: 1 / math.sqrt(max(i, o)), "orthogonal_",
    ),
    InitializerCase(
        "randomized_asymmetric", "randomized_asymmetric", "randomized_asymmetric",
        lambda i, o: 0.6007 / math.sqrt(i),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class NetworkCase:
    """Layers as tuples; the output is flat and `smooth` where no kink can spoil a difference."""

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Any, ...]
    smooth: bool = True


NETWORKS = (
    NetworkCase("linear", (5,), (("Dense", 3),)),
    NetworkCase("mlp", (6,), (("Dense", 16), ("Tanh",), ("Dense", 9), ("GELU",), ("Dense", 4))),
    NetworkCase("width_one", (1,), (("Dense", 1), ("Sigmoid",), ("Dense", 1))),
    NetworkCase(
        "image", (3, 4, 2), (("Tanh",), ("Flatten",), ("Dense", 7), ("SiLU",), ("Dense", 3))
    ),
    NetworkCase("identities", (4,), (("Identity",), ("Dense", 3), ("Identity",), ("Softplus",))),
    NetworkCase(
        "residual", (8,),
        (("Dense", 8), ("Residual", (("Dense", 8), ("Tanh",), ("Dense", 8))), ("Dense", 3)),
    ),
    NetworkCase("residual_first", (4,), (("Residual", (("Sigmoid",), ("Dense", 4))),)),
    NetworkCase("residual_of_nothing", (4,), (("Residual", (("Identity",),)), ("Dense", 2))),
    NetworkCase(
        "nested", (2, 3),
        (
            ("Residual", (("Tanh",), ("Residual", (("Sigmoid",),)))),
            ("Flatten",),
            ("Residual", (
                ("Dense", 6),
                ("Residual", (("Residual", (("Dense", 6), ("Softsign",))), ("Dense", 6))),
                ("SiLU",),
            )),
            ("Dense", 3),
        ),
        smooth=False,
    ),
    NetworkCase(
        "kinked", (6,),
        (("Dense", 12), ("ReLU",), ("Dense", 8), ("LeakyReLU", 0.3), ("Dense", 6), ("ELU",),
         ("Dense", 5), ("SELU",), ("Dense", 4)),
        smooth=False,
    ),
)  # fmt: skip


def build(layers: tuple[Any, ...]) -> list[L.Layer]:
    """Return the layers that the tuples describe."""
    made = []
    for kind, *arguments in layers:
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        if kind == "Residual":
            made.append(L.Residual(build(arguments[0])))
        else:
            made.append(getattr(L, kind)(*arguments, **options))
    return made


def network(case: NetworkCase, dtype: str, init: Any = "lecun_normal") -> simdl.Network:
    """Return the case's network."""
    return simdl.Network(case.input_shape, build(case.layers), init=init, dtype=dtype)


def loss_rule(case: LossCase) -> tuple[Any, float]:
    """Return the compiled loss and its one number."""
    return losses.loss(case.spec).rule()


def targets(case: LossCase, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw targets for outputs (n, k): class indices (n,) or numbers (n, k)."""
    if case.labels:
        return rng.integers(0, k, n)
    return rng.normal(size=(n, k)) if not case.shares else rng.uniform(-0.5, 1.5, (n, k)).clip(0, 1)


def names(rows: Any) -> Any:
    """Return what a test's ids take: the rows' names."""
    return [row.name for row in rows]
