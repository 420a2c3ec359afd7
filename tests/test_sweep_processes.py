"""Sweeps that are killed, interrupted, or share a store: nothing finished is lost.

SIMDL_KILLS sets how often one is killed.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from sweep_cases import BASE, bits, child, slow_sweep

from simdl.sweep import Sweep, ledger
from simdl.sweep.store import Store

TRIALS = 60
KILLS = int(os.environ.get("SIMDL_KILLS", "5"))
CELLS = max(TRIALS // 2, 6 * KILLS)  # of two trials each: so many kills leave some

EACH = "from simdl.sweep import executors; executors.HOLD = -1.0\n"  # a transaction a chunk
RUN = EACH + "sweep_cases.slow_sweep().run(sys.argv[1], jobs=2, progress=sweep_cases.tell)"
KILLED = RUN.replace("slow_sweep()", f"slow_sweep({CELLS})")
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
LONG = f"""{INTERRUPTIBLE}
base = sweep_cases.BASE | {{"network": {{"depth": 10, "width": 64}}}}
axes = {{"training.steps": [20, 2_000_000]}}
base = base | {{"training": {{"batch_size": 16}}}}
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


def killed(process: subprocess.Popen[str], journal: Path, rng: random.Random) -> int:
    """Kill a child some trials on, every other time at a commit; return how many it told of."""
    told = until(process, until(process, 0) + rng.randint(2, 5))
    if rng.random() < 0.5:
        for _ in range(200_000):
            if journal.exists():
                break
    process.kill()
    assert process.stdout is not None
    told = max([told, *map(int, process.stdout.read().split())])
    assert process.wait() == -signal.SIGKILL
    return told


def test_killed_sweep_continues_with_the_missing_trials(tmp_path: Path) -> None:
    store, rng = tmp_path / "runs.sqlite", random.Random(0)
    made = slow_sweep(CELLS)
    trials = len(made.trials)
    left, between = [trials], 0
    for _ in range(KILLS):
        with child(KILLED, store) as process:
            acknowledged = killed(process, tmp_path / "runs.sqlite-journal", rng)
        left.append(made.missing(store))  # opening it rolls back what was being written
        count = stored(store)
        assert acknowledged <= count and left[-1] == trials - count
        between += 0 < count < trials
    assert KILLS >= 5 and between >= 3 and left == sorted(left, reverse=True)
    runs = made.run(store)
    assert runs.attrs["trained"] == left[-1] > 0
    assert bits(runs) == bits(made.run())
    with Store(store) as opened:
        (entry,) = ledger.entries(opened)  # six runs of one sweep
        assert entry.trials == {"completed": trials}
        assert len(ledger.provenance(opened, entry)) == KILLS + 1


def test_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    base = BASE | {"network": {"depth": 10, "width": 64}, "training": {"batch_size": 16}}
    Sweep(base, {"training.steps": [2]}, seeds=1).run()  # compiles, so that the child need not
    with child(LONG, store) as process:
        until(process, 2)  # the short ones; the long ones are in compiled code, for minutes
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None and process.stdout.readline() == "2\n"  # heard
        assert process.poll() is None
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


def test_first_interrupt_finishes_and_saves_what_runs(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    with child(INTERRUPTIBLE + RUN, store) as process:
        until(process, 8)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == -signal.SIGINT, err
    done = int(out.split()[-1])
    assert 8 <= done == stored(store) < TRIALS


def test_two_processes_on_one_store(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    with child(RUN, store) as one, child(RUN, store) as other:
        for process in (one, other):
            _, err = process.communicate()
            assert process.returncode == 0, err
    assert stored(store) == TRIALS
    runs = slow_sweep().run(store)
    assert runs.attrs["trained"] == 0
    assert bits(runs) == bits(slow_sweep().run())
