"""Every row of the table of layers, in both precisions and both modes: against the naive reference,
against differences, against PyTorch's committed answers; with NaN and inf, with wrong shapes.
"""

from __future__ import annotations

import functools
import itertools
import math
from pathlib import Path
from typing import Any

import naive_layers
import numpy as np
import pytest
from cases import ACTIVATIONS, DTYPES, names
from layer_cases import LAYERS, MODES, REFUSED, LayerCase

import simdl
from simdl import layers as L
from simdl.kernels.unfolding import TILE
from simdl.parameters import Parameters

NAIVE = {"float64": 1e-12, "float32": 1e-5}  # norm-wise
GOLDEN = {"float64": 1e-11, "float32": 1e-5}
PRECISE = 1e-7  # relative error of a gradient check
STEP = 2e-4  # of the four-point difference: its error is of the order of STEP^4
BATCHES = (1, 2, 5)
ROWS = pytest.mark.parametrize("case", LAYERS, ids=names(LAYERS))
PRECISIONS = pytest.mark.parametrize("dtype", DTYPES)
BOTH = pytest.mark.parametrize("training", MODES, ids=["training", "inference"])


@pytest.fixture(autouse=True)
def quiet():
    """Plain Python's scalars warn where compiled code goes on to inf and NaN."""
    with np.errstate(all="ignore"):
        yield


def apart(got: np.ndarray, want: np.ndarray, floor: float = 0.0) -> float:
    """Distance relative to the norm of `want`, or to `floor`."""
    assert np.shape(got) == np.shape(want)
    size = max(float(np.linalg.norm(want)), floor, 1e-300)
    return float(np.linalg.norm(np.subtract(got, want, dtype=float))) / size


def drawn(case: LayerCase, dtype: str, rows: int) -> tuple[simdl.Network, Parameters, Any, Any]:
    """The layer as a network, its parameters, a batch and a cotangent."""
    rng = np.random.default_rng(rows)
    net = case.network(dtype)
    params, x = case.numbers(rng, net), case.inputs(rng, rows).astype(dtype)
    return net, params, x, rng.normal(size=(rows, *net.output_shape)).astype(dtype)


