"""What a user waits for: help, a first step (nothing compiled, all compiled), Ctrl-C.

Prints seconds beside what they should stay below: medians of fresh processes, but for the step
with nothing compiled, which is done once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from statistics import median

ROUNDS = 5
TRAIN = """
import simdl
data = simdl.data.load("digits", seed=0)
layers = [simdl.layers.Dense(32), simdl.layers.ReLU(), simdl.layers.Dense(10)]
net = simdl.Network((64,), layers)
simdl.train(net, data, steps=1, probes=[])
print("stepped", flush=True)
"""
ENDLESS = """
import sys, numpy as np, simdl
rng = np.random.default_rng(0)
data = simdl.Data(train=(rng.normal(size=(500, 64)), rng.integers(0, 10, 500)))
hidden = [layer for _ in range(20) for layer in (simdl.layers.Dense(64), simdl.layers.Tanh())]
net = simdl.Network((64,), [*hidden, simdl.layers.Dense(10)])
simdl.train(net, data, steps=20, probes=[])
print("ready", flush=True)
try:
    simdl.train(net, data, steps=10**8, probes=[])
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def waited(command: list[str]) -> float:
    """Seconds that a command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def stepped(environment: Mapping[str, str] | None = None) -> float:
    """Seconds from the start of a process to the end of its first step, its data loaded as well."""
    start = time.perf_counter()
    command = [sys.executable, "-c", TRAIN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stepped\n"
        return time.perf_counter() - start


def interrupted() -> float:
    """Seconds from Ctrl-C, in the midst of a compiled call, to the exception."""
    process = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as empty:
        cold = stepped(os.environ | {"NUMBA_CACHE_DIR": empty})
    stepped()  # whatever is not compiled yet
    rows = {
        "the first step, nothing compiled": (cold, 60.0),
        "the first step, all compiled": (median(stepped() for _ in range(ROUNDS)), 2.0),
        "simdl --help": (
            median(waited([sys.executable, "-m", "simdl", "--help"]) for _ in range(ROUNDS)), 0.3,
        ),
        "Ctrl-C in a training": (median(interrupted() for _ in range(ROUNDS)), 0.2),
    }  # fmt: skip
    for what, (seconds, goal) in rows.items():
        print(f"{what:<32} {seconds:6.2f} s   goal {goal:g} s")


if __name__ == "__main__":
    main()
