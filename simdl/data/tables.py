"""A user's CSV: a header line, a column a feature, one target column."""

from __future__ import annotations

import contextlib
import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.arrays import LARGEST
from simdl.data.encoding import check_task, encode
from simdl.data.memory import refuse_larger
from simdl.data.sources import Source
from simdl.errors import InputError, suggest

if TYPE_CHECKING:
    import pandas

MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
SHOWN = 10  # columns or problems named in one message
GROWTH = 8  # "1," is two bytes of text, eight of float64, and pandas holds a column twice


def read_csv(
    path: Path,
    target: str | None = None,
    task: str | None = None,
    drop: str | Sequence[str] = (),
    delimiter: str = ",",
) -> Source:
    """Return the data set in CSV file `path` (UTF-8, first line: column names).

    Parameters
    ----------
    target : str, optional
        Column to predict; without it, a column named "target". Strings and whole numbers are
        classes, other numbers are regression targets.
    task : "classification", "regression" or None
        Overrides that.
    drop : str or sequence of str
        Columns to leave out.
    delimiter : str
        One character.

    Raises
    ------
    InputError
        Naming line and column of what is missing or no number, the first in each column.
    """
    problems = check_task(task)
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        problems.append(f"data.delimiter: {delimiter!r}: must be one character, such as ';'")
    if problems:
        raise InputError(*problems)
    names, frame = _parse(path, delimiter)
    wanted = _target_column(path, names, target)
    dropped = _dropped(path, names, [drop] if isinstance(drop, str) else list(drop), wanted)
    features = [i for i, name in enumerate(names) if name != wanted and name not in dropped]
    if not features:
        raise InputError(f"{path}: has no column beside target {wanted!r}: features are needed")
    faults: list[tuple[int, str, str]] = []
    x = np.empty((len(frame), len(features)))
    for k, i in enumerate(features):
        x[:, k] = _numbers(frame[i], names[i], faults)
    t = _target(frame[names.index(wanted)], wanted, task, faults)
    if faults:
        raise InputError(*_explain(path, delimiter, faults))
    labels, classes = encode(t, task, f"{path}: column {wanted!r}")
    return Source(x, labels, classes, tuple(names[i] for i in features), str(path))


def _parse(path: Path, delimiter: str) -> tuple[list[str], pandas.DataFrame]:
    """Return the column names and the table below them, its columns numbered from 0."""
    import pandas  # late: half a second

    try:
        refuse_larger(str(path), GROWTH * path.stat().st_size)
        with _open(path) as stream:
            names = _header(path, stream, delimiter)
            frame = pandas.read_csv(
                stream,
                sep=delimiter,
                header=None,
                index_col=False,
                na_filter=False,
                low_memory=False,  # one type a column, however long
                skipinitialspace=True,
            )
    except pandas.errors.EmptyDataError:
        raise InputError(f"{path}: holds a header line but no rows") from None
    except pandas.errors.ParserError as error:
        if "EOF inside string" in str(error):
            raise InputError(f"{path}: a quote is opened and never closed") from None
        raise InputError(_ragged(path, delimiter) or f"{path}: is no CSV table: {error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no UTF-8 text; save it as CSV in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV table: {error}") from None
    if frame.shape[1] != len(names):
        raise InputError(
            _ragged(path, delimiter) or f"{path}: rows differ in length from the header"
        )
    return names, frame


def _open(path: Path) -> IO[str]:
    return path.open(encoding="utf-8-sig", newline="")


