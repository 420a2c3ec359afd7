"""Data: what a user gets wrong gives one clear message each."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from simdl.data import Data, Source, load, memory, source
from simdl.errors import InputError

X, T = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


def with_value(array: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    """Return a copy with one value changed."""
    changed = array.copy()
    changed[index] = value
    return changed


# What to call, and what the one message must say: key, value, remedy.
ARGUMENTS = {
    "unknown name": (lambda: load("digts"), ["data.name: 'digts'", "did you mean 'digits'?"]),
    "capitals": (lambda: load("XOR"), ["data.name: 'XOR'", "did you mean 'xor'?"]),
    "no name": (lambda: load(3), ["data.name: 3", "a name or a path"]),
    "a folder": (lambda: load(Path(__file__).parent), ["data.path", "is a folder"]),
    "tabs": (lambda: load("a.tsv"), ["data.path: a.tsv", "rename it to .csv", "delimiter"]),
    "kind of file": (lambda: load("a.xlsx"), ["data.path: a.xlsx", ".csv, .npz or .parquet"]),
    "no such file": (lambda: load("gone/a.csv"), ["data.path: gone/a.csv", "no such file"]),
    "folder": (lambda: load(Path(__file__).parent / "x.npz/.."), ["data.path", ".npz"]),
    "NUL": (lambda: load("a\0.csv"), ["data.path", "cannot be read"]),
    "two fractions": (lambda: load("xor", split=(0.8, 0.2)), ["data.split: (0.8, 0.2)", "three"]),
    "text fraction": (lambda: load("xor", split="0.6"), ["data.split: '0.6'", "(0.6, 0.2, 0.2)"]),
    "negative": (lambda: load("xor", split=(1.2, -0.2, 0)), ["data.split", "from 0 to 1"]),
    "NaN": (lambda: load("xor", split=(np.nan, 0.5, 0.5)), ["data.split", "from 0 to 1"]),
    "sum": (lambda: load("xor", split=(0.6, 0.2, 0.1)), ["data.split", "adds up to 0.9"]),
    "no training": (lambda: load("xor", split=(0, 0.5, 0.5)), ["no training part", "exceed 0"]),
    "empty part": (
        lambda: load("xor", samples=4, split=(0.9, 0.1, 0)),
        ["data.split", "validation part of 4 samples would be empty", "give more samples"],
    ),
    "scale": (lambda: load("xor", scale="minmx"), ["data.scale: 'minmx'", "'minmax'"]),
    "negative seed": (lambda: load("xor", seed=-1), ["seed: -1", "from 0 to 4294967295"]),
    "large seed": (lambda: load("xor", seed=2**32), ["seed: 4294967296", "from 0"]),
    "fractional seed": (lambda: source("xor", seed=1.5), ["seed: 1.5", "integer"]),
    "option": (lambda: load("xor", nois=0.1), ["data.nois", "of xor", "did you mean 'noise'?"]),
    "option of digits": (lambda: load("digits", samples=3), ["data.samples", "takes none"]),
    "target of digits": (lambda: load("digits", target="t"), ["data.target: 't'", "only tables"]),
    "samples": (lambda: load("moons", samples=1), ["data.samples: 1", "at least 2"]),
    "samples float": (lambda: load("moons", samples=9.5), ["data.samples: 9.5", "integer"]),
    "noise": (lambda: load("moons", noise=-1), ["data.noise: -1", "from 0"]),
    "noise NaN": (lambda: load("moons", noise=np.nan), ["data.noise: nan", "from 0"]),
    "factor": (lambda: load("circles", factor=1), ["data.factor: 1", "between 0 and 1"]),
    "classes": (lambda: load("spirals", classes=1), ["data.classes: 1", "at least 2"]),
    "no pair": (lambda: Data(train=X), ["train: ndarray", "pair (x, t)"]),
    "no train": (lambda: Data(train=None), ["train: None", "pair (x, t)"]),
    "lengths": (lambda: Data(train=(X, T[:4])), ["train: 6 samples in x but 4 in t"]),
    "NaN in x": (
        lambda: Data(train=(X, T), test=(with_value(X, (3, 1), np.nan), T)),
        ["test.x: nan in row 3, column 1", "finite"],
    ),
    "inf in an image": (
        lambda: Data(train=(with_value(X.reshape(6, 1, 2, 1), (5, 0, 1, 0), np.inf), T)),
        ["train.x: inf in row 5, column (0, 1, 0)", "finite"],
    ),
    "too large": (
        lambda: Data(train=(with_value(X, (0, 0), -1e39), T)),
        ["train.x: -1e+39 in row 0, column 0", "float32"],
    ),
    "NaN in t": (
        lambda: Data(train=(X, with_value(T * 1.0, (2,), np.nan))),
        ["train.t: nan in row 2, column 0", "finite"],
    ),
    "flat x": (lambda: Data(train=(T, T)), ["train.x: shape (6,)", "reshape(-1, 1)"]),
    "text x": (lambda: Data(train=(X.astype(str), T)), ["train.x: dtype", "real numbers"]),
    "complex x": (lambda: Data(train=(X + 1j, T)), ["train.x: dtype complex128", "real numbers"]),
    "ragged x": (lambda: Data(train=([[1, 2], [3]], T[:2])), ["train.x", "rows differ in length"]),
    "empty x": (lambda: Data(train=(X[:0], T[:0])), ["train.x: shape (0, 2)", "at least one"]),
    "text t": (lambda: Data(train=(X, list("ababab"))), ["train.t: dtype", "integer labels"]),
    "two-dimensional labels": (
        lambda: Data(train=(X, T[:, None])),
        ["train.t: shape (6, 1)", "must be (N,)", "pass floats"],
    ),
    "negative label": (lambda: Data(train=(X, T - 1)), ["train.t: label -1 in row 0", "from 0"]),
    "label beyond the classes": (
        lambda: Data(train=(X, T), validation=(X, 2 * T), classes=("a", "b")),
        ["validation.t: label 2 in row 1", "below 2"],
    ),
    "classes of floats": (
        lambda: Data(train=(X, T * 1.0), classes=("a", "b")),
        ["classes: ('a', 'b')", "int labels"],
    ),
    "other shape": (
        lambda: Data(train=(X, T), test=(X[:, :1], T)),
        ["test.x: samples of shape (1,)", "(2,) as in train.x"],
    ),
    "other kind": (
        lambda: Data(train=(X, T), test=(X, T * 1.0)),
        ["test.t: float targets", "integer labels"],
    ),
    "other number of targets": (
        lambda: Data(train=(X, X), test=(X, X[:, :1])),
        ["test.t: 1 columns", "must be 2"],
    ),
    "source lengths": (lambda: Source(X, T[:4]), ["6 samples in x but 4 in t"]),
}


def one_message(error: InputError, parts: list[str]) -> None:
    """Check that there is one problem, on one line, that says all of `parts`."""
    assert len(error.problems) == 1 and "\n" not in str(error)
    for part in parts:
        assert part in str(error)


@pytest.mark.parametrize("case", ARGUMENTS)
def test_wrong_arguments(case):
    call, parts = ARGUMENTS[case]
    with pytest.raises(InputError) as error:
        call()
    one_message(error.value, parts)


def test_wrong_arguments_are_told_at_once():
    with pytest.raises(InputError) as error:
        load("xor", split=(2, 0, 0), scale="z", seed=-1)
    assert len(error.value.problems) == 3


# The bytes of a CSV, further arguments, what the message must say.
TABLES = {
    "empty": ("", {}, ["is empty", "header line"]),
    "blank": ("\n \n", {}, ["is empty", "header line"]),
    "header only": ("a,y\n", {}, ["no rows"]),
    "twice": ("a,a,y\n1,2,0\n", {}, ["column 'a' appears twice", "rename"]),
    "nameless": ("a,,y\n1,2,0\n", {}, ["column 2 has no name"]),
    "target misspelt": ("age,kind\n1,0\n", {"target": "kin"}, ["'kin'", "did you mean 'kind'?"]),
    "target unknown": ("age,kind\n1,0\n", {"target": "zzz"}, ["'zzz'", "(known: age, kind)"]),
    "target not given": ("age,kind\n1,0\n", {"target": None}, ["data.target: missing", "age"]),
    "other delimiter": ("a;y\n1;0\n", {}, ["data.target: 'y'", "delimiter=';'"]),
    "wide": (
        ",".join("abcdefghijkl") + "\n" + ",".join("123456789012") + "\n",
        {"target": "zzz"},
        ["'zzz'", "... and 2 more"],
    ),
    "missing": ("a,y\n1,0\n,1\n", {}, ["line 3, column 'a': ''", "is missing", "leave out"]),
    "NA": ("a,y\n1,0\nNA,1\n", {}, ["line 3, column 'a': 'NA'", "is missing"]),
    "missing target": ("a,y\n1,0\n2,\n", {}, ["line 3, column 'y': ''", "is missing"]),
    "text": (
        "a,y\n1,0\nred,1\n",
        {},
        ["line 3, column 'a': 'red'", "no number", "drop the column"],
    ),
    "inf": ("a,y\n1,0\n-inf,1\n", {}, ["line 3, column 'a': -inf", "finite"]),
    "beyond float32": ("a,y\n1e99,0\n1,1\n", {}, ["line 2, column 'a': 1e+99", "float32"]),
    "text regression": (
        "a,y\n1,0.5\n2,high\n",
        {"task": "regression"},
        ["line 3, column 'y': 'high'", "is no number"],
    ),
    "one class": ("a,y\n1,b\n2,b\n", {}, ["column 'y'", "one class only (b)", "at least 2"]),
    "names": (
        "a,y\n" + "".join(f"name{i},{i % 2}\n" for i in range(30)),
        {},
        ["column 'a': 30 different texts in 30 rows", "drop it"],
    ),
    "decimal commas": (
        "a;y\n1,5;0\n2,5;1\n",
        {"delimiter": ";"},
        ["column 'a': '1,5'", "decimal points"],
    ),
    "semicolons": ("a;b;y\n1,5;2;0\n", {}, ["line 2 has 2 of 1 fields", "delimiter=';'"]),
    "constant": ("a,y\n1,2.5\n2,2.5\n", {}, ["column 'y': is", "2.5", "nothing to predict"]),
    "no value": ("a,b,y\n1,,0\n2,,1\n", {"missing": "mean"}, ["column 'b'", "no value at all"]),
    "unknown way with missing": (
        "a,y\n1,0\n,1\n",
        {"missing": "median"},
        ["data.missing: 'median'", "mean"],
    ),
    "headless": ("5.1,3.5,a\n4.9,3,b\n", {"target": "3"}, ["line 1", "5.1", "header=false"]),
    "headless integers": ("5,3,0\n4,2,1\n", {"target": "3"}, ["line 1", "header=false"]),
    "header": ("a,y\n1,0\n", {"header": "no"}, ["data.header: 'no'", "true or false"]),
    "long row": ("a,y\n1,0\n1,2,3\n", {}, ["line 3 has 3 of 2 fields"]),
    "short row": ("a,b,y\n1,2,0\n3,1\n", {"missing": "drop"}, ["line 3 has 2 of 3 fields"]),
    "long rows": ("a,y\n1,0,4\n1,2,3\n", {}, ["line 2 has 3 of 2 fields"]),
    "open quote": ('a,y\n1,0\n"2,1\n', {}, ["a quote is opened and never closed"]),
    "no UTF-8": (b"a,y\n1,caf\xe9\n", {}, ["no UTF-8"]),
    "target alone": ("y\n1\n0\n", {}, ["no column beside target 'y'"]),
    "task": ("a,y\n1,0\n", {"task": "clasification"}, ["data.task", "'classification'"]),
    "delimiter": ("a,y\n1,0\n", {"delimiter": "::"}, ["data.delimiter: '::'", "one character"]),
    "drop": ("a,y\n1,0\n", {"drop": "aa"}, ["data.drop: 'aa'", "no such column"]),
    "drop target": ("a,y\n1,0\n", {"drop": "y"}, ["data.drop: 'y'", "is the target"]),
    "option": ("a,y\n1,0\n", {"sep": ";"}, ["data.sep", "unknown option of .csv"]),
}


@pytest.mark.parametrize("case", TABLES)
def test_wrong_tables(tmp_path, case):
    text, options, parts = TABLES[case]
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        load(path, **{"target": "y", **options})
    one_message(error.value, parts)
    assert str(path) in str(error.value) or str(error.value).startswith("data.")


def test_a_table_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "1,0\n" * 1000)
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"of memory.*fewer samples"):
        load(path, target="y")


def saved(**arrays: np.ndarray) -> bytes:
    """Return the bytes of an NPZ."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def altered() -> bytes:
    """Return an NPZ in which one byte of the data is another."""
    content = saved(x=X, t=T)
    at = content.index(np.float64(11).tobytes())
    return content[:at] + b"\1" + content[at + 1 :]