def reference(
    case: LayerCase, params: Parameters, x: np.ndarray, training: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return y and the running statistics afterwards."""
    p = {name: value.astype(float) for name, value in (dict(params) | dict(params.buffers)).items()}
    run = naive_layers.Run(training)
    y = naive_layers.forward(naive_layers.LAYERS, (case.layer,), p, x.astype(float), run)
    return y, {name: p[name] for name in params.buffers}


# --- values ---------------------------------------------------------------------------------------


@ROWS
@PRECISIONS
@BOTH
def test_forward(case: LayerCase, dtype: str, training: bool) -> None:
    """A batch of one included; running statistics move in training only."""
    for rows in BATCHES:
        net, params, x, _ = drawn(case, dtype, rows)
        kept, before = x.copy(), params.copy()
        want, after = reference(case, params, x, training)
        y = simdl.forward(net, params, x, training=training)
        assert y.dtype == dtype and y.shape == (rows, *net.output_shape)
        assert apart(y, want, case.floor) < NAIVE[dtype]
        for name, value in params.buffers.items():
            assert apart(value, after[name]) < NAIVE[dtype], name
        assert np.array_equal(x, kept) and np.array_equal(params.flat, before.flat)
        if not training:
            assert np.array_equal(params.buffers.flat, before.buffers.flat)


def slope_along(total: Any, value: np.ndarray, way: np.ndarray) -> tuple[float, float]:
    """Derivative of total() along `way` by four points, and how much of it may be rounding."""
    kept, ends = value.copy(), []
    for steps in (1, -1, 2, -2):
        value[...] = kept + steps * STEP * way
        ends.append(total())
    value[...] = kept
    near, far = ends[0] - ends[1], ends[2] - ends[3]
    rounding = float(np.finfo(float).eps) * max(map(abs, (*ends, 1.0)))
    return (8 * near - far) / (12 * STEP), 100 * rounding / STEP


def gradient_errors(case: LayerCase, training: bool, rows: int, spoil: Any = None) -> list[float]:
    """Relative errors by the input and by each parameter, along the gradient and at random.

    `spoil` changes the gradients before they are checked.
    """
    net, params, x, cotangent = drawn(case, "float64", rows)
    statistics = params.buffers.flat.copy()
    pulled = simdl.vjp(net, params, x, cotangent, training=training)
    slopes = {"x": pulled.input} | {name: pulled.params[name] for name in params}
    if spoil is not None:
        spoil(slopes)
    rng = np.random.default_rng(7)

    def total() -> float:
        params.buffers.flat[:] = statistics
        return float((simdl.forward(net, params, x, training=training) * cotangent).sum())

    errors = []
    for name, value in ({"x": x} | dict(params)).items():
        slope = slopes[name]
        size = max(float(np.sqrt((slope**2).mean())), 1e-300)
        for along in (1.0, 0.0):  # the first cannot vanish by chance
            way = rng.normal(size=value.shape) + along * slope / size
            difference, rounding = slope_along(total, value, way)
            expected = float((slope * way).sum())
            wrong = max(abs(expected - difference) - rounding, 0.0)
            errors.append(wrong / max(abs(expected), abs(difference), 1e-300))
    return errors


@ROWS
@BOTH
def test_gradient(case: LayerCase, training: bool) -> None:
    """By the input and by every parameter, through batch statistics where there are any."""
    for rows in BATCHES:
        assert max(gradient_errors(case, training, rows)) < PRECISE


@pytest.mark.parametrize("what", ["x", "0.weight", "0.bias"])
def test_a_wrong_gradient_is_found(what: str) -> None:
    """The check itself: a millionth too much of one element is enough to fail."""

    def spoil(slopes: dict[str, np.ndarray]) -> None:
        slope = slopes[what]
        slope.flat[np.argmax(np.abs(slope))] *= 1 + 1e-6

    case = next(case for case in LAYERS if case.name == "dense")
    assert max(gradient_errors(case, True, 2, spoil)) > PRECISE


TILED = (
    L.Conv2D(4, 3, padding="same"),
    L.Conv2D(2, (3, 2), stride=2, padding=1, dilation=(1, 2)),
)


@PRECISIONS
@pytest.mark.parametrize("layer", TILED, ids=["plain", "every_option"])
def test_a_batch_of_several_tiles_is_the_sum_of_its_samples(layer: L.Layer, dtype: str) -> None:
    """Images enough for the patches to be made in several goes, the last a short one."""
    net = simdl.Network((9, 10, 8), [layer], dtype=dtype)
    params, rng = net.init(0), np.random.default_rng(0)
    patch, pixels = math.prod(params["0.weight"].shape[:-1]), math.prod(net.output_shape[:2])
    at_once = TILE // (pixels * patch)
    rows = 2 * at_once + 1
    assert 1 < at_once < 20
    x = rng.normal(size=(rows, 9, 10, 8)).astype(dtype)
    dy = rng.normal(size=(rows, *net.output_shape)).astype(dtype)
    whole = simdl.vjp(net, params, x, dy)
    single = [simdl.vjp(net, params, x[[i]], dy[[i]]) for i in range(rows)]
    assert np.array_equal(whole.input, np.concatenate([one.input for one in single]))
    for name in params:
        wanted = np.sum([one.params[name] for one in single], axis=0, dtype=float)
        assert apart(whole.params[name], wanted) < NAIVE[dtype]
    y = simdl.forward(net, params, x)
    assert np.array_equal(
        y, np.concatenate([simdl.forward(net, params, x[[i]]) for i in range(rows)])
    )


@ROWS
@BOTH
def test_value_and_grad_agrees_with_vjp(case: LayerCase, training: bool) -> None:
    """The other door to the same gradient, without the one by the input."""
    net, params, x, _ = drawn(case, "float64", 5)
    flat = simdl.Network(case.input_shape, [*net.layers, L.Flatten()], dtype="float64")
    params, second = flat.wrap(params.flat, params.buffers.flat), params.copy()
    targets = np.zeros((5, *flat.output_shape))
    loss, grads = simdl.value_and_grad(flat, params, x, targets, loss="mse", training=training)
    second = flat.wrap(second.flat, second.buffers.flat)
    y = simdl.forward(flat, second.copy(), x, training=training)
    pulled = simdl.vjp(flat, second, x, 2 * y / y.size, training=training)
    assert loss == pytest.approx(float((y**2).mean()), rel=1e-12)
    assert apart(grads.flat, pulled.params.flat, 1e-3) < 1e-11
    assert np.array_equal(params.buffers.flat, second.buffers.flat)


# --- PyTorch --------------------------------------------------------------------------------------


@functools.cache
def golden() -> dict[str, np.ndarray]:
    folder = Path(__file__).resolve().parent / "golden"
    with np.load(folder / "layers.npz", allow_pickle=False) as file:
        return dict(file)


@ROWS
@PRECISIONS
@BOTH
def test_golden(case: LayerCase, dtype: str, training: bool) -> None:
    """Forward, gradients by input and parameters, running statistics."""
    stored, net = golden(), case.network(dtype)
    params, x, cotangent = case.unpacked(stored[f"in.{case.name}"], net)
    pulled = simdl.vjp(net, params, x, cotangent, training=training)
    got = [pulled.output, pulled.input, *pulled.params.values(), *params.buffers.values()]
    both = stored[f"out.{case.name}.training"]  # unless inference is another
    want = both if training else stored.get(f"out.{case.name}.inference", both)
    assert want.size == sum(value.size for value in got)
    for value in got:
        assert apart(value.ravel(), want[: value.size], case.floor) < GOLDEN[dtype]
        want = want[value.size :]


# --- NaN, inf, shapes -----------------------------------------------------------------------------


@ROWS
@PRECISIONS
@BOTH
def test_nan_and_inf(case: LayerCase, dtype: str, training: bool) -> None:
    """They come out where the reference has them, from inputs and from parameters."""
    net, start, x, _ = drawn(case, dtype, 3)
    for bad, place in itertools.product((np.nan, np.inf, -np.inf), ("x", *start)):
        params, spoiled = start.copy(), x.copy()
        (spoiled if place == "x" else params[place]).flat[0] = bad
        want, after = reference(case, params, spoiled, training)
        y = simdl.forward(net, params, spoiled, training=training)
        got = {"y": (y, want)} | {name: (params.buffers[name], after[name]) for name in after}
        for name, (one, other) in got.items():
            close = np.allclose(one, other, rtol=1e-4, atol=1e-4, equal_nan=True)
            assert close, (bad, place, name)


@ROWS
@PRECISIONS
@BOTH
def test_a_gradient_of_nan_is_not_lost(case: LayerCase, dtype: str, training: bool) -> None:
    net, params, x, cotangent = drawn(case, dtype, 3)
    for i in range(cotangent.size):
        spoiled = cotangent.copy()
        spoiled.flat[i] = np.nan
        pulled = simdl.vjp(net, params, x, spoiled, training=training)
        found = np.isnan(pulled.input).any() or np.isnan(pulled.params.flat).any()
        assert found or not pulled_anything(net, params, x, cotangent, training, i)


def pulled_anything(net: Any, params: Any, x: Any, cotangent: Any, training: bool, i: int) -> bool:
    """Whether output element i depends on anything at all."""
    alone = np.zeros_like(cotangent)
    alone.flat[i] = 1
    pulled = simdl.vjp(net, params, x, alone, training=training)
    return bool(pulled.input.any() or pulled.params.flat.any())


@pytest.mark.parametrize("layer, shape, parts", REFUSED, ids=str)
def test_wrong_shape(
    layer: tuple[Any, ...], shape: tuple[int, ...], parts: tuple[str, ...]
) -> None:
    with pytest.raises(simdl.InputError) as refused:
        LayerCase("refused", shape, layer).network("float32")
    for part in ("layers.0", *parts):
        assert part in str(refused.value)


def test_every_layer_has_its_rows() -> None:
    """Of each kind one row, and one of width one; an activation has its row among those."""
    elementwise = {case.layer[0] for case in ACTIVATIONS}
    kinds = set(L.KINDS) - elementwise - {"Activation"}
    assert kinds <= {case.layer[0] for case in LAYERS}
    narrow = {case.layer[0] for case in LAYERS if case.input_shape[-1] == 1}
    assert kinds - {"Flatten", "Identity", "Residual"} <= narrow
