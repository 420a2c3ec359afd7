"""Arrays that stay in the store until somebody looks at them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from simdl.errors import StorageError
from simdl.sweep.outcomes import Stored
from simdl.sweep.store import Store

_AT_ONCE = 200  # arrays a query
_ROOM = 16e6  # bytes a query, unless one array takes more

Key = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """Where the arrays of one variable lie.

    Attributes
    ----------
    path : the store
    stored : what is there, by position on the axes and the seeds
    within : position on the own dimensions of each value along them, by the same key
    """

    path: Path
    stored: Mapping[Key, Stored]
    within: Callable[[Key], Sequence[Sequence[int]]]


class LazyArray(BackendArray):
    """One variable over all trials: (axes, seed, own dimensions); reads what is asked for.

    Parameters
    ----------
    shape : of the whole; the first `outer` dimensions are the axes and the seed
    missing : stands where a trial has no value
    """

    def __init__(
        self, source: Source, shape: tuple[int, ...], outer: int, dtype: np.dtype[Any], missing: Any
    ) -> None:
        self._source, self._outer, self._missing = source, outer, missing
        self.shape, self.dtype = shape, dtype

    def __deepcopy__(self, memo: Any) -> LazyArray:
        return self  # nothing in it changes

    def __getitem__(self, key: Any) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Return the values at integers, slices and arrays of positions, one a dimension."""
        wanted = [np.atleast_1d(np.arange(n)[k]) for n, k in zip(self.shape, key, strict=True)]
        outer, own, inner = wanted[: self._outer], wanted[self._outer :], self.shape[self._outer :]
        made = np.full([len(at) for at in wanted], self._missing, self.dtype)
        places: dict[Key, list[Key]] = {}
        for at in itertools.product(*(range(len(w)) for w in outer)):
            place = tuple(int(w[i]) for w, i in zip(outer, at, strict=True))
            if place in self._source.stored:
                places.setdefault(place, []).append(at)
        for place, values in self._values(list(places)):
            whole, within = values, self._source.within(place)
            if values.shape != inner or not all(isinstance(one, range) for one in within):
                whole = np.full(inner, self._missing, self.dtype)
                whole[np.ix_(*within)] = values
            for at in places[place]:
                made[at] = whole[np.ix_(*own)]
        single = [isinstance(k, int | np.integer) for k in key]
        return made.reshape([len(w) for w, one in zip(wanted, single, strict=True) if not one])

    def _values(self, places: Sequence[Key]) -> Iterator[tuple[Key, np.ndarray]]:
        """Yield the arrays of these trials, a few read at a time."""
        path, stored = self._source.path, self._source.stored
        if not path.is_file():
            raise StorageError(
                f"{path}: is gone: arrays of this dataset that were not read are too"
            )
        with Store(path) as store:
            largest = max((stored[place].nbytes for place in places), default=0)
            step = max(1, min(_AT_ONCE, int(_ROOM / max(largest, 1))))
            for start in range(0, len(places), step):
                part = places[start : start + step]
                named = [(stored[place].identity, stored[place].name) for place in part]
                found = _arrays(store, named)
                for place, name in zip(part, named, strict=True):
                    values = found.get(name)
                    if values is None or values.shape != stored[place].shape:
                        raise StorageError(
                            f"{path}: {name[1]} of trial {name[0][:12]} is no longer there as it"
                            " was: run the sweep again"
                        )
                    yield place, values


def _arrays(store: Store, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], np.ndarray]:
    """Return the variables that are stored of (identity, name)."""
    either = " OR ".join(["(identity = ? AND role = 'variable' AND name = ?)"] * len(named))
    with store.reading() as connection:
        rows = connection.execute(
            f"SELECT identity, name, dtype, shape, data FROM arrays WHERE {either}",
            [text for pair in named for text in pair],
        ).fetchall()
    return {(row[0], row[1]): store.decoded(*row) for row in rows}


def lazily(array: LazyArray) -> Any:
    """Return the array for xarray: read when it is looked at, kept once it is read whole."""
    kinds: Any = indexing  # as xarray wraps what it opens; its types do not say that they fit
    return kinds.MemoryCachedArray(kinds.CopyOnWriteArray(kinds.LazilyIndexedArray(array)))
