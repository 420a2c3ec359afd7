"""`executor="dask"`: processes on this machine, that nobody else can reach, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
from processes import ROOT, TESTS
from sweep_cases import Progress, bits, slow_sweep, trainings


def test_local_processes_give_what_threads_give_and_listen_to_nobody_else() -> None:
    me = psutil.Process()
    others = set(me.children(recursive=True))  # a cluster of another test
    listening: set[str] = set()
    processes: set[int] = set()

    def look(now: Progress) -> None:
        for process in {me, *me.children(recursive=True)} - others:
            processes.add(process.pid)
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    listening.add(connection.laddr.ip)

    runs = trainings().run(jobs=2, executor="dask", progress=look)
    assert bits(runs) == bits(trainings().run(jobs=2))
    assert listening == {"127.0.0.1"} and len(processes) >= 3
    left = set(me.children(recursive=True)) - others
    assert not [child for child in left if "spawn_main" in " ".join(child.cmdline())]


PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import sweep_cases
sweep_cases.slow_sweep().run(sys.argv[1], jobs=2, executor="dask", progress=sweep_cases.tell)
"""


def test_a_terminals_interrupt_finishes_and_saves_what_runs(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to all processes; the workers go on until their chunks are done."""
    store = tmp_path / "s.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(store)], start_new_session=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(TESTS)])},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 4:
                break
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in err, err
    done = int(out.split()[-1])
    with sqlite3.connect(store) as connection:
        kept = connection.execute("SELECT count(*), sum(status = 'completed') FROM trials")
        assert kept.fetchone() == (done, done)
    connection.close()
    assert 4 <= done < 60
    runs = slow_sweep().run(store)
    assert runs.attrs["trained"] == 60 - done and bits(runs) == bits(slow_sweep().run())
