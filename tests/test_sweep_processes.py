"""Sweeps that are killed, interrupted, or share a store: nothing finished is lost."""

from __future__ import annotations

import signal
import sqlite3
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
simdl_sweep = sweep_cases.Sweep(base, axes, seeds=2)
simdl_sweep.run(sys.argv[1], jobs=2, progress=sweep_cases.tell)
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


def test_killed_sweep_continues_with_the_missing_trials(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    process = child(RUN, store)
    assert process.stdout is not None
    acknowledged = 0
    for line in process.stdout:
        acknowledged = int(line)
        if acknowledged >= 8:
            break
    process.kill()
    acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    left = slow_sweep().missing(store)  # opening it rolls back what was being written
    count = stored(store)
    assert 8 <= acknowledged <= count < 40 and left == 40 - count
    runs = slow_sweep().run(store)
    assert runs.attrs["trained"] == left
    assert bits(runs) == bits(slow_sweep().run())


def test_interrupted_sweep_saves_what_is_finished(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    process = child(LONG, store)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 2:  # the short ones; the long ones are in compiled code
            break
    time.sleep(0.3)
    start = time.perf_counter()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    print(f"stopped after {time.perf_counter() - start:.2f} s")
    assert process.returncode == -signal.SIGINT, err
    assert "KeyboardInterrupt" in err
    assert set(out.split()) <= {"2"}
    assert stored(store) == 2
    base = BASE | {"network": {"depth": 10, "width": 64}, "training": {"batch_size": 16}}
    short = Sweep(base, {"training.steps": [20]}, seeds=2)
    assert short.missing(store) == 0


def test_two_processes_on_one_store(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    processes = [child(RUN, store) for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert stored(store) == 40
    runs = slow_sweep().run(store)
    assert runs.attrs["trained"] == 0
    assert bits(runs) == bits(slow_sweep().run())
