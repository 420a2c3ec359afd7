"""A user's table, CSV or Parquet: a column a feature, one target column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.columns import (
    NOWHERE,
    SHOWN,
    WHOLE,
    Cells,
    Faults,
    Form,
    Frame,
    check_numbers,
    encode_columns,
    fit_columns,
    look_over,
)
from simdl.data.encoding import MANY, check_missing, check_task, encode
from simdl.data.sources import Source
from simdl.errors import InputError, suggest

TARGET = "target"  # the column to predict unless one is named
_PADDED = re.compile(r"[-+]?0\d+")  # 007: a number that is a name


def table_source(
    frame: Frame,
    target: str | None = None,
    task: str | None = None,
    drop: str | Sequence[str] = (),
    categories: str | Sequence[str] = (),
    missing: str | None = None,
    **read: Any,
) -> Source:
    """Return the data set that a table holds.

    Parameters
    ----------
    target : str, optional
        Column to predict; without it, a column named "target". Texts, at most 20 different whole
        numbers and numbers that begin with zeros (007) are classes, other numbers are regression
        targets.
    task : "classification", "regression" or None
        Overrides that.
    drop : str or sequence of str
        Columns to leave out.
    categories : str or sequence of str
        Columns whose numbers are names: one-hot, as columns of texts are.
    missing : None, "mean" or "drop"
        Missing cells are refused; take the mean of the training part; or their rows are left out.
    **read
        Delimiter and header of a CSV, for those who read another one alike.

    Raises
    ------
    InputError
        Naming row and column of what is missing or no number, the first in each column.
    """
    problems = check_task(task) + check_missing(missing)
    if problems:
        raise InputError(*problems)
    wanted = _target_column(frame, target)
    dropped, named = (
        _listed(frame, "drop", drop, wanted),
        _listed(frame, "categories", categories, wanted),
    )
    names = [name for name in frame.names if name != wanted and name not in dropped]
    if not names:
        raise InputError(f"{frame.path}: has no column beside target {wanted!r}: features needed")
    faults = Faults(frame)
    columns, looked = fit_columns(frame, names, named, faults)
    x = encode_columns(columns, looked, missing, faults)
    t, known = _target(frame, wanted, task, missing, faults)
    faults.report()
    if missing == "drop":
        known &= ~np.isnan(x).any(axis=1)
        if not known.any():
            raise InputError(f"{frame.path}: every row holds a missing value: none would be left")
    rows = np.flatnonzero(known)
    labels, classes = encode(t[rows], task, f"{frame.path}: column {wanted!r}")
    form = Form(columns, wanted, missing=missing, **read)
    return Source(
        x[rows], labels, classes, form.features, str(frame.path),
        missing=missing == "mean", form=form, rows=rows, left_out=len(frame) - len(rows),
    )  # fmt: skip


def _target_column(frame: Frame, target: str | None) -> str:
    names, wanted = frame.names, TARGET if target is None else target
    if wanted in names:
        return wanted
    known = suggest(str(wanted), names)
    if len(names) > SHOWN and "did you mean" not in known:
        known = f" (known: {', '.join(names[:SHOWN])}, ... and {len(names) - SHOWN} more)"
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        own = "\\t" if "\t" in names[0] else ";"
        known += f"; where another character separates columns, say so: delimiter='{own}'"
    if target is None:
        raise InputError(
            f"data.target: missing: say which column of {frame.path} to predict{known}"
        )
    raise InputError(f"data.target: {target!r}: {frame.path} has no such column{known}")


def _listed(frame: Frame, key: str, given: str | Sequence[str], target: str) -> set[str]:
    """Return the columns given under `key`, checked."""
    if not isinstance(given, str | list | tuple):
        raise InputError(f"data.{key}: {given!r}: must be a list of column names")
    listed = [given] if isinstance(given, str) else list(given)
    problems = [
        f"data.{key}: {name!r}: {frame.path} has no such column{suggest(str(name), frame.names)}"
        for name in listed
        if name not in frame.names
    ]
    if target in listed:
        problems.append(f"data.{key}: {target!r}: is the target; name another column")
    if problems:
        raise InputError(*problems)
    return set(listed)


def _target(
    frame: Frame, name: str, task: str | None, missing: str | None, faults: Faults
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the target column as texts (classes), int64 or float64, and which rows have one."""
    cells = look_over(frame[name])
    nothing = np.zeros(len(frame)), np.ones(len(frame), bool)
    if isinstance(cells, str):
        faults.add(NOWHERE, name, f"holds {cells}: must be numbers or texts")
        return nothing
    known = ~cells.missing
    if not known.all() and missing != "drop":
        row = int(np.flatnonzero(cells.missing)[0])
        remedy = "leave out the row, or choose missing='drop'"
        faults.add(row, name, f"{cells.at(row)}: is missing; {remedy}")
        return nothing
    padded = cells.text.map(str).str.fullmatch(_PADDED).to_numpy(bool)
    if task != "regression" and (cells.no_number.any() or padded.any() or not known.any()):
        return cells.text.map(str).to_numpy(dtype=np.str_), known
    why = check_numbers(cells, "correct it, leave out the row, or choose task='classification'")
    if why:
        faults.add(why[0], name, why[1])
        return nothing
    return _whole_or_real(cells, task), known


def _whole_or_real(cells: Cells, task: str | None) -> NDArray[Any]:
    """Return whole numbers as int64 where they may name classes."""
    values = np.nan_to_num(cells.values)
    given = values[~cells.missing]
    few = task is not None or len(np.unique(given)) <= MANY
    whole = bool(np.all(given == np.floor(given))) and np.abs(given).max() < WHOLE
    return values.astype(np.int64) if whole and few else values
