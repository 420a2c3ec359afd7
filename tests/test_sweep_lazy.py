"""Arrays of a stored sweep are read when they are looked at, and only those."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from sweep_cases import bits, measurements, trainings

from simdl.errors import StorageError
from simdl.sweep import Sweep, executors, lazy

read: list[tuple[str, str]] = []  # identity and name of what was read


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = lazy._arrays

    def counts(store: Any, named: Any) -> Any:
        read.extend(named)
        return before(store, named)

    read.clear()
    monkeypatch.setattr(lazy, "_arrays", counts)
    yield


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with five seeds of four cells of unequal depth."""
    path = tmp_path_factory.mktemp("lazy") / "s.sqlite"
    trainings().run(path)
    return path


@pytest.fixture(scope="module")
def eager() -> xarray.Dataset:
    return trainings().run()


def test_only_what_is_looked_at_is_read(path: Path, eager: xarray.Dataset) -> None:
    runs = trainings().run(path)
    assert repr(runs) and float(runs.test_loss.mean()) > 0 and runs.layer_kind.values.size
    assert not read
    one = runs.gradient_rms.sel({"network.depth": 3, "seed": 4}).isel({"optimizer.lr": 1})
    np.testing.assert_array_equal(
        one.values, eager.gradient_rms.sel({"network.depth": 3, "seed": 4})[1]
    )
    assert len(read) == 1
    few = runs.gradient_rms.isel(seed=[3, 1], step=slice(0, 2), layer=-1)
    xarray.testing.assert_identical(
        few.load(), eager.gradient_rms.isel(seed=[3, 1], step=slice(0, 2), layer=-1)
    )
    assert len(read) == 1 + 2 * 2 * 2
    assert bits(runs) == bits(eager)
    assert len(read) == 9 + 20
    assert bits(runs) == bits(eager) and len(read) == 29  # once read whole it is kept


INDICES: list[dict[str, Any]] = [
    {"seed": 0}, {"seed": slice(None, None, -2)}, {"seed": [0, 0, 4]}, {"seed": []},
    {"layer": [2, 0], "step": 1}, {"step": slice(2, 0, -1), "seed": -1},
    {"network.depth": 0, "optimizer.lr": 1, "seed": 2, "step": 1, "layer": 2},
    {"seed": xarray.DataArray([0, 3], dims="two"), "layer": xarray.DataArray([1, 2], dims="two")},
]  # fmt: skip


@pytest.mark.parametrize("at", INDICES, ids=str)
def test_any_index(at: dict[str, Any], path: Path, eager: xarray.Dataset) -> None:
    runs = trainings().run(path)
    xarray.testing.assert_identical(
        runs.gradient_rms.isel(at).compute(), eager.gradient_rms.isel(at)
    )


def test_unequal_trials_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = bits(measurements().run(path))
    assert first == bits(measurements().run(path)) == bits(measurements().run())
    assert {name for _, name in read} == {"plain", "line"}


def test_copies_and_pickles_read_too(path: Path, eager: xarray.Dataset) -> None:
    runs = trainings().run(path)
    for made in (runs.copy(deep=True), copy.deepcopy(runs), pickle.loads(pickle.dumps(runs))):
        assert bits(made) == bits(eager)
    changed = runs.copy(deep=True)
    changed.gradient_rms[0] = 1.0
    assert bits(runs) == bits(eager) and (changed.gradient_rms[0] == 1.0).all()


def test_a_store_that_is_gone_or_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    runs = measurements().run(path)
    path.rename(tmp_path / "t")
    with pytest.raises(StorageError, match="s: is gone"):
        runs.plain.load()
    assert not path.exists()
    measurements(record=["n"]).run(path)
    with pytest.raises(StorageError, match=r"plain of trial \w+ is no longer there"):
        runs.plain.load()


def big(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Leaves 4 MB."""
    return {"v": np.full(500_000, float(seed))}


@pytest.mark.parametrize("target", [1e-9, 1e9])
def test_what_is_stored_takes_no_memory(
    target: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """48 MB of arrays: neither while it runs nor while it is opened are more than a few there.

    However fast the machine is: time would put a seed in a chunk, or all, and store nothing before
    the end.
    """
    monkeypatch.setattr(executors, "HOLD", 60.0)
    monkeypatch.setattr(executors, "TARGET", target)
    made = Sweep({}, seeds=12, measure=big)
    for _ in range(2):
        tracemalloc.start(1)
        try:
            runs = made.run(tmp_path / "s", jobs=1)
            taken = tracemalloc.get_traced_memory()[1]
            assert float(runs.v.isel(seed=7, v_0=0)) == 7.0
            looked = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # two chunks run, or wait for a thread, while finished ones are stored
        assert taken < 55e6 and looked < 55e6
    assert taken < 1e6 and looked < 17e6
