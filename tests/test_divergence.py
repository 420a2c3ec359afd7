"""What left the finite numbers first, in which layer and at which step; healthy runs are silent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.training import describe, train_chunk

SAMPLES, BATCH, MARKED, SEED = 20, 4, 11, 2
STILL = O.SGD(lr=0.0)  # the weights keep their places
CAUSES = ("activations", "loss", "gradient", "parameters", "running statistics")


def op(forward: str, backward: str, alpha: float = 1.0) -> L.Activation:
    return L.Activation(f"planted:{forward}", f"planted:{backward}", alpha)


def data(marked: bool = True) -> simdl.Data:
    """Samples of two numbers; one of them is marked, and so shows when it comes along."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (SAMPLES, 2))
    if marked:
        x[MARKED, 0] = 1e9
    return simdl.Data(train=(x, rng.integers(0, 2, SAMPLES)))


def step_of_the_mark() -> int:
    order = np.empty(SAMPLES, np.int64)
    permutation(order, SEED, STREAM_ORDER, 0)
    return int(np.flatnonzero(order == MARKED)[0]) // BATCH


def run(layers: list[Any], marked: bool = True, dtype: str = "float32", **settings: Any) -> Any:
    """Train; every dense layer is the identity, so that marks pass."""
    net = simdl.Network((2,), layers, dtype=dtype)
    params = net.init(0)
    for view in params.values():
        if view.ndim > 1:  # a norm's scales and shifts stay 1 and 0
            view[...] = np.eye(*view.shape)
    settings = {"optimizer": STILL, "batch_size": BATCH, "epochs": 3, "params": params} | settings
    return simdl.train(net, data(marked), seed=SEED, **settings)


def dense() -> L.Dense:
    return L.Dense(2)


