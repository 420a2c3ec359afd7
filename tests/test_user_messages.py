"""What `simdl train` recommends works where it is said, and what diverged predicts nothing."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import simdl
from simdl import cli, spec
from simdl import layers as L
from simdl import optimizers as O
from simdl.commands import files, training, wording
from simdl.diagnosis.rules import RULES
from simdl.prediction import regression_errors

Capture = pytest.CaptureFixture[str]
ROWS = [f"{i % 5},{(i * 7) % 11 / 2 + 0.25},{'fox' if i % 2 else 'owl'}" for i in range(60)]
HEADER = "zip,size,kind"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def text(header: str = HEADER, **changes: str) -> str:
    """A table; `row3=...` replaces a row."""
    rows = [changes.get(f"row{i}", row) for i, row in enumerate(ROWS)]
    return "\n".join([header, *rows] if header else rows) + "\n"


MANY = "a,kind\n" + "".join(f"{i % 3},{i}\n" for i in range(60))
# What is wrong with a table, the target, what is said of it, and what to try.
ADVICE = {
    "hole": (text(row3="1,,owl"), "kind", "line 5, column 'size': ''", "--missing mean"),
    "row of a hole": (text(row3="1,,owl"), "kind", "is missing", "--missing drop"),
    "hole in the target": (text(row3="1,2,"), "kind", "column 'kind': ''", "--missing drop"),
    "semicolons": (
        text().replace(",", ";"), "kind", "no such column", """--set 'data.delimiter=";"'""",
    ),
    "tabs": (
        text().replace(",", "\t"), "kind", "no such column", r"""--set 'data.delimiter="\t"'""",
    ),
    "names among numbers": (
        text(row3="x1,2,owl"), "kind", "'x1': is no number", """--set 'data.categories=["zip"]'""",
    ),
    "no header": (text(""), "3", "looks like data", "--no-header"),
    "numbers as classes": (MANY, "kind", "60 classes in 60 rows", "--task regression"),
}  # fmt: skip


@pytest.mark.parametrize("case", ADVICE)
def test_advice_works(
    case: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table, target, said, advice = ADVICE[case]
    Path("t.csv").write_text(table, encoding="utf-8")
    given = ["train", "--data", "t.csv", "--target", target, "--set", "training.epochs=1"]
    wrong = [*given, "--task", "classification"] if "task" in advice else given
    assert run(*wrong) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and said in told[0] and advice in told[0], told
    assert run(*given, *shlex.split(advice)) == 0
    capsys.readouterr()


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_advice_on_arrays_works(
    missing: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.arange(80.0).reshape(40, 2)
    x[7, 1] = np.nan
    np.savez("d.npz", x=x, t=np.arange(40) % 2)
    given = ("train", "--data", "d.npz", "--set", "training.epochs=1")
    assert run(*given) == 2
    told = capsys.readouterr().err
    assert "d.npz: x: nan in row 7, column 1: is missing" in told
    advice = f"--missing {missing}"
    assert advice in told and run(*given, *advice.split()) == 0
    capsys.readouterr()


def test_every_wording_is_that_of_a_message_of_ours() -> None:
    """A message that changes would else leave the table behind."""
    sources = "".join(p.read_text("utf-8") for p in Path(simdl.__file__).parent.rglob("*.py"))
    sources = re.sub(r"FORMS = \{.*?\n\}", "", sources, flags=re.DOTALL)
    for argument in wording.FORMS:
        plain = argument.partition("'")[0].rstrip("\\[(")
        assert re.search(rf"(?<![\w.]){re.escape(plain)}", sources), argument
    remedies = wording.as_options(" ".join(" ".join(rule.remedies) for rule in RULES))
    assert "--set stop=patience" in remedies and not re.search(r"(?<!\S)\w+='", remedies)


WRONG = {
    "short row": (("--data", "short.csv", "--target", "kind"), "line 5 has 2 of 3 fields"),
    "a table for a configuration": (("t.csv",), "--data t.csv"),
    "key without its table": (
        ("--data", "t.csv", "--target", "kind", "--set", "epochs=5"), "training.epochs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(
    case: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(text(), encoding="utf-8")
    Path("short.csv").write_text(text(row3="1,2"), encoding="utf-8")
    arguments, part = WRONG[case]
    assert run("train", *arguments, "--out", "run") == 2
    assert part in capsys.readouterr().err and not Path("run").exists()


NEW = {
    "hole": (HEADER + "\n1,,owl\n", "line 2, column 'size': '': is missing; fill it in or leave"),
    "text": (HEADER + "\n1,x,owl\n", "'x': is no number; correct it or leave out the row"),
    "no header": ("1,0.25,owl\n2,0.5,fox\n", "has no column 'size'"),
}


def test_advice_on_new_samples_can_be_followed(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to choose any more: no option is named, of the command line or of Python."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(text(), encoding="utf-8")
    given = ("--data", "t.csv", "--target", "kind", "--set", "training.epochs=1")
    assert run("train", *given, "--out", "run") == 0
    capsys.readouterr()
    for table, said in NEW.values():
        Path("new.csv").write_text(table, encoding="utf-8")
        assert run("predict", "run", "--data", "new.csv") == 2
        told = capsys.readouterr().err
        assert said in told and not re.search(r"--missing|--set|missing=|header=|categories", told)


# --- divergence -----------------------------------------------------------------------------------


def test_what_diverged_predicts_nothing(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No score, no answer, and no warning of NumPy's, which would be an error here."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(text(), encoding="utf-8")
    fast = ("--set", "optimizer.name=sgd", "--set", "optimizer.lr=1e3")
    assert run("train", "--data", "t.csv", "--target", "kind", *fast, "--out", "run") == 0
    said = capsys.readouterr()
    assert "test: no scores: the training diverged: at step" in said.out
    assert "accuracy 0" not in said.out and "DIVERGED" in said.err
    assert "predicts nothing" in said.err and not Path("run/predictions.csv").exists()
    assert run("predict", "run", "--data", "t.csv") == 2
    said = capsys.readouterr()
    assert not said.out and "run: predict: the training diverged: at step" in said.err


def test_best_parameters_predict_even_so() -> None:
    part = np.linspace(-1, 1, 40).reshape(20, 2), np.arange(20) // 10
    net = simdl.Network((2,), [L.Dense(4), L.ReLU(), L.Dense(2)])
    rates = [0.1, 0.1, 1e30, 1e30, 1e30]
    result = simdl.train(
        net, simdl.Data(train=part, validation=part), optimizer=O.SGD(), schedule=rates, steps=5,
        batch_size="full", stop="patience",
    )  # fmt: skip
    assert result.status == "diverged" and result.best["step"] <= 2
    assert np.isfinite(result.predict(part[0]).outputs).all()
    result.params.flat[:] = 3e38
    with pytest.raises(simdl.InputError, match=r"outputs: -?(inf|nan) for sample \d+"):
        result.predict(part[0])


def test_neither_loss_nor_accuracy_of_what_diverged() -> None:
    """Every part keeps its names, of both kinds; without a finite loss there is no accuracy."""
    rng = np.random.default_rng(0)
    part = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    data = simdl.Data(train=part, validation=part)
    net = simdl.Network((3,), [L.Dense(8), L.ReLU(), L.Dense(8), L.ReLU(), L.Dense(2)])
    found = simdl.train(net, data, optimizer=O.SGD(lr=1e9), epochs=9, batch_size=5)
    names = [f"{part}_{kind}" for kind in ("loss", "accuracy") for part in ("train", "validation")]
    assert found.status == "diverged" and list(found.metrics) == list(found.history) == names
    for name in names:
        value = found.metrics[name]
        assert not np.isfinite(value) and (np.isnan(value) or "loss" in name), name
        assert np.array_equal(found.history[name].values[-1], value, equal_nan=True)
    with pytest.raises(simdl.InputError, match=r"predict: the training diverged"):
        found.predict(part[0])
    real = simdl.Data(train=(part[0], part[0]), validation=(part[0], part[0]))
    lost = simdl.train(
        simdl.Network((3,), (*net.layers[:4], L.Dense(3))), real, loss="mae",
        optimizer=O.SGD(lr=1e30), epochs=9, batch_size=5,
    )  # fmt: skip
    assert lost.status == "diverged" and list(lost.metrics) == ["train_loss", "validation_loss"]


# --- what is said of a result ---------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["none", "standard", "minmax"])
def test_errors_are_in_the_targets_own_units(scale: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    source = simdl.data.Source(x, 100 + 20 * x[:, 0] + rng.normal(size=80))
    data = source.split((0.5, 0.25, 0.25), "standard", 1, scale)
    net = simdl.Network((3,), [L.Dense(1)])
    result = simdl.train(net, data, loss="mse", epochs=5)
    test = source.indices((0.5, 0.25, 0.25), 1)[2]
    wanted = regression_errors(source.t[test], result.predict(x[test]).outputs)
    assert result.metrics["test_rmse"] == pytest.approx(wanted["RMSE"], rel=1e-5)
    assert result.metrics["test_r2"] == pytest.approx(wanted["R^2"], rel=1e-4)
    result.save(tmp_path / "run")
    assert simdl.load(tmp_path / "run").metrics == result.metrics


def test_a_sweep_may_record_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text(), encoding="utf-8")
    base = {
        "data": {"path": str(path), "target": "size", "target_scale": "standard"},
        "network": {"depth": 1}, "training": {"loss": "mse", "epochs": 1},
    }  # fmt: skip
    runs = simdl.Sweep(base, {}, 2, record=["test_rmse", "test_loss"]).run()
    scale = np.array([simdl.data.load(path, target="size", target_scale="standard", seed=s)
                      .target_scaler.scale[0] for s in (0, 1)])  # fmt: skip
    assert np.allclose(runs.test_rmse, scale * np.sqrt(runs.test_loss), rtol=1e-12)
    with pytest.raises(simdl.InputError, match="'test_rmse': is not measured"):
        simdl.Sweep(simdl.with_values(base, {"training.loss": "mae"}), {}, 2, record=["test_rmse"])


def test_a_result_is_told_in_a_line() -> None:
    data = simdl.Data(train=(np.eye(4), np.arange(4)))
    result = simdl.train(simdl.Network((4,), [L.Dense(4)]), data, epochs=3, batch_size=2)
    told = repr(result)
    assert told == str(result) and "\n" not in told and len(told) < 120
    assert re.fullmatch(
        r"Result\(completed after epoch 3, \S+ s: train_loss [\d.]+, train_accuracy [\d.]+\)", told
    )
    assert repr(result.health()).startswith("health\n") and "moved: " in repr(result.health())
    ticks = result.plot().axes[0].xaxis.get_major_locator().tick_values(0, 3)
    assert np.array_equal(ticks, np.round(ticks))
    for module in (simdl, simdl.data, simdl.layers, simdl.optimizers):
        assert not {"Any", "annotations", "importlib", "tables"} & set(dir(module))


def test_names_in_any_case() -> None:
    assert O.optimizer("adamw") == O.AdamW() and O.optimizer({"name": "SGD"}) == O.SGD()


# --- folders, progress, modules -------------------------------------------------------------------


def test_what_fails_leaves_no_empty_folder(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir()
    for folder in (new, old):
        with pytest.raises(KeyboardInterrupt), files.folder_for(folder):
            assert folder.is_dir()
            raise KeyboardInterrupt
    assert old.is_dir() and not new.exists()
    with files.folder_for(new):
        pass
    assert new.is_dir()


def test_progress_without_a_terminal_is_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(training, "EVERY", -1.0)
    with training._progress(10, said.append) as watch:
        watch(0)  # before the first step, while it compiles
        watch(3)
    assert said == ["step 3 of 10"]


def test_modules_beside_a_file_and_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spec, "_beside", [])
    monkeypatch.chdir(tmp_path)
    names = {"beside_it": tmp_path / "a", "right_here": tmp_path, "broken_one": tmp_path}
    for name, folder in names.items():
        folder.mkdir(exist_ok=True)
        begin = "import not_there_either\n" if name == "broken_one" else ""
        (folder / f"{name}.py").write_text(f"{begin}def f(x): return x\n", encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert spec.resolved("right_here:f", "key")(3) == 3
    with pytest.raises(simdl.InputError, match=r"key: 'beside_it:f': .*searched: .*, sys\.path"):
        spec.resolved("beside_it:f", "key")
    with pytest.raises(simdl.InputError, match=r"No module named 'not_there_either'$"):
        spec.resolved("broken_one:f", "key")
    assert "broken_one" not in sys.modules
    spec.search_beside(tmp_path / "a" / "own.toml")
    assert spec.resolved("beside_it:f", "key")(3) == 3
    for name in names:
        sys.modules.pop(name, None)