def promising() -> bytes:
    """Return an NPZ whose header promises far more than follows."""
    stream = io.BytesIO()
    header = io.BytesIO()
    declared = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)}
    np.lib.format.write_array_header_1_0(header, declared)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(100))
        archive.writestr("t.npy", header.getvalue() + bytes(100))
    return stream.getvalue()


ARCHIVES = {
    "empty": (b"", {}, ["is no NPZ archive"]),
    "text": (b"a,y\n1,0\n", {}, ["is no NPZ archive", "np.savez(path, x=..., t=...)"]),
    "cut off": (saved(x=X, t=T)[:-40], {}, ["is no NPZ archive", "damaged"]),
    "altered": (altered(), {}, ["damaged", "CRC"]),
    "promising": (promising(), {}, ["damaged", "declares 16000000000000 bytes, has 100"]),
    "no t": (saved(x=X, y=T), {}, ["no array 't'", "found: x, y", "np.savez"]),
    "no arrays": (saved(), {}, ["no array 'x'", "found: nothing"]),
    "objects in x": (saved(x=X.astype(object), t=T), {}, ["array 'x'", "Python objects"]),
    "objects in t": (saved(x=X, t=np.array(["a", None] * 3)), {}, ["array 't'", "Python objects"]),
    "lengths": (saved(x=X, t=T[:4]), {}, ["x has shape (6, 2) but t (4,)"]),
    "scalars": (saved(x=X, t=np.array(3)), {}, ["t ()", "as many samples"]),
    "no samples": (saved(x=X[:0], t=T[:0]), {}, ["holds no samples"]),
    "flat x": (saved(x=T, t=T), {}, ["x: shape (6,)", "reshape(-1, 1)"]),
    "text x": (saved(x=X.astype(str), t=T), {}, ["x: dtype", "real numbers"]),
    "NaN": (saved(x=with_value(X, (4, 0), np.nan), t=T), {}, ["x: nan in row 4, column 0"]),
    "complex t": (saved(x=X, t=T * 1j), {}, ["t has dtype complex128", "strings, integers"]),
    "one class": (saved(x=X, t=T * 0), {}, ["t: holds one class only (0)"]),
    "labels in a matrix": (saved(x=X, t=T[:, None]), {}, ["t: shape (6, 1)", "task='regression'"]),
    "text regression": (
        saved(x=X, t=np.array(list("ababab"))),
        {"task": "regression"},
        ["t: holds", "needs numbers"],
    ),
    "NaN classes": (
        saved(x=X, t=with_value(T * 1.0, (2,), np.nan)),
        {"task": "classification"},
        ["t: nan in row 2", "finite"],
    ),
    "task": (saved(x=X, t=T), {"task": "x"}, ["data.task: 'x'", "known: classification"]),
    "target": (saved(x=X, t=T), {"target": "t"}, ["data.target: 't'", "only tables"]),
    "option": (saved(x=X, t=T), {"drop": "a"}, ["data.drop", "unknown option of .npz"]),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_wrong_archives(tmp_path, case):
    content, options, parts = ARCHIVES[case]
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load(path, **options)
    one_message(error.value, parts)
    assert str(path) in str(error.value) or str(error.value).startswith("data.")


@pytest.mark.parametrize("share", np.linspace(0, 0.999, 40))
def test_an_archive_cut_or_altered_anywhere_never_raises_anything_else(tmp_path, share):
    content = saved(x=X, t=T)
    at = int(share * len(content))
    path = tmp_path / "d.npz"
    path.write_bytes(content[:at])
    with pytest.raises(InputError):
        load(path)
    path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    try:
        load(path)
    except InputError as error:
        assert str(path) in str(error)


def test_an_archive_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.zeros((10000, 10)), t=np.arange(10000) % 2)
    monkeypatch.setattr(memory, "available_memory", lambda: 10**6)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(InputError, match=r"needs 1.7 MiB of memory, 1.0 MiB are available"):
        load(path)


def test_available_memory_is_a_sensible_number():
    assert 2**20 < memory.available_memory() < 2**50


def test_folders_and_devices_are_no_data(tmp_path):
    folder = tmp_path / "d.csv"
    folder.mkdir()
    with pytest.raises(InputError, match="is no regular file"):
        load(folder, target="y")
    with pytest.raises(InputError, match=r"cannot be read: .*Not a directory"):
        load(Path(__file__) / "x.csv", target="y")
