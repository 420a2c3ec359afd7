"""Sweeps: the dataset, the same bits however they are run, resume, failures."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from sweep_cases import AXES, BASE, bits, broken, calls, clashing, measurements, slow, trainings

import simdl
from simdl.configuration import Configuration, with_values
from simdl.sweep import FailedTrials, Progress, Sweep, executors
from simdl.sweep.executors import Chunk, Schedule
from simdl.sweep.forms import Array
from simdl.sweep.outcomes import Outcome
from simdl.sweep.progress import Standings


@pytest.fixture(scope="module")
def reference() -> xarray.Dataset:
    return trainings().run(jobs=1)


def stored(path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sweep, coordinates, seed, status FROM trials").fetchall()
    connection.close()
    return rows


# --- the dataset ----------------------------------------------------------------------------------


def test_values_are_those_of_single_trainings(reference: xarray.Dataset) -> None:
    for depth, rate, seed in ((1, 1e-3, 0), (3, 1e-1, 4)):
        table = with_values(BASE, {"network.depth": depth, "optimizer.lr": rate})
        (alone,) = Configuration.parse(table).train([seed])
        at = reference.sel({"network.depth": depth, "optimizer.lr": rate, "seed": seed})
        for name, value in alone.metrics.items():
            assert at[name].item() == value
        history = alone.history.gradient_rms
        np.testing.assert_array_equal(
            at.gradient_rms.sel(step=history.step, layer=history.layer), history
        )
        assert not at.diverged and at.steps == alone.steps


def test_ragged_layers_are_joined(reference: xarray.Dataset) -> None:
    assert reference.gradient_rms.dims == (*AXES, "seed", "step", "layer")
    assert reference.layer.values.tolist() == [str(i) for i in range(7)]
    assert reference.gradient_rms.attrs["long_name"]
    shallow = reference.gradient_rms.sel({"network.depth": 1})
    assert np.isnan(shallow.sel(layer=["3", "4", "5", "6"])).all()
    assert np.isfinite(shallow.sel(layer=["0", "2"])).all()
    assert reference.layer_kind.dims == ("layer",)
    assert reference.layer_kind.sel(layer="6") == "Dense"


def test_layers_are_in_their_order() -> None:
    runs = trainings(axes={"network.depth": [2, 6]}, seeds=1).run()
    assert runs.layer.values.tolist() == [str(i) for i in range(13)]  # "10" behind "9"


def test_labels_that_differ_get_the_axes() -> None:
    runs = trainings(axes={"network.activation": ["tanh", "relu"]}, seeds=2).run()
    kind = runs.layer_kind.sel({"network.activation": "relu"}).isel(seed=0)
    assert kind.values.tolist() == ["Dense", "ReLU", "Dense"]


def test_record_chooses() -> None:
    probes = {"names": ["loss", "gradient_rms"], "every": 3}
    base = BASE | {"probes": probes}
    runs = Sweep(base, seeds=2, record=["train_loss", "gradient_rms"]).run()
    assert set(runs.data_vars) == {"train_loss", "gradient_rms", "diverged", "steps"}
    assert runs.train_loss.dims == ("seed", "step")
    assert set(Sweep(base, seeds=1, record=[]).run().data_vars) == {"diverged", "steps"}
    both = Sweep(base, seeds=2, record=["metrics", "train_loss"]).run()
    assert both.train_loss.dims == ("seed", "step") and both.test_loss.dims == ("seed",)


def test_record_of_layers_bins_and_surveys() -> None:
    names = ["dead_units", "sharpness", {"name": "activation_histogram", "bins": [-1, 0, 2]}]
    base = BASE | {"probes": {"names": names, "every": 4}}
    base["network"] = base["network"] | {"activation": "relu"}
    record = ["sharpness", "dead_units", "activation_histogram"]
    runs = Sweep(base, seeds=2, record=record).run()
    assert runs.sharpness.dims == ("seed", "step") and (runs.sharpness > 0).all()
    assert runs.step.values.tolist() == [0, 4, 6]
    assert runs.dead_units.sel(layer="1").notnull().all()
    assert runs.activation_histogram.dims == ("seed", "step", "layer", "bin")
    assert runs.bin.values.tolist() == [-0.5, 1] and runs.bin_right.values.tolist() == [0, 2]
    shares = runs.activation_histogram.sel(layer="1", step=[0, 4])
    assert (shares.sel(bin=-0.5) == 0).all() and (shares.sel(bin=1) > 0.5).all()


def test_measurements() -> None:
    runs = measurements().run()
    assert runs.n.dims == ("a", "seed") and runs.n.values.tolist() == [[2, 3], [4, 5], [6, 7]]
    assert runs.plain.dims == ("a", "seed", "plain_0", "plain_1")
    assert runs.plain.sizes["plain_1"] == 3 and "plain_1" not in runs.coords
    assert np.isnan(runs.plain.sel(a=2).values).sum(axis=-1).tolist() == [[1, 1], [1, 1]]
    assert runs.line.dtype == np.float32 and runs.line.attrs == {"units": "m"}
    assert runs.x.values.tolist() == [0, 10, 20]
    assert runs.line.sel(a=2, seed=1, x=10) == 2 and np.isnan(runs.line.sel(a=2, seed=1, x=20))
    assert runs.t.sel(a=3, seed=0) == "3"
    assert runs.attrs["trials"] == runs.attrs["trained"] == 6 and runs.attrs["seconds"] > 0


def test_divergence_is_data() -> None:
    training = {"epochs": 40, "batch_size": 16}
    base = BASE | {"optimizer": {"name": "SGD"}, "training": training}
    runs = Sweep(base, {"optimizer.lr": [0.1, 1e38]}, seeds=3).run()
    assert runs.diverged.values.tolist() == [[False] * 3, [True] * 3]
    assert (runs.steps.sel({"optimizer.lr": 1e38}) < runs.steps.sel({"optimizer.lr": 0.1})).all()


@pytest.mark.parametrize("every", [1, 2, "epoch"])
def test_history_with_a_diverging_arm(every: Any) -> None:
    """It is joined by step, and has a record a step, wherever the run ended."""
    training = {"epochs": 40, "batch_size": 16}
    base = BASE | {"optimizer": {"name": "SGD"}, "training": training}
    base |= {"probes": {"names": ["loss"], "every": every}}
    runs = Sweep(base, {"optimizer.lr": [0.1, 1e38]}, seeds=3, record=["train_loss"]).run()
    assert runs.diverged.values.tolist() == [[False] * 3, [True] * 3]
    (axis,) = set(runs.train_loss.dims) & {"step", "epoch"}
    assert runs[axis].to_index().is_unique and np.isfinite(runs.train_loss[0]).any()
    if every == 1:
        assert runs.step.values.tolist() == list(range(121))
        assert np.isfinite(runs.train_loss[0]).all()


def test_public_name() -> None:
    assert simdl.Sweep is Sweep


# --- the same bits --------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 99])
def test_same_bits_for_any_jobs_and_chunks(
    jobs: int, size: int, reference: xarray.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks: list[int] = []
    train = Configuration.trained

    def counted(self: Configuration, seeds: Any, control: Any) -> Any:
        chunks.append(len(seeds))
        return train(self, seeds, control)

    monkeypatch.setattr(Configuration, "trained", counted)
    monkeypatch.setattr(Schedule, "size", lambda self, cell: size)
    assert bits(trainings().run(jobs=jobs)) == bits(reference)
    assert sum(chunks) == 20 and max(chunks) == min(size, 5)


def test_same_bits_in_any_order(reference: xarray.Dataset) -> None:
    axes = {key: values[::-1] for key, values in AXES.items()}
    turned = trainings(axes=axes, seeds=[4, 2, 0, 1, 3]).run()
    places = {key: reference[key].values for key in (*AXES, "seed")}
    assert bits(turned.sel(places)) == bits(reference)


def test_same_bits_after_resume(reference: xarray.Dataset, tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    part = trainings(axes=AXES | {"network.depth": [3]}, seeds=[1, 4])
    assert part.missing(store) == 4 and not store.exists()
    assert part.run(store).attrs["trained"] == 4
    assert trainings().missing(store) == 16
    runs = trainings().run(store, jobs=2)
    assert runs.attrs["trained"] == 16 and bits(runs) == bits(reference)
    again = trainings().run(store)
    assert again.attrs["trained"] == 0 and bits(again) == bits(reference)
    assert again.attrs["seconds"] == pytest.approx(runs.attrs["seconds"])
    assert len(stored(store)) == 20
    assert trainings(record=["metrics"]).run(store).attrs["trained"] == 20
    assert len(stored(store)) == 40  # the old ones are kept


def test_cells_that_mean_the_same_run_once() -> None:
    runs = Sweep(BASE, {"name": ["a", "b"]}, seeds=2).run()
    assert runs.attrs["trained"] == 2 and runs.attrs["trials"] == 4
    assert (runs.test_loss[0] == runs.test_loss[1]).all()


# --- failures -------------------------------------------------------------------------------------


def test_failures_are_listed_after_all_is_done(tmp_path: Path) -> None:
    store = tmp_path / "s"
    broken.update({1})
    try:
        with pytest.raises(FailedTrials) as caught:
            measurements(name="mine").run(store)
    finally:
        broken.clear()
    error = caught.value
    assert [(f.coordinates, f.seed) for f in error.failures] == [({"a": a}, 1) for a in (1, 2, 3)]
    first, second, *_ = str(error).splitlines()
    assert first == "mine: 3 of 6 trials failed:"
    assert second == "  a = 1, seed 1: ArithmeticError: seed 1 is broken"
    assert error.runs.n.sel(seed=0).values.tolist() == [2, 4, 6]
    assert np.isnan(error.runs.n.sel(seed=1)).all()
    assert sorted(status for *_, status in stored(store)) == ["completed"] * 3 + ["failed"] * 3
    calls.clear()
    runs = measurements(name="mine").run(store)  # failed ones are tried again, no others
    assert [seed for _, seed in calls] == [1, 1, 1] and runs.attrs["trained"] == 3
    assert bits(runs) == bits(measurements().run())
    assert {status for *_, status in stored(store)} == {"completed"}


def test_all_failed() -> None:
    broken.update({0, 1})
    try:
        with pytest.raises(FailedTrials, match="6 of 6 trials failed"):
            measurements().run()
    finally:
        broken.clear()


def test_a_failing_seed_does_not_take_its_chunk_along(monkeypatch: pytest.MonkeyPatch) -> None:
    train = Configuration.trained

    def fails(self: Configuration, seeds: Any, control: Any) -> Any:
        if 2 in seeds:
            raise MemoryError("too large")
        return train(self, seeds, control)

    monkeypatch.setattr(Configuration, "trained", fails)
    monkeypatch.setattr(Schedule, "size", lambda self, cell: 99)
    with pytest.raises(FailedTrials) as caught:
        trainings(axes={}).run(jobs=1)
    (failure,) = caught.value.failures
    assert failure.seed == 2 and failure.message == "MemoryError: too large"
    assert (
        np.isnan(caught.value.runs.test_loss.values).tolist() == [False] * 2 + [True] + [False] * 2
    )


def test_names_that_clash_with_axes_fail() -> None:
    with pytest.raises(FailedTrials, match="a: is the name of an axis"):
        measurements(measure=clashing).run()


# --- the executor ---------------------------------------------------------------------------------


def test_chunks_are_sized_from_measured_times() -> None:
    schedule = Schedule({0: range(100), 1: range(100), 2: range(2)}, jobs=2)
    first = schedule.take()
    assert first == Chunk(0, (0,))
    schedule.measured(first, 3.0)  # compiled, too
    assert schedule.take() == Chunk(1, (0,))
    assert schedule.take() == Chunk(2, (0,))
    assert schedule.take() == Chunk(0, (1,))  # the only one measured; the others' chunks still run
    schedule.measured(Chunk(0, (1,)), 0.01)
    schedule.measured(Chunk(1, (0,)), 0.05)
    schedule.measured(Chunk(2, (0,)), 0.01)
    assert schedule.take() == Chunk(1, tuple(range(1, 21)))  # most work left; a second's worth
    rest = []
    while (chunk := schedule.take()) is not None:
        rest.append(chunk)
    assert sorted(c.seeds[0] for c in rest if c.cell == 2) == [1]
    assert sum(len(c.seeds) for c in rest if c.cell == 0) == 98
    assert sum(len(c.seeds) for c in rest if c.cell == 1) == 79


def test_the_last_cell_is_shared_by_the_jobs() -> None:
    schedule = Schedule({0: range(11)}, jobs=2)
    chunk = schedule.take()
    assert chunk is not None
    schedule.measured(chunk, 1e-3)
    assert schedule.take() == Chunk(0, (1, 2, 3, 4, 5))


def test_workers() -> None:
    assert executors.workers(3) == 3 and executors.workers(-1) >= 1


def test_progress() -> None:
    told: list[Progress] = []
    measurements(name="mine").run(jobs=1, progress=told.append)
    assert told[0] == Progress("mine", 6, 0, 0, 0) and told[-1] == Progress("mine", 6, 6, 6, 0)
    assert [p.done for p in told] == sorted(p.done for p in told)


@pytest.mark.parametrize(("kind", "better"), [("accuracy", max), ("loss", min)])
def test_the_best_cell_so_far(kind: str, better: Any) -> None:
    rng, standings = np.random.default_rng(0), Standings()
    values: dict[int, list[float]] = {}
    for _ in range(200):
        cell, value = int(rng.integers(7)), float(rng.random())
        values.setdefault(cell, []).append(value)
        variables = {
            "train_loss": Array(np.array(1 - value if kind == "accuracy" else value)),
            "t": Array(np.array("text")),
        }
        if kind == "accuracy":
            variables["test_accuracy"] = Array(np.array(value))
        standings.add(cell, Outcome(0, "completed", variables=variables))
        best = standings.best()
        means = {key: sum(some) / len(some) for key, some in values.items()}
        assert best is not None and best.value == pytest.approx(better(means.values()))
        assert best.metric == ("test_accuracy" if kind == "accuracy" else "train_loss")
    standings.add(best.cell, Outcome(0, "diverged", variables=variables))
    after = standings.best()
    assert after is not None and after.cell != best.cell  # a diverged seed is the worst there is
    assert Standings().best() is None


def test_another_thread_may_stop_it(tmp_path: Path) -> None:
    made = Sweep({}, {"a": list(range(40))}, seeds=4, measure=slow)
    control = np.zeros(3, np.int64)
    timer = threading.Timer(0.5, control.__setitem__, (0, 1))
    start = time.perf_counter()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        made.run(tmp_path / "s", jobs=2, control=control)
    print(f"stopped after {time.perf_counter() - start:.2f} s")
    assert 0 < len(stored(tmp_path / "s")) < 160
    assert made.missing(tmp_path / "s") == 160 - len(stored(tmp_path / "s"))
