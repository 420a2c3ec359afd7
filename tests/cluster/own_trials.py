"""Measurements on workers: they tell where they are, take their time, kill who runs them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

import simdl


def place(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Where a worker's package lies, its folder, its process; takes a while."""
    time.sleep(settings.get("seconds", 0.0))
    return {
        "package": str(Path(simdl.__file__).parent.parent),
        "folder": str(Path.cwd()),
        "process": os.getpid(),
        "threads": blas_threads(),
    }


def blas_threads() -> int:
    """How many threads BLAS may use here."""
    from threadpoolctl import threadpool_info

    return max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")


def deadly(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """A number, where it does not kill its process."""
    if seed in settings["exits"]:
        os._exit(1)
    if seed in settings["crashes"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    return {"v": np.random.default_rng(seed).normal()}


def struck(settings: dict[str, Any], seed: int) -> dict[str, Any]:
    """Takes a while; says which process it runs in, by a file, so that somebody may kill it."""
    Path(settings["folder"], f"{settings['a']}-{seed}").write_text(f"{os.getpid()}")
    time.sleep(0.03)
    return {"v": np.random.default_rng([settings["a"], seed]).normal(size=3)}
