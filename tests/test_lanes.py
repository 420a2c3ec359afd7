"""The kernels' tests once more, in own processes: as plain Python and with bounds checks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FILES = ("test_kernels.py", "test_kernels_flat.py", "test_stopping_rules.py")
LANES = {"plain": "NUMBA_DISABLE_JIT", "checked": "NUMBA_BOUNDSCHECK"}

PLANTED = """
import numpy as np
import pytest

from simdl import _jit


@_jit.njit
def one_too_far(y, x):
    for i in range(x.size):
        y[i] = x[i + 1]


def test_lane():
    assert _jit.JIT is {jit}


def test_planted():
    x = np.arange(8.0)
    with pytest.raises(IndexError):
        one_too_far(np.zeros(7), x[:7])
"""


def lane(tmp_path: Path, name: str, *tests: str | Path) -> subprocess.CompletedProcess:
    """Run tests with the lane's setting and an own cache of compiled code."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "NUMBA"))}
    setting = {LANES[name]: "1"} if name in LANES else {}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
         "-o", "addopts=", "-W", "error", *map(str, tests)],
        cwd=TESTS.parent, capture_output=True, text=True, timeout=400,
        env=environment | setting | {"NUMBA_CACHE_DIR": str(tmp_path / "compiled")},
    )  # fmt: skip


def plant(tmp_path: Path, jit: bool) -> Path:
    """Return a test of a kernel that reads one element too far."""
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED.format(jit=jit), encoding="utf-8")
    return planted


@pytest.mark.parametrize("name", LANES)
def test_kernels_and_an_index_too_far(tmp_path: Path, name: str) -> None:
    """Every kernel stays inside its arrays; the planted one does not, and is found."""
    checked = name == "checked"
    # an index has no precision; whole networks show that the engine, too, runs as plain Python
    part = ["-k", "not float32"] if checked else [TESTS / "test_golden.py"]
    planted = plant(tmp_path, jit=name != "plain")
    done = lane(tmp_path, name, *part, planted, *(TESTS / file for file in FILES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_an_index_too_far_goes_unseen_elsewhere(tmp_path: Path) -> None:
    """So the settings do reach the lanes: without them the planted kernel raises nothing."""
    done = lane(tmp_path, "compiled", plant(tmp_path, jit=True))
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
