"""A table's columns as numbers: numeric ones as they are, texts one-hot, missing cells as NaN."""

from __future__ import annotations

import numbers
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simdl.data.encoding import MANY
from simdl.data.memory import refuse_larger
from simdl.errors import InputError, suggest

if TYPE_CHECKING:
    import pandas

LARGEST = float(np.finfo(np.float32).max)  # a float32 network must be able to hold every number
MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
SHOWN = 10  # columns, values or problems named in one message
WHOLE = 2.0**53  # below it float64 holds every whole number
NOWHERE = -1  # row of a fault that is the whole column's

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


@dataclass(frozen=True)
class Column:
    """One column that is learned from; with `values` it holds texts, one feature a value."""

    name: str
    values: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return len(self.values) or 1

    @property
    def features(self) -> list[str]:
        """Names of the features: the column's own, or ``colour=red`` for each value."""
        return [f"{self.name}={value}" for value in self.values] or [self.name]


@dataclass(frozen=True)
class Form:
    """How a table was read, so that another one is read alike.

    Attributes
    ----------
    columns : what is learned from, in the order of the inputs
    target : name of the column to predict
    delimiter, header : of a CSV
    missing : None (refused), "mean" or "drop"
    """

    columns: tuple[Column, ...]
    target: str
    delimiter: str = ","
    header: bool | None = None
    missing: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(name for column in self.columns for name in column.features)


@dataclass(frozen=True, eq=False)
class Frame:
    """A table as it was read: columns of cells, and where in its file a row stands."""

    path: Path
    names: tuple[str, ...]
    cells: Sequence[pandas.Series[Any]]
    places: Callable[[set[int]], dict[int, str]]  # row -> "line 5"

    def __len__(self) -> int:
        return len(self.cells[0])

    def __getitem__(self, name: str) -> pandas.Series[Any]:
        return self.cells[self.names.index(name)]


class Remedies(NamedTuple):
    """What to do about a cell that is missing, and one that is no number in the column {name}."""

    missing: str
    number: str


TRAINING = Remedies(
    "fill it in, leave out the row, or choose missing='mean' or missing='drop'",
    "correct it, drop the column, or, if its numbers are names, give categories=['{name}']",
)
PREDICTING = Remedies("fill it in or leave out the row", "correct it or leave out the row")


@dataclass
class Faults:
    """What is wrong with cells: the first fault of each column."""

    frame: Frame
    remedies: Remedies = TRAINING
    found: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, row: int, column: str, why: str) -> None:
        self.found.append((row, column, why))

    def report(self) -> None:
        """Raise InputError with a line a fault, in the order of the file."""
        if not self.found:
            return
        found = sorted(self.found, key=lambda fault: fault[0])
        shown, path = found[:SHOWN], self.frame.path
        places = self.frame.places({row for row, _, _ in shown} - {NOWHERE})
        lines = [
            f"{path}: {places[row] + ', ' if row in places else ''}column {name!r}: {why}"
            for row, name, why in shown
        ]
        if len(found) > SHOWN:
            lines.append(f"{path}: ... and {len(found) - SHOWN} more columns")
        raise InputError(*lines)


@dataclass(frozen=True)
class Cells:
    """A column looked over: numbers where cells are such, texts, and which cells are missing."""

    values: NDArray[np.float64]
    text: pandas.Series[Any]
    missing: NDArray[np.bool_]

    def at(self, row: int) -> str:
        return repr(str(self.text.iloc[row]))

    @property
    def no_number(self) -> NDArray[np.bool_]:
        return np.isnan(self.values) & ~self.missing


def look_over(column: pandas.Series[Any]) -> Cells | str:
    """Return a column's cells, or what kind of things it holds that are none."""
    import pandas

    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf":
        values = column.to_numpy(np.float64, na_value=np.nan)
        return Cells(values, _named(column, values), np.isnan(values))
    if kind in "mMc":
        return str(column.dtype)
    none = column.isna().to_numpy(bool)
    first = next(iter(column[~none]), "")
    if not isinstance(first, str | bool | np.bool_ | numbers.Number | Decimal):
        return type(first).__name__
    text = column.astype(object).where(~none, "").map(str).str.strip()
    missing = text.str.lower().isin(MISSING).to_numpy(bool)
    if kind == "b":
        return Cells(np.full(len(column), np.nan), text, missing)
    numeric: NDArray[np.float64] = pandas.to_numeric(text, errors="coerce").to_numpy(np.float64)
    return Cells(np.where(missing, np.nan, numeric), text, missing)


def _named(column: pandas.Series[Any], values: NDArray[np.float64]) -> pandas.Series[Any]:
    """Numbers as what names them: 2.0 as 2, since whole numbers with gaps are stored as floats."""
    given = values[~np.isnan(values)]
    whole = given.size and np.all(given == np.floor(given)) and np.abs(given).max() < WHOLE
    return column.astype("Int64") if whole and column.dtype.kind == "f" else column


