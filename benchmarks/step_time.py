"""Time a training step of simdl against PyTorch, JAX, scikit-learn and its own matrix products.

Every contender is a process of its own; all are pinned to one core, one thread each, and take
turns, so that a change of the machine's pace meets all of them. Before the clock runs, all must
compute the same: their losses after ten equal steps agree, or it ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)  # fmt: skip
for variable in THREADS:  # before anything loads a BLAS; the contenders inherit them
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

from contenders import able, serve  # noqa: E402
from machine import machine  # noqa: E402
from shapes import CHECKED_STEPS, SHAPES, Shape, Task, task  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "step_time.json"
TOLERANCE = 1e-4
ROUNDS, QUICK_ROUNDS = 15, 7
SECONDS, QUICK_SECONDS = 0.4, 0.15  # a contender's turn


class Failed(Exception):
    """A contender broke, computed something else or did not train."""


class Process:
    """A contender in its own process, called by method name."""

    def __init__(self, name: str, given: Task) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(name, given, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.versions = self._answer()

    def _answer(self) -> Any:
        try:
            done, result = self._pipe.recv()
        except EOFError:
            done, result = False, "the process ended"
        if not done:
            raise Failed(f"{self.name}: {result}")
        return result

    def __call__(self, method: str, *arguments: Any) -> Any:
        self._pipe.send((method, arguments))
        return self._answer()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.terminate()
        self._process.join()


@contextmanager
def started(names: list[str], given: Task) -> Iterator[list[Process]]:
    """Start contenders; stop them at the end, whatever happened."""
    contenders: list[Process] = []
    try:
        for name in names:
            contenders.append(Process(name, given))
        yield contenders
    finally:
        for one in contenders:
            one.stop()


def note(text: str) -> None:
    """Say on stderr what goes on; stdout is for the table."""
    print(text, file=sys.stderr, flush=True)


def compare(contenders: list[Process]) -> dict[str, float]:
    """Return the losses after equal steps; raise Failed where they differ."""
    answers = {one.name: one("check") for one in contenders}
    losses = {name: loss for name, loss in answers.items() if loss is not None}
    apart = max(losses.values()) - min(losses.values())
    if not apart <= TOLERANCE:  # NaN fails, too
        raise Failed(f"losses after {CHECKED_STEPS} equal steps differ: {losses}")
    return losses


def timed(contenders: list[Process], rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    """Return for each contender its microseconds a step in every round, and what it learned."""
    steps = {one.name: one("warm", seconds) for one in contenders}
    found: dict[str, list[float]] = {one.name: [] for one in contenders}
    for turn in range(rounds):
        shift = turn % len(contenders)  # nobody always runs behind the same one
        for one in contenders[shift:] + contenders[:shift]:
            found[one.name].append(1e6 * one("seconds", steps[one.name]))
    results = {}
    for one in contenders:
        learned = one("trained")
        if learned is not None and not learned[1] < 0.97 * learned[0]:
            raise Failed(f"{one.name}: did not train: loss {learned[0]:.3f} to {learned[1]:.3f}")
        us = found[one.name]
        results[one.name] = {
            "median": median(us), "least": min(us), "most": max(us), "us": us,
            "steps": steps[one.name], "loss": learned,
        }  # fmt: skip
    return results


def measure(shape: Shape, rounds: int, seconds: float, quick: bool) -> dict[str, Any]:
    """Compare and time all contenders at one shape."""
    given = task(shape)
    names = able(given, quick)
    note(f"{shape.name}, batch {shape.batch}: starting {len(names)} processes")
    if shape.double:
        with started(names, given.in_double()) as contenders:
            losses = compare(contenders)
    with started(names, given) as contenders:
        if not shape.double:
            losses = compare(contenders)
        note(f"  losses after {CHECKED_STEPS} equal steps agree to {TOLERANCE:g}; timing")
        results = timed(contenders, rounds, seconds)
    versions = {name: v for one in contenders for name, v in one.versions.items()}
    ours = results["simdl"]["us"]
    for result in results.values():  # a ratio of one round: both met the machine at one pace
        ratios = [theirs / mine for theirs, mine in zip(result["us"], ours, strict=True)]
        result["ratio"] = {"median": median(ratios), "least": min(ratios), "most": max(ratios)}
    return {
        "shape": shape.name, "data": shape.data, "batch": shape.batch, "goals": shape.goals,
        "samples": len(given.x), "losses": losses, "contenders": results, "versions": versions,
    }  # fmt: skip


def show(found: dict[str, Any]) -> str:
    """Return one shape's table; a ratio is a contender's time over simdl's."""
    rows = [
        f"{found['shape']}, batch {found['batch']}",
        f"  {'':14}{'us/step':>9}{'least':>9}{'most':>9}{'ratio':>8}{'least':>7}{'most':>7}"
        f"{'goal':>6}   loss",
    ]
    results = found["contenders"]
    faster = min("jax", "jax-flat", key=lambda name: results[name]["median"])  # this one counts
    goals = {faster if peer == "jax" else peer: goal for peer, goal in found["goals"].items()}
    if "products" in goals:  # within so many times these
        goals["products"] = round(1 / goals["products"], 2)
    for name, result in results.items():
        ratio, loss, goal = result["ratio"], result["loss"], goals.get(name, "")
        learned = f"{loss[0]:.2f} > {loss[1]:.1e}, {result['steps']} steps" if loss else ""
        rows.append(
            f"  {name:14}{result['median']:9.1f}{result['least']:9.1f}{result['most']:9.1f}"
            f"{ratio['median']:8.2f}{ratio['least']:7.2f}{ratio['most']:7.2f}{goal:>6}   {learned}"
        )
    return "\n".join(rows)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [shape.name for shape in SHAPES]
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, help=f"turns of each contender ({ROUNDS})")
    parser.add_argument("--shape", action="append", choices=names, help="only this one; repeatable")
    parser.add_argument("--core", type=int, help="the core that all share (the last one)")
    return parser.parse_args()


def pin(core: int | None) -> int | None:
    """Bind this process, and so every contender, to one core; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        note("this system cannot pin a process to a core: expect more spread")
        return None
    core = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {core})
    return core


def main() -> int:
    """Run the comparison; write the table to stdout and everything to a JSON file."""
    chosen = arguments()
    rounds = chosen.rounds or (QUICK_ROUNDS if chosen.quick else ROUNDS)
    seconds = QUICK_SECONDS if chosen.quick else SECONDS
    report: dict[str, Any] = {"machine": machine(), "core": pin(chosen.core), "rounds": rounds}
    report |= {"seconds": seconds, "shapes": []}
    RESULTS.parent.mkdir(exist_ok=True)
    for shape in SHAPES:
        if chosen.shape and shape.name not in chosen.shape:
            continue
        try:
            found = measure(shape, rounds, seconds, chosen.quick)
        except Failed as error:
            note(f"{shape.name}: {error}")
            return 1
        report["shapes"].append(found)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(show(found), end="\n\n", flush=True)
    print(
        "ratio: a contender's time over simdl's, round by round. loss: at the start > at the end."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
