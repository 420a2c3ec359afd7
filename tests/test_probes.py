"""Probes against their definitions; none changes the run."""

from __future__ import annotations

import math
from pathlib import Path

import cases
import naive_probes as naive
import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import optimizers as O
from simdl.engine import curves
from simdl.kernels.philox import STREAM_ORDER, permutation
from simdl.probes import NAMES, probes
from simdl.training import describe, train_chunk

PLAIN = ["dense", "sigmoid", "dense", "tanh", "dense", "relu", "dense"]
LAYERS = (L.Dense(6), L.Sigmoid(), L.Dense(5), L.Tanh(), L.Dense(200), L.ReLU(), L.Dense(3))
EDGES = (-1.0, -0.99, 0.0, 0.01, 0.5, 2.0)  # some activations lie outside, ReLU's zeros on an edge
N, BATCH = 23, 5
ALL = [name for name in NAMES if name not in ("loss", "accuracy")]


def net(dtype: str = "float64") -> simdl.Network:
    return simdl.Network((4,), LAYERS, init={"name": "normal", "std": 2.0}, dtype=dtype)


def data(n: int = N) -> simdl.Data:
    rng = np.random.default_rng(5)
    return simdl.Data(train=(rng.normal(size=(n, 4)), rng.integers(0, 3, n)))


def kept(net: simdl.Network, params: simdl.Parameters, data: simdl.Data) -> np.ndarray:
    """A measure of one's own: all parameters. What it does to its copies stays without effect."""
    found = params.flat.copy()
    params.flat[:] = np.nan
    return found


def every(interval: int, names: list[str]) -> list[simdl.Probe]:
    return [
        simdl.Probe(name, interval, EDGES if name == "activation_histogram" else None)
        for name in names
    ]


# --- the batch in hand ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_looks_equal_their_definitions(dtype: str) -> None:
    names = [simdl.Probe(kept, 1), *every(1, [n for n in ALL if simdl.Probe(n).when != "survey"])]
    settings = {"batch_size": BATCH, "steps": 7, "clip_norm": 0.1, "optimizer": O.SGD(lr=0.5)}
    result = simdl.train(net(dtype), data(), seed=3, probes=names, **settings)
    history, (x, t) = result.history, data().train
    orders = [np.empty(N, np.int64) for _ in range(2)]
    for epoch, order in enumerate(orders):
        permutation(order, 3, STREAM_ORDER, epoch)
    batches = [order[i : i + BATCH] for order in orders for i in range(0, N, BATCH)]
    shapes = [view.shape for view in result.params.values()]
    path = history.kept.values
    assert np.array_equal(path[-1], result.params.flat) and len(path) == 8
    relative = 1e-9 if dtype == "float64" else 2e-4
    for step, rows in enumerate(batches[:7]):
        x32 = x[rows].astype(dtype).astype(float)
        want = naive.look(PLAIN, shapes, path[step], path[step + 1], x32, t[rows], np.array(EDGES))
        for name, expected in want.items():
            measured = history[name].sel(step=step)
            if "layer" in measured.dims:
                measured = measured.dropna("layer")
            bound = {"rtol": relative, "atol": relative * 1e-2}
            np.testing.assert_allclose(measured, expected, **bound, err_msg=f"{name} at {step}")


def test_what_the_looks_saw_is_worth_seeing() -> None:
    """Saturated and silent units, activations outside the bins, a gradient that is clipped."""
    result = simdl.train(net(), data(), probes=every(1, ALL), batch_size=BATCH, steps=2)
    history = result.history.isel(step=0)
    assert (history.saturation.sel(layer=["1", "3", "5"]) > 0.1).all()
    assert history.gradient_norm > 0.1
    outside = 1 - history.activation_histogram.sel(layer=["1", "3", "5"]).sum("bin")
    assert outside.values[2] > 0.1 and abs(outside.values[0]) < 1e-12


def test_history_of_a_histogram() -> None:
    probes = [simdl.Probe("activation_histogram", 2, 10, (-1, 1)), simdl.Probe("gradient_norm", 3)]
    history = simdl.train(net(), data(), probes=probes, batch_size=BATCH, steps=6).history
    assert history.activation_histogram.dims == ("step", "layer", "bin")
    assert history.step.values.tolist() == [0, 2, 3, 4]
    np.testing.assert_allclose(history.bin, np.arange(-0.9, 1, 0.2), atol=1e-12)
    np.testing.assert_allclose(history.bin_right - history.bin_left, 0.2)
    assert history.gradient_norm.dims == ("step",) and history.gradient_norm[[0, 2]].notnull().all()
    assert history.gradient_norm[[1, 3]].isnull().all()  # asked for every third step
    for variable in history.values():
        assert variable.attrs["units"] and variable.attrs["long_name"]


SLOPES = {
    "sigmoid": 0.25, "tanh": 1, "relu": 1, "leaky_relu": 1, "leaky_relu_steep": 1, "elu": 1,
    "elu_half": 1, "selu": 1.7580993, "gelu": 1.1289042, "silu": 1.0998394, "softplus": 1,
    "softsign": 1,
}  # fmt: skip


