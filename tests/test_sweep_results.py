"""`simdl results`: what a store says without its configuration; choosing, exporting, merging."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import xarray
from sweep_cases import AXES, bits, broken, measurements, trainings
from test_sweep_command import command

from simdl.commands import exporting, exports
from simdl.errors import InputError, StorageError
from simdl.sweep import FailedTrials, ledger
from simdl.sweep.store import Store

SEEDS = 3


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xarray.Dataset]:
    """A store with one sweep, and its dataset."""
    path = tmp_path_factory.mktemp("results") / "runs.sqlite"
    return path, trainings(name="mine", seeds=SEEDS).run(path)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_listing_needs_no_configuration(
    filled: tuple[Path, xarray.Dataset], capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = filled
    assert command("results", path) == 0
    head, axes, run = capsys.readouterr().out.splitlines()
    assert head.startswith("mine  ") and head.endswith("12 trials: 12 completed")
    assert axes.strip() == "axes: network.depth (2), optimizer.lr (2); seeds: 3"
    assert "last run 20" in run and "numba" in run and "openblas" in run.lower()
    with Store(path) as store:
        (entry,) = ledger.entries(store)
        (where,) = ledger.provenance(store, entry)
    assert entry.description["base"]["data"] == {"name": "moons", "samples": 60}
    assert {"cpu", "blas", "command", "numpy", "sqlite", "started"} <= set(where)


def test_csv_has_a_row_a_trial(
    filled: tuple[Path, xarray.Dataset], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, runs = filled
    assert command("results", path, "--to", "csv") == 0
    out = capsys.readouterr().out
    found = rows(out)
    assert len(found) == 12 and list(found[0])[:4] == [*AXES, "seed", "status"]
    assert "train_loss" in found[0] and "gradient_rms" not in found[0]
    for row in found:
        at = {key: float(row[key]) for key in AXES} | {"seed": int(row["seed"])}
        assert float(row["test_loss"]) == runs.test_loss.sel(at).item()
        assert row["status"] == "completed" and row["diverged"] == "False"
    assert command("results", path, "--output", tmp_path / "a" / "b.csv") == 0
    assert (tmp_path / "a" / "b.csv").read_text(encoding="utf-8") == out
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.csv"]


def test_history_has_a_row_a_value(
    filled: tuple[Path, xarray.Dataset], capsys: pytest.CaptureFixture[str]
) -> None:
    path, runs = filled
    assert command("results", path, "--history", "--where", "seed=1") == 0
    found = rows(capsys.readouterr().out)
    history = [row for row in found if row["variable"] == "gradient_rms"]
    assert len(history) == 2 * 2 * (3 + 7)  # rates, steps; layers of each depth
    history = [row for row in history if row["value"] != "nan"]  # what has no weights
    assert len(history) == int(np.isfinite(runs.gradient_rms.sel(seed=1)).sum())
    for row in history[:: len(history) // 7]:
        at = {key: float(row[key]) for key in AXES}
        value = runs.gradient_rms.sel(at | {"seed": 1, "step": int(row["step"])})
        assert float(row["value"]) == value.sel(layer=row["layer"]).item()
    single = [row for row in found if row["variable"] == "test_loss"]
    assert len(single) == 4 and {row["layer"] for row in single} == {""}


def test_files_for_programs(filled: tuple[Path, xarray.Dataset], tmp_path: Path) -> None:
    path, runs = filled
    assert command("results", path, "--to", "netcdf", "--output", tmp_path / "r.nc") == 0
    back = xarray.load_dataset(tmp_path / "r.nc", engine="scipy")
    xarray.testing.assert_equal(back, runs)
    assert json.loads(back.attrs["description"])["seeds"] == [0, 1, 2]
    some = ("--where", "network.depth=3", "--where", "seed=2", "--where", "seed=0")
    assert command("results", path, "--to", "netcdf", "--output", tmp_path / "s.nc", *some) == 0
    back = xarray.load_dataset(tmp_path / "s.nc", engine="scipy")
    xarray.testing.assert_equal(back, runs.sel({"network.depth": [3], "seed": [0, 2]}))
    assert command("results", path, "--to", "parquet", "--output", tmp_path / "r.parquet") == 0
    frame = pandas.read_parquet(tmp_path / "r.parquet")
    values = frame.set_index([*AXES, "seed"]).test_loss.to_numpy()
    np.testing.assert_array_equal(values, runs.test_loss.values.ravel())


def test_unequal_trials_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    broken.update({1})
    try:
        with pytest.raises(FailedTrials):
            measurements(name="odd", seeds=3).run(path)
    finally:
        broken.clear()
    with Store(path) as store:
        ledger.forget(store, [measurements(seeds=3).trials[0].identity])
    assert command("results", path, "--to", "csv") == 0
    found = rows(capsys.readouterr().out)
    assert [row["status"] for row in found[:3]] == ["missing", "failed", "completed"]
    assert found[0]["n"] == found[1]["n"] == "" and found[2]["t"] == "1"
    assert command("results", path, "--where", "status=failed") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert command("results", path, "--to", "parquet", "--output", tmp_path / "p") == 0
    assert pandas.read_parquet(tmp_path / "p").n.isna().sum() == 4
    assert command("results", path, "--to", "netcdf", "--output", tmp_path / "n") == 0
    back = xarray.load_dataset(tmp_path / "n", engine="scipy")
    assert np.isnan(back.n.sel(a=1)).values.tolist() == [True, True, False]
    assert command("results", path, "--history", "--where", "a=2", "--where", "seed=0") == 0
    found = rows(capsys.readouterr().out)
    assert [r["value"] for r in found if r["variable"] == "line"] == ["0.0", "1.0"]
    assert [r["x"] for r in found if r["variable"] == "line"] == ["0", "10"]


WRONG = [
    (("--to", "exel"), ["--to exel", "csv"]),
    (("--to", "netcdf"), ["--to netcdf", "--output"]),
    (("--output", "a.csv", "--where", "seed"), ["--where seed", "KEY=VALUE"]),
    (("--where", "network.dept=3"), ["network.dept", "did you mean 'network.depth'?"]),
    (("--where", "seed=9"), ["--where seed=9: no trial has it", "0, 1, 2"]),
    (("--where", "sweep=mien"), ["sweep=mien", "did you mean 'mine'?"]),
    (("--merge", "gone.sqlite"), ["--merge gone.sqlite", "no such file"]),
    (("--history", "--to", "netcdf", "--output", "a"), ["--history", "leave --history out"]),
    (("other.sqlite",), ["other.sqlite", "--merge"]),
]


@pytest.mark.parametrize(("given", "parts"), WRONG, ids=lambda v: " ".join(v))
def test_wrong_usage(
    given: tuple[str, ...], parts: list[str], filled: tuple[Path, xarray.Dataset], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert command("results", filled[0], *given) == 2
    said = capsys.readouterr()
    assert not [part for part in parts if part not in said.err], said.err
    assert not list(tmp_path.iterdir()) and not said.out
    assert command("results", tmp_path / "gone") == 2 and not list(tmp_path.iterdir())


def test_the_newest_state_of_one_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    for seeds in (1, 2):
        measurements(name="one", seeds=seeds).run(path)
    assert command("results", path, "--to", "csv") == 0
    said = capsys.readouterr()
    assert len(rows(said.out)) == 6 and "the newest state" in said.err
    with Store(path) as store:
        old, _ = ledger.entries(store)
    assert command("results", path, "--to", "csv", "--where", f"sweep={old.short}") == 0
    assert len(rows(capsys.readouterr().out)) == 3
    measurements(name="two", base={"b": 5.0}).run(path)
    assert command("results", path, "--to", "csv") == 2
    assert "holds 2 sweeps (one, two): choose" in capsys.readouterr().err
    assert command("results", path, "--to", "csv", "--where", "sweep=two") == 0


def test_files_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(RuntimeError), exports.replaced(path) as part:
        part.write_text("half", encoding="utf-8")
        raise RuntimeError
    synced: list[int] = []
    monkeypatch.setattr(exports.os, "fsync", synced.append)
    with exports.replaced(path) as part:
        part.write_text("whole", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "before"
    assert path.read_text(encoding="utf-8") == "whole" and len(synced) == 2  # it and its folder

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports.os, "fsync", full)
    said = r"out\.csv: cannot be written: No space left"
    with pytest.raises(StorageError, match=said), exports.replaced(path) as part:
        part.write_text("more", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "whole" and list(tmp_path.iterdir()) == [path]


def test_a_reader_may_leave_early(filled: tuple[Path, xarray.Dataset]) -> None:
    command = [sys.executable, "-m", "simdl", "results", str(filled[0]), "--history"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()  # as `head` does
        said = process.stderr.read()
    assert process.returncode == 0 and not said, said


def test_merging(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    broken.update({1})
    try:
        with pytest.raises(FailedTrials):
            measurements().run(one)
    finally:
        broken.clear()
    measurements(seeds=[1, 5]).run(two)
    with Store(one) as store:
        assert ledger.merge(store, two) == 6  # failures give way
        assert ledger.merge(store, two) == 0
        assert [e.trials for e in ledger.entries(store)] == [{"completed": 6}] * 2
        with pytest.raises(InputError, match="is the store itself"):
            ledger.merge(store, one)
        (tmp_path / "text").write_text("no store", encoding="utf-8")
        with pytest.raises(StorageError, match="is no store of simdl"):
            ledger.merge(store, tmp_path / "text")
    runs = measurements().run(one)
    assert runs.attrs["trained"] == 0 and bits(runs) == bits(measurements().run())


def as_schema(version: int, path: Path) -> None:
    """Make a store what it would have been before schema 3, or 2: every number an array's row."""
    with Store(path) as store, store.writing() as connection:
        identities = [row[0] for row in connection.execute("SELECT identity FROM trials")]
        found = store._results(identities, lazy=False)
        connection.execute("DELETE FROM arrays")
        for identity, outcome in found.items():
            for role in ("variable", "coordinate"):
                for name, (values, dims, attrs) in getattr(outcome, f"{role}s").items():
                    texts = map(json.dumps, (values.shape, dims, dict(attrs)))
                    row = (identity, role, name, values.dtype.str, *texts, values.tobytes())
                    connection.execute("INSERT INTO arrays VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        for column in ("form", "numbers"):
            connection.execute(f"ALTER TABLE trials DROP COLUMN {column}")
        for table in ("forms", *(("sweeps", "members", "runs") if version == 1 else ())):
            connection.execute(f"DROP TABLE {table}")
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_store_is_migrated(
    version: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s"
    before = measurements(name="old").run(path).load()
    as_schema(version, path)
    assert command("results", path) == 0
    known = {1: "old  6 trials of no sweep that is written down", 2: "6 trials: 6 completed"}
    assert known[version] in capsys.readouterr().out
    after = measurements(name="old").run(path)
    assert after.attrs["trained"] == 0 and bits(after) == bits(before)
    more = measurements(name="old", seeds=3).run(path)  # old and new trials side by side
    assert more.attrs["trained"] == 3 and bits(more) == bits(measurements(seeds=3).run())
    with Store(path) as store:
        (entry,) = (e for e in ledger.entries(store) if e.trials == {"completed": 9})
    capsys.readouterr()
    assert command("results", path, "--where", f"sweep={entry.short}", "--to", "csv") == 0
    found = rows(capsys.readouterr().out)
    assert len(found) == 9 and list(found[0]) == ["a", "seed", "status", "n", "t"]


def test_a_store_on_a_network_disk_is_read_from_a_copy(
    filled: tuple[Path, xarray.Dataset], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path, _ = filled
    monkeypatch.setattr(exporting, "network", lambda given: "nfs4")
    before = path.read_bytes()
    assert command("results", path) == 0
    assert "12 completed" in capsys.readouterr().out and path.read_bytes() == before
