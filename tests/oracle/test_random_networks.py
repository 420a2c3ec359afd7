"""Random networks of up to 12 layers: outputs, losses, all gradients, statistics as PyTorch's."""

from __future__ import annotations

import collections
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

import cases
import conditioning
import numpy as np
import pytest
import random_networks
import torch
import torch_side
from cases import ACTIVATIONS, DTYPES, LOSSES
from hypothesis import assume, given, note, settings
from layer_cases import LAYERS, MODES

import simdl
from simdl.parameters import Parameters

EXAMPLES = int(os.environ.get("SIMDL_NETWORKS", "200"))
BOUND = {"float64": 1e-12, "float32": 1e-5}  # norm-wise, each piece by itself
FACTOR = 20.0  # times what single precision does to PyTorch's own
TRIES = 10  # numbers drawn, to find some away from kinks

Functions = Mapping[str, Callable[..., Any]]


def rounded(array: np.ndarray) -> np.ndarray:
    """float64 that float32 holds exactly: both precisions get the same numbers."""
    return array.astype(np.float32).astype(float)


def numbers(
    net: simdl.Network, n: int, rng: np.random.Generator
) -> tuple[Parameters, np.ndarray, np.ndarray]:
    """Draw parameters with running statistics, a batch and a cotangent."""
    params = net.init(int(rng.integers(2**20)))
    params.flat += 0.3 * rng.normal(size=params.flat.size)
    for name, value in params.buffers.items():
        low, high = (0.5, 2.0) if name.endswith("running_var") else (-1.0, 1.0)
        value[...] = rng.uniform(low, high, value.shape)
    for flat in (params.flat, params.buffers.flat):
        flat[:] = rounded(flat)
    x, cotangent = (rounded(rng.normal(size=(n, *s))) for s in (net.input_shape, net.output_shape))
    return params, x, cotangent


def excess(got: dict[str, Any], want: conditioning.Judged, dtype: str) -> dict[str, float]:
    """How far each piece is from PyTorch's, in multiples of what is allowed."""
    smaller = float(np.finfo(dtype).eps / np.finfo("float32").eps)
    found = {}
    for name, ours in got.items():
        right = want.pieces[name]
        assert np.shape(ours) == right.shape and np.isfinite(right).all(), name
        near = BOUND[dtype] * float(np.linalg.norm(right))
        allowed = max(near, FACTOR * want.moved[name] * smaller, 1e-300)
        found[name] = float(np.linalg.norm(ours - right)) / allowed
    return found


def compared(
    shape: tuple[int, ...],
    layers: tuple[Any, ...],
    n: int,
    seed: int,
    training: bool,
    dtype: str,
    loss: cases.LossCase | None = None,
    functions: Functions = conditioning.FUNCTIONS,
) -> dict[str, float] | None:
    """Return the excess of each piece; None if no numbers drawn can be judged.

    With a loss these are its value and gradients by parameters, without: y and all gradients.
    """
    net = simdl.Network(shape, cases.build(layers), dtype=dtype)
    wide = simdl.Network(shape, net.layers, dtype="float64")
    written = conditioning.settled(layers, dtype)
    for attempt in range(TRIES):
        rng = np.random.default_rng((seed, attempt))
        drawn, x, cotangent = numbers(wide, n, rng)
        t = cases.targets(loss, n, net.output_shape[-1], rng) if loss else cotangent
        t = rounded(t) if t.dtype.kind == "f" else t

        def head(y: torch.Tensor, t: Any = t) -> torch.Tensor:
            return torch_side._loss(loss, y, t) if loss else (y * torch.tensor(t).to(y)).sum()

        want = conditioning.judged(written, drawn, drawn.buffers, x, head, training, functions)
        if not want.clear:
            continue
        params = net.wrap(drawn.flat.astype(dtype), drawn.buffers.flat.astype(dtype))
        if loss:
            value, grads = simdl.value_and_grad(net, params, x, t, loss.spec, training)
            got = {"loss": value, **grads, **params.buffers}
        else:
            pulled = simdl.vjp(net, params, x, t, training=training)
            got = {"y": pulled.output, "dx": pulled.input, **pulled.params, **params.buffers}
            if not training:  # another way through: the batch of evaluation
                y = simdl.forward(net, params, x)
                return excess(got, want, dtype) | {"forward": excess({"y": y}, want, dtype)["y"]}
        return excess(got, want, dtype)
    return None


