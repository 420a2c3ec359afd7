"""Norms and dropout in whole trainings: start, chunks, divergence, saving, the file's keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl.configuration import Configuration
from simdl.training import describe, train_chunk

X, T = np.random.default_rng(0).normal(size=(24, 6)) + 2, np.arange(24) % 3
DATA = simdl.Data(train=(X, T), test=(X[:9] - 1, T[:9]))


def block(*extra: L.Layer) -> list[L.Layer]:
    return [L.Dense(8), *extra, L.ReLU()]


NET = simdl.Network(
    (6,),
    [
        *block(L.BatchNorm()), L.Dropout(0.2), L.Residual([*block(L.BatchNorm()), L.Dropout(0.3)]),
        L.LayerNorm(), L.Dense(8), L.GroupNorm(2), L.PReLU(), L.RMSNorm(), L.Dense(3),
    ],
)  # fmt: skip
TRAINING = describe(NET, batch_size=7, epochs=3, probes=["loss", "preactivation_std", "zero_share"])


def bits(result: simdl.Result) -> tuple[bytes, bytes, str]:
    """All that a training leaves: parameters, running statistics, what was measured."""
    params = result.params
    return params.flat.tobytes(), params.buffers.flat.tobytes(), repr(result.metrics)


def weights(layers: list[L.Layer], seed: int = 5) -> list[np.ndarray]:
    """Initial weights of the dense and convolution layers, in order, however they are numbered."""
    net = simdl.Network((6, 6, 1), layers)
    drawn = {net.program.leaf(op)[0] for op in net.program.find("fans")}
    params = net.init(seed)
    return [v for name, v in params.items() if name.removesuffix(".weight") in drawn]


def arm(norm: L.Layer | None, activation: L.Layer, dropout: bool) -> list[L.Layer]:
    def hidden(layer: L.Layer) -> list[L.Layer]:
        return [layer, *([norm] if norm else []), activation, *([L.Dropout()] if dropout else [])]

    inner = L.Residual(hidden(L.Dense(9)))
    return [*hidden(L.Conv2D(2, 3)), L.Flatten(), *hidden(L.Dense(9)), inner, L.Dense(4)]


def test_arms_start_from_the_same_weights() -> None:
    """They differ in a norm, an activation or dropout; what is drawn does not see these."""
    plain = weights(arm(None, L.ReLU(), False))
    assert len(plain) == 4 and len({v.tobytes() for v in plain}) == 4
    for norm in (L.BatchNorm(), L.LayerNorm(), L.RMSNorm(), L.GroupNorm(1), None):
        for activation in (L.PReLU(per_channel=True), L.Softmax()):
            for dropout in (True, False):
                other = weights(arm(norm, activation, dropout))
                assert [v.tobytes() for v in other] == [v.tobytes() for v in plain]
    assert weights(arm(None, L.ReLU(), False), 6)[0].tobytes() != plain[0].tobytes()


def test_norms_start_at_one_and_zero_prelu_at_its_alpha() -> None:
    start = NET.init(0)
    assert np.array_equal(start["1.weight"], np.ones(8)) and not start["1.bias"].any()
    assert np.array_equal(start["8.weight"], np.float32([0.25]))
    assert not start.buffers["1.running_mean"].any()
    assert np.array_equal(start.buffers["4.1.running_var"], np.ones(8))


def test_a_chunk_is_its_seeds_one_by_one() -> None:
    """Running statistics and masks are each trial's own."""
    chunk = train_chunk(TRAINING, [DATA], [4, 0, 9])
    assert len({bits(result) for result in chunk}) == 3
    for result in chunk:
        assert bits(train_chunk(TRAINING, [DATA], [result.seed])[0]) == bits(result)
    silent = describe(NET, batch_size=7, epochs=3, probes=["loss"])
    assert bits(train_chunk(silent, [DATA], [9])[0])[:2] == bits(chunk[2])[:2]


def test_running_statistics_are_saved_and_predict(tmp_path: Path) -> None:
    result = train_chunk(TRAINING, [DATA], [1])[0]
    result.save(tmp_path / "run")
    back = simdl.load(tmp_path / "run")
    assert bits(back) == bits(result)
    fresh = NET.wrap(result.params.flat)
    mean = "1.running_mean"
    assert not np.allclose(back.params.buffers[mean], fresh.buffers[mean], atol=0.1)
    y = simdl.forward(NET, result.params, X)
    assert np.array_equal(back.predict(X).outputs, y.astype(float))
    assert not np.allclose(simdl.forward(NET, fresh, X), y, atol=1e-3)


