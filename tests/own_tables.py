"""A user's tables, and the command line that they are given to."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from simdl import cli

Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def export(folder: Path, name: str) -> Path:
    """Write one of scikit-learn's tables with the names of its classes."""
    from sklearn import datasets

    table = getattr(datasets, f"load_{name}")(as_frame=True)
    frame, t = table.data.copy(), table.target
    frame["answer"] = t if name == "diabetes" else [str(table.target_names[i]) for i in t]
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False)
    return path


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def table(path: Path, rows: int = 60, **changes: str) -> Path:
    """Write a table of a text column, a number and a target that both decide."""
    rng = np.random.default_rng(0)
    lines = ["colour,size,kind"]
    for i in range(rows):
        colour, size = rng.choice(["red", "blue", "green"]), rng.normal()
        kind = "a" if (colour == "red") != (size > 0.5) else "b"
        lines.append(changes.get(f"row{i}", f"{colour},{size:.3f},{kind}"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
