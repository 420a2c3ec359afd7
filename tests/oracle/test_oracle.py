"""Live against PyTorch: the golden values again, each layer, random optimizers and schedules."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

import cases
import make_golden
import numpy as np
import pytest
import torch
import torch_layers
import torch_side
from cases import ACTIVATIONS, DTYPES, INITIALIZERS, LOSSES
from layer_cases import LAYERS, MODES, LayerCase

import simdl
from simdl import optimizers, schedules
from simdl.initializers import initializer

BOUND = {"float64": 1e-12, "float32": 1e-5}  # norm-wise
SAME = {"float64": 1e-14, "float32": 1e-6}  # another processor's BLAS adds in another order


def apart(got: Any, want: Any, floor: float = 0.0) -> float:
    """Distance relative to the norm of `want`, or to `floor`."""
    assert np.shape(got) == np.shape(want)
    return float(np.linalg.norm(got - want) / max(float(np.linalg.norm(want)), floor, 1e-300))


@pytest.mark.parametrize("kind", make_golden.KINDS)
def test_golden_values_are_what_pytorch_gives(kind: str) -> None:
    with np.load(make_golden.FOLDER / f"{kind}.npz", allow_pickle=False) as file:
        stored = dict(file)
    made_by = json.loads(str(stored.pop("made_by")))
    assert made_by["command"] == make_golden.COMMAND
    assert made_by["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    inputs = {k.removeprefix("in."): v for k, v in stored.items() if k.startswith("in.")}
    want = {k.removeprefix("out."): v for k, v in stored.items() if k.startswith("out.")}
    got = make_golden.KINDS[kind][1](inputs)
    assert set(got) == set(want)
    for name, value in got.items():
        assert value.dtype == want[name].dtype
        assert apart(value, want[name]) <= SAME[value.dtype.name], name


def test_golden_values_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_golden, "FOLDER", tmp_path)
    make_golden.main()
    assert {path.stem for path in tmp_path.iterdir()} == set(make_golden.KINDS)


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", MODES, ids=["training", "inference"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", LAYERS, ids=cases.names(LAYERS))
def test_layer(case: LayerCase, dtype: str, training: bool) -> None:
    """Each row with random numbers and batches: y, all gradients, running statistics."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        net = case.network(dtype)
        params, x, cotangent = case.unpacked(case.packed(rng, int(rng.integers(1, 12))), net)
        want = torch_layers.pull_back(case.layer, params, x, cotangent, training)
        pulled = simdl.vjp(net, params, x, cotangent, training=training)
        got = [pulled.output, pulled.input, *pulled.params.values(), *params.buffers.values()]
        for ours, theirs in zip(got, want, strict=True):
            bound = 1e-11 if dtype == "float64" else 1e-5
            assert apart(ours, theirs, case.floor) < bound


# --- random optimizers, initial weights -----------------------------------------------------------


def _power(low: float, high: float) -> Any:
    return lambda rng: float(10 ** rng.uniform(low, high))


def _within(low: float, high: float) -> Any:
    return lambda rng: float(rng.uniform(low, high))


def _or_none(draw: Any) -> Any:
    return lambda rng: draw(rng) if rng.integers(2) else 0.0


def _either(rng: np.random.Generator) -> bool:
    return bool(rng.integers(2))