def test_probes_know_what_they_look_at() -> None:
    """Pre-activations are what dense layers make, activations what activations make."""
    history = train_chunk(TRAINING, [DATA], [0])[0].history
    for name, kinds in (("preactivation_std", {"Dense"}), ("zero_share", {"ReLU", "PReLU"})):
        there = history[name].isel(epoch=0).dropna("layer")
        assert set(there.layer_kind.values) == kinds


# --- divergence -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["1.weight", "1.bias", "5.bias", "4.1.bias", "8.weight", "9.weight"]
)
def test_parameters_of_norms_are_seen(name: str) -> None:
    params = NET.init(0)
    params[name].flat[0] = np.nan
    training = describe(NET, batch_size=7, epochs=1)
    result = train_chunk(training, [DATA], [0], [params])[0]  # `train` refuses to start so
    layer = name.rpartition(".")[0]
    assert result.divergence == {"step": 0, "layer": layer, "cause": "parameters"}


@pytest.mark.parametrize("lr", [1e20, 1e30])
def test_a_diverging_net_is_located(lr: float) -> None:
    """At the first layer whose output, computed once more, is not finite."""
    net = simdl.Network((6,), [*block(L.BatchNorm()), *block(L.BatchNorm()), L.Dense(3)])
    result = simdl.train(net, DATA, optimizer=O.SGD(lr=lr), batch_size="full", epochs=50)
    assert result.status == "diverged" and result.divergence["cause"] == "activations"
    with np.errstate(all="ignore"):
        outputs = simdl.vjp(net, result.params, X, np.zeros((24, 3)), training=True).outputs
    first = next(path for path in map(str, range(7)) if not np.isfinite(outputs[path]).all())
    assert result.divergence["layer"] == first


# --- the configuration's keys ---------------------------------------------------------------------


def built(**network: Any) -> list[str]:
    section = {"depth": 2, "width": 6, "activation": "prelu"} | network
    made = Configuration.parse({"network": section}).build(DATA)
    return [kind for _, kind in made.net.program.leaves]


def test_norm_and_dropout_of_an_mlp() -> None:
    """The norm goes before each hidden activation, dropout behind; the head has neither."""
    plain = ["Dense", "PReLU"]
    assert built() == built(norm="none", dropout=0) == [*plain * 2, "Dense"]
    full = ["Dense", "GroupNorm", "PReLU", "Dropout"]
    norm = {"name": "GroupNorm", "groups": 3}
    assert built(norm=norm, dropout=0.2) == [*full * 2, "Dense"]
    nested = [*full, "Residual", *full, "Dense"]
    assert built(norm=norm, dropout=0.2, residual=True) == nested


def test_layers_of_tables() -> None:
    tables = [
        {"type": "Dense", "units": 8}, {"type": "BatchNorm", "momentum": 0.2}, {"type": "Softmax"},
        {"type": "Residual", "layers": [{"type": "GroupNorm", "groups": 4}, {"type": "Dropout"}]},
        {"type": "Dense", "units": 3},
    ]  # fmt: skip
    made = Configuration.parse({"network": {"kind": "layers", "layers": tables}}).build(DATA).net
    inner = L.Residual([L.GroupNorm(4), L.Dropout()])
    assert made.layers == (L.Dense(8), L.BatchNorm(momentum=0.2), L.Softmax(), inner, L.Dense(3))


@pytest.mark.parametrize(
    ("network", "parts"),
    [
        ({"norm": "BatchNrm"}, ("network.norm", "BatchNrm", "BatchNorm")),
        ({"norm": "ReLU"}, ("network.norm", "ReLU", "unknown")),
        ({"norm": {"name": "GroupNorm"}}, ("network.norm.groups", "missing")),
        ({"norm": {"name": "GroupNorm", "groups": 4}}, ("groups", "4", "the 6 channels")),
        ({"dropout": 1.0}, ("network.dropout", "1.0", "less than 1")),
        ({"dropout": "half"}, ("network.dropout", "half")),
    ],
)
def test_wrong_keys(network: dict[str, Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(simdl.InputError) as refused:
        built(**network)
    for part in parts:
        assert part in str(refused.value)
