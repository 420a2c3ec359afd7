"""Dask's scheduler and workers as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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


def announced(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    """Wait for the file in which a scheduler writes its address, and return that."""
    until = time.monotonic() + PATIENCE
    while not file.exists() or not file.read_text():
        assert time.monotonic() < until and scheduler.poll() is None
        time.sleep(0.05)
    return str(json.loads(file.read_text())["address"])


def wait_for_workers(scheduler: str, count: int) -> None:
    """Wait until so many workers are there."""
    from distributed import Client

    with Client(scheduler.replace("dask", "tcp"), set_as_default=False) as client:
        client.wait_for_workers(count, timeout=PATIENCE)
