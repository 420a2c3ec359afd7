"""A user's CSV, read and looked over: UTF-8, a line of column names, a row a sample."""

from __future__ import annotations

import contextlib
import csv
import itertools
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from simdl.data.columns import Frame
from simdl.data.memory import refuse_larger
from simdl.data.sources import Source
from simdl.data.tables import TARGET, table_source
from simdl.errors import InputError

if TYPE_CHECKING:
    import pandas

GROWTH = 8  # "1," is two bytes of text, eight of float64, and pandas holds a column twice


def read_csv(
    path: Path, delimiter: str = ",", header: bool | None = None, **options: Any
) -> Source:
    """Return the data set in CSV file `path`.

    Parameters
    ----------
    delimiter : str
        One character.
    header : bool, optional
        Whether the first line names the columns. Without a header they are called "1", "2", ...
        Not given, a first line that looks like data is refused.
    **options
        Of :func:`simdl.data.tables.table_source`.

    Raises
    ------
    InputError
        Naming line and column of what is missing or no number, the first in each column.
    """
    named = options.get("categories") or ()
    texts = [options.get("target") or TARGET, *([named] if isinstance(named, str) else named)]
    frame = csv_frame(path, delimiter, header, texts)
    return table_source(frame, delimiter=delimiter, header=header, **options)


def csv_frame(
    path: Path, delimiter: str = ",", header: bool | None = None, texts: Collection[Any] = ()
) -> Frame:
    """Return the cells of a CSV; parameters and errors are those of :func:`read_csv`.

    The cells of columns named in `texts` stay what the file says: 01 is not 1.
    """
    problems = []
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        problems.append(f"data.delimiter: {delimiter!r}: must be one character, such as ';'")
    if header not in (None, True, False):
        problems.append(f"data.header: {header!r}: must be true or false")
    if problems:
        raise InputError(*problems)
    names, table = _parse(path, delimiter, header, texts)

    def places(rows: set[int]) -> dict[int, str]:
        return _lines(path, delimiter, rows, 0 if header is False else 1)

    return Frame(path, tuple(names), [table[i] for i in range(len(names))], places)


def _parse(
    path: Path, delimiter: str, header: bool | None, texts: Collection[Any]
) -> tuple[list[str], pandas.DataFrame]:
    """Return the column names and the table below them, its columns numbered from 0."""
    import pandas  # late: half a second

    try:
        refuse_larger(str(path), GROWTH * path.stat().st_size)
        names, frame = _cells(path, delimiter, header, texts)
        flags = [names[i] for i, kind in enumerate(frame.dtypes) if kind.kind == "b"]
        if flags and len(names) == frame.shape[1]:  # true and TRUE are words, as yes is
            names, frame = _cells(path, delimiter, header, [*texts, *flags])
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
    short = frame.iloc[:, -1].eq("").any()  # the last cell is empty, or there is none
    ragged = _ragged(path, delimiter) if short or frame.shape[1] != len(names) else None
    if ragged or frame.shape[1] != len(names):
        raise InputError(ragged or f"{path}: rows differ in length from the header")
    return names, frame


def _cells(
    path: Path, delimiter: str, header: bool | None, texts: Collection[Any]
) -> tuple[list[str], pandas.DataFrame]:
    import pandas

    with _open(path) as stream:
        names = _header(path, stream, delimiter, header)
        frame = pandas.read_csv(
            stream,
            sep=delimiter,
            header=None,
            index_col=False,
            na_filter=False,
            low_memory=False,  # one type a column, however long
            skipinitialspace=True,
            dtype={i: str for i, name in enumerate(names) if name in texts},
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


def _header(path: Path, stream: IO[str], delimiter: str, header: bool | None) -> list[str]:
    """Return the column names; `stream` stands where the data begin."""
    _, cells = next(_records(stream, delimiter), (0, []))
    if not cells:
        raise InputError(f"{path}: is empty; a header line and rows are needed")
    names = [name.strip() for name in cells]
    if header is False:
        stream.seek(0)
        return [str(i + 1) for i in range(len(names))]
    if header is None and _looks_like_data(names):
        raise InputError(
            f"{path}: line 1 begins with {', '.join(names[:3])}: it looks like data, but must name"
            " the columns; add a line of names, or say header=false (the columns are then called"
            ' "1", "2", ...) or header=true'
        )
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} appears twice in line 1; rename one of them")
    if "" in names:
        raise InputError(
            f"{path}: column {names.index('') + 1} has no name; line 1 must name every column"
        )
    return names


def _looks_like_data(names: list[str]) -> bool:
    """Whether a first line is data: a decimal fraction in it, or numbers that do not just count."""
    values = [_number(name) for name in names]
    given = [value for value in values if value is not None]
    if any(not value.is_integer() for value in given):
        return True
    counting = [given[0] + i for i in range(len(given))] if given else []
    return len(given) == len(names) and (given != counting or given[0] not in (0, 1))


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None  # a column may be called "nan"


def _lines(path: Path, delimiter: str, rows: set[int], skip: int) -> dict[int, str]:
    """Return the line of the file in which each of those records ends (quoted cells may break)."""
    if not rows:
        return {}
    with _open(path) as stream:
        records = itertools.islice(_records(stream, delimiter), skip, max(rows) + skip + 1)
        return {row: f"line {line}" for row, (line, _) in enumerate(records) if row in rows}


def _other_delimiter(width: int, first: list[str]) -> str:
    """Return what to do where the first line, one field, holds other separators."""
    found = [mark for mark in (";", "\t") if width == 1 and mark in first[0]]
    mark = repr(found[0]) if found else ""
    return f": where another character separates columns, say so: delimiter={mark}" if mark else ""


def _ragged(path: Path, delimiter: str) -> str | None:
    """Return a message on the first record whose length differs from the first one's, if any."""
    with contextlib.suppress(csv.Error, UnicodeDecodeError), _open(path) as stream:
        width = 0
        first: list[str] = []
        for line, cells in _records(stream, delimiter):
            width, first = width or len(cells), first or cells
            if len(cells) != width:
                said = f"{path}: line {line} has {len(cells)} of {width} fields"
                return said + _other_delimiter(width, first)
    return None
