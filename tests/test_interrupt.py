"""Ctrl-C in `train()`, in the midst of a compiled call that would go on for minutes."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
from processes import start

GENEROUS = 2.0  # seconds; a fifth of a second is meant, but times are not asserted tightly

PROGRAM = """
import json
import numpy as np, simdl
from simdl import layers as L
from threadpoolctl import threadpool_info

rng = np.random.default_rng(0)
data = simdl.Data(train=(rng.normal(size=(500, 64)), rng.integers(0, 10, 500)))
hidden = [layer for _ in range(20) for layer in (L.Dense(64), L.Tanh())]
net = simdl.Network((64,), [*hidden, L.Dense(10)])

def blas():
    return sorted((m["filepath"], m["num_threads"]) for m in threadpool_info())

def short():
    return simdl.train(net, data, steps=20, probes=[]).params.flat.tobytes()

before, threads = short(), blas()
result = None
print("ready", flush=True)
try:
    result = simdl.train(net, data, steps=2_000_000, probes=[])
    result.save("FOLDER")
except KeyboardInterrupt:
    print("stopped", flush=True)
    sound = short() == before and blas() == threads and result is None
    print(json.dumps(sound), flush=True)
"""


def test_ctrl_c_stops_a_training(tmp_path: Path) -> None:
    process = start(PROGRAM.replace("FOLDER", str(tmp_path / "run")))
    guard = threading.Timer(240, process.kill)  # should it not stop
    guard.start()
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(1.0)  # well inside the compiled call, which lasts minutes
        assert process.poll() is None
        sent = time.perf_counter()
        process.send_signal(signal.SIGINT)
        line = process.stdout.readline()
        took = time.perf_counter() - sent
        out, err = process.communicate(timeout=60)
    finally:
        guard.cancel()
        process.kill()
        process.wait()
    print(f"stopped after {took:.3f} s")
    assert line == "stopped\n", err
    assert took < GENEROUS
    assert process.returncode == 0 and out == "true\n", (out, err)
    assert not (tmp_path / "run").exists()


def test_ctrl_c_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in this process: the exception comes out, the compiled call has ended by then."""
    import numpy as np

    from simdl.engine import interrupt

    ended = threading.Event()
    control = np.zeros(3, np.int64)

    def compiled() -> None:
        while control[0] == 0:
            time.sleep(0.001)
        ended.set()

    class Interrupted(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            if timeout is not None:
                raise KeyboardInterrupt
            super().join()

    monkeypatch.setattr(interrupt.threading, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupt.interruptible(compiled, control)
    assert ended.is_set()


def test_errors_of_the_other_thread_come_out() -> None:
    import numpy as np

    from simdl.engine import interrupt

    def compiled() -> None:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        interrupt.interruptible(compiled, np.zeros(3, np.int64))
