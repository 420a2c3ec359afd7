"""Sweeps that are killed, interrupted, or share a store: nothing finished is lost."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from sweep_cases import BASE, bits, child, slow_sweep

from simdl.sweep import Sweep

RUN = "sweep_cases.slow_sweep().run(sys.argv[1], jobs=2, progress=sweep_cases.tell)"
LONG = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
base = sweep_cases.BASE | {"network": {"depth": 10, "width": 64}}
axes = {"training.steps": [20, 2_000_000]}
base = base | {"training": {"batch_size": 16}}
sweep_cases.Sweep(base, axes, seeds=2).run(sys.argv[1], jobs=2, progress=sweep_cases.tell)
"""


def stored(path: Path) -> int:
    """Check the file and return the number of finished trials in it."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    orphans = "SELECT count(*) FROM arrays WHERE identity NOT IN (SELECT identity FROM trials)"
    assert connection.execute(orphans).fetchone() == (0,)
    (count,) = connection.execute("SELECT count(*) FROM trials").fetchone()
    connection.close()
    return count


def until(process: subprocess.Popen[str], done: int) -> int:
    """Read what a child tells until so many trials are done; return how many are."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= done:
            return int(line)
    raise AssertionError(process.stderr and process.stderr.read())


def test_killed_sweep_continues_with_the_missing_trials(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    with child(RUN, store) as process:
        acknowledged = until(process, 8)
        process.kill()
        assert process.stdout is not None
        acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
        assert process.wait() == -signal.SIGKILL
    left = slow_sweep().missing(store)  # opening it rolls back what was being written
    count = stored(store)
    assert 8 <= acknowledged <= count < 40 and left == 40 - count
    runs = slow_sweep().run(store)
    assert runs.attrs["trained"] == left
    assert bits(runs) == bits(slow_sweep().run())


def test_interrupted_sweep_saves_what_is_finished(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    base = BASE | {"network": {"depth": 10, "width": 64}, "training": {"batch_size": 16}}
    Sweep(base, {"training.steps": [2]}, seeds=1).run()  # compiles, so that the child need not
    with child(LONG, store) as process:
        until(process, 2)  # the short ones; the long ones are in compiled code
        time.sleep(0.3)
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        print(f"stopped after {time.perf_counter() - start:.2f} s")
    assert process.returncode == -signal.SIGINT, err
    assert "KeyboardInterrupt" in err
    assert set(out.split()) <= {"2"}
    assert stored(store) == 2
    short = Sweep(base, {"training.steps": [20]}, seeds=2)
    assert short.missing(store) == 0


def test_two_processes_on_one_store(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    with child(RUN, store) as one, child(RUN, store) as other:
        for process in (one, other):
            _, err = process.communicate()
            assert process.returncode == 0, err
    assert stored(store) == 40
    runs = slow_sweep().run(store)
    assert runs.attrs["trained"] == 0
    assert bits(runs) == bits(slow_sweep().run())
