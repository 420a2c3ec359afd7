"""A user's own files, trained and predicted from the command line with no line of code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_tables import Capture, export, records, run, table

import simdl
from simdl import layers as L


@pytest.mark.parametrize(("name", "floor"), [("wine", 0.9), ("breast_cancer", 0.92)])
def test_a_users_classes(name: str, floor: float, tmp_path: Path, capsys: Capture) -> None:
    path, out = export(tmp_path, name), tmp_path / "run"
    assert run("train", "--data", path, "--target", "answer", "--out", out) == 0
    said = capsys.readouterr()
    accuracy = float(said.out.split()[2])
    assert accuracy >= floor
    assert "confusion matrix" in said.out and "precision  recall" in said.out
    assert "task: classification" in said.err and "2 hidden layers of 64" in said.err
    kept = records((out / "predictions.csv").read_text(encoding="utf-8"))
    right = np.mean([line["target"] == line["prediction"] for line in kept])
    assert right == pytest.approx(accuracy, abs=1e-4)

    assert run("predict", out, "--data", path) == 0
    told, table = records(capsys.readouterr().out), records(path.read_text(encoding="utf-8"))
    assert len(told) == len(table)
    assert (
        np.mean([a["prediction"] == b["answer"] for a, b in zip(told, table, strict=True)]) >= floor
    )
    for line in kept:  # the same sample, read again from the file, gets the same answer
        again = told[int(line["row"])]
        assert again["prediction"] == line["prediction"]
        assert table[int(line["row"])]["answer"] == line["target"]
        shares = [float(v) for k, v in again.items() if k.startswith("probability_")]
        assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_a_users_numbers(tmp_path: Path, capsys: Capture) -> None:
    path, out = export(tmp_path, "diabetes"), tmp_path / "run"
    few = ("--set", "training.epochs=15")
    assert run("train", "--data", path, "--target", "answer", "--out", out, *few) == 0
    said = capsys.readouterr()
    told = dict(line.removeprefix("test ").split() for line in said.out.splitlines()[:3])
    assert "task: regression" in said.err
    assert float(told["RMSE"]) == pytest.approx(float(told["MSE"]) ** 0.5, rel=1e-4)
    assert float(told["R^2"]) > 0.2
    kept = records((out / "predictions.csv").read_text(encoding="utf-8"))
    t, y = (np.array([float(line[key]) for line in kept]) for key in ("target", "prediction"))
    assert np.mean((t - y) ** 2) == pytest.approx(float(told["MSE"]), rel=1e-4)  # in its own units
    assert run("predict", out, "--data", path, "--output", tmp_path / "p.csv") == 0
    again = records((tmp_path / "p.csv").read_text(encoding="utf-8"))
    assert float(again[int(kept[0]["row"])]["prediction"]) == pytest.approx(y[0], rel=1e-4)


def test_texts_are_one_hot_and_unseen_ones_refused(tmp_path: Path, capsys: Capture) -> None:
    out, new = tmp_path / "run", tmp_path / "new.csv"
    path = table(tmp_path / "t.csv")
    assert simdl.data.source(path, target="kind").feature_names == (
        "colour=blue", "colour=green", "colour=red", "size",
    )  # fmt: skip
    assert run("train", "--data", path, "--target", "kind", "--out", out) == 0
    capsys.readouterr()
    new.write_text("size,note,colour\n1,x,red\n2,y,purple\n,z,red\n", encoding="utf-8")
    assert run("predict", out, "--data", new) == 2
    said = capsys.readouterr()
    assert not said.out
    for part in (
        "line 3, column 'colour': 'purple'",
        "known: blue, green, red",
        "line 4",
        "'size'",
    ):
        assert part in said.err
    new.write_text("size\n1\n", encoding="utf-8")
    assert run("predict", out, "--data", new) == 2
    assert "has no column 'colour'" in capsys.readouterr().err
    new.write_text("size,colour\n1,red\n-1,red\n", encoding="utf-8")
    assert run("predict", out, "--data", new) == 0
    assert [line["prediction"] for line in records(capsys.readouterr().out)] == ["b", "a"]


def test_missing_values(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    path = table(tmp_path / "t.csv", row3="red,,a", row5="?,0.1,b")
    given = ("train", "--data", path, "--target", "kind", "--set", "training.epochs=2")
    assert run(*given) == 2
    said = capsys.readouterr().err
    assert "line 5, column 'size'" in said and "line 7, column 'colour'" in said
    assert run(*given, "--missing", "drop", "--out", out) == 0
    assert "2 rows with missing values are left out" in capsys.readouterr().err
    assert run("predict", out, "--data", path) == 0
    rows = [int(line["row"]) for line in records(capsys.readouterr().out)]
    assert rows == [i for i in range(60) if i not in (3, 5)]
    assert run(*given, "--missing", "mean", "--out", out) == 0
    capsys.readouterr()
    assert run("predict", out, "--data", path) == 0
    assert len(records(capsys.readouterr().out)) == 60


def test_the_mean_is_that_of_the_training_part() -> None:
    x = np.arange(20.0)[:, None]
    x[[4, 9, 13]] = np.nan
    whole = simdl.data.Source(x, np.arange(20) % 2, missing=True)
    train, _, test = whole.indices((0.5, 0.2, 0.3), 1)
    data = whole.split((0.5, 0.2, 0.3), "none", 1)
    mean = np.nanmean(x[train])
    assert np.array_equal(data.train[0], np.where(np.isnan(x[train]), mean, x[train]))
    assert np.array_equal(data.test[0], np.where(np.isnan(x[test]), mean, x[test]))


def test_a_table_without_header_loses_no_row(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "t.csv"
    rng = np.random.default_rng(0)
    np.savetxt(path, np.c_[rng.normal(size=(40, 2)), np.arange(40) % 2], delimiter=",", fmt="%g")
    given = ("train", "--data", path, "--target", "3", "--set", "training.epochs=1")
    assert run(*given) == 2
    assert "line 1" in capsys.readouterr().err
    assert run(*given, "--no-header") == 0
    assert "40 samples" in capsys.readouterr().err


def test_many_whole_numbers_are_a_quantity(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i},{i}\n" for i in range(30)), encoding="utf-8")
    assert simdl.data.source(path, target="y").classes is None
    assert len(simdl.data.source(path, target="y", task="classification").classes) == 30


def test_arrays(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2, 3))
    path, new, out = tmp_path / "d.npz", tmp_path / "n.npz", tmp_path / "run"
    np.savez(path, x=x, t=np.where(x[:, 0, 0] > 0, "up", "down"))
    np.savez(new, x=x[:5])
    assert run("train", "--data", path, "--out", out, "--set", "training.epochs=3") == 0
    capsys.readouterr()
    assert run("predict", out, "--data", new) == 0
    said = [line["prediction"] for line in records(capsys.readouterr().out)]
    assert len(said) == 5 and set(said) <= {"up", "down"}
    np.savez(new, x=x[:5, :1])
    assert run("predict", out, "--data", new) == 2
    assert "(1, 3)" in capsys.readouterr().err
    assert run("predict", out, "--data", table(tmp_path / "t.csv")) == 2


def test_parquet(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    import pandas

    path, same, out = table(tmp_path / "t.csv"), tmp_path / "t.parquet", tmp_path / "run"
    frame = pandas.read_csv(path)
    frame.to_parquet(same)
    one, two = (simdl.data.source(file, target="kind") for file in (path, same))
    assert one.digest == two.digest and one.feature_names == two.feature_names
    given = ("train", "--data", same, "--target", "kind", "--out", out)
    assert run(*given, "--set", "training.epochs=2") == 0
    capsys.readouterr()
    assert run("predict", out, "--data", same) == run("predict", out, "--data", path) == 0
    assert len(records(capsys.readouterr().out)) == 2 * 60 + 1
    frame.loc[7, "size"] = None
    frame.to_parquet(same)
    assert run(*given) == 2
    assert "row 7, column 'size'" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(*given) == 2
    assert "pip install pyarrow" in capsys.readouterr().err


WRONG = {
    "nothing": ((), ("--data FILE",)),
    "both": (("nowhere.toml", "--data", "t.csv"), ("one of them",)),
    "no such file": (("nowhere.toml",), ("nowhere.toml", "no such file")),
    "no toml": (("t.csv",), ("is no TOML",)),
    "no target": (("--data", "t.csv"), ("data.target: missing", "kind")),
    "target": (("--data", "t.csv", "--target", "knd"), ("did you mean 'kind'",)),
    "seed twice": (("--data", "t.csv", "--seed", 3, "--set", "seed=4"), ("--seed 3", "seed=4")),
    "out": (("--data", "t.csv", "--target", "kind", "--out", ""), ("--out", "empty")),
    "task": (("--data", "t.csv", "--target", "kind", "--task", "x"), ("data.task: 'x'",)),
    "key": (("--data", "t.csv", "--target", "kind", "--set", "training.epoch=1"), ("epochs",)),
    "sweep": (("--data", "t.csv", "--target", "kind", "--set", "seeds=3"), ("seeds",)),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(
    case: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "t.csv")
    arguments, parts = WRONG[case]
    assert run("train", *arguments) == 2
    said = capsys.readouterr()
    assert not said.out and "Traceback" not in said.err
    for part in parts:
        assert part in said.err


def test_a_folder_that_cannot_be_written_is_found_before_training(
    tmp_path: Path, capsys: Capture
) -> None:
    path = table(tmp_path / "t.csv")
    assert run("train", "--data", path, "--target", "kind", "--out", path) == 5
    assert "is a file" in capsys.readouterr().err


def test_summary_counts_every_layer() -> None:
    inner = L.Residual([L.Dense(8), L.Tanh(), L.Residual([L.Dense(8)])])
    net = simdl.Network((4,), [L.Dense(8), inner, L.Dense(2)])
    lines = [line.split() for line in net.summary().splitlines()]
    counts = {line[0]: line[-1] for line in lines if len(line) > 3 and line[0][0].isdigit()}
    assert counts["0"] == "40" and counts["1.0"] == counts["1.2.0"] == "72" and counts["2"] == "18"
    assert lines[-1][0] == "202" == str(net.n_parameters)


def test_plot_draws_what_was_measured(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(0)
    part = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    data = simdl.Data(train=part, test=part)
    net = simdl.Network((4,), [L.Dense(3)])
    result = simdl.train(net, data, epochs=3, batch_size=10)
    plt.switch_backend("svg")  # the user's choice, which ours must not change
    figure = result.plot()
    assert plt.get_backend() == "svg" and plt.gcf() is figure
    plt.switch_backend("agg")
    for panel, kind in zip(figure.axes, ("loss", "accuracy"), strict=True):
        drawn = {line.get_label(): line.get_ydata() for line in panel.get_lines()}
        assert set(drawn) == {"train", "test"}
        assert np.array_equal(drawn["test"], result.history[f"test_{kind}"].values)
    plt.close(figure)
    with pytest.raises(simdl.InputError, match="nothing to draw"):
        simdl.train(net, data, epochs=1, batch_size=10, probes=[]).plot()
