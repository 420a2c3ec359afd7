"""`simdl sweep`: run what is missing, say how far it is, print the best cells."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simdl.commands.training import table
from simdl.errors import InputError, Problems
from simdl.sweep import FailedTrials, Progress, Sweep, executors, shards
from simdl.sweep.estimates import giga, refuse_too_large
from simdl.sweep.progress import judging_metric

EVERY = 5.0  # seconds between lines where there is no terminal
SHOWN = 10  # cells of the summary

Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Request:
    """What the command line says; `shard` as ``I/N``."""

    config: Path
    store: Path | None = None
    jobs: int = -1
    executor: str = "threads"
    shard: str | None = None
    fresh: bool = False
    keep_going: bool = True


@dataclass(frozen=True)
class Plan:
    """A request, read and checked."""

    sweep: Sweep
    store: Path
    jobs: int
    shard: tuple[int, int] | None


def say(line: str) -> None:
    """Write a line to standard error, where progress goes."""
    print(line, file=sys.stderr, flush=True)


def plan(request: Request) -> Plan:
    """Read the file and the options; all problems at once.

    Raises
    ------
    InputError, StorageError
    """
    problems = Problems()
    jobs = problems.tried(executors.workers, request.jobs)
    problems.tried(executors.check_executor, request.executor)
    shard = problems.tried(shards.parse, request.shard) if request.shard is not None else None
    made = problems.tried(Sweep.from_toml, request.config)
    problems.report()
    store = request.store
    if store is None:
        part = f"-{shard[0]}-of-{shard[1]}" if shard else ""
        store = request.config.with_name(f"{request.config.stem}{part}.sqlite")
        if store.resolve() == request.config.resolve():
            raise InputError(f"{request.config}: would be its own store: name one with --store")
    return Plan(made, store, jobs, shard)


def sweep(request: Request) -> None:
    """Run the sweep; the best cells go to standard output.

    Raises
    ------
    InputError, StorageError, FailedTrials, KeyboardInterrupt
    """
    asked = plan(request)
    made, started = asked.sweep, time.monotonic()
    say(f"{made.name}: {_size(made)}, {_where(request, asked.jobs)}; store: {asked.store}")
    failed: FailedTrials | None = None
    with shards.local(asked.store) if asked.shard else _as_is(asked.store) as (place, refresh):
        _tell_changes(made, place)
        with _watching(made) as watch:

            def told(now: Progress) -> None:
                watch(now)
                refresh()

            try:
                runs = made.run(
                    place, request.jobs, request.executor, told, fresh=request.fresh,
                    keep_going=request.keep_going, shard=asked.shard,
                )  # fmt: skip
            except FailedTrials as error:
                failed, runs = error, error.runs
    trained = f"{runs.attrs['trained']} trials run now"
    say(f"{made.name}: {trained}, after {time.monotonic() - started:.1f} s; kept in {asked.store}")
    print("\n".join(summary(made, runs)))
    if failed is not None:
        raise failed


def forecast(request: Request) -> None:
    """Print what the sweep would take, from a pilot of a few moments; nothing is kept.

    Raises
    ------
    InputError, StorageError
        Also if it would not fit into memory.
    """
    asked = plan(request)
    made = asked.sweep
    store = None if request.fresh or not asked.store.exists() else asked.store
    if store is not None:
        _tell_changes(made, store)
    elsewhere = executors.address(request.executor) is not None
    found = made.forecast(
        asked.store, asked.jobs, asked.shard, fresh=request.fresh, executor=request.executor
    )
    print(f"{made.name}: {_size(made)}")
    print(f"missing  {found.missing} (store: {asked.store})")
    if found.seconds is not None:
        cells = f"a pilot of {found.timed} cells" if found.timed > 1 else "a pilot"
        print(f"time     {duration(found.seconds)} with {asked.jobs} jobs, by {cells}")
    how = ", by the pilot" if found.tried else ""
    print(f"memory   {giga(found.memory)} of {giga(found.available)}{how}")
    if elsewhere:
        print(f"both are this machine's with {asked.jobs} jobs; {request.executor} is not asked")
        return
    refuse_too_large(found.memory, found.available, asked.jobs)


def _where(request: Request, jobs: int) -> str:
    """Say how many trials run at once; how many workers a cluster has is not known yet."""
    if executors.address(request.executor) is None:
        return f"{jobs} jobs"
    return request.executor + f", {jobs} jobs" * (request.jobs > 0)


def _size(made: Sweep) -> str:
    return f"{len(made.cells)} cells x {len(made.seeds)} seeds = {len(made.trials)} trials"


@contextmanager
def _as_is(store: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    yield store, lambda: None


def _tell_changes(made: Sweep, store: Path) -> None:
    changed = made.changes(store)
    if changed:
        missing = made.missing(store)
        say(f"{made.name}: is not as it was when the store last saw it:")
        for line in changed:
            say(f"  {line}")
        kept = len(made.trials) - missing
        say(f"  {kept} of its trials are stored as they are now; earlier ones are kept apart")


# --- progress -------------------------------------------------------------------------------------


class Teller:
    """Words for a `Progress`: the rate, what remains, failures and the best cell."""

    def __init__(self, made: Sweep) -> None:
        self._sweep, self._start = made, time.monotonic()

    def rate(self, now: Progress) -> str:
        """Trials a second since the start, and the time that the rest takes at this rate."""
        passed = time.monotonic() - self._start
        if not now.trained or passed <= 0:
            return ""
        a_second = now.trained / passed
        left = duration((now.total - now.done) / a_second)
        return f"{a_second:.3g} a second, {left} remaining"

    def best(self, now: Progress) -> str:
        """Say failures and the best cell so far."""
        words = [f"{now.failed} failed"] if now.failed else []
        if now.best is not None:
            cell = self._sweep.cells[now.best.cell]
            where = ", ".join(f"{k} = {v}" for k, v in cell.coordinates.items())
            words.append(
                f"best {now.best.metric} {now.best.value:.4g}" + f" ({where})" * bool(where)
            )
        return ", ".join(words)


@contextmanager
def _watching(made: Sweep) -> Iterator[Watch]:
    """Show a bar on a terminal, a line every few seconds elsewhere."""
    teller = Teller(made)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bars

        columns = (
            BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}", markup=False),
            TextColumn("{task.fields[best]}", markup=False),
        )  # fmt: skip
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            bar = bars.add_task("trials", rate="", best="")

            def show(now: Progress) -> None:
                best = STOPPING if now.stopping else teller.best(now)
                shown: dict[str, Any] = {"rate": teller.rate(now), "best": best}
                bars.update(bar, completed=now.done, total=now.total, **shown)

            yield show
        return
    yield _lines(teller)


STOPPING = "finishing what runs; Ctrl-C again stops at once"


def _lines(teller: Teller) -> Watch:
    said: float | None = None
    stopping = False

    def line(now: Progress) -> None:
        nonlocal said, stopping
        if now.stopping and not stopping:
            stopping = True
            say(f"{now.name}: {STOPPING}")
        clock = time.monotonic()
        if said is None or clock - said > EVERY or now.done == now.total:
            said = clock
            words = [f"{now.done} of {now.total} trials", teller.rate(now), teller.best(now)]
            say(f"{now.name}: {', '.join(filter(None, words))}")

    return line


def duration(seconds: float) -> str:
    """Say a time: 0.31 s, 42 s, 3:07 min, 5:20 h."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{int(minutes)}:{int(seconds % 60):02} min"
    return f"{int(minutes // 60):,}:{int(minutes % 60):02} h"


