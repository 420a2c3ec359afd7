"""What a user should know of a data set before a training on it is taken for what it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simdl.data.sources import Source

SHOWN = 5  # names in one remark
PARTS = 3  # training, validation, test


def remarks(source: Source) -> list[str]:
    """Return a line for each oddity: texts, constant columns, rare classes, one-hot targets."""
    return [*_texts(source), *_constant(source), *_rare(source), *_one_hot(source)]


def _texts(source: Source) -> Iterator[str]:
    columns = [column for column in (source.form.columns if source.form else ()) if column.values]
    if columns:
        told = _listed([f"{column.name!r} ({len(column.values)})" for column in columns])
        yield f"columns of texts, an input for each value: {told}"


def _constant(source: Source) -> Iterator[str]:
    if source.x.ndim != 2:
        return  # a pixel may well be the same in all pictures
    low, high = source.x.min(axis=0), source.x.max(axis=0)  # NaN, a missing value, equals nothing
    names = source.feature_names or tuple(str(i) for i in range(source.x.shape[1]))
    constant = [repr(names[i]) for i in np.flatnonzero(low == high)]
    if constant:
        yield f"the same in every sample, so nothing to learn from: column {_listed(constant)}"


def _rare(source: Source) -> Iterator[str]:
    if source.classes is None:
        return
    counts = np.bincount(source.t, minlength=len(source.classes))
    rare = [f"{source.classes[i]!r} ({counts[i]})" for i in np.flatnonzero(counts < PARTS)]
    if rare:
        yield f"too few samples for training, validation and test: class {_listed(rare)}"


def _one_hot(source: Source) -> Iterator[str]:
    if source.t.ndim == 1 or source.t.shape[1] == 1 or not np.isin(source.t, (0, 1)).all():
        return
    if (source.t.sum(axis=1) == 1).all():
        yield "each target is one among zeros; if it stands for a class, save t.argmax(axis=1)"


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
