"""What `simdl train --out` keeps: complete, wherever it is moved, whatever comes after."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from own_tables import Capture, export, records, run, table

import simdl


def test_what_is_kept_gives_the_same_training_again(tmp_path: Path, capsys: Capture) -> None:
    path, first, second = export(tmp_path, "wine"), tmp_path / "a", tmp_path / "b"
    short = ("--seed", 3, "--set", "training.epochs=4")
    assert run("train", "--data", path, "--target", "answer", "--out", first, *short) == 0
    assert run("train", first / "configuration.toml", "--out", second) == 0
    one, two = simdl.load(first), simdl.load(second)
    assert np.array_equal(one.params.flat, two.params.flat) and two.seed == 3
    assert one.encoder.classes == two.encoder.classes == ("class_0", "class_1", "class_2")
    with (first / "configuration.toml").open("rb") as stream:
        assert tomllib.load(stream)["network"]["width"] == 64
    with np.load(first / "parameters.npz") as stored:
        assert {"0.weight", "scaler.shift", "scaler.scale", "classes"} <= set(stored)
    history = records((first / "history.csv").read_text(encoding="utf-8"))
    assert len(history) == 5 and float(history[-1]["train_loss"]) < float(history[0]["train_loss"])
    data = simdl.data.load(path, target="answer", seed=3)
    on = simdl.train(one.training.net, data, epochs=2, params=one.params)
    assert float(on.history["train_loss"][0]) == pytest.approx(float(history[-1]["train_loss"]))
    capsys.readouterr()


def test_data_beside_a_configuration_and_a_folder_that_moves(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path in a file is that of the file; what is kept trains again from anywhere."""
    home, away, other = (tmp_path / name for name in ("home", "away", "other"))
    for folder in (home, away, other):
        folder.mkdir()
    table(home / "t.csv")
    (home / "c.toml").write_text(
        '[data]\npath = "t.csv"\ntarget = "kind"\n[network]\nwidth = 4\n[training]\nepochs = 1\n',
        encoding="utf-8",
    )
    for here, config, out in (
        (away, home / "c.toml", "run"),
        (home, Path("c.toml"), other / "second"),
        (other, away / "run" / "configuration.toml", "third"),
    ):
        monkeypatch.chdir(here)
        assert run("train", config, "--out", out) == 0, capsys.readouterr().err
    results = [simdl.load(f) for f in (away / "run", other / "second", other / "third")]
    assert len({result.params.flat.tobytes() for result in results}) == 1
    table(away / "u.csv")
    (home / "c.toml").write_text('[data]\npath = "u.csv"\ntarget = "kind"\n', encoding="utf-8")
    monkeypatch.chdir(away)  # as on the command line, where the file has none beside it
    assert run("train", home / "c.toml", "--set", "training.epochs=1") == 0
    capsys.readouterr()


def test_what_was_trained_is_kept_whatever_comes_after(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(result: simdl.Result) -> None:
        raise simdl.InputError("health: planted")

    monkeypatch.setattr(simdl.Result, "health", fails)
    path, out = table(tmp_path / "t.csv"), tmp_path / "run"
    given = ("train", "--data", path, "--target", "kind", "--set", "training.epochs=1")
    assert run(*given, "--out", out) == 2
    assert "health: planted" in capsys.readouterr().err
    assert simdl.load(out).status == "completed"
    assert {"configuration.toml", "history.csv"} <= {p.name for p in out.iterdir()}
