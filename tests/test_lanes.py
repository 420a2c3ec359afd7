"""The kernels' tests once more, as plain Python and with bounds checks, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FILES = ("test_kernels.py", "test_kernels_flat.py")
LANES = {"plain": "NUMBA_DISABLE_JIT", "checked": "NUMBA_BOUNDSCHECK"}

PLANTED = '''
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
'''


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


@pytest.mark.parametrize("name", LANES)
def test_kernels(tmp_path: Path, name: str) -> None:
    done = lane(tmp_path, name, *(TESTS / file for file in FILES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout


@pytest.mark.parametrize("name", [*LANES, "compiled"])
def test_an_index_too_far_is_found(tmp_path: Path, name: str) -> None:
    """The lanes can fail: a planted kernel raises IndexError in both, and in no other run."""
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED.format(jit=name != "plain"), encoding="utf-8")
    done = lane(tmp_path, name, planted)
    wanted = "1 failed, 1 passed" if name == "compiled" else "2 passed"
    assert wanted in done.stdout, done.stdout + done.stderr