# --- summary --------------------------------------------------------------------------------------


def summary(made: Sweep, runs: Any) -> list[str]:
    """Return the best cells as a table: mean and standard deviation over seeds, diverged ones.

    Cells with a diverged seed come behind those without; means are of the others.
    """
    outer = [*(axis.name for axis in made.axes), "seed"]
    names = [name for name, values in runs.data_vars.items() if list(values.dims) == outer]
    judged = judging_metric(names)
    counts = np.prod([len(axis.values) for axis in made.axes], dtype=int)
    if judged is None:
        return [f"{runs.attrs['trials']} trials; recorded: {', '.join(map(str, runs.data_vars))}"]
    metric, more = judged
    values = runs[metric].values.reshape(counts, -1)
    lost = np.zeros(values.shape, bool)
    if "diverged" in names:
        lost = np.nan_to_num(runs["diverged"].values.astype(float)).reshape(counts, -1) > 0
    values = np.where(lost, np.nan, values)
    present = np.isfinite(values).sum(axis=1)
    means = [
        v[np.isfinite(v)].mean() if n else np.nan for v, n in zip(values, present, strict=True)
    ]
    order = sorted(
        range(counts),
        key=lambda i: (lost[i].any(), not present[i], -means[i] if more else means[i]),
    )
    keys = [key for axis in made.axes for key in axis.keys]
    rows = [[*(keys or ["cell"]), metric, "std", "seeds", "diverged"]]
    for i in order[:SHOWN]:
        kept = values[i][np.isfinite(values[i])]
        where = [_text(made.cells[i].coordinates[key]) for key in keys] or ["all"]
        spread = f"{kept.std(ddof=1):.2g}" if len(kept) > 1 else "-"
        mean = f"{means[i]:.4g}" if len(kept) else "-"
        rows.append([*where, mean, spread, str(len(kept)), str(int(lost[i].sum()))])
    lines = table(rows)
    if counts > SHOWN:
        lines.append(f"and {counts - SHOWN} more cells; simdl results STORE shows all")
    return lines


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
