"""What large sweeps would cost: an estimate from measured parts, not a measurement.

The parts are what `sweeps.py` left (trial, efficiency of two jobs, overhead, store, bytes) and
two that are measured here: the start of a worker and the rate of a merge. The model: each process
has a coordinator (overhead a trial) and a single writer (the store's rate), both one behind the
other; trials run beside them on all cores at the efficiency that two jobs had. So a sweep in one
store takes

    start + max(trials * trial / (cores * efficiency), trials * (overhead + 1 / rate))

and in shards, each with its own store, a shard's part of both terms; then the merge, by one
process, takes trials / merge rate. What it leaves out: memory bandwidth that cores share, the
lock of Python beyond two threads, other machines' disks and clocks.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from machine import machine
from sweeps import RESULTS as MEASURED
from sweeps import table

from simdl.configuration import Configuration
from simdl.sweep import grid, ledger
from simdl.sweep.outcomes import METRICS, train_cell
from simdl.sweep.store import Store

RESULTS = Path(__file__).parent / "results" / "cost_model.json"
TRIALS = (10**4, 10**6, 10**8)
CORES = (2, 64, 1024)
NODE = 64  # cores of a machine: beyond it there is a shard a machine at least
FLOOR = 1e-6  # seconds of overhead: a difference of two noisy times may come out below 0


@dataclass(frozen=True)
class Parts:
    """Seconds, trials a second, bytes."""

    trial: float
    efficiency: float
    overhead: float
    rate: float
    merge: float
    size: float
    start: float


@dataclass(frozen=True)
class Cost:
    """Hours of a sweep: in shards, with their merge, and in one store on one machine's terms."""

    shards: int
    hours: float
    merge: float
    alone: float
    gigabytes: float


def writer(parts: Parts) -> float:
    """Seconds that a trial takes of what a process does one behind the other."""
    return parts.overhead + 1 / parts.rate


def limit(parts: Parts) -> float:
    """Cores that one store's coordinator and writer can keep busy."""
    return parts.trial / (parts.efficiency * writer(parts))


def cost(parts: Parts, trials: int, cores: int) -> Cost:
    """Return what a sweep costs in shards that keep all cores busy, one a machine at least."""
    machines = math.ceil(cores / NODE)
    largest = math.ceil(trials / grid.MOST)  # a sweep may have so many trials
    shards = max(machines, largest, math.ceil(cores / max(limit(parts), 1)))
    shards = min(shards, max(cores, largest))

    def run(stores: int) -> float:
        working = trials * parts.trial / (cores * parts.efficiency)
        return parts.start + max(working, trials * writer(parts) / stores)

    merging = trials / parts.merge if shards > 1 else 0.0
    return Cost(
        shards, run(shards) / 3600, merging / 3600, run(1) / 3600, trials * parts.size / 1e9
    )


def start_of_a_worker() -> float:
    """Seconds from nothing to the end of a first, tiny training; everything compiled before."""
    program = (
        "import sys, json; from simdl.configuration import Configuration;"
        "Configuration.parse(json.loads(sys.argv[1])).train([0])"
    )
    times = []
    for _ in range(4):  # the first one may compile
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", program, json.dumps(table(5))], check=True)
        times.append(time.perf_counter() - begun)
    return median(times[1:])


def merge_rate(trials: int = 10_000) -> float:
    """Trials a second that come from one store into another."""
    (outcome,) = train_cell(Configuration.parse(table(5)), (METRICS,), [0], np.zeros(3, np.int64))
    with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
        other = Path(folder) / "other.sqlite"
        with Store(other) as store:
            store.add("s", [(f"{i:064x}", "{}", outcome) for i in range(trials)])
        with Store(Path(folder) / "one.sqlite") as store:
            begun = time.perf_counter()
            ledger.merge(store, other)
            return trials / (time.perf_counter() - begun)


def parts_of(measured: dict[str, Any], start: float, merge: float) -> list[Parts]:
    """Return the parts for each size of trial; overhead is that of the shortest."""
    rows, store = measured["scaling"], measured["store"]
    overhead = max(rows[0]["overhead"] / 1e6 - 1 / store["store"], FLOOR)  # a sweep stores, too
    return [
        Parts(row["trial"], min(row["efficiency"], 1.0), overhead, store["store"], merge,
              store["bytes"], start)
        for row in rows
    ]  # fmt: skip


def hours(value: float) -> str:
    """Say a time."""
    if value < 1 / 60:
        return f"{3600 * value:.0f} s"
    return f"{60 * value:.0f} min" if value < 1 else f"{value:,.1f} h"


def show(made: list[Parts]) -> str:
    """Return the tables, and what follows from them."""
    one = made[0]
    lines = [
        "AN ESTIMATE, from parts measured on this machine:",
        f"  overhead {1e6 * one.overhead:.0f} us a trial, store {one.rate:,.0f} and merge"
        f" {one.merge:,.0f} trials a second, {one.size:,.0f} bytes a trial, start of a worker"
        f" {one.start:.1f} s", "",
        f"{'trial':>10}{'trials':>13}{'cores':>7}{'time':>11}{'shards':>8}{'merge':>9}"
        f"{'one store':>11}{'disk':>11}",
    ]  # fmt: skip
    for parts in made:
        for trials in TRIALS:
            for cores in CORES:
                one = cost(parts, trials, cores)
                merging = hours(one.merge) if one.merge else "-"
                lines.append(
                    f"{1e3 * parts.trial:7.2f} ms{trials:13,}{cores:7,}{hours(one.hours):>11}"
                    f"{one.shards:8}{merging:>9}{hours(one.alone):>11}{one.gigabytes:8,.1f} GB"
                )
    lines += ["", "where one store's coordinator and writer are the limit, and what to do then:"]
    for parts in made:
        most = limit(parts)
        lines.append(
            f"  trials of {1e3 * parts.trial:,.2f} ms: from {max(most, 1):,.0f} cores on; then a"
            f" shard (--shard I/N, a store each) for every so many, and --merge"
        )
    lines.append(
        f"  a merge is one process: {1e8 / made[0].merge / 3600:.1f} h for 10^8 trials; results of"
        " shards can be exported each for itself instead"
    )
    lines.append(
        f"  a sweep has at most {grid.MOST:,} trials: 10^8 are {10**8 // grid.MOST} sweeps"
    )
    return "\n".join(lines)


def main() -> int:
    """Print the estimate, write it to a JSON file."""
    if not MEASURED.exists():
        print(f"{MEASURED}: is not there: run benchmarks/sweeps.py first", file=sys.stderr)
        return 1
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    made = parts_of(measured, start_of_a_worker(), merge_rate())
    report = {"machine": machine(), "parts": [vars(parts) for parts in made]}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(show(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
