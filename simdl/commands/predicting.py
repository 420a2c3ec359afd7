"""`simdl predict`: what a saved network says of new samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from simdl.commands.files import write_csv
from simdl.commands.training import rows_of
from simdl.errors import InputError


def predict(folder: Path, data: str, output: Path | None, say: Callable[[str], None]) -> None:
    """Write a CSV of predictions for the samples of a file: the row, the answer, probabilities.

    Raises
    ------
    InputError, StorageError
    """
    from simdl.data.loading import samples
    from simdl.result import load

    result = load(folder)
    encoder = result.encoder
    filled = encoder.scaler is not None and encoder.scaler.fill is not None
    x = samples(data, encoder.form, filled)
    rows = np.arange(len(x))
    if encoder.form is not None and encoder.form.missing == "drop":
        rows = np.flatnonzero(~np.isnan(x).reshape(len(x), -1).any(axis=1))
        if len(rows) < len(x):
            say(f"{data}: {len(x) - len(rows)} rows with missing values are left out")
        if not len(rows):
            raise InputError(f"{data}: every row holds a missing value: nothing to predict")
        x = x[rows]
    try:
        predictions = result.predict(x)
    except InputError as error:
        raise InputError(*(f"{folder}: {problem}" for problem in error.problems)) from None
    header, lines = rows_of(predictions, rows)
    write_csv(output, header, lines)