@pytest.mark.parametrize("dtype", cases.DTYPES)
@pytest.mark.parametrize("case", cases.ACTIVATIONS, ids=cases.names(cases.ACTIVATIONS))
def test_curves(case: cases.ActivationCase, dtype: str) -> None:
    """The largest slope of every activation; that of them ReLU alone can die."""
    program = simdl.Network((3,), cases.build((case.layer,)), dtype=dtype).program
    assert curves.largest_slope(program, 0) == pytest.approx(SLOPES[case.name], rel=1e-4)
    assert curves.can_die(program, 0) == (case.name == "relu")


def test_an_activation_without_kernels_has_no_curve() -> None:
    program = simdl.Network((3,), [L.ReLU()]).program
    program._ops[0]["kernel"] = 0
    assert curves.curve(program, 0) is None and not curves.can_die(program, 0)
    for name in ("saturation", "dead_units"):
        assert simdl.Probe(name).ops(program) == []
    assert simdl.Probe("activation_mean").ops(program) == [0]


def test_an_own_activation_that_can_die() -> None:
    low = L.Activation("planted:low", "planted:low_backward", alpha=-2.0)
    assert simdl.Probe("dead_units").ops(simdl.Network((3,), [low]).program) == [0]


# --- the whole training set -----------------------------------------------------------------------


def planted(dtype: str) -> tuple[simdl.Network, simdl.Parameters, np.ndarray]:
    """An image net and 300 samples: dead are channel 1 and units 2 and 4 behind it.

    Channel 0 fires at one pixel of the last sample only, unit 3 for sample 200 only. Unit 4 fires
    for an empty input, which is none of the samples.
    """
    layers = [L.Conv2D(3, 1), L.ReLU(), L.Flatten(), L.Dense(5), L.ReLU(), L.Dense(2)]
    made = simdl.Network((2, 2, 1), layers, dtype=dtype)
    params, x = made.init(0), np.ones((300, 2, 2, 1))
    x[299, 1, 0], x[200] = 3.0, 0.5
    params["0.weight"], params["0.bias"] = [[[[1, 1, 1]]]], [-2, -4, 0]  # channel 2 is x itself
    weight = np.zeros((2, 2, 3, 5))
    weight[0, 0, 2] = [1, 1, -1, -1, -4]
    params["3.weight"], params["3.bias"] = weight.reshape(12, 5), [0, 0, 0, 0.75, 1]
    return made, params, x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dead_units(dtype: str) -> None:
    made, params, x = planted(dtype)
    dead = simdl.dead_units(made, params, x)
    assert list(dead) == ["1", "4"]
    assert dead["1"].tolist() == [False, True, False]
    assert dead["4"].tolist() == [False, False, True, False, True]
    outputs = simdl.vjp(made, params, x, np.zeros((300, 2))).outputs
    for path, found in dead.items():
        assert np.array_equal(found, naive.silent(outputs[path]))
    without = simdl.dead_units(made, params, np.delete(x, [200, 299], axis=0))
    assert without["1"].tolist() == [True, True, False] and without["4"].all() is np.False_
    assert without["4"].tolist() == [False, False, True, True, True]
    alone = simdl.dead_units(made, params, x[:1])
    assert alone["1"].tolist() == [True, True, False]
    assert alone["4"].tolist() == [False, False, True, True, True]


def test_a_net_without_such_layers_has_no_dead_units() -> None:
    made = simdl.Network((4,), [L.Dense(3), L.GELU(), L.Dense(3)])
    assert simdl.dead_units(made, made.init(0), data().train[0]) == {}
    result = simdl.train(made, data(), probes=["dead_units"], epochs=1, batch_size=5)
    assert result.history.dead_units.isnull().all()


@pytest.mark.parametrize("interval", [2, "epoch"])
def test_dead_units_while_training(interval: object) -> None:
    """A rare sample is in few batches: the whole set is asked, not the batch in hand."""
    made, params, x = planted("float64")
    everything = simdl.Data(train=(x, np.arange(300) % 2))
    probes = [simdl.Probe("dead_units", interval), simdl.Probe("zero_share", interval)]
    settings = {"batch_size": 50, "steps": 9, "optimizer": O.SGD(lr=1e-9), "params": params}
    history = simdl.train(made, everything, probes=probes, **settings).history
    at = [0, 2, 4, 6, 8, 9] if interval == 2 else [0, 1, 1.5]
    assert history[next(iter(history.sizes))].values.tolist() == at
    assert (history.dead_units.sel(layer="1") == 1 / 3).all()
    assert (history.dead_units.sel(layer="4") == 2 / 5).all()
    assert history.dead_units.sel(layer=["0", "3", "5"]).isnull().all()
    assert (history.zero_share.sel(layer="1").dropna(next(iter(history.sizes))) > 0.6).all()