BLIND = op("blind", "blind_backward")
PLANTED: dict[str, tuple[list[Any], dict[str, Any], str, str]] = {
    # layers, settings, what must be reported, and where
    "activations only": (
        [dense(), op("spoil", "same_backward"), BLIND, dense()], {}, "activations", "1",
    ),
    "activations only, in the first layer": (
        [op("spoil", "same_backward"), BLIND, dense()], {}, "activations", "0",
    ),
    "activations only, in a branch": (
        [dense(), L.Residual([dense(), op("spoil", "same_backward"), BLIND]), BLIND, dense()],
        {}, "activations", "1.1",
    ),
    "gradient only": (
        [dense(), op("blind", "spoil_backward"), dense()], {}, "gradient", "1",
    ),
    "gradient only, in a branch": (
        [dense(), L.Residual([dense(), op("blind", "spoil_backward"), dense()]), BLIND, dense()],
        {}, "gradient", "1.1",
    ),
    "running statistics only": (
        [dense(), op("enlarge", "blind_backward"), L.BatchNorm(), dense()], {},
        "running statistics", "2",
    ),
    "loss only": (
        [dense(), op("enlarge", "blind_backward")], {"loss": "mse"}, "loss", "1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_inf_is_reported_as_what_it_is(name: str) -> None:
    layers, settings, cause, layer = PLANTED[name]
    result = run(layers, **settings)
    step = step_of_the_mark()
    assert step > 0
    assert result.status == "diverged"
    assert result.divergence == {"step": step, "layer": layer, "cause": cause}
    assert result.steps == step
    for part in (f"step {step}", cause, f"layer {layer} "):
        assert part in result.reason
    assert not any(other in result.reason for other in CAUSES if other != cause)


@pytest.mark.parametrize("name", PLANTED)
def test_the_same_nets_are_healthy_without_the_mark(name: str) -> None:
    layers, settings, _, _ = PLANTED[name]
    result = run(layers, marked=False, **settings)
    assert result.status == "completed" and result.divergence is None
    assert result.steps == 15


def test_the_sum_behind_a_branch_belongs_to_the_residual_layer() -> None:
    """Both summands are within float32, 2e38 each, and their sum is not."""
    data = simdl.Data(train=(np.full((4, 2), 2e38), np.zeros(4, int)))
    for branch in ([L.Identity(), L.ReLU()], [L.Residual([dense()]), L.ReLU()]):
        net = simdl.Network((2,), [L.Identity(), L.Residual(branch), BLIND], init="zeros")
        result = simdl.train(net, data, batch_size=BATCH, epochs=1)
        assert result.divergence == {"step": 0, "layer": "1", "cause": "activations"}
        assert "layer 1 (Residual)" in result.reason


@pytest.mark.parametrize("norm", [L.BatchNorm(), L.LayerNorm(), L.GroupNorm(2), L.RMSNorm()])
def test_inf_before_a_norm_is_not_the_norms(norm: L.Layer) -> None:
    """Its own output is NaN then; what came first is reported. Large numbers do it no harm."""
    net = simdl.Network((2,), [op("spoil", "same_backward"), norm, dense()])
    result = simdl.train(net, data(), seed=SEED, batch_size=BATCH, epochs=1)
    assert result.divergence == {"step": step_of_the_mark(), "layer": "0", "cause": "activations"}
    net = simdl.Network((2,), [norm, dense()])
    assert simdl.train(net, data(), batch_size=BATCH, epochs=2).status == "completed"


@pytest.mark.parametrize("alpha", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inf_of_either_sign_and_nan(alpha: float, dtype: str) -> None:
    for layers, cause in (
        ([dense(), op("spoil", "same_backward", alpha), BLIND, dense()], "activations"),
        ([dense(), op("blind", "spoil_backward", alpha), dense()], "gradient"),
    ):
        found = run(layers, dtype=dtype).divergence
        assert found == {"step": step_of_the_mark(), "layer": "1", "cause": cause}


@pytest.mark.parametrize("planted", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", ["0.weight", "2.bias", "3.0.weight"])
def test_parameters_only(name: str, planted: float) -> None:
    net = simdl.Network((2,), [dense(), L.Tanh(), dense(), L.Residual([dense()])])
    params = net.init(0)
    params[name].flat[1] = planted
    training = describe(net, batch_size=BATCH, epochs=2)
    result = train_chunk(training, [data(False)], [0], [params])[0]  # `train` refuses to start so
    layer = name.rpartition(".")[0]
    assert result.divergence == {"step": 0, "layer": layer, "cause": "parameters"}
    assert result.steps == 0


@pytest.mark.parametrize("at", [0, 3, 14])
def test_parameters_after_an_update(at: int) -> None:
    """A rate beyond float32 at one step only; 14 is the last, after which nothing else is seen."""
    rates = np.full(15, 1e-3)
    rates[at] = 1e300
    layers = [dense(), L.Tanh(), dense()]
    result = run(layers, marked=False, schedule=rates)
    assert result.divergence == {"step": at, "layer": "0", "cause": "parameters"}
    assert result.steps == at + 1
    assert not np.isfinite(result.params.flat).all()


def test_too_large_a_rate() -> None:
    net = simdl.Network((2,), [L.Dense(8), L.ReLU(), L.Dense(8), L.ReLU(), L.Dense(2)])
    result = simdl.train(net, data(False), optimizer=O.SGD(lr=1e10), batch_size=BATCH, epochs=20)
    assert result.status == "diverged"
    assert 0 < result.divergence["step"] < 40
    assert result.divergence["cause"] in ("activations", "loss", "gradient")


def test_history_of_a_diverged_run() -> None:
    """It keeps what was measured; the last record, after the divergence, is honest."""
    probes = ["loss", simdl.Probe("gradient_rms", 1)]
    layers, settings, _, _ = PLANTED["gradient only"]
    result = run(layers, probes=probes, **settings)
    step = step_of_the_mark()
    measured = result.history.gradient_rms
    assert measured.sizes["step"] == step + 1
    assert np.isfinite(measured.sel(layer="0")[:-1]).all()
    assert not np.isfinite(measured.sel(layer="0", step=step))
    assert result.history.epoch[-1] == step / 5


@pytest.mark.parametrize("every", [1, 2])
def test_one_record_a_step(every: int) -> None:
    """A run that ends where it was just measured: the record is not there twice."""
    layers, settings, _, _ = PLANTED["gradient only"]
    result = run(layers, probes=[simdl.Probe("loss", every)], **settings)
    steps = [*range(0, result.steps, every), result.steps]
    assert result.history.step.values.tolist() == steps
    assert result.history.train_loss[-1].item() == result.metrics["train_loss"]


def test_one_diverging_seed_leaves_its_neighbours_alone() -> None:
    from simdl.training import describe, train_chunk

    net = simdl.Network((2,), [dense(), L.Tanh(), dense()], dtype="float64")
    training = describe(net, batch_size=BATCH, epochs=2)
    start = [net.init(seed) for seed in range(3)]
    start[1].flat[0] = np.inf
    results = train_chunk(training, [data(False)], [0, 1, 2], start)
    assert [r.status for r in results] == ["completed", "diverged", "completed"]
    alone = simdl.train(net, data(False), batch_size=BATCH, epochs=2, seed=2)
    assert np.array_equal(results[2].params.flat, alone.params.flat)
