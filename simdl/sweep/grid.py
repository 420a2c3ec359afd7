"""Axes to cells, cells and seeds to trials, and what a trial's identity is made of."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import simdl
from simdl import _sources
from simdl.configuration import KEYS, Configuration, with_values
from simdl.errors import InputError, suggest
from simdl.network import check_seed
from simdl.scores import errors_of
from simdl.sweep.measures import canonical, numeric_digest, plain
from simdl.sweep.outcomes import ALWAYS, METRICS, STOPPING

MOST = 10_000_000  # trials of a sweep: each costs about a kilobyte while it is planned
MOST_CELLS = 1_000_000  # each takes about a millisecond to check
_FUNCTION = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*")  # an own op, as files name it


@dataclass(frozen=True)
class Axis:
    """One dimension of a sweep: keys that vary together (mostly one), and their values."""

    name: str
    keys: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]  # a tuple with a value a key

    def labels(self, key: str | None = None) -> np.ndarray:
        """Values of one key as a coordinate; without a key, those of the dimension."""
        if key is None and len(self.keys) > 1:
            return np.array([", ".join(map(_label, values)) for values in self.values])
        column = self.keys.index(key or self.keys[0])
        values = [row[column] for row in self.values]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if numbers or all(isinstance(v, bool) for v in values):
            return np.array(values)
        return np.array([_label(value) for value in values])


@dataclass(frozen=True)
class Cell:
    """One point of the grid: where it lies, its values, its base table with these put in."""

    index: tuple[int, ...]
    coordinates: dict[str, Any]
    table: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One cell and seed; equal identities have equal results."""

    cell: int
    seed: int
    identity: str


def read_axes(axes: Mapping[str, Any]) -> tuple[list[Axis], list[str]]:
    """Return the axes, and what is wrong with them."""
    made: list[Axis] = []
    problems: list[str] = []
    for name, given in axes.items():
        key = f"axes.{name}"
        if not isinstance(name, str) or not all(part.strip() for part in name.split(",")):
            problems.append(f"{key}: must be a dotted key, or several with commas")
            continue
        try:
            values = plain(given, key)
        except InputError as error:
            problems.extend(error.problems)
            continue
        if not isinstance(values, list) or not values:
            problems.append(f"{key}: {given!r}: must be a list of at least one value")
            continue
        keys = tuple(part.strip() for part in name.split(","))
        rows = values if len(keys) > 1 else [[value] for value in values]
        wrong = [row for row in rows if not isinstance(row, list) or len(row) != len(keys)]
        if wrong:
            problems.append(f"{key}: {wrong[0]!r}: must be a list of {len(keys)} values")
            continue
        axis = Axis(name, keys, tuple(tuple(row) for row in rows))
        labels = axis.labels().tolist()
        twice = [label for i, label in enumerate(labels) if label in labels[:i]]
        if twice:
            problems.append(f"{key}: {twice[0]!r}: stands twice")
        made.append(axis)
    used = [(axis.name, key) for axis in made for key in axis.keys]
    for i, (name, key) in enumerate(used):
        for other, known in used[:i]:
            if f"{key}.".startswith(f"{known}.") or f"{known}.".startswith(f"{key}."):
                problems.append(f"axes.{name}: {key}: is set by axes.{other} too")
        if key == "seed":
            problems.append(f"axes.{name}: seeds are given as seeds=")
    return made, problems


def read_seeds(seeds: Any) -> tuple[int, ...]:
    """Return seeds from a number of them or a list.

    Raises
    ------
    InputError
    """
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        if not 1 <= seeds <= MOST:
            raise InputError(f"seeds: {seeds}: must be from 1 to {MOST:,}, or a list of seeds")
        return tuple(range(int(seeds)))
    if isinstance(seeds, str | Mapping) or not isinstance(seeds, Iterable):
        raise InputError(f"seeds: {seeds!r}: must be a number of seeds, or a list of them")
    made = tuple(check_seed(seed, f"seeds.{i}") for i, seed in enumerate(seeds))
    if not made or len(set(made)) < len(made):
        raise InputError(f"seeds: {list(made)}: must be at least one, each of them once")
    return made


def check_sections(axes: Sequence[Axis]) -> tuple[list[Axis], list[str]]:
    """Return a training's axes that lie in a configuration's sections, and what is wrong."""
    good, problems = [], []
    for axis in axes:
        sections = [key.partition(".")[0] for key in axis.keys]
        unknown = [section for section in sections if section not in KEYS]
        problems += [f"axes.{axis.name}: {s}: unknown key{suggest(s, KEYS)}" for s in unknown]
        if not unknown:
            good.append(axis)
    return good, problems


def check_size(axes: Sequence[Axis], seeds: Sequence[int]) -> list[str]:
    """Say where there are more cells or trials than one sweep may have."""
    cells = math.prod(len(axis.values) for axis in axes)
    if cells > MOST_CELLS:
        return [f"axes: {cells:,} cells: must be at most {MOST_CELLS:,}: make several sweeps"]
    if cells * len(seeds) > MOST:
        trials = f"{cells * len(seeds):,} trials"
        return [f"axes and seeds: {trials}: must be at most {MOST:,}: make several sweeps"]
    return []


def expand(base: Mapping[str, Any], axes: Sequence[Axis]) -> list[Cell]:
    """Return the product of the axes, each cell with its values put into the base table."""
    cells = []
    for index in itertools.product(*(range(len(axis.values)) for axis in axes)):
        values: dict[str, Any] = {}
        for axis, i in zip(axes, index, strict=True):
            values |= dict(zip(axis.keys, axis.values[i], strict=True))
        cells.append(Cell(index, values, with_values(base, values)))
    return cells