def _records(stream: IO[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that pandas counts, all but blank lines: (line where it ends, cells)."""
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)
    for cells in reader:
        if len(cells) > 1 or "".join(cells).strip():
            yield reader.line_num, cells


def _header(path: Path, stream: IO[str], delimiter: str) -> list[str]:
    """Return the column names; `stream` stands after them."""
    _, cells = next(_records(stream, delimiter), (0, []))
    if not cells:
        raise InputError(f"{path}: is empty; a header line and rows are needed")
    names = [name.strip() for name in cells]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} appears twice in line 1; rename one of them")
    if "" in names:
        raise InputError(
            f"{path}: column {names.index('') + 1} has no name; line 1 must name every column"
        )
    return names


def _target_column(path: Path, names: list[str], target: str | None) -> str:
    wanted = "target" if target is None else target
    if wanted in names:
        return wanted
    known = suggest(str(wanted), names)
    if len(names) > SHOWN and "did you mean" not in known:
        known = f" (known: {', '.join(names[:SHOWN])}, ... and {len(names) - SHOWN} more)"
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        known += "; where another character separates columns, say so: delimiter=';'"
    if target is None:
        raise InputError(f"data.target: missing: say which column of {path} to predict{known}")
    raise InputError(f"data.target: {target!r}: {path} has no such column{known}")


def _dropped(path: Path, names: list[str], drop: list[str], target: str) -> set[str]:
    problems = [
        f"data.drop: {name!r}: {path} has no such column{suggest(str(name), names)}"
        for name in drop
        if name not in names
    ]
    if target in drop:
        problems.append(f"data.drop: {target!r}: is the target; drop another column")
    if problems:
        raise InputError(*problems)
    return set(drop)


def _numbers(
    column: pandas.Series[Any], name: str, faults: list[tuple[int, str, str]]
) -> NDArray[np.float64]:
    """Return a column as numbers; what is none is noted in `faults`: (record, column, why)."""
    import pandas

    kind = getattr(column.dtype, "kind", "O")
    if kind == "b":
        faults.append((0, name, f"{column.iloc[0]}: is no number; write 1 and 0"))
        return np.zeros(len(column))
    values: NDArray[np.float64] = pandas.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if wrong.size:
        row = int(wrong[0])
        cell = str(column.iloc[row]).strip()
        if cell.lower() in MISSING:
            why = f"{cell!r}: is missing; fill it in or leave out the row"
        elif np.isnan(values[row]):
            why = f"{cell!r}: is no number; encode the column as numbers or drop it"
        else:
            why = f"{cell}: must be a finite number that float32 can hold"
        faults.append((row, name, why))
    return values


def _target(
    column: pandas.Series[Any], name: str, task: str | None, faults: list[tuple[int, str, str]]
) -> NDArray[Any]:
    """Return the target column as strings (classes), int64 (whole numbers) or float64."""
    import pandas

    text = column.astype(str).str.strip()
    missing = np.flatnonzero(text.str.lower().isin(MISSING).to_numpy(dtype=bool))
    if missing.size:
        row = int(missing[0])
        faults.append((row, name, f"{text.iloc[row]!r}: is missing; leave out the row"))
        return np.zeros(len(column))
    strings: NDArray[Any] = text.to_numpy(dtype=np.str_)
    numeric = getattr(column.dtype, "kind", "O") != "b"
    if task != "regression":
        numeric = numeric and not pandas.to_numeric(column, errors="coerce").isna().any()
        if not numeric:
            return strings
    before = len(faults)
    values = _numbers(column, name, faults)
    whole = len(faults) == before and bool(np.all(values == np.floor(values)))
    return values.astype(np.int64) if whole and np.abs(values).max() < 2**53 else values


def _explain(path: Path, delimiter: str, faults: list[tuple[int, str, str]]) -> list[str]:
    """Return a message a fault, in the order of the file, with the line where it stands."""
    faults = sorted(faults, key=lambda fault: fault[0])
    shown = faults[:SHOWN]
    lines = _line_numbers(path, delimiter, {row for row, _, _ in shown})
    messages = [f"{path}: line {lines[row]}, column {name!r}: {why}" for row, name, why in shown]
    if len(faults) > SHOWN:
        messages.append(f"{path}: ... and {len(faults) - SHOWN} more columns")
    return messages


def _line_numbers(path: Path, delimiter: str, rows: set[int]) -> dict[int, int]:
    """Return the line of the file in which each of those records ends (quoted cells may break)."""
    with _open(path) as stream:
        records = itertools.islice(_records(stream, delimiter), 1, max(rows) + 2)
        return {row: line for row, (line, _) in enumerate(records) if row in rows}


def _ragged(path: Path, delimiter: str) -> str | None:
    """Return a message on the first record whose length differs from the header's, if any."""
    with contextlib.suppress(csv.Error, UnicodeDecodeError), _open(path) as stream:
        width = 0
        for line, cells in _records(stream, delimiter):
            width = width or len(cells)
            if len(cells) != width:
                return f"{path}: line {line}: {len(cells)} values; the header has {width} columns"
    return None
