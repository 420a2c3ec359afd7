"""What is said of a data set before training: each oddity in a line, and nothing of a sound one."""

import numpy as np
import pytest

from simdl.commands.data_remarks import remarks
from simdl.data.columns import Column, Form
from simdl.data.sources import Source

X = np.arange(24.0).reshape(12, 2)
T = np.arange(12) % 2
RARE = np.where(np.arange(12) == 3, 2, T)
ODD = {
    "constant": (Source(X * [1, 0], T, ("a", "b"), ("wide", "flat")), "column 'flat'"),
    "constant, no names": (Source(X * [0, 1], T, ("a", "b")), "column '0'"),
    "rare": (Source(X, RARE, ("a", "b", "zz")), "class 'zz' (1)"),
    "one-hot": (Source(X, np.eye(2)[T]), "t.argmax(axis=1)"),
    "texts": (
        Source(X, T, ("a", "b"), form=Form((Column("hue", ("blue", "red")),), "t")), "'hue' (2)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_is_told(case: str) -> None:
    source, told = ODD[case]
    (line,) = remarks(source)
    assert told in line


@pytest.mark.parametrize(
    "source",
    [
        Source(X, T, ("a", "b"), ("one", "two")),
        Source(np.where(X == 0, np.nan, X), T, ("a", "b"), missing=True),
        Source(np.zeros((12, 4, 4)), T, ("a", "b")),
        Source(X, X),
        Source(X, T[:, None].astype(float)),
    ],
)
def test_nothing_is_told_of_what_is_sound(source: Source) -> None:
    assert remarks(source) == []


def test_a_long_list_is_cut() -> None:
    (line,) = remarks(Source(np.zeros((12, 8)), T, ("a", "b")))
    assert line.endswith("'4' and 3 more")
