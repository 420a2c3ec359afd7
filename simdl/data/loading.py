"""From a name or a path to a data set."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.archives import read_npz, read_samples
from simdl.data.arrays import Data, inputs
from simdl.data.columns import Form, read_alike
from simdl.data.csv_files import csv_frame, read_csv
from simdl.data.generators import GENERATORS, draw
from simdl.data.handwritten import digits, mnist
from simdl.data.mnist1d import mnist1d
from simdl.data.parquet_files import parquet_frame, read_parquet
from simdl.data.scaling import check_scale
from simdl.data.sources import SPLIT, Source
from simdl.data.splitting import check_fractions, check_seed
from simdl.errors import InputError, suggest

FIXED: dict[str, tuple[Callable[..., Source], tuple[str, ...]]] = {
    "digits": (digits, ()),
    "mnist": (mnist, ()),
    "mnist1d": (mnist1d, ("samples",)),
}
NAMES = (*FIXED, *GENERATORS)
TABLE = ("task", "missing", "drop", "categories")
READERS: dict[str, tuple[Callable[..., Source], tuple[str, ...]]] = {
    ".csv": (read_csv, (*TABLE, "delimiter", "header")),
    ".npz": (read_npz, ("task", "missing")),
    ".parquet": (read_parquet, TABLE),
}


def source(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Source:
    """Return a whole data set, before splitting.

    Parameters
    ----------
    name_or_path : str or path
        ``"digits"`` (real, x (1797, 8, 8, 1) of 0 to 16, 10 classes); ``"mnist"`` (real, x
        (5000, 28, 28, 1) of 0 to 255, 10 classes; with the extra `mnist`); ``"mnist1d"``
        (sequences, x (5000, 40, 1), 10 classes, the last 1,000 published as the test set);
        ``"spirals"``, ``"moons"``, ``"circles"`` or ``"xor"`` (drawn by `seed`); or the path of a
        file ending in .csv, .parquet or .npz.
    target : str, optional
        The column of a table to predict; without it, the column named "target".
    seed : int
        Draws the toys; the others do not depend on it.
    **options
        Of the toys: `samples`, `noise`, and `classes`, `turns` (spirals), `factor` (circles). Of
        MNIST-1D: `samples`. Of files: `task` ("classification" or "regression") and `missing`
        ("mean" or "drop"); of tables also `drop` (columns to leave out) and `categories` (columns
        whose numbers are names); of CSV also `delimiter` and `header` (whether there is one).

    Raises
    ------
    InputError
    """
    problems = check_seed(seed)
    if problems:
        raise InputError(*problems)
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise InputError(f"data.name: {name_or_path!r}: must be a name or a path")
    name = os.fspath(name_or_path)
    reader = READERS.get(Path(name).suffix.lower())
    if isinstance(name_or_path, str) and name in NAMES:
        _refuse_target(name, target)
        if name in GENERATORS:
            return draw(name, seed, options)
        make, known = FIXED[name]
        _refuse_options(name, options, known)
        return make(**options)
    if reader is None:
        raise InputError(_unknown(name))
    read, known = reader
    _refuse_options(Path(name).suffix, options, known)
    path = _regular_file(name)
    if "drop" in known:
        return read(path, target=target, **options)
    _refuse_target(name, target)
    return read(path, **options)


def samples(
    path: str | os.PathLike[str], form: Form | None, missing: bool = False
) -> NDArray[np.float64]:
    """Return new samples (N, ...) from a file, without targets; NaN where one may be missing.

    Parameters
    ----------
    form : how the table that was trained on was read; None: it was an NPZ, and this must be one
    missing : whether an NPZ may hold NaN; of tables the form says it

    Raises
    ------
    InputError
        If the file does not fit the one that was trained on.
    """
    name = os.fspath(path)
    suffix = Path(name).suffix.lower()
    if suffix not in READERS:
        raise InputError(_unknown(name))
    file = _regular_file(name)
    if (form is None) != (suffix == ".npz"):
        wanted = "an NPZ file with an array x" if form is None else "a table, CSV or Parquet"
        raise InputError(f"data.path: {name}: must be {wanted}, as what was trained on")
    if form is None:
        return inputs(f"{name}: x", read_samples(file), missing)
    table = suffix == ".csv"
    named = form.header is not False  # what was trained on had a header, or said that it has none
    texts = [column.name for column in form.columns if column.values]
    frame = csv_frame(file, form.delimiter, named, texts) if table else parquet_frame(file)
    return read_alike(frame, form)


def load(
    name_or_path: str | os.PathLike[str],
    *,
    split: Sequence[float] = SPLIT,
    scale: str = "standard",
    target_scale: str = "none",
    seed: int = 0,
    target: str | None = None,
    **options: Any,
) -> Data:
    """Return a data set split and scaled, ready for training.

    Parameters
    ----------
    name_or_path : "digits", "mnist", "mnist1d"; "spirals", "moons", "circles", "xor", which are
        drawn; or the path of a file ending in .csv, .parquet or .npz (arrays `x` and `t`)
    split : fractions of training, validation and test; of fraction 0 a part is None
    scale : of the inputs, by the training part: "standard", "minmax" or "none"
    target_scale : the same of a regression's targets
    seed : draws the split, and the data that are drawn
    target : the column of a table to predict; default "target"
    **options : of files `task` ("classification" or "regression"), `missing` ("mean" or "drop"); of
        tables also `drop`, `categories` (columns whose numbers are names); of CSV also `delimiter`
        and `header`. Of drawn data `samples`, `noise`, `classes`, `turns`, `factor`; of MNIST-1D
        `samples`. More of each in :func:`source`.

    Raises
    ------
    InputError
        With every problem of the arguments, or the first fault of each column of a table.
    """
    problems = check_fractions(split) + check_scale(scale) + check_seed(seed)
    problems += check_scale(target_scale, "target_scale")
    if problems:
        raise InputError(*problems)
    whole = source(name_or_path, target=target, seed=seed, **options)
    return whole.split(split, scale, seed, target_scale)


def state_of(where: str) -> tuple[int, int]:
    """What changes when a file does: it is read again then."""
    try:
        found = Path(where).expanduser().stat()
    except (OSError, ValueError):
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=16)
def read_once(
    where: str, state: tuple[int, int], target: str | None, options: tuple[tuple[str, Any], ...]
) -> Source:
    return source(where, target=target, **dict(options))


def _regular_file(name: str) -> Path:
    path = Path(name).expanduser()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"data.path: {name}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(f"data.path: {name!r}: cannot be read: {error}") from None
    if not stat.S_ISREG(mode):
        raise InputError(f"data.path: {name}: is no regular file; give a CSV, Parquet or NPZ file")
    return path


def _unknown(name: str) -> str:
    suffix = Path(name).suffix
    if Path(name).is_dir():
        return f"data.path: {name}: is a folder: name a file that ends in .csv, .npz or .parquet"
    if suffix or os.sep in name:
        tabs = "; rename it to .csv, with delimiter='\\t'" if suffix.lower() == ".tsv" else ""
        return (
            f"data.path: {name}: cannot read files of this kind; must end in .csv, .npz or"
            f" .parquet{tabs}"
        )
    return f"data.name: {name!r}: no such data set{suggest(name.lower(), NAMES)}; or give a path"


def _refuse_target(name: str, target: str | None) -> None:
    if target is not None:
        raise InputError(
            f"data.target: {target!r}: only tables (CSV, Parquet) have columns, {name} has not"
        )


def _refuse_options(kind: str, options: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = [option for option in options if option not in known]
    if unknown:
        hint = [suggest(o, known) if known else " (it takes none)" for o in unknown]
        raise InputError(
            *(f"data.{o}: unknown option of {kind}{h}" for o, h in zip(unknown, hint, strict=True))
        )
