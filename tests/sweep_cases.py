"""Small sweeps and measurements for the tests of sweeps; child processes import it too."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from simdl.sweep import Progress, Sweep

HERE = Path(__file__).resolve().parent
BASE = {
    "data": {"name": "moons", "samples": 60},
    "network": {"depth": 1, "width": 4},
    "training": {"epochs": 2, "batch_size": 16},
    "probes": {"names": ["gradient_rms"], "every": 3},
}
AXES = {"network.depth": [1, 3], "optimizer.lr": [1e-3, 1e-1]}
RECORD = ["metrics", "gradient_rms"]

calls: list[tuple[Any, int]] = []  # what `simple` was called with
broken: set[int] = set()  # seeds that fail


def trainings(**changes: Any) -> Sweep:
    """Four cells of tiny nets, five seeds each."""
    return Sweep(**({"base": BASE, "axes": AXES, "seeds": 5, "record": RECORD} | changes))


def measurements(**changes: Any) -> Sweep:
    """Six trials of `simple`."""
    given = {"base": {"b": 2.0}, "axes": {"a": [1, 2, 3]}, "seeds": 2, "measure": simple}
    return Sweep(**(given | changes))


def simple(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """A number, an array without labels, a labelled one, a text; some seeds fail."""
    calls.append((dict(settings), seed))
    if seed in broken:
        raise ArithmeticError(f"seed {seed} is broken")
    a = settings["a"]
    labelled = xarray.DataArray(
        np.arange(a, dtype=np.float32) + seed, {"x": np.arange(a) * 10}, attrs={"units": "m"}
    )
    settings["a"] = None  # what a function does to its settings is its own affair
    return {"n": a * settings["b"] + seed, "plain": np.ones((2, a)), "line": labelled, "t": f"{a}"}


def slow(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Takes a while."""
    time.sleep(0.03)
    return {"v": np.random.default_rng([settings["a"], seed]).normal(size=3)}


def slow_sweep(cells: int = 30) -> Sweep:
    """Sixty trials of .03 s, in chunks of two at most."""
    return Sweep({}, {"a": list(range(cells))}, seeds=2, measure=slow, name="slow")


def clashing(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Returns a quantity that is named like the axis."""
    return {"a": 1.0}


def tell(progress: Progress) -> None:
    """Print how many trials are done, for the parent process."""
    print(progress.done, flush=True)


def bits(runs: xarray.Dataset) -> dict[str, tuple[Any, ...]]:
    """Every variable and coordinate to the bit."""
    return {
        str(name): (v.dims, v.dtype.str, v.shape, v.values.tobytes())
        for name, v in runs.variables.items()
    }


@contextlib.contextmanager
def child(program: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start a Python process that has imported this module; kill it if it hangs."""
    paths = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys, sweep_cases\n{program}", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        with process:
            yield process
            process.kill()
    finally:
        watchdog.cancel()
        process.kill()
