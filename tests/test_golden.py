"""Against PyTorch's answers, committed in tests/golden (each file says how it was made)."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import cases
import naive
import naive_optimizers
import numpy as np
import pytest
from cases import ACTIVATIONS, DTYPES, LOSSES, NETWORKS, names
from optimizer_cases import OPTIMIZERS, OptimizerCase

import simdl
from simdl.kernels.activations import PAIRS

FOLDER = Path(__file__).resolve().parent / "golden"
BOUND = {"float64": 1e-12, "float32": 1e-5}  # norm-wise


@functools.cache
def golden(kind: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{kind}.npz", allow_pickle=False) as file:
        return dict(file)


def apart(got: np.ndarray, want: np.ndarray) -> float:
    """Norm-wise relative distance."""
    assert np.shape(got) == np.shape(want)
    return float(np.linalg.norm(got - want) / max(float(np.linalg.norm(want)), 1e-300))


@pytest.mark.parametrize(
    "kind", ["activations", "losses", "networks", "optimizers", "layers", "schedules"]
)
def test_the_file_says_how_it_was_made(kind: str) -> None:
    made_by = json.loads(str(golden(kind)["made_by"]))
    assert made_by["command"].endswith("make_golden.py")
    assert made_by["torch"].startswith("2.13") and made_by["numpy"] and made_by["python"]


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ACTIVATIONS, ids=names(ACTIVATIONS))
def test_activation(case: cases.ActivationCase, dtype: str) -> None:
    stored = golden("activations")
    forward, backward = PAIRS[case.kernel]
    x, dy = stored["in.x"].astype(dtype), stored["in.dy"].astype(dtype)
    y, dx = np.empty_like(x), np.empty_like(x)
    forward(y, x, case.alpha)
    backward(dx, dy, x, y, case.alpha)
    assert apart(y, stored[f"out.{case.name}.{dtype}.y"]) < BOUND[dtype]
    assert apart(dx, stored[f"out.{case.name}.{dtype}.dx"]) < BOUND[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 12])
@pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))
def test_loss(case: cases.LossCase, n: int, dtype: str) -> None:
    stored = golden("losses")
    y, t = (stored[f"in.{case.name}.{n}.{part}"] for part in "yt")
    y = y.astype(dtype)
    function, option = cases.loss_rule(case)
    losses, dy = np.empty(n, dtype), np.empty_like(y)
    function(losses, dy, y, (t[:, None] if case.labels else t).astype(dtype), option)
    want = stored[f"out.{case.name}.{n}.{dtype}.loss"]
    assert apart(losses.mean(), want) < BOUND[dtype]
    assert apart(dy, stored[f"out.{case.name}.{n}.{dtype}.dy"]) < BOUND[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", NETWORKS, ids=names(NETWORKS))
def test_network(case: cases.NetworkCase, dtype: str) -> None:
    stored = golden("networks")
    loss = cases.LOSSES[NETWORKS.index(case) % len(cases.LOSSES)]
    flat, x, t = (stored[f"in.{case.name}.{part}"] for part in ("params", "x", "t"))
    want = {
        part: stored[f"out.{case.name}.{dtype}.{part}"]
        for part in ("output", "loss", "gradient", "input_gradient")
    }
    net = cases.network(case, dtype)
    params, x = net.wrap(flat.astype(dtype)), x.astype(dtype)
    y = simdl.forward(net, params, x)
    assert apart(y, want["output"]) < BOUND[dtype]
    value, grads = simdl.value_and_grad(net, params, x, t, loss=loss.spec)
    assert apart(np.array(value), want["loss"]) < BOUND[dtype]
    assert apart(grads.flat, want["gradient"]) < BOUND[dtype]
    _, cotangent = naive.LOSSES[loss.naive](y.astype(float), t, loss.option)
    pulled = simdl.vjp(net, params, x, cotangent)
    assert apart(pulled.input, want["input_gradient"]) < BOUND[dtype]
    assert apart(pulled.params.flat, want["gradient"]) < BOUND[dtype]


@pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_optimizer(case: OptimizerCase) -> None:
    """200 steps through the public `update`; every fiftieth is compared."""
    stored = golden("optimizers")
    w, gradients = stored["in.w"], stored["in.gradients"]
    assert len(gradients) == 200
    rates = case.rates(200)
    if case.torch:
        want = stored[f"out.{case.name}"]
    else:
        settings = {**case.options, "lr": rates}
        want = naive_optimizers.OPTIMIZERS[case.kind](w, gradients, **settings)[49::50]
    net = simdl.Network((w.size - 1,), cases.build((("Dense", 1),)), dtype="float64")
    params, optimizer = net.wrap(w.copy()), case.spec()
    state, path = optimizer.init(params), []
    for gradient, lr in zip(gradients, rates, strict=True):
        params, state = optimizer.update(params, net.wrap(gradient), state, lr=float(lr))
        path.append(params.flat)
    assert state.t == 200 and np.array_equal(w, stored["in.w"])
    for got, right in zip(path[49::50], want, strict=True):
        assert apart(got, right) < 1e-12
