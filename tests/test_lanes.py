"""The kernels' tests once more, in own processes: with bounds checks, and as plain Python, where it
is counted which lines and branches of the kernels they reach.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
FILES = ("test_kernels.py", "test_kernels_flat.py", "test_stopping_rules.py")
# whole networks and layers show that the engine, too, runs as plain Python; what is counted besides
PLAIN = (
    "test_golden.py",
    "test_layers.py::test_golden",
    "test_philox.py::test_as_the_naive_reference",
    "test_philox.py::test_permutation_is_one",
)
KERNELS = "simdl/kernels"
REACHED = 95  # percent: of all branches, and of each file's lines and branches
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


def lane(
    tmp_path: Path, name: str, *tests: str | Path, under: tuple[str, ...] = ()
) -> subprocess.CompletedProcess:
    """Run tests with the lane's setting and an own cache of compiled code, `under` a program."""
    ours = ("PYTEST", "NUMBA", "COV")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    setting = {LANES[name]: "1"} if name in LANES else {}
    return subprocess.run(
        [sys.executable, *under, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
         "-o", "addopts=", "-W", "error", *map(str, tests)],
        cwd=TESTS.parent, capture_output=True, text=True, timeout=400,
        env=environment | setting | {"NUMBA_CACHE_DIR": str(tmp_path / "compiled")},
    )  # fmt: skip


def plant(tmp_path: Path, jit: bool) -> Path:
    """Return a test of a kernel that reads one element too far."""
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED.format(jit=jit), encoding="utf-8")
    return planted


def is_green(done: subprocess.CompletedProcess) -> bool:
    return done.returncode == 0 and " passed" in done.stdout and "skipped" not in done.stdout


def test_an_index_too_far_is_found(tmp_path: Path) -> None:
    """With bounds checks the planted kernel raises; `make test-bounds` runs the kernels so."""
    done = lane(tmp_path, "checked", plant(tmp_path, jit=True))
    assert is_green(done), done.stdout + done.stderr


def test_an_index_too_far_goes_unseen_elsewhere(tmp_path: Path) -> None:
    """So the settings do reach the lanes: without them the planted kernel raises nothing."""
    done = lane(tmp_path, "compiled", plant(tmp_path, jit=True))
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr


# --- plain Python, and what of it the tests reach -------------------------------------------------


def counting(tmp_path: Path, source: str | Path) -> tuple[str, ...]:
    """The program under which lines and branches of `source` are counted."""
    counts = f"--data-file={tmp_path / 'counts'}"
    return ("-m", "coverage", "run", "--rcfile=", "--branch", counts, f"--source={source}")


def gaps(tmp_path: Path) -> list[str]:
    """One line a file that the tests reach too little of, and one if it is so for all branches."""
    made = tmp_path / "counts.json"
    command = ["json", "--rcfile=", "-q", f"--data-file={tmp_path / 'counts'}", "-o", str(made)]
    subprocess.run([sys.executable, "-m", "coverage", *command], cwd=TESTS.parent, check=True)
    counted = json.loads(made.read_text(encoding="utf-8"))
    found = []
    for file, part in counted["files"].items():
        percent = part["summary"]["percent_covered"]
        if percent < REACHED:
            branches = ", ".join(f"{a}->{b}" for a, b in part["missing_branches"])
            found.append(
                f"{file}: {percent:.1f} % reached, must be {REACHED}: add rows to the tables of "
                f"cases, or its tests to PLAIN: lines {part['missing_lines']}, branches {branches}"
            )
    totals = counted["totals"]
    if totals["covered_branches"] < REACHED / 100 * totals["num_branches"]:
        found.append(
            f"{totals['covered_branches']} of {totals['num_branches']} branches in all reached"
        )
    return found


def test_kernels_as_plain_python(tmp_path: Path) -> None:
    """They run without the JIT, and the tables' rows reach their branches."""
    part = ["-k", "not (test_golden and float32)"]  # the kernels' own tests know both precisions
    tests = [plant(tmp_path, jit=False), *(TESTS / file for file in (*FILES, *PLAIN))]
    done = lane(tmp_path, "plain", *part, *tests, under=counting(tmp_path, KERNELS))
    assert is_green(done), done.stdout + done.stderr
    files = {path.name for path in (TESTS.parent / KERNELS).glob("*.py")}
    made = gaps(tmp_path)
    counted = json.loads((tmp_path / "counts.json").read_text(encoding="utf-8"))["files"]
    assert {Path(file).name for file in counted} == files
    assert not made, "\n".join(made)


HALF_REACHED = """
def kernel(x):
    if x > 0:
        return 1
    return 0
"""


def test_a_branch_that_no_test_reaches_is_found(tmp_path: Path) -> None:
    """One kernel with a branch that is never taken, one that no test knows."""
    folder, test = tmp_path / "planted", tmp_path / "test_half.py"
    folder.mkdir()
    for name in ("half.py", "unknown.py"):
        (folder / name).write_text(HALF_REACHED, encoding="utf-8")
    test.write_text("from planted import half\n\ndef test(): assert half.kernel(1)\n", "utf-8")
    done = lane(tmp_path, "plain", test, under=counting(tmp_path, folder))
    assert is_green(done), done.stdout + done.stderr
    half, unknown, total = gaps(tmp_path)
    assert "half.py: 66.7 % reached" in half and "lines [5], branches 3->5" in half
    assert "unknown.py: 0.0 %" in unknown and "3->4, 3->5" in unknown
    assert total == "1 of 4 branches in all reached"