@pytest.mark.parametrize("training", MODES, ids=["training", "inference"])
def test_random_networks(training: bool) -> None:
    """`SIMDL_NETWORKS` of them; every kind of layer is among them, and every loss."""
    seen: collections.Counter[str] = collections.Counter()

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(random_networks.networks())
    def agree(network: Any) -> None:
        inputs, layers, seed = network
        shape = random_networks.output_shape(inputs, layers)
        flat = len(shape) == 1 < shape[0]  # of a single class there is nothing to learn
        n, loss = 1 + seed % 8, LOSSES[seed % len(LOSSES)]
        for dtype in DTYPES:
            for chosen in (None, loss) if flat else (None,):
                found = compared(inputs, layers, n, seed, training, dtype, chosen)
                assume(found is not None)
                over = {name: times for name, times in (found or {}).items() if times > 1}
                note(f"{dtype}, {chosen and chosen.name}: {over}")
                assert not over
        seen.update({*random_networks.kinds(layers), "networks", loss.name if flat else ""})

    agree()
    assert seen["networks"] >= EXAMPLES
    assert min(seen[kind] for kind in (*simdl.layers.KINDS, *cases.names(LOSSES))) >= 5, seen


# --- the check can fail ---------------------------------------------------------------------------


ROWS = {
    **{row.layer[0]: ((5,), row.layer) for row in ACTIVATIONS},
    **{row.layer[0]: (row.input_shape, row.layer) for row in reversed(LAYERS)},
    "Activation": ((5,), random_networks.OWN),
}


def steeper(right: Callable[..., Any], off: float) -> Callable[..., Any]:
    """A layer with the right value, whose gradient is 1 + off times what it should be."""

    def wrong(*given: Any, **options: Any) -> Any:
        y = right(*given, **options)
        return y + off * (y - y.detach())

    return wrong


@pytest.mark.parametrize("kind", sorted({*simdl.layers.KINDS} - {"Residual"}))
def test_a_slightly_wrong_layer_is_seen(kind: str) -> None:
    """In its value, and in its gradient alone."""
    right, (shape, layer) = conditioning.FUNCTIONS[kind], ROWS[kind]
    for dtype, off in (("float64", 1e-9), ("float32", 1e-3)):

        def value(*given: Any, off: float = off, **options: Any) -> Any:
            return right(*given, **options) * (1 + off)

        for wrong, piece in ((right, None), (value, "y"), (steeper(right, off), "dx")):
            functions = {**conditioning.FUNCTIONS, kind: wrong}
            found = compared(shape, (layer,), 4, 0, True, dtype, functions=functions)
            assert found and (max(found.values()) < 1 if piece is None else found[piece] > 10)


def test_a_slightly_wrong_layer_is_seen_inside_of_most_networks() -> None:
    """Unless the exact gradient is 0 there, behind a softmax of one channel for instance."""
    seen = 0
    for i in range(40):
        rng = random.Random(i)
        shape, layers, seed = random_networks.network(rng, rng.randint(1, 12))
        kind = rng.choice([kind for kind in random_networks.kinds(layers) if kind != "Residual"])
        wrong = {kind: steeper(conditioning.FUNCTIONS[kind], 1e-8)}
        functions = {**conditioning.FUNCTIONS, **wrong}
        found = compared(shape, layers, 4, seed, True, "float64", functions=functions)
        seen += found is not None and max(found.values()) > 1
    assert seen >= 28


def test_what_lies_near_a_kink_is_not_judged() -> None:
    """A ReLU at 1e-9, two of a window closer than float32 tells; zeros and ties are exact."""
    for kind, numbers, clear in (
        (("ReLU",), [1e-9, 1.0], False), (("ReLU",), [0.0, 1.0], True),
        (("MaxPool1D", 2), [1.0, 1 + 1e-9], False), (("MaxPool1D", 2), [1.0, 1.1], True),
        (("MaxPool1D", 2), [0.0, 0.0], True),
    ):  # fmt: skip
        x = np.array(numbers).reshape(1, 2, 1)
        found = conditioning.judged((kind,), {}, {}, x, torch.sum, True)
        assert found.clear == clear, (kind, numbers)
