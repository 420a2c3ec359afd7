"""Programs in processes of their own: fresh interpreters, other settings, other copies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = Path(__file__).resolve().parent


def start(program: str, *, root: Path = ROOT, **environment: str | Path) -> subprocess.Popen:
    """Start `program` with the package that lies in `root`; its output can be read as text."""
    settings = {name: str(value) for name, value in environment.items()}
    paths = os.pathsep.join([str(root), str(TESTS)])
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", program],
        env=os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"} | settings,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen, timeout: float = 240) -> Any:
    """Wait for a program and return what its last line of output says, as JSON."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def run(program: str, *, root: Path = ROOT, **environment: str | Path) -> Any:
    """Run `program` and return its last line of output, read as JSON."""
    return finish(start(program, root=root, **environment))


def run_together(programs: Iterable[str], timeout: float = 240) -> list[Any]:
    """Run programs at once and return what `run` would return of each."""
    return [finish(process, timeout) for process in [start(program) for program in programs]]
