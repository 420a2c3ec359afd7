"""`simdl.train` against training written from the textbook; its history; no allocation a step."""

from __future__ import annotations

import naive_training as naive
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.probes import NAMES

PLAIN = ["dense", "tanh", ["dense", "relu"], "dense"]  # what `net` builds, for the naive trainer
LAYERS = (L.Dense(6), L.Tanh(), L.Residual([L.Dense(6), L.ReLU()]), L.Dense(3))
PATHS = ["0", "1", "2.0", "2.1", "2", "3"]


def net(dtype: str = "float64") -> simdl.Network:
    return simdl.Network((4,), LAYERS, init="he_normal", dtype=dtype)


def arrays(n: int = 23) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def orders(n: int, epochs: int, seed: int) -> list[np.ndarray]:
    found = []
    for epoch in range(epochs):
        order = np.empty(n, np.int64)
        permutation(order, seed, STREAM_ORDER, epoch)
        found.append(order)
    return found


def both(seed: int = 3, batch: int = 5, **settings: object) -> tuple[simdl.Result, naive.Run]:
    """Train with ours and with the naive trainer, probes at every step."""
    plain_optimizer = settings.pop("plain")
    t = settings.pop("t", arrays()[1])
    x, _ = arrays()
    loss = settings.get("loss", "softmax_cross_entropy")
    layered = ("gradient_rms", "preactivation_gradient_rms")
    probes = [simdl.Probe(name, 1) for name in ("loss", "accuracy", *layered)]
    result = simdl.train(
        net(), simdl.Data(train=(x, t)), seed=seed, batch_size=batch, probes=probes, **settings
    )
    start = settings.get("params") or net().init(seed)
    size = len(x) if batch == "full" else batch
    an_epoch = -(-len(x) // size)
    steps = settings.get("steps") or settings["epochs"] * an_epoch
    rates = settings.get("schedule")
    run = naive.train(
        PLAIN, [view.shape for view in start.values()], start.flat, x, t,
        orders(len(x), -(-steps // an_epoch), seed),
        naive.squared_error if loss == "mse" else naive.cross_entropy,
        plain_optimizer, size, steps,
        np.full(steps, result.training.optimizer.lr) if rates is None else np.asarray(rates),
        settings.get("clip_norm", 0.0), settings.get("clip_value", 0.0),
        settings.get("l1", 0.0), settings.get("l2", 0.0), settings.get("penalize_biases", False),
    )  # fmt: skip
    return result, run


WEIGHTS = naive.penalized_places([view.shape for view in net().init(0).values()], False)
CASES: dict[str, dict] = {
    "SGD": {"optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "epochs": 4},
    "momentum and decay": {
        "optimizer": O.SGD(lr=0.1, momentum=0.9, weight_decay=0.01),
        "plain": naive.SGD(momentum=0.9, decay=0.01),
        "epochs": 4,
    },
    "Nesterov": {
        "optimizer": O.SGD(lr=0.1, momentum=0.9, nesterov=True),
        "plain": naive.SGD(momentum=0.9, nesterov=True),
        "epochs": 4,
    },
    "Adam": {"optimizer": O.Adam(lr=0.02), "plain": naive.Adam(), "epochs": 4},
    "clipped by norm": {
        "optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "steps": 17, "clip_norm": 0.2,
    },
    "clipped by value": {
        "optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "steps": 17, "clip_value": 0.03,
    },
    "clipped by both": {
        "optimizer": O.Adam(lr=0.02), "plain": naive.Adam(), "steps": 17,
        "clip_norm": 0.5, "clip_value": 0.05,
    },
    "l2 before clipping": {
        "optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "steps": 17, "clip_norm": 0.2, "l2": 0.3,
    },
    "l1": {
        "optimizer": O.SGD(lr=0.1, momentum=0.9), "plain": naive.SGD(momentum=0.9), "steps": 17,
        "l1": 0.3, "schedule": np.linspace(0.1, 0.02, 17),
    },
    "l1 and l2 on everything": {
        "optimizer": O.Adam(lr=0.02), "plain": naive.Adam(), "steps": 17, "l1": 0.05, "l2": 0.1,
        "penalize_biases": True,
    },
    "decay of weights only": {
        "optimizer": O.SGD(lr=0.1, momentum=0.9, weight_decay=0.2),
        "plain": naive.SGD(momentum=0.9, decay=0.2 * WEIGHTS), "steps": 17,
        "penalize_biases": False,
    },
    "decay of everything with penalties on weights": {
        "optimizer": O.SGD(lr=0.1, weight_decay=0.2), "plain": naive.SGD(decay=0.2), "steps": 17,
        "l1": 0.05, "l2": 0.1,
    },
    "schedule": {
        "optimizer": O.SGD(lr=9.0), "plain": naive.SGD(), "steps": 12,
        "schedule": np.linspace(0.5, 0.0, 12),
    },
    "full batch": {
        "optimizer": O.SGD(lr=0.5), "plain": naive.SGD(), "epochs": 6, "batch": "full",
    },
    "batch of one": {"optimizer": O.SGD(lr=0.05), "plain": naive.SGD(), "epochs": 2, "batch": 1},
    "batch that divides nothing": {
        "optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "epochs": 3, "batch": 22,
    },
    "mse with labels": {
        "optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "epochs": 4, "loss": "mse",
    },
    "mse with numbers": {
        "optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "epochs": 4, "loss": "mse",
        "t": np.random.default_rng(8).normal(size=(23, 3)),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_train_equals_the_naive_trainer(name: str) -> None:
    result, run = both(**CASES[name])
    history = result.history
    assert result.status == "completed"
    np.testing.assert_allclose(result.params.flat, run.params, rtol=0, atol=1e-10)
    np.testing.assert_allclose(history.train_loss, run.train_loss, rtol=1e-10)
    if name == "mse with numbers":
        assert "train_accuracy" not in history and "train_accuracy" not in result.metrics
    else:
        np.testing.assert_allclose(history.train_accuracy, run.accuracy, rtol=1e-10)
    dense = ["0", "2.0", "3"]
    for probe in ("gradient_rms", "preactivation_gradient_rms"):
        measured = history[probe].sel(layer=dense)
        expected = getattr(run, probe)
        np.testing.assert_allclose(measured[: len(expected)], expected, rtol=1e-9)


def test_clipping_changes_something() -> None:
    """The cases above would pass with clipping off on both sides, were the limits too wide."""
    free = both(optimizer=O.SGD(lr=0.3), plain=naive.SGD(), steps=17)[0].params.flat
    for name in ("clipped by norm", "clipped by value"):
        assert np.abs(both(**CASES[name])[0].params.flat - free).max() > 1e-3


def test_penalties_change_something() -> None:
    free = both(optimizer=O.SGD(lr=0.1, weight_decay=0.2), plain=naive.SGD(decay=0.2), steps=17)
    for name in ("decay of weights only", "decay of everything with penalties on weights"):
        assert np.abs(both(**CASES[name])[0].params.flat - free[0].params.flat).max() > 1e-3
    result = both(**CASES["l1"])[0]
    assert (result.params.flat[WEIGHTS == 1] == 0).any()
    assert (result.params.flat[WEIGHTS == 0] != 0).all()


def test_start_from_given_parameters() -> None:
    start = net().init(99)
    kept = start.flat.copy()
    settings = {"optimizer": O.SGD(lr=0.3), "plain": naive.SGD(), "epochs": 2, "params": start}
    result, run = both(**settings)
    np.testing.assert_allclose(result.params.flat, run.params, rtol=0, atol=1e-10)
    assert np.array_equal(start.flat, kept)


def test_steps_and_epochs_agree() -> None:
    x, t = arrays()
    data = simdl.Data(train=(x, t))
    by_epochs = simdl.train(net(), data, batch_size=5, epochs=3, seed=1)
    by_steps = simdl.train(net(), data, batch_size=5, steps=15, seed=1)  # 23 = 4 x 5 + 3
    assert by_epochs.steps == by_steps.steps == 15
    assert np.array_equal(by_epochs.params.flat, by_steps.params.flat)


# --- history --------------------------------------------------------------------------------------


def three_parts(n: int = 23) -> simdl.Data:
    x, t = arrays(n + 20)
    return simdl.Data(train=(x[:n], t[:n]), validation=(x[n:-8], t[n:-8]), test=(x[-8:], t[-8:]))


def test_default_history_is_loss_and_accuracy_each_epoch() -> None:
    result = simdl.train(net(), three_parts(), batch_size=5, epochs=3)
    history = result.history
    parts, kinds = ("train", "validation", "test"), ("loss", "accuracy")
    assert set(history) == {f"{part}_{kind}" for part in parts for kind in kinds}
    assert history.sizes == {"epoch": 4}
    assert history.epoch.values.tolist() == [0, 1, 2, 3]
    for name, variable in history.items():
        assert variable.notnull().all() and variable.attrs["units"], name
        assert result.metrics[name] == float(variable[-1])
    y = simdl.forward(net(), result.params, three_parts().test[0])
    accuracy = (y.argmax(1) == three_parts().test[1]).mean()
    assert result.metrics["test_accuracy"] == pytest.approx(accuracy)


def test_no_probes_measure_nothing() -> None:
    result = simdl.train(net(), three_parts(), batch_size=5, epochs=3, probes=[])
    assert len(result.history) == 0 and result.metrics == {}


def test_layered_probes_are_nan_where_a_layer_has_no_such_thing() -> None:
    probes = [simdl.Probe("gradient_rms", 4), simdl.Probe("zero_share", 4)]
    history = simdl.train(net(), three_parts(), batch_size=5, steps=10, probes=probes).history
    assert history.sizes == {"step": 3, "layer": len(PATHS)}
    assert history.step.values.tolist() == [0, 4, 8]
    assert sorted(history.layer.values) == sorted(PATHS)
    kinds = dict(zip(history.layer.values, history.layer_kind.values, strict=True))
    assert kinds["2"] == "Residual" and kinds["2.0"] == "Dense" and kinds["2.1"] == "ReLU"
    for path, kind in kinds.items():
        has = {"gradient_rms": kind == "Dense", "zero_share": kind in ("Tanh", "ReLU")}
        for name, there in has.items():
            assert bool(history[name].sel(layer=path).notnull().all()) == there, (name, path)
            assert bool(history[name].sel(layer=path).isnull().all()) != there, (name, path)


def test_intervals_may_differ() -> None:
    probes = [simdl.Probe("loss", "epoch"), simdl.Probe("weight_rms", 2)]
    history = simdl.train(net(), three_parts(), batch_size=5, steps=7, probes=probes).history
    assert history.train_loss.dims == ("epoch",)
    assert history.epoch.values.tolist() == [0, 1, 1.4]  # ended within an epoch of five steps
    assert history.weight_rms.dims == ("step", "layer")


def test_probes_at_the_end_only() -> None:
    result = simdl.train(
        net(), three_parts(), batch_size=5, epochs=2, probes=[simdl.Probe("loss", "end")]
    )
    assert len(result.history) == 0
    assert set(result.metrics) == {"train_loss", "validation_loss", "test_loss"}


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture
def allocations() -> None:
    """Numba counts what compiled code allocates."""
    was = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    yield
    if not was:
        _nrt_python.memsys_disable_stats()


def one(net: simdl.Network, params: simdl.Parameters, data: simdl.Data) -> float:
    """A measure of one's own, for which the loop copies the parameters."""
    return 1.0


@pytest.mark.parametrize("optimizer", O.KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("allocations")
def test_a_step_allocates_nothing(dtype: str, optimizer: str) -> None:
    names = [name for name in NAMES if simdl.Probe(name).when in ("batch", "update")]
    surveys = [simdl.Probe("dead_units", 3), simdl.Probe(one, 3)]
    probes = ["loss", "accuracy", *(simdl.Probe(name, 3) for name in names), *surveys]

    def count(steps: int) -> int:
        before = rtsys.get_allocation_stats().alloc
        simdl.train(
            net(dtype), three_parts(), batch_size=5, steps=steps, clip_norm=1.0, probes=probes,
            optimizer=optimizer, l1=1e-4, l2=1e-4, penalize_biases=False,
            stop={"name": "GL", "alpha": 1e9, "every": 2, "min_progress": 1e-300},
        )  # fmt: skip
        return rtsys.get_allocation_stats().alloc - before

    count(10)  # compiles
    assert count(300) == count(10) > 0


@pytest.mark.usefixtures("allocations")
def test_layers_of_every_kind_allocate_nothing_in_a_step() -> None:
    branch = [L.Conv2D(4, 3, padding="same"), L.GroupNorm(2), L.ReLU()]
    layers = [
        L.Conv2D(4, 3), L.BatchNorm(), L.PReLU(), L.MaxPool2D(2), L.Residual(branch),
        L.AvgPool2D(2, 1), L.Flatten(), L.LayerNorm(), L.Dense(8), L.RMSNorm(), L.GELU(),
        L.Dropout(0.2), L.Dense(3), L.Softmax(),
    ]  # fmt: skip
    images = simdl.Network((8, 8, 2), layers)
    rng = np.random.default_rng(0)
    made = simdl.Data(train=(rng.normal(size=(20, 8, 8, 2)), rng.integers(0, 3, 20)))

    def count(steps: int) -> int:
        before = rtsys.get_allocation_stats().alloc
        simdl.train(images, made, batch_size=5, steps=steps, probes=[])
        return rtsys.get_allocation_stats().alloc - before

    count(10)
    assert count(200) == count(10) > 0


@pytest.mark.usefixtures("allocations")
def test_an_op_that_allocates_is_found() -> None:
    layers = [
        L.Dense(6),
        L.Activation("planted:allocate", "planted:same_backward", check=False),
        L.Dense(3),
    ]
    spoilt = simdl.Network((4,), layers, dtype="float64")

    def count(steps: int) -> int:
        before = rtsys.get_allocation_stats().alloc
        simdl.train(spoilt, three_parts(), batch_size=5, steps=steps, probes=[])
        return rtsys.get_allocation_stats().alloc - before

    count(10)
    assert count(1000) == count(10) + 990
