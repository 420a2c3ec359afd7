"""A result saved and read again; folders that are damaged or cannot be written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import simdl
from simdl import layers as L
from simdl import optimizers as O

OWN = L.Activation("planted:same", "planted:same_backward", alpha=0.5)


def trained(**settings: object) -> simdl.Result:
    rng = np.random.default_rng(0)
    data = simdl.Data(
        train=(rng.normal(size=(20, 4)), rng.integers(0, 3, 20)),
        test=(rng.normal(size=(9, 4)), rng.integers(0, 3, 9)),
    )
    layers = [L.Dense(5), OWN, L.Residual([L.Dense(5, init={"name": "normal", "std": 0.1})])]
    net = simdl.Network((4,), [*layers, L.LeakyReLU(0.2), L.Dense(3)], init="orthogonal")
    settings = {"batch_size": 8, "epochs": 2, "probes": ["loss", "gradient_rms"]} | settings
    return simdl.train(net, data, seed=7, **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trained().save(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": O.SGD(lr=0.1, momentum=0.9, nesterov=True), "clip_norm": 1.0, "loss": "mse"},
        {"schedule": np.full(6, 0.01), "epochs": None, "steps": np.int64(6), "probes": None},
        {"batch_size": "full", "probes": []},
        {"optimizer": O.SGD(lr=1e30)},
    ],
)
def test_what_is_saved_comes_back(tmp_path: Path, settings: dict) -> None:
    result = trained(**settings)
    result.save(tmp_path / "run")
    back = simdl.load(tmp_path / "run")
    assert np.array_equal(back.params.flat, result.params.flat, equal_nan=True)
    assert back.params.flat.dtype == result.params.flat.dtype
    assert back.training == result.training and back.seed == result.seed
    assert back.history.identical(result.history)
    for name in ("status", "reason", "steps", "divergence"):
        assert getattr(back, name) == getattr(result, name)
    assert repr(back.metrics) == repr(result.metrics)  # NaN included
    x = np.linspace(-1, 1, 12).reshape(3, 4)
    before, after = (simdl.forward(r.training.net, r.params, x) for r in (result, back))
    assert np.array_equal(before, after, equal_nan=True)


def test_own_ops_are_named_by_module_and_function(folder: Path) -> None:
    text = (folder / "result.json").read_text(encoding="utf-8")
    assert '"planted:same"' in text and '"planted:same_backward"' in text
    assert simdl.load(folder).training.net.layers[1] == OWN


def test_saving_again_replaces(folder: Path) -> None:
    other = trained(epochs=1)
    other.save(folder)
    assert simdl.load(folder).steps == other.steps


def test_an_interrupted_save_is_no_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(simdl.StorageError, match="No space left"):
        trained().save(folder)
    monkeypatch.undo()
    with pytest.raises(simdl.InputError, match="no saved result"):
        simdl.load(folder)


def edit(folder: Path, *keys: str, value: object) -> None:
    file = folder / "result.json"
    whole = table = json.loads(file.read_text(encoding="utf-8"))
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = value
    file.write_text(json.dumps(whole), encoding="utf-8")


def cut(folder: Path, name: str, length: int) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:length])


DAMAGE = {
    "no description": lambda f: (f / "result.json").unlink(),
    "no parameters": lambda f: (f / "parameters.npz").unlink(),
    "no measurements": lambda f: (f / "measured.npz").unlink(),
    "description cut": lambda f: cut(f, "result.json", 100),
    "description is no table": lambda f: (f / "result.json").write_text("[1]", encoding="utf-8"),
    "description is no text": lambda f: (f / "result.json").write_bytes(b"\xff\xfe\x00"),
    "parameters cut": lambda f: cut(f, "parameters.npz", 300),
    "parameters empty": lambda f: cut(f, "parameters.npz", 0),
    "measurements cut": lambda f: cut(f, "measured.npz", 50),
    "parameters of another net": lambda f: np.savez(f / "parameters.npz", w=np.zeros(3)),
    "measurements of another run": lambda f: np.savez(
        f / "measured.npz", evaluated=np.zeros((2, 2)), probed=np.zeros((1, 1))
    ),
    "a key is missing": lambda f: edit(f, "training", value={}),
    "a value is wrong": lambda f: edit(f, "training", "batch_size", value={"type": "os:getcwd"}),
    "an unknown kind": lambda f: edit(f, "training", "loss", "type", value="simdl.losses:Loss2"),
    "an unknown module": lambda f: edit(f, "training", "loss", "type", value="simdl.nowhere:A"),
    "a kind that is no description": lambda f: edit(
        f, "training", "loss", "type", value="simdl.result:load"
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_folder(folder: Path, name: str) -> None:
    DAMAGE[name](folder)
    with pytest.raises(simdl.InputError):
        simdl.load(folder)


def test_message_of_a_damaged_folder_names_it(folder: Path) -> None:
    cut(folder, "parameters.npz", 300)
    with pytest.raises(simdl.InputError, match=r"run: damaged.*save the result again"):
        simdl.load(folder)


def test_own_op_without_a_name_is_not_saved(tmp_path: Path) -> None:
    import numba

    @numba.njit
    def inner(y, x, alpha):  # type: ignore[no-untyped-def]
        y[:] = x

    rng = np.random.default_rng(0)
    data = simdl.Data(train=(rng.normal(size=(8, 4)), rng.integers(0, 3, 8)))
    net = simdl.Network((4,), [L.Activation(inner, "planted:same_backward"), L.Dense(3)])
    result = simdl.train(net, data, batch_size=8, steps=1)
    with pytest.raises(simdl.InputError, match=r"<locals>.inner: cannot be found again"):
        result.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(simdl.StorageError, match=r"file.*cannot be written"):
            trained().save(folder)
