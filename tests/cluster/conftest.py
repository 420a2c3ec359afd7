"""A Dask scheduler with two workers that hold the built package, and nothing else of ours."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import ROOT

PATIENCE = 60.0  # seconds for a process to be there


def start(*command: str | Path, cwd: Path, path: Path | None = None) -> subprocess.Popen[bytes]:
    """Start one of Dask's programs; what it says goes to a file."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    log = (cwd / f"{command[0]}.log").open("ab")
    with log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "distributed.cli.dask_" + str(command[0])]
            + [str(part) for part in command[1:]],
            env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


@contextlib.contextmanager
def ended(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """End processes, those started last first."""
    try:
        yield
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in reversed(processes):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
        until = time.monotonic() + PATIENCE
        while not file.exists() or not file.read_text():
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"].replace("tcp", "dask")


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


def wait_for_workers(scheduler: str, count: int) -> None:
    """Wait until so many workers are there."""
    from distributed import Client

    with Client(scheduler.replace("dask", "tcp"), set_as_default=False) as client:
        client.wait_for_workers(count, timeout=PATIENCE)
