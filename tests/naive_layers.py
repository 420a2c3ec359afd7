"""The specification of the layers: slow, obvious NumPy, by definition. Nothing of ours is imported.

A layer's function is ``f(x, p, run, *arguments, **options)``: x (n, ...), ``p`` its own parameters
and running statistics by name (the latter may be replaced), ``run`` the mode. It returns y.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import naive
import naive_images
import naive_norms
import numpy as np


@dataclass
class Run:
    """The mode, and what a random draw depends on."""

    training: bool = False
    seed: int = 0
    step: int = 0
    drawn: int = 0  # ops that drew so far

    def number(self) -> int:
        """Number of the next op that draws."""
        self.drawn += 1
        return self.drawn - 1


def forward(
    functions: Mapping[str, Callable[..., Any]],
    layers: tuple[Any, ...],
    p: dict[str, Any],
    x: Any,
    run: Run,
    path: str = "",
) -> Any:
    """Return the output of `layers`, plain tuples; `p` holds all parameters by their full names.

    `functions` are these here, or PyTorch's of the same names and arguments.
    """
    for i, (kind, *arguments) in enumerate(layers):
        here = f"{path}{i}."
        if kind == "Residual":
            x = x + forward(functions, arguments[0], p, x, run, here)
            continue
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        own = {name.removeprefix(here): p[name] for name in p if name.startswith(here)}
        x = functions[kind](x, own, run, *arguments, **options)
        p |= {here + name: value for name, value in own.items()}
    return x


def identity(x, p, run):
    return x


def flatten(x, p, run):
    return x.reshape(len(x), -1)


def dense(x, p, run, units, bias=True):
    y = x @ p["weight"]
    return y + p["bias"] if bias else y


def activation(kind):
    """The function of an activation layer, its one number given or the default."""

    default = naive.DEFAULTS.get(kind, 0.0)

    def apply(x, p, run, alpha=default):
        return np.asarray(naive.ACTIVATIONS[naive.NAMES[kind]][0](x, alpha))

    return apply


LAYERS = {kind: activation(kind) for kind in naive.NAMES} | {
    "Identity": identity,
    "Flatten": flatten,
    "Dense": dense,
    **naive_images.LAYERS,
    **naive_norms.LAYERS,
}
