"""`simdl results`: list what a store holds, choose among it, export it, merge stores."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simdl.commands import exports
from simdl.commands.settings import read_value
from simdl.commands.sweeping import say
from simdl.commands.training import table
from simdl.errors import InputError, Problems, suggest
from simdl.sweep import grid, ledger, shards
from simdl.sweep.file_systems import network
from simdl.sweep.ledger import Entry, Member
from simdl.sweep.outcomes import COMPLETED, DIVERGED, FAILED, STOPPED
from simdl.sweep.store import Store

STATES = (COMPLETED, STOPPED, DIVERGED, FAILED, ledger.MISSING)
SHOWN = 20  # trials, or failures of a sweep, in a list


@dataclass(frozen=True)
class Request:
    """What the command line says."""

    store: Path
    where: Sequence[str] = ()
    to: str | None = None
    output: Path | None = None
    history: bool = False
    merge: bool = False
    others: Sequence[Path] = ()


@dataclass(frozen=True)
class Selection:
    """A sweep and those of its trials that were asked for."""

    entry: Entry
    cells: list[grid.Cell]
    members: list[Member]
    wanted: dict[str, list[str]] = field(default_factory=dict)


def results(request: Request) -> None:
    """Do what `simdl results` is asked for.

    Raises
    ------
    InputError, StorageError
    """
    _check(request)
    with _opened(request) as store:
        for path in request.others:
            came = ledger.merge(store, path)
            say(f"{request.store}: {came} trials came from {path}")
        shown = request.to is None and request.output is None and not request.history
        if shown and not request.where:
            print("\n".join(_listing(store, request.store)))
            return
        chosen = select(store, request.where)
        if shown:
            print("\n".join(_trials(store, chosen)))
            return
        exports.export(store, chosen, request.to or "csv", request.output, request.history)
    if request.output is not None:
        say(f"{request.output}: {len(chosen.members)} trials of {chosen.entry.name}")


def _check(request: Request) -> None:
    problems = Problems()
    if request.others and not request.merge:
        problems.append(f"{request.others[0]}: one store at a time; --merge joins several")
    if request.to is not None and request.to not in exports.FORMATS:
        problems.append(f"--to {request.to}: unknown{suggest(request.to, exports.FORMATS)}")
    elif request.to in ("parquet", "netcdf") and request.output is None:
        problems.append(f"--to {request.to}: is no text: name a file with --output")
    if request.history and request.to == "netcdf":
        problems.append("--history: a NetCDF file holds the arrays anyway: leave --history out")
    if not request.merge and not request.store.is_file():
        problems.append(f"{request.store}: no such file: name a store, as simdl sweep says it")
    problems.report()


@contextlib.contextmanager
def _opened(request: Request) -> Iterator[Store]:
    """Open the store; one on a network disk is read from a copy."""
    if not network(request.store) or request.merge:
        with Store(request.store) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="simdl-") as folder:
        own = Path(folder) / request.store.name
        shards.copy(request.store, own)
        with Store(own) as store:
            yield store


# --- listing --------------------------------------------------------------------------------------


def _listing(store: Store, path: Path) -> list[str]:
    found = ledger.entries(store)
    lines = [] if found else [f"{path}: no sweep"]
    for entry in found:
        total = sum(entry.trials.values())
        states = ", ".join(f"{entry.trials[s]} {s}" for s in STATES if s in entry.trials)
        lines.append(f"{entry.name}  {entry.short}  {entry.created}  {total} trials: {states}")
        axes = ", ".join(f"{axis.name} ({len(axis.values)})" for axis in entry.axes)
        lines.append(f"    axes: {axes or 'none'}; seeds: {len(entry.seeds)}")
        for run in ledger.provenance(store, entry)[-1:]:
            lines.append(
                f"    last run {run['started'][:19]}: {run['command']} (simdl {run['simdl']},"
                f" numba {run['numba']}, {run['cpu']}, {', '.join(run['blas'])})"
            )
        lines += _failures(store, entry)
    for name, count in ledger.unlisted(store).items():
        lines.append(f"{name}  {count} trials of no sweep that is written down here")
    return lines


def _failures(store: Store, entry: Entry) -> list[str]:
    if FAILED not in entry.trials:
        return []
    cells = grid.expand({}, entry.axes)
    failed = [m for m in ledger.members(store, entry) if m.status == FAILED]
    lines = []
    for member in failed[:SHOWN]:
        where = "".join(f"{k} = {v}, " for k, v in cells[member.cell].coordinates.items())
        lines.append(f"    failed: {where}seed {member.seed}: {member.message}")
    if len(failed) > SHOWN:
        lines.append(f"    and {len(failed) - SHOWN} more")
    return lines


def _trials(store: Store, chosen: Selection) -> list[str]:
    header, lines = exports.rows(store, chosen)
    rows = [header]
    for line in lines:
        if len(rows) > SHOWN:
            break
        rows.append([f"{v:.6g}" if isinstance(v, float) else str(v) for v in line])
    shown = table(rows)
    more = len(chosen.members) - SHOWN
    return [*shown, f"and {more} more; --to csv gives all"] if more > 0 else shown


# --- choosing -------------------------------------------------------------------------------------


def select(store: Store, pairs: Sequence[str]) -> Selection:
    """Return one sweep and those of its trials that the pairs ``KEY=VALUE`` leave.

    Pairs of one key widen, of several keys narrow the choice.

    Raises
    ------
    InputError
        For an unknown key, a value that no trial has, or where several sweeps are left.
    """
    wanted: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"--where {pair}: must be KEY=VALUE")
        wanted.setdefault(key.strip(), []).append(value.strip())
    entry = _sweep(store, wanted.pop("sweep", None))
    cells = grid.expand({}, entry.axes)
    members = ledger.members(store, entry)
    problems = Problems()
    keys = [key for axis in entry.axes for key in axis.keys]
    for key, values in wanted.items():
        if key not in (*keys, "seed", "status"):
            known = [*keys, "seed", "status", "sweep"]
            problems.append(f"--where {key}: unknown key{suggest(key, known)}")
            continue
        present: dict[str, Any] = {str(_of(m, cells, key)): _of(m, cells, key) for m in members}
        accepted = [have for have in present.values() if any(_equal(have, v) for v in values)]
        for value in values:
            if not any(_equal(have, value) for have in present.values()):
                problems.append(f"--where {key}={value}: no trial has it{suggest(value, present)}")
        members = [m for m in members if _of(m, cells, key) in accepted]
    problems.report()
    return Selection(entry, cells, members, wanted)


def _sweep(store: Store, names: Sequence[str] | None) -> Entry:
    """Return the newest state of the one sweep that is meant."""
    found = ledger.entries(store)
    if names is not None:
        fitting = [e for e in found if any(_means(n, e) for n in names)]
        if not fitting:
            known = [e.name for e in found]
            raise InputError(f"--where sweep={names[0]}: no such sweep{suggest(names[0], known)}")
        found = fitting
    if not found:
        raise InputError(f"{store.path}: holds no sweep")
    called = sorted({entry.name for entry in found})
    if len(called) > 1:
        raise InputError(
            f"{store.path}: holds {len(called)} sweeps ({', '.join(called)}): choose one with"
            " --where sweep=NAME"
        )
    if len(found) > 1:
        older = ", ".join(entry.short for entry in found[:-1])
        say(f"{called[0]}: the newest state, {found[-1].short}; --where sweep= takes {older}, too")
    return found[-1]


def _of(member: Member, cells: Sequence[grid.Cell], key: str) -> Any:
    if key in ("seed", "status"):
        return getattr(member, key)
    return cells[member.cell].coordinates[key]


def _equal(have: Any, text: str) -> bool:
    return str(have) == text or have == read_value(text)


def _means(text: str, entry: Entry) -> bool:
    return text == entry.name or (len(text) >= 6 and entry.key.startswith(text))