def configurations(
    cells: Sequence[Cell], axes: Sequence[Axis], record: Sequence[str], seed: int
) -> list[Configuration]:
    """Check every cell as far as can be without training.

    Raises
    ------
    InputError
        With each problem once, and the axis values it belongs to.
    """
    made: list[Configuration] = []
    found: dict[str, list[int]] = {}
    parts: dict[str, Any] = {}  # data by description: cells that differ elsewhere share it
    for number, cell in enumerate(cells):
        try:
            configuration = Configuration.parse(cell.table)
            where = canonical(configuration.tables()["data"])
            if where not in parts:
                parts[where] = configuration.data(seed)
            training = configuration.build(parts[where])
            training.check(parts[where])
            made.append(configuration)
            problems = list(_record_problems(training, record))
        except InputError as error:
            problems = list(error.problems)
        for problem in problems:
            found.setdefault(problem, []).append(number)
    if found:
        raise InputError(*(_placed(text, at, cells, axes) for text, at in found.items()))
    return made


def _record_problems(training: Any, record: Sequence[str]) -> Iterable[str]:
    measured = [METRICS, *ALWAYS, *(STOPPING if training.stop else ())]
    for probe in training.probes:
        parts = ("train_", "validation_", "test_")
        own = probe.when != "parts"
        measured += [probe.name] if own else [part + probe.name for part in parts]
        if probe.name == "loss":
            measured += [part + kind for part in parts for kind in errors_of(training.loss)]
    for name in record:
        if name not in measured:
            yield f"record: {name!r}: is not measured{suggest(str(name), measured)}"


def _placed(text: str, at: list[int], cells: Sequence[Cell], axes: Sequence[Axis]) -> str:
    """Add to a problem the axis values that all cells with it share, and others do not."""
    if len(at) == len(cells):
        return text
    shared = [
        f"axes.{axis.name} = {axis.labels()[cells[at[0]].index[j]]}"
        for j, axis in enumerate(axes)
        if len(axis.values) > 1 and len({cells[i].index[j] for i in at}) == 1
    ]
    if not shared:
        shared = [", ".join(f"{k} = {_label(v)}" for k, v in cells[at[0]].coordinates.items())]
    return f"{text} (where {', '.join(shared)})"


def _label(value: Any) -> str:
    """Say a value in a word or two; a table with a name as name(key=value)."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        rest = ", ".join(f"{k}={_label(v)}" for k, v in value.items() if k != "name")
        return f"{value['name']}({rest})" if rest else value["name"]
    return canonical(value)


# --- identity -------------------------------------------------------------------------------------


def _common(kind: str, tables: Any, **more: Any) -> Any:
    """Return the hash of all that the trials of a cell share, as JSON."""
    shared = {
        "kind": kind,
        "tables": tables,
        "sources": own_sources(tables),
        "numeric": numeric_digest(),
        "results_version": simdl.RESULTS_VERSION,
    }
    return hashlib.sha256(canonical(shared | more).encode())


def own_sources(tables: Any) -> dict[str, str | None]:
    """Return a digest of each module of an own op that tables name as module:function."""
    return {module: _source(module) for module in sorted(_modules(tables))}


def _source(module: str) -> str | None:
    with contextlib.suppress(ValueError):
        return _sources.digest(module)
    return None  # a text that looks like module:function and is none


def _modules(tables: Any) -> set[str]:
    """Modules of the own ops that tables name as module:function."""
    if isinstance(tables, dict):
        return set().union(*map(_modules, tables.values()))
    if isinstance(tables, list | tuple):
        return set().union(*map(_modules, tables))
    match = _FUNCTION.fullmatch(tables) if isinstance(tables, str) else None
    return {match[1]} if match else set()


def _identity(common: Any, seed: int, data: str) -> str:
    """Return the digest of a cell's text, of which `common` is the hash so far, and the rest."""
    whole = common.copy()
    whole.update(f"\0{seed}\0{data}".encode())
    return str(whole.hexdigest())


def training_trials(
    made: Sequence[Configuration], seeds: Sequence[int], record: Sequence[str]
) -> list[Trial]:
    """Return the trials of all cells, cell by cell; the data's digest is in their identity."""
    trials = []
    digests: dict[tuple[str, int], str] = {}
    for cell, configuration in enumerate(made):
        tables = plain(configuration.tables(), "")
        common = _common("training", tables, record=sorted(record))
        where = canonical(tables["data"])
        for seed in seeds:
            if (where, seed) not in digests:
                digests[where, seed] = configuration.source(seed).digest
            trials.append(Trial(cell, seed, _identity(common, seed, digests[where, seed])))
    return trials


def measurement_trials(
    cells: Sequence[Cell], seeds: Sequence[int], measure: Callable[..., Any], record: Sequence[str]
) -> list[Trial]:
    """Return the trials of all cells; the function's module and what it imports are in them."""
    name = f"{measure.__module__}:{measure.__qualname__}"
    source = _sources.digest(measure.__module__)
    trials = []
    kept = {} if METRICS in record else {"record": sorted(record)}  # by default all
    for number, cell in enumerate(cells):
        common = _common("measurement", cell.table, measure=[name, source], **kept)
        trials += [Trial(number, seed, _identity(common, seed, "")) for seed in seeds]
    return trials
