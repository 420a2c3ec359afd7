"""What a sweep costs beside its trials: two jobs against one, overhead, the store, memory.

Trials are trainings of one tiny network, from 1 ms to 1 s long. Every round runs one job and two
one behind the other, in turns, with a new store each; medians of rounds are shown with their goals.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import machine
from step_time import note  # limits the threads of every BLAS

import simdl
from simdl.configuration import Configuration
from simdl.sweep.outcomes import METRICS, train_cell
from simdl.sweep.store import Store

RESULTS = Path(__file__).parent / "results" / "sweeps.json"
SIZES = (1e-3, 1e-2, 1e-1, 1.0)  # seconds a trial
SEEDS = 100  # at most; more trials are more rates
WORK, QUICK_WORK = (2.0, 4.0, 8.0, 32.0), (0.5, 0.5, 2.0, 8.0)  # seconds a job of one, by size
ROUNDS, QUICK_ROUNDS = 5, 3
FIRST, LAST = 1_000, 20_000  # trials between which memory is compared
GOALS = {
    "efficiency": (">=", 0.9), "overhead": ("<=", 50.0), "store": (">=", 10_000.0),
    "growth": ("<", 5.0),
}  # fmt: skip


def table(steps: int) -> dict[str, Any]:
    """A training of a small network on a small data set."""
    return {
        "data": {"name": "moons", "samples": 200},
        "network": {"depth": 2, "width": 32},
        "training": {"steps": steps, "batch_size": 32},
    }


def direct(steps: int, trials: int) -> float:
    """Seconds a trial of the training itself, in chunks of a tenth of a second, without a sweep."""
    configuration = Configuration.parse(table(steps))
    control = np.zeros(3, np.int64)
    chunk = max(1, min(trials, int(0.1 / (1e-4 + steps * 1e-5))))
    start = time.perf_counter()
    for first in range(0, trials, chunk):
        seeds = [i % SEEDS for i in range(first, min(first + chunk, trials))]
        train_cell(configuration, (METRICS,), seeds, control)
    return (time.perf_counter() - start) / trials


def calibrated() -> list[int]:
    """Steps that make a trial as long as each of SIZES."""
    direct(10, SEEDS)  # compiles, and the data of every seed is there
    few, many = (median(direct(steps, 200) for _ in range(5)) for steps in (10, 1010))
    a_step = (many - few) / 1000
    return [max(1, round((size - (few - 10 * a_step)) / a_step)) for size in SIZES]


def swept(steps: int, trials: int, jobs: int, progress: Callable[..., None] | None = None) -> float:
    """Seconds of a whole sweep, from its description to its dataset, stored in a new file."""
    with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
        start = time.perf_counter()
        seeds = min(trials, SEEDS)
        rates = [1e-3 * 1.001**i for i in range(-(-trials // seeds))]
        made = simdl.Sweep(table(steps), {"optimizer.lr": rates}, seeds=seeds)
        runs = made.run(Path(folder) / "s.sqlite", jobs=jobs, progress=progress)
        took = time.perf_counter() - start
    assert runs.attrs["trained"] == len(made.trials) == trials
    return took


def scaling(rounds: int, work: tuple[float, ...]) -> list[dict[str, Any]]:
    """Time one job and two at every size, and the trials alone."""
    found = []
    for size, steps, seconds in zip(SIZES, calibrated(), work, strict=True):
        trials = max(8, round(seconds / size))
        note(f"{trials} trials of {1e3 * size:g} ms ({steps} steps), {rounds} rounds")
        rows: dict[str, list[float]] = {"alone": [], "1": [], "2": []}
        for turn in range(rounds):
            for jobs in (1, 2) if turn % 2 else (2, 1):
                rows[str(jobs)].append(swept(steps, trials, jobs))
            rows["alone"].append(direct(steps, trials) * trials)
        pairs = zip(rows["1"], rows["2"], rows["alone"], strict=True)
        ratios = [(one / (2 * two), 1e6 * (one - alone) / trials) for one, two, alone in pairs]
        found.append(
            {
                "size": size, "steps": steps, "trials": trials, "seconds": rows,
                "trial": median(rows["alone"]) / trials,
                "efficiency": median(ratio for ratio, _ in ratios),
                "overhead": median(overhead for _, overhead in ratios),
            }
        )  # fmt: skip
    return found


def store_rate(rounds: int, trials: int) -> dict[str, Any]:
    """Trials a second into a new store, a thousand a transaction, and bytes of disk a trial."""
    configuration = Configuration.parse(table(5))
    (outcome,) = train_cell(configuration, (METRICS,), [0], np.zeros(3, np.int64))
    rates, sizes = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
            path = Path(folder) / "s.sqlite"
            with Store(path) as store:
                start = time.perf_counter()
                for first in range(0, trials, 1000):
                    store.add(
                        "s", [(f"{i:064x}", "{}", outcome) for i in range(first, first + 1000)]
                    )
                rates.append(trials / (time.perf_counter() - start))
            sizes.append(path.stat().st_size / trials)
    return {"rates": rates, "store": median(rates), "bytes": median(sizes)}


def memory(steps: int, trials: int) -> dict[str, Any]:
    """Resident memory of this process at the first trials of a long sweep, and at its last."""
    seen: list[tuple[int, int]] = []

    def look(now: Any) -> None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        seen.append((now.done, pages * os.sysconf("SC_PAGE_SIZE")))

    if not Path("/proc/self/statm").exists():
        return {}
    swept(steps, trials, 2, look)
    early = next(size for done, size in seen if done >= FIRST)
    return {"early": early, "late": seen[-1][1], "growth": 100 * (seen[-1][1] / early - 1)}


def verdict(name: str, value: float) -> str:
    """Say a goal and whether it is met."""
    sign, goal = GOALS[name]
    met = {"<=": value <= goal, ">=": value >= goal, "<": value < goal}[sign]
    return f"{sign} {goal:g} {'met' if met else 'MISSED'}"


def show(report: dict[str, Any]) -> str:
    """Return the tables."""
    lines = [f"{'trial':>9}{'trials':>8}{'t1 s':>8}{'t2 s':>8}{'t1/(2 t2)':>11}{'overhead us':>13}"]
    for row in report["scaling"]:
        one, two = (median(row["seconds"][jobs]) for jobs in "12")
        short = row is report["scaling"][0]
        goals = verdict("efficiency", row["efficiency"])
        goals += f", overhead {verdict('overhead', row['overhead'])}" * short
        lines.append(
            f"{1e3 * row['trial']:6.2f} ms{row['trials']:8}{one:8.2f}{two:8.2f}"
            f"{row['efficiency']:11.3f}{row['overhead']:13.1f}   {goals}"
        )
    kept, grown = report["store"], report["memory"]
    lines.append(
        f"store: {kept['store']:,.0f} trials a second, {kept['bytes']:,.0f} bytes each"
        f"   {verdict('store', kept['store'])}"
    )
    if grown:
        lines.append(
            f"memory: {grown['early'] / 1e6:,.0f} MB at trial {FIRST:,},"
            f" {grown['late'] / 1e6:,.0f} MB at trial {report['last']:,}: {grown['growth']:+.1f} %"
            f"   {verdict('growth', grown['growth'])}"
        )
    return "\n".join(lines)


def pin() -> list[int] | None:
    """Bind this process to two cores; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        note("this system cannot pin a process to cores: expect more spread")
        return None
    cores = sorted(os.sched_getaffinity(0))[-2:]
    if len(cores) < 2:
        note("one core only: two jobs cannot be faster than one")
    os.sched_setaffinity(0, cores)
    return cores


def main() -> int:
    """Measure, print the tables, write everything to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, help=f"rounds ({ROUNDS})")
    chosen = parser.parse_args()
    rounds = chosen.rounds or (QUICK_ROUNDS if chosen.quick else ROUNDS)
    report: dict[str, Any] = {"machine": machine(), "cores": pin(), "rounds": rounds, "last": LAST}
    report["memory"] = memory(calibrated()[0], LAST)  # first: nothing else has grown yet
    report["scaling"] = scaling(rounds, QUICK_WORK if chosen.quick else WORK)
    report["store"] = store_rate(rounds, 10_000)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(show(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
