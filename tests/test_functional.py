"""Whole networks through the functional interface, against the naive reference."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import cases
import naive
import numpy as np
import pytest
from cases import DTYPES, LOSSES, NETWORKS, names

import simdl
from simdl.engine.program import KEPT_LAYOUTS
from simdl.parameters import Parameters

STEP = 6e-6
PRECISE = 1e-7
BOUND = {"float64": 1e-12, "float32": 1e-5}
BATCHES = (1, 2, 33)


def drawn(case: cases.NetworkCase, dtype: str, n: int) -> tuple[simdl.Network, Parameters, Any]:
    """A network, its parameters (biases not 0) and a batch of n samples."""
    rng = np.random.default_rng(n)
    net = cases.network(case, dtype)
    params = net.init(1)
    params.flat += 0.2 * rng.normal(size=params.flat.size).astype(dtype)
    return net, params, rng.normal(size=(n, *case.input_shape)).astype(dtype)


def wide(params: Parameters) -> dict[str, np.ndarray]:
    return {name: value.astype(float) for name, value in params.items()}


def apart(got: np.ndarray, want: np.ndarray) -> float:
    """Norm-wise relative distance."""
    assert got.shape == want.shape
    return float(np.linalg.norm(got - want) / max(float(np.linalg.norm(want)), 1e-30))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", NETWORKS, ids=names(NETWORKS))
def test_forward(case: cases.NetworkCase, dtype: str) -> None:
    for n in BATCHES:
        net, params, x = drawn(case, dtype, n)
        want, _ = naive.forward(case.layers, wide(params), x.astype(float))
        for training in (False, True):
            y = simdl.forward(net, params, x, training=training)
            assert y.dtype == dtype and y.shape == (n, *net.output_shape)
            assert apart(y, want) < BOUND[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES, ids=names(LOSSES))
@pytest.mark.parametrize("case", NETWORKS, ids=names(NETWORKS))
def test_value_and_grad(case: cases.NetworkCase, loss: cases.LossCase, dtype: str) -> None:
    for n in BATCHES:
        net, params, x = drawn(case, dtype, n)
        t = cases.targets(loss, n, net.output_shape[0], np.random.default_rng(5))
        value, grads = simdl.value_and_grad(net, params, x, t, loss=loss.spec)
        y, notes = naive.forward(case.layers, wide(params), x.astype(float))
        want, dy = naive.LOSSES[loss.naive](y, t, loss.option)
        _, slopes, _ = naive.backward(case.layers, wide(params), notes, dy)
        assert value == pytest.approx(want.mean(), rel=BOUND[dtype], abs=BOUND[dtype])
        assert list(grads) == list(params) and set(grads) == set(slopes)
        scale = max([float(np.linalg.norm(slope)) for slope in slopes.values()], default=0.0)
        for name, slope in slopes.items():
            assert np.linalg.norm(grads[name] - slope) <= BOUND[dtype] * scale, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", NETWORKS, ids=names(NETWORKS))
def test_vjp(case: cases.NetworkCase, dtype: str) -> None:
    for n in BATCHES:
        net, params, x = drawn(case, dtype, n)
        cotangent = np.random.default_rng(6).normal(size=(n, *net.output_shape)).astype(dtype)
        pulled = simdl.vjp(net, params, x, cotangent)
        y, notes = naive.forward(case.layers, wide(params), x.astype(float))
        dx, slopes, at = naive.backward(case.layers, wide(params), notes, cotangent.astype(float))
        assert apart(pulled.output, y) < BOUND[dtype]
        assert apart(pulled.input, dx) < BOUND[dtype]
        for name, slope in slopes.items():
            assert apart(pulled.params[name], slope) < BOUND[dtype], name
        if case.name == "residual_of_nothing":
            at["0.0"] = dx  # an Identity that opens a branch is the fork itself: it has all of it
        for path, delta in at.items():
            assert apart(pulled.layers[path], delta) < BOUND[dtype], path
        for i in range(len(case.layers)):
            assert np.array_equal(pulled.layers[i], pulled.layers[str(i)])
            assert np.array_equal(pulled.outputs[i], pulled.outputs[str(i)])
        assert np.array_equal(pulled.outputs[len(case.layers) - 1], pulled.output)


@pytest.mark.parametrize("n", BATCHES)
@pytest.mark.parametrize("case", [c for c in NETWORKS if c.smooth], ids=lambda c: c.name)
def test_gradient_check(case: cases.NetworkCase, n: int) -> None:
    """The input's and every single parameter array's, along random directions."""
    net, params, x = drawn(case, "float64", n)
    rng = np.random.default_rng(7)
    cotangent = rng.normal(size=(n, *net.output_shape))
    pulled = simdl.vjp(net, params, x, cotangent)

    def check(slope: np.ndarray, value: np.ndarray) -> None:
        way, kept = rng.normal(size=value.shape), value.copy()
        ends = []
        for sign in (1, -1):
            value[...] = kept + sign * STEP * way
            ends.append(float((simdl.forward(net, params, x) * cotangent).sum()))
        value[...] = kept
        along = float((slope * way).sum())
        scale = float(np.linalg.norm(slope) * np.linalg.norm(way))  # bounds `along`
        assert abs(along - (ends[0] - ends[1]) / (2 * STEP)) < PRECISE * max(
            abs(along), 0.1 * scale
        )

    check(pulled.input, x)
    for name, value in params.items():
        check(pulled.params[name], value)


@pytest.mark.parametrize("loss", LOSSES, ids=names(LOSSES))
def test_gradient_check_of_the_mean_loss(loss: cases.LossCase) -> None:
    case = next(case for case in NETWORKS if case.name == "residual")
    net, params, x = drawn(case, "float64", 9)
    rng = np.random.default_rng(8)
    t = cases.targets(loss, 9, 3, rng)
    _, grads = simdl.value_and_grad(net, params, x, t, loss=loss.spec)
    for _ in range(3):
        way = rng.normal(size=params.flat.size)
        ends = []
        for sign in (1, -1):
            moved = params.copy()
            moved.flat += sign * STEP * way
            ends.append(simdl.value_and_grad(net, moved, x, t, loss=loss.spec)[0])
        difference = (ends[0] - ends[1]) / (2 * STEP)
        assert float(grads.flat @ way) == pytest.approx(difference, rel=PRECISE)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", NETWORKS, ids=names(NETWORKS))
def test_a_sample_does_not_depend_on_its_company(case: cases.NetworkCase, dtype: str) -> None:
    """Bit for bit, alone or in a batch that fills several evaluation batches, at any place."""
    net, params, x = drawn(case, dtype, 300)
    whole = simdl.forward(net, params, x)
    for rows in (slice(0, 1), slice(5, 7), slice(100, 229), slice(299, 300), slice(1, 300)):
        assert np.array_equal(simdl.forward(net, params, x[rows]), whole[rows])
    assert np.array_equal(simdl.forward(net, params, x[::-1]), whole[::-1])
    spoiled = x.copy()
    spoiled[7] = np.nan  # a neighbour's NaN stays with the neighbour
    again = simdl.forward(net, params, spoiled)
    assert np.array_equal(np.delete(again, 7, axis=0), np.delete(whole, 7, axis=0))


def test_nothing_is_changed() -> None:
    case = next(case for case in NETWORKS if case.name == "nested")
    net, params, x = drawn(case, "float32", 5)
    t = np.array([0, 1, 2, 0, 1])
    kept, kept_x = params.copy(), x.copy()
    results = []
    for _ in range(2):  # the second time as the first: no state is left behind
        y = simdl.forward(net, params, x, training=True)
        value, grads = simdl.value_and_grad(net, params, x, t, training=True, seed=3)
        pulled = simdl.vjp(net, params, x, y)
        results.append((y, value, grads.flat, pulled.input, pulled.params.flat))
    for first, second in zip(*results, strict=True):
        assert np.array_equal(first, second)
    assert np.array_equal(params.flat, kept.flat) and np.array_equal(x, kept_x)
    assert np.array_equal(params.buffers.flat, kept.buffers.flat)


def test_results_are_independent_arrays() -> None:
    """A result is no view of a buffer that the next call overwrites."""
    case = next(case for case in NETWORKS if case.name == "mlp")
    net, params, x = drawn(case, "float64", 4)
    first = simdl.forward(net, params, x)
    pulled = simdl.vjp(net, params, x, first)
    kept = first.copy(), pulled.output.copy(), pulled.input.copy(), pulled.layers[0].copy()
    simdl.forward(net, params, 2 * x)
    simdl.vjp(net, params, 2 * x, 3 * first)
    after = first, pulled.output, pulled.input, pulled.layers[0]
    assert all(np.array_equal(a, b) for a, b in zip(kept, after, strict=True))


def test_parameters_are_views_of_one_flat_vector() -> None:
    case = next(case for case in NETWORKS if case.name == "nested")
    net = cases.network(case, "float64")
    params = net.init(0)
    layers = ("2.0", "2.1.0.0", "2.1.1", "3")
    assert list(params) == [f"{path}.{name}" for path in layers for name in ("weight", "bias")]
    assert sum(value.size for value in params.values()) == params.flat.size == net.n_parameters
    joined = np.concatenate([value.ravel() for value in params.values()])
    assert np.array_equal(joined, params.flat)  # layer by layer, weight before bias, no gaps
    before = simdl.forward(net, params, np.ones((1, 2, 3)))
    params["3.weight"][0, 0] += 1
    params["3.bias"] = np.full(3, 2.0)
    assert np.shares_memory(params["3.weight"], params.flat) and params.flat[-1] == 2
    assert not np.array_equal(simdl.forward(net, params, np.ones((1, 2, 3))), before)


def test_layouts_go_with_their_program() -> None:
    """Layouts are kept for batches to come, but only so many, and not beyond the network."""
    net = simdl.Network((4,), cases.build((("Dense", 3),)))
    params, program = net.init(0), net.program
    assert program.layout(5) is program.layout(5)
    for rows in range(1, 40):
        simdl.forward(net, params, np.ones((rows, 4)), training=True)
    assert len(program._layouts) <= KEPT_LAYOUTS
    gone = weakref.ref(program)
    del net, params, program
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("case", cases.INITIALIZERS, ids=names(cases.INITIALIZERS))
def test_initial_weights_of_a_network(case: cases.InitializerCase) -> None:
    """Each dense layer draws with its own number; what stands between them does not matter."""
    plain = (("Dense", 5), ("Dense", 3))
    mixed = (("Identity",), ("Dense", 5), ("Tanh",), ("Residual", (("GELU",),)), ("Dense", 3))
    one = simdl.Network((4,), cases.build(plain), init=case.spec, dtype="float64").init(11)
    other = simdl.Network((4,), cases.build(mixed), init=case.spec, dtype="float64").init(11)
    assert np.array_equal(one.flat, other.flat)
    rule = getattr(naive, f"draw_{case.draw}")
    for op, (path, shape) in enumerate({"0": (4, 5), "1": (5, 3)}.items()):
        weight, bias = rule(*shape, case.scale(*shape), 11, op)
        assert np.allclose(one[f"{path}.weight"], weight, rtol=1e-13, atol=1e-13)
        assert np.allclose(one[f"{path}.bias"], bias, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("case", [c for c in cases.INITIALIZERS if c.std], ids=lambda c: c.name)
def test_spread_of_initial_weights(case: cases.InitializerCase) -> None:
    weight = simdl.Network((300,), cases.build((("Dense", 200),)), init=case.spec).init(2)[
        "0.weight"
    ]
    std = case.std(300, 200)
    assert abs(weight.std(dtype=float) - std) <= 4 * std / np.sqrt(2 * weight.size) + 1e-12
    assert abs(weight.mean(dtype=float)) <= 4 * std / np.sqrt(weight.size) + 1e-12


def test_orthogonal_weights_are_orthogonal() -> None:
    layers = cases.build((("Dense", 9), ("Dense", 30), ("Dense", 30)))
    params = simdl.Network((20,), layers, init="orthogonal", dtype="float64").init(4)
    for path, wide_side in (("0", False), ("1", True), ("2", False)):
        w = params[f"{path}.weight"]
        product = w @ w.T if wide_side else w.T @ w
        assert np.allclose(product, np.eye(len(product)), atol=1e-13)