DRAWS: dict[str, Any] = {  # each option of every optimizer; a new one must be here
    "lr": _power(-4, -1),
    "weight_decay": _or_none(_power(-4, -1)),
    "momentum": _or_none(_within(0.1, 0.95)),
    "dampening": _within(0, 0.9),
    "betas": lambda rng: tuple(rng.uniform(0, 0.999, 2).tolist()),
    "eps": _power(-10, -2),
    "lr_decay": _within(0, 0.1),
    "initial_accumulator_value": _or_none(_within(0, 1)),
    "rho": _within(0, 1),
    "alpha": _within(0.3, 0.999),
    "momentum_decay": _power(-4, -1),
    "etas": lambda rng: (float(rng.uniform(0.1, 0.9)), float(rng.uniform(1.05, 2))),
    "step_sizes": lambda rng: (float(10 ** rng.uniform(-8, -3)), float(10 ** rng.uniform(-1, 2))),
    **dict.fromkeys(
        ("nesterov", "maximize", "amsgrad", "centered", "decoupled_weight_decay"), _either
    ),
}
THEIRS = [kind for kind in optimizers.KINDS if hasattr(torch.optim, kind)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", THEIRS)
def test_random_optimizer(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = {field.name for field in dataclasses.fields(optimizers.KINDS[kind])}
    options = {name: DRAWS[name](rng) for name in sorted(names - {"bias_correction"})}
    if options.get("nesterov"):
        options |= {"momentum": max(options["momentum"], 0.1), "dampening": 0.0}
    w, gradients = rng.normal(size=14), rng.normal(size=(60, 14))
    rates = options["lr"] * rng.uniform(0, 2, 60) if seed % 2 else np.full(60, options["lr"])
    want = torch_side.optimizer(kind, options, w, gradients, rates)
    net = simdl.Network((13,), cases.build((("Dense", 1),)), dtype="float64")
    chosen = optimizers.optimizer({"name": kind, **options})
    params = net.wrap(w)
    state = chosen.init(params)
    for gradient, lr, right in zip(gradients, rates, want, strict=True):
        params, state = chosen.update(params, net.wrap(gradient), state, lr=lr)
        assert apart(params.flat, right) < 1e-11


def test_our_defaults_are_pytorchs() -> None:
    assert len(THEIRS) == 10
    for kind in THEIRS:
        theirs = inspect.signature(getattr(torch.optim, kind)).parameters
        for field in dataclasses.fields(optimizers.KINDS[kind]):
            if field.name != "bias_correction":
                assert field.default == theirs[field.name].default, (kind, field.name)
        numbers = set(theirs) - {"params", "foreach", "fused", "capturable", "differentiable"}
        assert numbers <= {field.name for field in dataclasses.fields(optimizers.KINDS[kind])}


@pytest.mark.parametrize("seed", range(20))
def test_random_schedule(seed: int) -> None:
    """Options, lengths and steps an epoch at random; a cosine may pass its end."""
    rng = np.random.default_rng(seed)
    lr, steps, an_epoch = 10 ** rng.uniform(-4, 0), int(rng.integers(30, 300)), 3
    size, gamma = int(rng.integers(1, 40)), rng.uniform(0.3, 1.0)
    factors = {"start_factor": rng.uniform(0.01, 1), "end_factor": rng.uniform(0, 1)}
    cycle = {
        "pct_start": rng.uniform(0.1, 0.45), "anneal_strategy": str(rng.choice(["cos", "linear"])),
        "div_factor": rng.uniform(2, 50), "final_div_factor": rng.uniform(1, 1e4),
        "three_phase": bool(rng.integers(2)), "max_lr": lr * 2,
    }  # fmt: skip
    cosine = {"eta_min": lr * rng.uniform()}
    then = {"name": "cosine", "T_max": 30, **cosine}
    behind = (3 * size, "CosineAnnealingLR", {"T_max": 90, **cosine})
    for spec, *chain in (
        ({"name": "step", "step_size": size, "gamma": gamma},
         (0, "StepLR", {"step_size": 3 * size, "gamma": gamma})),
        ({"name": "exponential", "gamma": gamma, "unit": "step"},
         (0, "ExponentialLR", {"gamma": gamma})),
        ({"name": "cosine", "T_max": 60, **cosine, "unit": "step"},
         (0, "CosineAnnealingLR", {"T_max": 60, **cosine})),
        ({"name": "warmup", "total_iters": size, **factors, "then": then},
         (0, "LinearLR", {"total_iters": 3 * size, **factors}), behind),
        ({"name": "one_cycle", **cycle}, (0, "OneCycleLR", cycle)),
    ):  # fmt: skip
        want = torch_side.schedule(chain, lr, steps)
        assert apart(schedules.schedule(spec).rates(lr, steps, an_epoch), want) < 1e-12, spec


@pytest.mark.parametrize("shape", [(40, 300), (300, 40)], ids=str)
@pytest.mark.parametrize("case", [c for c in INITIALIZERS if c.torch], ids=lambda c: c.name)
def test_initial_weights_spread_as_pytorchs(case: Any, shape: tuple[int, int]) -> None:
    """Standard deviation and largest weight; PyTorch's weight is (out, in)."""
    torch.manual_seed(0)
    theirs = torch.empty(shape[::-1])
    getattr(torch.nn.init, case.torch)(theirs, **case.options)
    function, scale = initializer(case.spec).rule(*shape)
    ours, bias = np.zeros(shape, np.float32), np.zeros(shape[1], np.float32)
    function(ours, bias, scale, 0, 0)
    assert ours.std() == pytest.approx(float(theirs.std()), rel=0.03)
    if case.draw == "uniform":
        assert np.abs(ours).max() == pytest.approx(float(theirs.abs().max()), rel=0.01)


def test_every_row_has_a_counterpart() -> None:
    assert all(
        hasattr(torch.nn.functional, row.torch) for row in itertools.chain(ACTIVATIONS, LOSSES)
    )
    assert all(hasattr(torch.nn.init, row.torch) for row in INITIALIZERS if row.torch)
