"""A Dask scheduler with two workers that hold the built package, and nothing else of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_processes import announced, ended, start, wait_for_workers
from processes import ROOT


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the package is installed, built from a copy of the sources.

    It is the same one every time: compiled code is kept by where its source lies.
    """
    copy = tmp_path_factory.mktemp("sources")
    for folder in ("simdl", "scenarios"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    target = Path(sys.prefix) / "workers" / "site-packages"
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--disable-pip-version-check", "--target", target, copy], check=True,
    )  # fmt: skip
    return target


@pytest.fixture(scope="session")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler; its address as an executor's name."""
    folder = tmp_path_factory.mktemp("scheduler")
    file = folder / "scheduler.json"
    process = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0",
        "--no-dashboard", "--scheduler-file", file, cwd=folder,
    )  # fmt: skip
    with ended([process]):
        yield announced(file, process).replace("tcp", "dask")


@pytest.fixture(scope="session")
def cluster(
    scheduler: str, installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The scheduler with two workers: one of one thread, one of two; none has our checkout."""
    folder = tmp_path_factory.mktemp("empty")
    common = ["--host", "127.0.0.1", "--no-dashboard", "--memory-limit", "0"]
    processes = [
        start(
            "worker", scheduler.replace("dask", "tcp"), *common, "--nthreads", threads,
            "--local-directory", folder, cwd=folder, path=installed,
        )
        for threads in ("1", "2")
    ]  # fmt: skip
    with ended(processes):
        wait_for_workers(scheduler, 2)
        yield scheduler
