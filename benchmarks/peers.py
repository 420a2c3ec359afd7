"""64 seeds of one small network on two cores: simdl's threads against JAX and PyTorch.

64-32-32-10 on digits, tanh, Adam, batch 32, 31 epochs (1,023 steps) a seed. Contenders: simdl,
chunks of seeds in two threads; JAX, jit of vmap over seeds of scan over steps, in one process and
in two with half the seeds each; PyTorch in two joblib processes of one thread (tensors made
beforehand, one shuffle an epoch then slices, fused Adam). All start from the same weights and, in
the check, see the same batches: losses of every seed after ten steps must agree, or it ends with
exit code 1. Times are warm: compiling, starting processes and loading come before the clock, as
do the peers' orders; of two processes the slower one's time counts, without what it takes to
reach them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # of a BLAS; XLA has its own
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np  # noqa: E402
from machine import machine  # noqa: E402
from peers_many import PARTS, SEEDS, Part, chunks, jax_part, ours, steps, torch_part  # noqa: E402
from shapes import CHECKED_STEPS  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "peers.json"
GOALS = {"jax": 3.0, "jax, 2 processes": 1.6, "pytorch, 2 processes": 22.0}
TOLERANCE = 1e-4
ROUNDS, QUICK_ROUNDS = 7, 3
PAUSE = 1.0  # seconds

Contender = Callable[[bool], Part]  # whether it is the check -> losses of all seeds, seconds


def note(text: str) -> None:
    """Say on stderr what goes on; stdout is for the table."""
    print(text, file=sys.stderr, flush=True)


def in_processes(part: Callable[[range, bool], Part]) -> Contender:
    """Run parts of the seeds in joblib's processes, which stay."""
    from joblib import Parallel, delayed

    def run(first: bool) -> Part:
        jobs = Parallel(n_jobs=PARTS)(delayed(part)(seeds, first) for seeds in chunks(PARTS))
        return [loss for losses, _ in jobs for loss in losses], max(took for _, took in jobs)

    return run


def contenders() -> dict[str, Contender]:
    """All, simdl first; the processes' XLA has one thread, this one's has all."""
    import jax

    jax.devices()  # reads XLA_FLAGS
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return {
        "simdl": lambda first: ours()(CHECKED_STEPS if first else steps()),
        "jax": lambda first: jax_part(range(SEEDS), first),
        "jax, 2 processes": in_processes(jax_part),
        "pytorch, 2 processes": in_processes(torch_part),
    }


def compare(runs: dict[str, Contender]) -> float:
    """Return how far the losses after equal steps are apart at most; end where it is too far."""
    found = {name: np.array(run(True)[0]) for name, run in runs.items()}
    apart = {name: float(np.abs(losses - found["simdl"]).max()) for name, losses in found.items()}
    if not max(apart.values()) <= TOLERANCE:  # NaN fails, too
        note(f"losses after {CHECKED_STEPS} equal steps differ from simdl's: {apart}")
        sys.exit(1)
    return max(apart.values())


def timed(runs: dict[str, Contender], rounds: int) -> dict[str, dict[str, Any]]:
    """Time all in turns, with a pause between: worker processes tidy up after their answer."""
    for name, run in runs.items():
        note(f"warming up: {name}")
        run(False)
    names, seconds = list(runs), {name: [] for name in runs}
    losses: dict[str, float] = {}
    for turn in range(rounds):
        for i in range(len(names)):
            name = names[(turn + i) % len(names)]
            time.sleep(PAUSE)
            found, took = runs[name](False)
            seconds[name].append(took)
            losses[name] = float(np.mean(found))
    pairs = {name: zip(seconds[name], seconds["simdl"], strict=True) for name in names}
    return {
        name: {
            "seconds": seconds[name], "median": median(seconds[name]), "loss": losses[name],
            "ratio": median(theirs / mine for theirs, mine in pairs[name]),
        }
        for name in names
    }  # fmt: skip


def show(results: dict[str, dict[str, Any]]) -> str:
    """Return the table; a ratio is a contender's time over simdl's."""
    lines = [f"{'':22}{'seconds':>9}{'us/step':>9}{'ratio':>8}{'goal':>6}   mean loss at the end"]
    for name, one in results.items():
        a_step = 1e6 * one["median"] / (SEEDS * steps())
        lines.append(
            f"{name:22}{one['median']:9.3f}{a_step:9.2f}{one['ratio']:8.2f}"
            f"{GOALS.get(name, ''):>6}   {one['loss']:.4f}"
        )
    return "\n".join(lines)


def main() -> int:
    """Compare, time, print the table, write everything to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--rounds", type=int, help=f"turns of each contender ({ROUNDS})")
    chosen = parser.parse_args()
    rounds = chosen.rounds or (QUICK_ROUNDS if chosen.quick else ROUNDS)
    if hasattr(os, "sched_setaffinity"):  # the processes inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-PARTS:])
    runs = contenders()
    apart = compare(runs)
    note(f"losses of {SEEDS} seeds after {CHECKED_STEPS} equal steps agree to {apart:.1g}; timing")
    results = timed(runs, rounds)
    report = {"machine": machine(), "rounds": rounds, "seeds": SEEDS, "steps": steps()}
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps(report | {"apart": apart, "contenders": results}, indent=1)
    RESULTS.write_text(text + "\n", encoding="utf-8")
    print(show(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
