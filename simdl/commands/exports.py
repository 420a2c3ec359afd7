"""A sweep's stored trials as CSV, Parquet and NetCDF; files appear whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.errors import InputError, StorageError
from simdl.sweep import ledger
from simdl.sweep.forms import Array
from simdl.sweep.forms import names as forms_names
from simdl.sweep.grid import Axis, expand
from simdl.sweep.joining import join
from simdl.sweep.ledger import Member
from simdl.sweep.outcomes import Outcome
from simdl.sweep.store import Store

if TYPE_CHECKING:
    from simdl.commands.exporting import Selection

FORMATS = ("csv", "parquet", "netcdf")
_AT_ONCE = 500  # trials read at a time


def export(store: Store, chosen: Selection, kind: str, output: Path | None, history: bool) -> None:
    """Write the chosen trials: CSV (also to standard output), Parquet or NetCDF.

    Raises
    ------
    InputError, StorageError
    """
    if kind == "netcdf":
        assert output is not None
        _write_netcdf(store, chosen, output)
        return
    header, lines = long_rows(store, chosen) if history else rows(store, chosen)
    if kind == "parquet":
        assert output is not None
        _write_parquet(header, lines, output)
    elif output is None:
        try:
            _write_csv(sys.stdout, header, lines)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as head, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        with replaced(output) as part, part.open("w", encoding="utf-8", newline="") as stream:
            _write_csv(stream, header, lines)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Lend a name beside `path`; what is written there takes its place once it is on the disk.

    Raises
    ------
    StorageError
        If it cannot be written; `path` is as before then.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name is on the disk, too
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


# --- rows -----------------------------------------------------------------------------------------


def rows(store: Store, chosen: Selection) -> tuple[list[str], Iterator[list[Any]]]:
    """Return header and lines, one a trial: axes, seed, status, what is a single value."""
    keys = _keys(chosen)
    names = _names(store, chosen, single=True)

    def lines() -> Iterator[list[Any]]:
        for member, outcome in _outcomes(store, chosen):
            values = {} if outcome is None else outcome.variables
            where = [*_place(chosen, member, keys), member.seed, member.status]
            yield where + [_single(values.get(name)) for name in names]

    return [*keys, "seed", "status", *names], lines()


def long_rows(store: Store, chosen: Selection) -> tuple[list[str], Iterator[list[Any]]]:
    """Return header and lines, one a value: axes, seed, status, variable, its own dimensions."""
    keys = _keys(chosen)
    dims = list(dict.fromkeys(d for _, own in _dimensions(store, chosen) for d in own))

    def lines() -> Iterator[list[Any]]:
        for member, outcome in _outcomes(store, chosen):
            where = [*_place(chosen, member, keys), member.seed, member.status]
            for name, array in ({} if outcome is None else outcome.variables).items():
                labels = [
                    _labels(outcome, dim, n)
                    for dim, n in zip(array.dims, array.values.shape, strict=True)
                ]
                values = array.values.reshape(-1).tolist()
                for at, value in zip(itertools.product(*labels), values, strict=True):
                    known = dict(zip(array.dims, at, strict=True))
                    yield [*where, name, *(known.get(dim, "") for dim in dims), value]

    return [*keys, "seed", "status", "variable", *dims, "value"], lines()


def _keys(chosen: Selection) -> list[str]:
    return [key for axis in chosen.entry.axes for key in axis.keys]


def _place(chosen: Selection, member: Member, keys: Sequence[str]) -> list[Any]:
    values = chosen.cells[member.cell].coordinates
    return [v if isinstance(v := values[key], str | int | float) else json.dumps(v) for key in keys]


def _outcomes(store: Store, chosen: Selection) -> Iterator[tuple[Member, Outcome | None]]:
    """Yield each trial with what is stored of it, reading a few at a time."""
    for start in range(0, len(chosen.members), _AT_ONCE):
        part = chosen.members[start : start + _AT_ONCE]
        found = store.results({member.identity for member in part})
        for member in part:
            yield member, found.get(member.identity)


def _dimensions(store: Store, chosen: Selection) -> list[tuple[str, list[str]]]:
    """Return the variables of the sweep with their dimensions, in the order they were stored."""
    sweep = (chosen.entry.number,)
    with store.reading() as connection:
        forms = connection.execute(
            "SELECT f.text, min(t.rowid) FROM members m JOIN trials t USING (identity)"
            " JOIN forms f ON f.key = t.form WHERE m.sweep = ? GROUP BY 1 ORDER BY 2",
            sweep,
        ).fetchall()
        found = connection.execute(
            "SELECT a.name, a.dims, min(a.rowid) FROM members m JOIN arrays a USING (identity)"
            " WHERE m.sweep = ? AND a.role = 'variable' GROUP BY 1, 2 ORDER BY 3",
            sweep,
        ).fetchall()
    arrays = [(name, json.loads(dims)) for name, dims, _ in found]
    named: list[tuple[str, list[str]]] = []
    for form, _ in forms:
        for name, number in forms_names(form):
            named += [(name, [])] if number else [array for array in arrays if array[0] == name]
    every = [*named, *arrays]
    return [one for i, one in enumerate(every) if one not in every[:i]]


def _names(store: Store, chosen: Selection, single: bool) -> list[str]:
    return [name for name, dims in _dimensions(store, chosen) if (not dims) == single]


def _single(array: Array | None) -> Any:
    return "" if array is None or array.values.ndim else array.values.item()


def _labels(outcome: Outcome | None, dim: str, size: int) -> list[Any]:
    known = None if outcome is None else outcome.coordinates.get(dim)
    return list(range(size)) if known is None else known.values.tolist()


# --- files ----------------------------------------------------------------------------------------


def _write_csv(stream: Any, header: Sequence[str], lines: Iterator[list[Any]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)


def _write_parquet(header: Sequence[str], lines: Iterator[list[Any]], path: Path) -> None:
    import pandas

    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError("--to parquet: needs pyarrow: pip install 'simdl[parquet]'") from None
    columns = list(zip(*lines, strict=True)) or [()] * len(header)
    frame = {name: _column(values) for name, values in zip(header, columns, strict=True)}
    with replaced(path) as part:
        pandas.DataFrame(frame).to_parquet(part, index=False)


def _column(values: Sequence[Any]) -> list[Any]:
    """Return values of one kind: nothing where there is none, text where kinds are mixed."""
    known = [None if value == "" else value for value in values]
    kinds = {type(value) for value in known if value is not None}
    plain = len(kinds) <= 1 or kinds == {int, float}
    return known if plain else [None if value is None else str(value) for value in known]


def _write_netcdf(store: Store, chosen: Selection, path: Path) -> None:
    runs = dataset(store, chosen)
    with replaced(path) as part:
        runs.to_netcdf(part, engine="scipy", format="NETCDF3_64BIT")


def dataset(store: Store, chosen: Selection) -> Any:
    """Return the chosen trials as `Sweep.run` does; axes and seeds that none has are left out."""
    entry = chosen.entry
    cells = sorted({member.cell for member in chosen.members})
    kept = [sorted({chosen.cells[c].index[j] for c in cells}) for j in range(len(entry.axes))]
    axes = [
        Axis(axis.name, axis.keys, tuple(axis.values[i] for i in at))
        for axis, at in zip(entry.axes, kept, strict=True)
    ]
    have = {member.seed for member in chosen.members}
    seeds = [seed for seed in entry.seeds if seed in have]
    smaller = expand({}, axes)
    number = {cell.index: i for i, cell in enumerate(smaller)}
    moved = {
        c: number[tuple(at.index(i) for at, i in zip(kept, chosen.cells[c].index, strict=True))]
        for c in cells
    }
    position = {seed: i for i, seed in enumerate(seeds)}
    good = {
        (moved[member.cell], position[member.seed]): outcome
        for member, outcome in _outcomes(store, chosen)
        if outcome is not None
    }
    runs = join(axes, smaller, seeds, good)
    runs.attrs = {
        "name": entry.name,
        "sweep": entry.key,
        "description": json.dumps(dict(entry.description)),
        "provenance": json.dumps(ledger.provenance(store, entry)),
    }
    for name, values in runs.variables.items():
        if values.dtype == np.int64 and not _fits(values.values):
            runs[name] = values.astype(np.float64)  # NetCDF 3 has no 64-bit integers
    return runs


def _fits(values: np.ndarray) -> bool:
    return not values.size or bool(np.abs(values).max() < 2**31)
