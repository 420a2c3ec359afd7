"""A user's Parquet file, read with pyarrow, which is an extra."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from simdl.data.columns import Frame
from simdl.data.memory import refuse_larger
from simdl.data.sources import Source
from simdl.data.tables import table_source
from simdl.errors import InputError

GROWTH = 3  # the columns, as pyarrow, pandas and this package hold them


def read_parquet(path: Path, **options: Any) -> Source:
    """Return the data set in Parquet file `path`.

    Parameters
    ----------
    **options
        Of :func:`simdl.data.tables.table_source`.

    Raises
    ------
    InputError
        If pyarrow is not installed; naming row (from 0) and column of what is missing or no number.
    """
    return table_source(parquet_frame(path), **options)


def parquet_frame(path: Path) -> Frame:
    """Return the cells of a Parquet file; errors are those of :func:`read_parquet`."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            f"{path}: reading Parquet needs pyarrow: pip install pyarrow (or simdl[parquet]); or"
            " save the table as CSV"
        )
    import pyarrow
    import pyarrow.parquet

    try:
        stored = pyarrow.parquet.ParquetFile(path)
        refuse_larger(
            str(path), GROWTH * 8 * stored.metadata.num_rows * stored.metadata.num_columns
        )
        table = stored.read().to_pandas(ignore_metadata=True)
    except (pyarrow.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: is no Parquet file, or a damaged one ({reason})") from None
    names = tuple(str(name) for name in table.columns)
    if not len(table) or not names:
        raise InputError(f"{path}: holds no rows")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} appears twice; rename one of them")
    cells = [table.iloc[:, i] for i in range(len(names))]
    return Frame(path, names, cells, lambda rows: {row: f"row {row}" for row in rows})
