"""Sweeps: axes, what is refused before anything runs, and what an identity is made of."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_cases import AXES, BASE, HERE, calls, measurements, simple, trainings

import simdl
from simdl import _sources
from simdl import layers as L
from simdl.data.loading import read_once
from simdl.errors import InputError
from simdl.probes import NAMES
from simdl.sweep import Sweep, grid
from simdl.sweep.measures import ASKED_LATER, TRAINING


def local(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"v": 1.0}


def nested() -> Callable[..., Any]:
    def inside(settings: dict[str, Any], seed: int) -> dict[str, Any]:
        return {"v": 1.0}

    return inside


def of_main() -> Callable[..., Any]:
    function = types.FunctionType(local.__code__, {}, "measured")
    function.__module__ = "__main__"
    return function


def sweep(**given: Any) -> Callable[[], Sweep]:
    return lambda: trainings(**given)


def measured(**given: Any) -> Callable[[], Sweep]:
    return lambda: measurements(**given)


WRONG = {
    "base": (sweep(base=3), ["base: 3", "a table"]),
    "axes": (sweep(axes=[1]), ["axes: [1]", "a table"]),
    "misspelt axis": (sweep(axes={"network.dept": [1]}), ["network.dept", "'depth'"]),
    "unknown section": (sweep(axes={"net.depth": [1]}), ["net", "did you mean 'network'?"]),
    "value of an axis": (
        sweep(axes={"network.depth": [1, -2]}),
        ["network.depth: -2", "where axes.network.depth = -2"],
    ),
    "no list": (sweep(axes={"network.depth": 3}), ["axes.network.depth: 3", "a list"]),
    "empty list": (sweep(axes={"network.depth": []}), ["axes.network.depth: []", "at least one"]),
    "twice": (sweep(axes={"network.depth": [2, 3, 2]}), ["axes.network.depth: 2", "twice"]),
    "two axes, one key": (
        sweep(axes={"network.depth": [1], "network.depth,network.width": [[1, 2]]}),
        ["network.depth", "is set by axes.network.depth too"],
    ),
    "section and key": (
        sweep(axes={"optimizer": ["Adam"], "optimizer.lr": [1]}),
        ["optimizer.lr", "is set by axes.optimizer too"],
    ),
    "unequal together": (
        sweep(axes={"network.depth,network.width": [[1, 2], [3]]}),
        ["axes.network.depth,network.width: [3]", "a list of 2 values"],
    ),
    "object as value": (sweep(axes={"network.init": [object()]}), ["axes.network.init", "table"]),
    "cells": (
        sweep(axes={f"data.{k}": list(range(1001)) for k in "ab"}),
        ["axes: 1,002,001 cells", "at most 1,000,000"],
    ),
    "seeds": (sweep(seeds=0), ["seeds: 0", "from 1 to"]),
    "trials": (
        sweep(axes={"network.width": list(range(1, 1002))}, seeds=10_000),
        ["10,010,000 trials", "at most 10,000,000"],
    ),
    "seeds text": (sweep(seeds="12"), ["seeds: '12'", "list"]),
    "seed": (sweep(seeds=[1, -1]), ["seeds.1: -1", "from 0"]),
    "seed twice": (sweep(seeds=[1, 1]), ["seeds: [1, 1]", "once"]),
    "seed as axis": (measured(axes={"seed": [1]}), ["axes.seed", "seeds="]),
    "record": (sweep(record=["gradient_rm"]), ["record: 'gradient_rm'", "'gradient_rms'"]),
    "record not measured": (sweep(record=["weight_rms"]), ["record: 'weight_rms'", "not measured"]),
    "record text": (sweep(record="steps"), ["record: 'steps'", "a list"]),
    "record of a measurement": (measured(record=[3]), ["record: [3]", "a list of names"]),
    "memory of a training": (sweep(memory=1e9), ["memory: 1000000000.0", "leave memory out"]),
    "memory": (measured(memory=-1), ["memory: -1", "at least 0"]),
    "batch": (sweep(axes={"training.batch_size": [8, 99]}), ["batch_size: 99", "where"]),
    "data": (sweep(base=BASE | {"data": {"path": "gone.csv"}}), ["data.path: gone.csv", "no such"]),
    "lambda": (measured(measure=lambda settings, seed: {}), ["measure", "a lambda"]),
    "nested": (measured(measure=nested()), ["inside", "inside a function"]),
    "of a script": (measured(measure=of_main()), ["measure: local", "__main__", "a module"]),
    "no function": (measured(measure=3), ["measure: 3", "function"]),
    "settings": (measured(base={"x": {1, 2}}), ["base.x: {1, 2}", "must be a number"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_sweeps_are_refused(case: str) -> None:
    make, parts = WRONG[case]
    with pytest.raises(InputError) as caught:
        make()
    assert not [part for part in parts if part not in str(caught.value)], caught.value
    assert len(caught.value.problems) == 1


def test_all_problems_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Sweep(BASE | {"dtype": "int8"}, {"network.depth": [-1, 2], "optimizer.lr": [0.1, -3]})
    dtype, depth, rate = sorted(caught.value.problems)
    assert "int8" in dtype and "where" not in dtype  # wrong in every cell, said once
    assert "network.depth: -1" in depth and depth.endswith("(where axes.network.depth = -1)")
    assert "-3" in rate and rate.endswith("(where axes.optimizer.lr = -3.0)")


def test_bad_run_arguments() -> None:
    made = measurements()
    for given, said in (
        ({"jobs": 0}, "jobs: 0"),
        ({"jobs": "2"}, "jobs: '2'"),
        ({"executor": "thread"}, "did you mean 'threads'?"),
    ):
        with pytest.raises(InputError, match=said.replace("?", "[?]")):
            made.run(**given)


def test_axes_become_coordinates() -> None:
    axes = {
        "network.init": ["he_normal", {"name": "normal", "std": 0.01}],
        "network.width,network.depth": [[8, 2], [4, 1]],
        "optimizer.lr": np.array([1e-3, 1e-2]),
        "network.residual": (False, True),
    }
    runs = Sweep(BASE, axes, seeds=[7, 3]).run()
    assert runs.sizes["seed"] == 2 and runs.seed.values.tolist() == [7, 3]
    assert runs["network.init"].values.tolist() == ["he_normal", "normal(std=0.01)"]
    assert runs["network.width,network.depth"].values.tolist() == ["8, 2", "4, 1"]
    assert runs["network.width"].values.tolist() == [8, 4]
    assert runs["network.depth"].dims == ("network.width,network.depth",)
    assert runs["network.residual"].dtype == bool
    assert runs.train_loss.dims == (*axes, "seed")
    assert runs.attrs["trials"] == 2**4 * 2 and runs.attrs["trained"] == 2**4 * 2


def test_no_axes() -> None:
    assert Sweep(BASE, seeds=2).run().test_accuracy.dims == ("seed",)


# --- identity -------------------------------------------------------------------------------------


def identities(made: Sweep) -> set[str]:
    return {trial.identity for trial in made.trials}


CHANGES: dict[str, dict[str, Any]] = {
    "base": {"base": BASE | {"training": {"epochs": 3, "batch_size": 16}}},
    "data": {"base": BASE | {"data": {"name": "moons", "samples": 61}}},
    "dtype": {"base": BASE | {"dtype": "float64"}},
    "probe": {"base": BASE | {"probes": {"names": ["gradient_rms"], "every": 4}}},
    "record": {"record": ["metrics"]},
    "axes": {"axes": {"network.depth": [2, 4], "optimizer.lr": [1e-3, 1e-1]}},
    "seeds": {"seeds": [5, 6]},
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_trials_have_other_identities(change: str) -> None:
    first = identities(trainings())
    assert len(first) == 20
    assert not first & identities(trainings(**CHANGES[change]))


def test_equal_trials_have_equal_identities() -> None:
    first = identities(trainings())
    reordered = {key: values[::-1] for key, values in reversed(AXES.items())}
    assert identities(trainings(axes=reordered, name="another")) == first
    spelt_out = BASE | {"network": {"depth": 9, "width": 4, "init": "glorot_normal"}}
    assert identities(trainings(base=spelt_out)) == first
    assert identities(trainings(record=RECORD_REORDERED)) == first
    assert identities(trainings(seeds=2)) < first


RECORD_REORDERED = ["gradient_rms", "metrics"]


def test_data_bytes_are_in_the_identity(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    rows = [f"{i},{i % 3},{i % 2}" for i in range(40)]
    base = BASE | {"data": {"path": str(file), "target": "t"}}
    found = []
    for last in ("40,1,0", "41,1,0"):
        file.write_text("\n".join(["a,b,t", *rows, last]) + "\n", encoding="utf-8")
        read_once.cache_clear()  # another process would read it anew
        found.append(identities(Sweep(base, seeds=2)))
    assert not found[0] & found[1]


@pytest.mark.parametrize("name", ["numeric_digest", "RESULTS_VERSION"])
def test_code_is_in_the_identity(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = identities(trainings()), identities(measurements())
    if name == "numeric_digest":
        monkeypatch.setattr(grid, name, lambda: "another")
    else:
        monkeypatch.setattr(f"simdl.{name}", -1)
    after = identities(trainings()), identities(measurements())
    assert not before[0] & after[0] and not before[1] & after[1]


def test_numeric_digest_covers_the_engine() -> None:
    """The kernels, ops and layers: a trial's numbers come from them."""
    covered = set(_sources.closure("simdl.configuration"))
    package = HERE.parent / "simdl"
    modules = {
        ".".join(path.relative_to(HERE.parent).with_suffix("").parts)
        for folder in ("kernels", "engine", "layers", "data")
        for path in (package / folder).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(modules) > 20
    assert not modules - covered
    told = set(_sources.closure(TRAINING, ASKED_LATER))
    assert modules <= told and {"simdl.stopping", "simdl.instruments", "simdl.firing"} <= told
    assert covered - told and not any("diagnosis" in name or "plot" in name for name in told)


def test_numbers_need_nothing_that_the_digest_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    net = simdl.Network((64,), [L.Dense(4), L.ReLU(), L.Dense(10)], dtype="float64")
    data = simdl.data.load("digits")
    probes = [simdl.Probe(name, 40) for name in NAMES]

    def numbers() -> tuple[Any, Any]:
        runs = trainings().run(jobs=1).drop_attrs()
        return runs, simdl.train(net, data, steps=80, probes=probes, stop="patience")

    runs, result = numbers()
    assert result.health() is not None
    for name in ASKED_LATER:
        for module in [name, *(m for m in sys.modules if m.startswith(f"{name}."))]:
            monkeypatch.setitem(sys.modules, module, None)
    again, other = numbers()
    assert again.identical(runs) and other.history.identical(result.history)
    assert np.array_equal(other.params.flat, result.params.flat)
    for asked in (other.health, other.plot, lambda: other.predict(data.train[0])):
        with pytest.raises(ImportError):
            asked()


def load_script(path: Path, name: str, register: bool = True) -> types.ModuleType:
    """Import a file as the scenario runner does."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    if register:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_measure_of_a_script_and_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario file imported by its path serves; an edit of it makes other trials."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    script = tmp_path / "a_scenario.py"
    found = []
    for value in (1.0, 2.0):
        script.write_text(f"def measure(settings, seed):\n    return {{'v': {value}}}\n")
        _sources.digest.cache_clear()
        _sources._imported.cache_clear()
        module = load_script(script, "a_scenario")
        made = Sweep({}, {"a": [1]}, seeds=2, measure=module.measure)
        found.append(identities(made))
        assert made.run().v.values.tolist() == [[value, value]]
    assert not found[0] & found[1]
    del sys.modules["a_scenario"]
    unknown = load_script(script, "never_registered", register=False)
    with pytest.raises(InputError, match="never_registered:measure: cannot be imported"):
        Sweep({}, seeds=2, measure=unknown.measure)


def test_own_op_is_in_the_identity() -> None:
    assert grid._modules([{"kernel": "my_ops:swish"}, "data.csv", "a: b"]) == {"my_ops"}
    assert grid._source("sweep_cases") is not None
    assert grid._source("not_there_at_all") is None


def test_measurement_gets_plain_settings_of_its_own() -> None:
    calls.clear()
    made = measurements(base={"b": np.float64(2), "a": None}, seeds=[4])
    made.run(jobs=1)
    assert calls == [({"b": 2.0, "a": a}, 4) for a in (1, 2, 3)]
    assert made.measure is simple