def test_surveys_at_the_end_are_of_the_last_parameters() -> None:
    names = ["dead_units", "sharpness", "gradient_noise_scale"]
    for dtype in ("float32", "float64"):
        result = simdl.train(net(dtype), data(), probes=every(4, names), batch_size=5, steps=6)
        x, t = data().train
        last = result.history.isel(step=-1)
        assert last.step == 6
        assert last.sharpness == simdl.sharpness(net(dtype), result.params, x, t)
        assert last.gradient_noise_scale == simdl.gradient_noise_scale(
            net(dtype), result.params, x, t
        )
        assert last.dead_units.sel(layer="5") == np.mean(
            simdl.dead_units(net(dtype), result.params, x)["5"]
        )
        for name in names[1:]:
            assert result.metrics[name] == last[name]


def test_the_end_alone() -> None:
    probes = [simdl.Probe("sharpness", "end")]
    result = simdl.train(net(), data(), probes=probes, batch_size=5, steps=3)
    assert list(result.metrics) == ["sharpness"] and len(result.history) == 0
    assert math.isfinite(result.metrics["sharpness"])


# --- nothing changes ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_at_once_change_nothing(dtype: str) -> None:
    settings = {"batch_size": BATCH, "epochs": 2, "clip_norm": 1.0, "optimizer": "Adam"}
    mixed = [simdl.Probe(name, 1 + i % 4) for i, name in enumerate(ALL)]
    runs = [
        simdl.train(net(dtype), data(), seed=1, probes=probes, **settings)
        for probes in ([], mixed, ["loss", "accuracy", simdl.Probe(kept, 3), *every(1, ALL)])
    ]
    assert len({run.params.flat.tobytes() for run in runs}) == 1
    for probe in mixed:  # nor do they see each other
        seen, often = (run.history[probe.name].dropna("step", how="all") for run in runs[1:])
        if probe.name != "activation_histogram":
            assert seen.equals(often.sel(step=seen.step)), probe.name


def test_chunks_equal_single_runs() -> None:
    training = describe(net("float32"), batch_size=BATCH, epochs=1, probes=every(2, ALL))
    sets = [data(N), data(N)]
    together = train_chunk(training, sets, [7, 8])
    for result, own in zip(together, sets, strict=True):
        alone = train_chunk(training, [own], [result.seed])[0]
        assert alone.history.identical(result.history)
        assert alone.params.flat.tobytes() == result.params.flat.tobytes()


def test_saved_and_loaded(tmp_path: Path) -> None:
    result = simdl.train(net(), data(), probes=[simdl.Probe(kept, 2), *every(2, ALL)], steps=4,
                         batch_size=BATCH)  # fmt: skip
    result.save(tmp_path / "run")
    back = simdl.load(tmp_path / "run")
    assert back.history.identical(result.history) and back.metrics == result.metrics
    assert back.training.probes == result.training.probes


def test_more_copies_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simdl.instruments.MOST_BYTES", 10_000)
    with pytest.raises(simdl.InputError, match=r"11 copies of the parameters.*measure less often"):
        simdl.train(net(), data(), probes=[simdl.Probe(kept, 1)], batch_size=BATCH, steps=10)
    simdl.train(net(), data(), probes=every(1, ["dead_units"]), batch_size=BATCH, steps=10)


def test_shapes_that_change_are_refused() -> None:
    lengths = iter(range(1, 9))

    def growing(net: object, params: object, data: object) -> np.ndarray:
        return np.zeros(next(lengths))

    with pytest.raises(simdl.InputError, match=r"probes.growing.*\(1,\), \(2,\).*one shape"):
        simdl.train(net(), data(), probes=[simdl.Probe(growing, 1)], batch_size=BATCH, steps=1)


def test_an_own_measure_that_raises_is_named() -> None:
    def broken(net: object, params: object, data: object) -> float:
        return 1 / 0

    with pytest.raises(simdl.InputError, match=r"probes.broken: it raised ZeroDivisionError"):
        simdl.train(net(), data(), probes=[simdl.Probe(broken, 1)], batch_size=BATCH, steps=1)


def test_divergence() -> None:
    """It ends what is measured, and is no error of theirs."""
    settings = {"optimizer": O.SGD(lr=1e300), "batch_size": BATCH, "epochs": 2}
    result = simdl.train(net(), data(), probes=every(1, ALL), **settings)
    assert result.status == "diverged"
    last = result.history.isel(step=-1)
    assert math.isnan(last.sharpness) and math.isnan(last.gradient_noise_scale)
    assert (result.history.sharpness[0] > 0) and (result.history.gradient_norm[0] > 0)


def test_a_cancelled_measurement_cancels_its_trial() -> None:
    control = np.zeros(3, np.int64)

    def cancelling(net: object, params: object, data: object) -> float:
        control[0] = 1
        return 0.0

    probes = [simdl.Probe(cancelling, 1)]
    training = describe(net(), batch_size=BATCH, steps=3, probes=probes)
    results = train_chunk(training, [data()], [0, 1], control=control)
    assert [result.status for result in results] == ["cancelled", "cancelled"]


def test_a_table_is_a_probe() -> None:
    assert probes([{"name": "sharpness", "every": 3}]) == (simdl.Probe("sharpness", 3),)
    with pytest.raises(simdl.InputError, match=r"evry: unknown.*did you mean 'every'"):
        probes([{"name": "sharpness", "evry": 3}])
