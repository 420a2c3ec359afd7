"""Stale results: where data, an own op or a kernel changed, nothing stored is used again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sweep_cases import HERE

CONFIG = """
name = "stale"
seeds = 2
data = { path = "my.csv", target = "t" }
training = { epochs = 1, batch_size = 8 }
[network]
kind = "layers"
layers = [
  { type = "Dense", units = 4 },
  { type = "Activation", forward = "my_op:forward", backward = "my_op:backward" },
  { type = "Dense", units = 2 },
]
[axes]
"optimizer.lr" = [1e-3, 1e-2]
"""
OP = """import simdl

@simdl.njit
def forward(y, x, alpha):
    for i in range(x.size):
        y[i] = 2 * x[i]

@simdl.njit
def backward(dx, dy, x, y, alpha):
    for i in range(x.size):
        dx[i] = 2 * dy[i]
"""
MEASURED = """
name = "measured"
seeds = 3
measurement = { function = "my_measure:measure", size = 2 }
"""
MEASURE = """from my_helper import half

def measure(settings, seed):
    return {"v": half(settings["size"])}
"""
HELPER = """def half(x):
    return x / 2
"""
# without training: the stored outcomes are empty
PROGRAM = """
import json, sys
import simdl
from simdl.sweep import Sweep
from simdl.sweep.description import provenance
from simdl.sweep.ledger import register
from simdl.sweep.outcomes import Outcome
from simdl.sweep.store import Store
missing, changes = [], []
for file in ("sweep.toml", "measured.toml"):
    made = Sweep.from_toml(file)
    missing.append(made.missing("s.sqlite"))
    changes.extend(made.changes("s.sqlite"))
    if sys.argv[1:]:
        with Store("s.sqlite") as store:
            register(store, made.name, made.description, made.trials, provenance())
            done = [(t.identity, "{}", Outcome(t.seed, "completed")) for t in made.trials]
            store.add(made.name, done)
print(json.dumps((missing, changes, simdl.__file__)))
"""


def ask(folder: Path, *fill: str) -> tuple[list[int], list[str], str]:
    """Ask a new process, which has the package's copy, what is missing of 4 and of 3 trials."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *fill], cwd=folder, capture_output=True, text=True,
        env=environment | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
             "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stale")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE.parent / "simdl", folder / "simdl", ignore=ignore)
    (folder / "sweep.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "measured.toml").write_text(MEASURED, encoding="utf-8")
    for name, text in (("my_op", OP), ("my_measure", MEASURE), ("my_helper", HELPER)):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    rows = [f"{i},{i % 3},{'ab'[i % 2]}" for i in range(40)]
    (folder / "my.csv").write_text("\n".join(["x,y,t", *rows]) + "\n", encoding="utf-8")
    missing, changed, where = ask(folder, "fill")
    assert (missing, changed) == ([4, 3], []) and where.startswith(str(folder))
    return folder


def a_byte(text: str) -> str:
    return text.replace("7,1,b", "8,1,b")


def a_line(text: str) -> str:
    return text.replace("2 * x[i]", "3 * x[i]")


def a_kernel(text: str) -> str:
    return text + "\n# a line more\n"


CHANGES: dict[str, tuple[str, Callable[[str], str], str, list[int]]] = {
    "a byte of the CSV": ("my.csv", a_byte, "data: the contents of", [4, 0]),
    "a line of an own op": ("my_op.py", a_line, "code: my_op changed", [4, 0]),
    "a line of a kernel": ("simdl/kernels/dense.py", a_kernel, "code: simdl.kernels.dense", [4, 3]),
    "a line of a measurement": (
        "my_measure.py",
        lambda text: text.replace("half(", "2 * half("),
        "code: my_measure changed",
        [0, 3],
    ),
    "a line of what it imports": (
        "my_helper.py",
        lambda text: text.replace("x / 2", "x * 0.5"),
        "code: my_helper changed",
        [0, 3],
    ),
    "the configuration": (
        "sweep.toml",
        lambda text: text.replace("epochs = 1", "epochs = 2"),
        "training.epochs: 1 became 2",
        [4, 0],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_old_is_used(change: str, filled: Path) -> None:
    name, edit, said, lost = CHANGES[change]
    before = (filled / name).read_text(encoding="utf-8")
    assert edit(before) != before
    try:
        (filled / name).write_text(edit(before), encoding="utf-8")
        missing, changed, _ = ask(filled)
        assert missing == lost
        assert len(changed) == 1 and changed[0].startswith(said), changed
    finally:
        (filled / name).write_text(before, encoding="utf-8")
    if change == list(CHANGES)[-1]:
        assert ask(filled)[:2] == ([0, 0], [])  # as it was: all are there
