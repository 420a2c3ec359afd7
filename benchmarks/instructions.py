"""Count the instructions of a training step and of exp, tanh, sigmoid: a figure without noise.

Times on a busy machine scatter by percents; instructions under `valgrind --tool=callgrind` come out
the same within a thousandth, whatever else the machine does. They are counted for one kind of
processor, with AVX2 and without AVX-512, which callgrind does not know, and kept in
instructions.json; a run compares with these and says what grew. Fewer instructions need not be less
time: a division is one, a load that misses every cache, too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(__file__).with_name("instructions.json")
PROCESSOR = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse4.2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
FEW, MANY = 20, 60  # steps; the difference leaves out what is done once a training
CALLS = 20  # of a function over mathematics.SIZE elements
GROWN = 1.02  # times what is kept: more is said, and is exit code 1


def mark() -> None:
    """Begin another count: callgrind writes one down each time it sees this."""
    os.getppid()


def counted(names: list[str]) -> None:
    """What is counted, in the order of `parts`."""
    import mathematics
    import numpy as np
    from ours import Simdl
    from shapes import SHAPES, task

    for shape in (s for s in SHAPES if s.name in names):
        own = Simdl(task(shape))
        orders = np.resize(np.arange(len(own.task.x)), MANY * shape.batch)
        for steps in (MANY, FEW, MANY):  # the first time everything is loaded
            mark()
            own.train(orders[: steps * shape.batch])
        mark()
    x = np.random.default_rng(0).normal(0, 3, mathematics.SIZE).astype(np.float32)
    y = np.empty_like(x)
    for name in (n for n in mathematics.OURS if n in names):
        for calls in (1, 1, 1 + CALLS):
            mark()
            mathematics.OURS[name](calls, y, x)
        mark()


def measure(names: list[str]) -> dict[str, float]:
    """Return instructions, a step of each network, an element of each function."""
    from mathematics import OURS, SIZE

    command = [sys.executable, __file__, "--counted", *names]
    with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
        surroundings = os.environ | PROCESSOR
        subprocess.run(command, env=surroundings, check=True)  # compiles, for the next to load
        out = Path(folder) / "out"
        tool = ["valgrind", "--quiet", "--tool=callgrind", "--dump-before=getppid"]
        subprocess.run(
            [*tool, f"--callgrind-out-file={out}", *command], env=surroundings, check=True
        )
        texts = [
            out.with_suffix(f".{i}").read_text(encoding="utf-8")
            for i in range(1, 4 * len(names) + 1)
        ]
    found = [re.search(r"^totals: (\d+)", text, re.MULTILINE) for text in texts]
    totals = [int(match[1]) for match in found if match]
    measured = {}
    for i, name in enumerate(names):
        few, many = (
            totals[4 * i + 2],
            totals[4 * i + 3],
        )  # the first two: loading, and what it is for
        each = CALLS * SIZE if name in OURS else MANY - FEW
        measured[name] = (many - few) / each
    return measured


def show(measured: dict[str, float], kept: dict[str, float]) -> bool:
    """Print a line each; return whether any grew."""
    grown = False
    for name, value in measured.items():
        before = kept.get(name)
        ratio = value / before if before else 1.0
        grown |= ratio > GROWN
        known = f"{before:14,.1f}{ratio:9.3f}" if before else ""
        print(f"{name:32}{value:14,.1f}{known}{'  MORE' * (ratio > GROWN)}")
    return grown


def main() -> int:
    """Count, compare with what is kept, and keep the new figures where that is asked for."""
    from mathematics import OURS
    from shapes import SHAPES

    # convolutions are compiled anew in every process, which takes callgrind a quarter of an hour
    every = [*(shape.name for shape in SHAPES if "CNN" not in shape.name), *OURS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep these counts")
    parser.add_argument("--counted", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(every))
    chosen = parser.parse_args()
    if chosen.counted is not None:
        counted(chosen.counted)
        return 0
    unknown = [name for name in chosen.names if name not in every]
    if unknown:
        parser.error(f"{unknown[0]!r}: must be one of {'; '.join(every)}")
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed")
    measured = measure([name for name in every if not chosen.names or name in chosen.names])
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    grown = show(measured, kept)
    if chosen.write:
        KEPT.write_text(json.dumps(kept | measured, indent=1) + "\n", encoding="utf-8")
        return 0
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