def fit_columns(
    frame: Frame, names: Sequence[str], categories: Collection[str], faults: Faults
) -> tuple[tuple[Column, ...], list[Cells]]:
    """Say of each named column whether it holds numbers or texts.

    A column of texts has no number in it, or is one of `categories`; where numbers and texts are
    mixed, the texts are faults.
    """
    columns, looked = [], []
    for name in names:
        cells = look_over(frame[name])
        if isinstance(cells, str):
            faults.add(NOWHERE, name, f"holds {cells}: must be numbers or texts; drop it")
            continue
        wrong, given = cells.no_number, ~cells.missing
        values: tuple[str, ...] = ()
        if not given.any():
            faults.add(NOWHERE, name, "holds no value at all; drop it")
        elif name in categories or (wrong.any() and wrong[given].all()):
            values = tuple(sorted({str(value) for value in cells.text[given]}))
            if name not in categories and all(map(_DECIMAL_COMMA.fullmatch, values)):
                why = f"{values[0]!r} has a decimal comma"
                faults.add(NOWHERE, name, f"{why}; write numbers with decimal points")
            elif len(values) > max(MANY, len(frame) / 2):
                why = f"{len(values)} different texts in {len(frame)} rows are no categories"
                faults.add(NOWHERE, name, f"{why}; drop it")
        columns.append(Column(name, values))
        looked.append(cells)
    return tuple(columns), looked


def encode_columns(
    columns: Sequence[Column], looked: Sequence[Cells], missing: str | None, faults: Faults
) -> NDArray[np.float64]:
    """Return the inputs (N, features), NaN where a cell is missing."""
    rows, width = len(faults.frame), sum(column.width for column in columns)
    refuse_larger(str(faults.frame.path), 8 * rows * width)
    x = np.empty((rows, width))
    start = 0
    for column, cells in zip(columns, looked, strict=True):
        part = x[:, start : start + column.width]
        start += column.width
        if missing is None and cells.missing.any():
            row = int(np.flatnonzero(cells.missing)[0])
            why = f"{cells.at(row)}: is missing; {faults.remedies.missing}"
            faults.add(row, column.name, why)
        elif column.values:
            _one_hot(part, column, cells, faults)
        else:
            _numbers(part, column, cells, faults)
    return x


def _numbers(part: NDArray[np.float64], column: Column, cells: Cells, faults: Faults) -> None:
    part[:, 0] = cells.values
    why = check_numbers(cells, faults.remedies.number.format(name=column.name))
    if why:
        faults.add(why[0], column.name, why[1])


def check_numbers(cells: Cells, remedy: str) -> tuple[int, str] | None:
    """Return the first row that holds no finite number, and why; missing cells are none of it."""
    wrong = np.flatnonzero(~(np.abs(cells.values) <= LARGEST) & ~cells.missing)
    if not wrong.size:
        return None
    row = int(wrong[0])
    if np.isnan(cells.values[row]):
        return row, f"{cells.at(row)}: is no number; {remedy}"
    return row, f"{cells.text.iloc[row]}: must be a finite number that float32 can hold"


def _one_hot(part: NDArray[np.float64], column: Column, cells: Cells, faults: Faults) -> None:
    texts = cells.text.map(str)
    numbers_of = {value: number for number, value in enumerate(column.values)}
    which = texts.map(numbers_of).to_numpy(np.float64, na_value=np.nan)
    unseen = np.flatnonzero(np.isnan(which) & ~cells.missing)
    if unseen.size:
        row = int(unseen[0])
        known = ", ".join(column.values[:SHOWN]) + (", ..." if column.width > SHOWN else "")
        why = f"{cells.at(row)}: was not there in training (known: {known})"
        faults.add(row, column.name, why)
    part[:] = which[:, None] == np.arange(column.width)
    part[cells.missing] = np.nan


def read_alike(frame: Frame, form: Form) -> NDArray[np.float64]:
    """Return inputs (N, features) of a new table; NaN where a cell is missing and may be.

    Raises
    ------
    InputError
        Naming each column that is not there, and each cell that cannot be used: row, column, value
        and, for texts, the values known from training.
    """
    absent = [column.name for column in form.columns if column.name not in frame.names]
    if absent:
        raise InputError(
            *(
                f"{frame.path}: has no column {name!r}{suggest(name, frame.names)}"
                for name in absent
            )
        )
    faults = Faults(frame, PREDICTING)
    looked = []
    for column in form.columns:
        cells = look_over(frame[column.name])
        if isinstance(cells, str):
            faults.add(NOWHERE, column.name, f"holds {cells}: must be numbers or texts")
        else:
            looked.append(cells)
    faults.report()
    x = encode_columns(form.columns, looked, form.missing, faults)
    faults.report()
    return x
