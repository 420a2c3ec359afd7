"""Data from a user's own CSV and NPZ files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simdl.data import load, source
from simdl.errors import InputError


def write(path: Path, text: str) -> Path:
    """Write a table and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_of_classes(tmp_path):
    rows = ["1,2.5,dog", "", " 3, -4e-1 ,cat ", "5,6,dog"]
    path = write(tmp_path / "pets.csv", "\ufeffa, b,kind\n" + "\n".join(rows) + "\n\n")
    pets = source(path, target="kind")
    assert np.array_equal(pets.x, [[1, 2.5], [3, -0.4], [5, 6]])
    assert pets.classes == ("cat", "dog") and np.array_equal(pets.t, [1, 0, 1])
    assert pets.feature_names == ("a", "b") and pets.name == str(path)


@pytest.mark.parametrize(
    ("cells", "task", "classes", "t"),
    [
        (["7", "3", "7"], None, ("3", "7"), [1, 0, 1]),
        (["10", "9", "10"], None, ("9", "10"), [1, 0, 1]),
        (["1.0", "0.0", "1.0"], None, ("0", "1"), [1, 0, 1]),
        (["True", "False", "True"], None, ("False", "True"), [1, 0, 1]),
        (["1", "2", "x"], None, ("1", "2", "x"), [0, 1, 2]),
        (["1.5", "2", "1.5"], None, None, [[1.5], [2], [1.5]]),
        (["7", "3", "7"], "regression", None, [[7], [3], [7]]),
        (["1.5", "2.5", "1.5"], "classification", ("1.5", "2.5"), [0, 1, 0]),
    ],
)
def test_what_a_target_column_means(tmp_path, cells, task, classes, t):
    text = "target,a\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells))
    table = source(write(tmp_path / "t.csv", text), task=task)
    assert table.classes == classes
    assert np.array_equal(table.t, t)
    assert table.t.dtype == (np.int64 if classes else np.float64)


def test_csv_options(tmp_path):
    path = write(tmp_path / "t.csv", "id;a;y\nx1;1;0.5\nx2;2;1.5\nx3;4;3.5\nx4;5;2.5\n")
    data = load(path, target="y", delimiter=";", drop=["id"], split=(0.5, 0.25, 0.25), seed=1)
    assert data.input_shape == (1,) and data.feature_names == ("a",)
    assert source(path, target="y", delimiter=";", drop="id").x.shape == (4, 1)


def test_the_line_of_a_fault_is_the_files_own(tmp_path):
    text = 'note,a,y\n\n"two\nlines",1,0\n"x",oops,1\n'
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(InputError) as error:
        source(path, target="y", drop="note")
    assert f"{path}: line 5, column 'a': 'oops'" in str(error.value)


def test_all_faulty_columns_are_named_at_once(tmp_path):
    path = write(tmp_path / "t.csv", "a,b,y\n1,,0\nred,2,1\n3,4,\n")
    with pytest.raises(InputError) as error:
        source(path, target="y")
    assert [problem.split(": ")[1] for problem in error.value.problems] == [
        "line 2, column 'b'",
        "line 3, column 'a'",
        "line 4, column 'y'",
    ]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    x, t = np.arange(48, dtype=np.uint8).reshape(6, 4, 2), np.array(list("babbab"))
    save(tmp_path / "d.npz", x=x, t=t, more=np.zeros(3))
    images = source(tmp_path / "d.npz")
    assert np.array_equal(images.x, x) and images.x.dtype == np.float64
    assert images.classes == ("a", "b") and np.array_equal(images.t, [1, 0, 1, 1, 0, 1])
    save(tmp_path / "r.npz", x=x, t=np.linspace(0, 1, 6, dtype=np.float32))
    assert source(tmp_path / "r.npz").t.shape == (6, 1)
    save(tmp_path / "k.npz", x=x, t=np.arange(18).reshape(6, 3))
    assert source(tmp_path / "k.npz", task="regression").t.shape == (6, 3)
