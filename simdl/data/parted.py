"""Parts of a large source that are made when they are asked for: what stays are sample numbers."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.arrays import PARTS, Data, Part, inputs, targets
from simdl.data.columns import LARGEST
from simdl.data.scaling import Scaler
from simdl.data.splitting import Integers

if TYPE_CHECKING:
    from simdl.data.sources import Source

LARGE = 8e6  # bytes of samples from which it pays
BLOCK = 1e6  # bytes that are scaled at a time, three times over
_MAKING = threading.Lock()  # one at a time: jobs that want the same samples get the same


class PartedData(Data):
    """A `Data` that shares its source's arrays.

    `train`, `validation` and `test` are scaled anew each time, read-only; `samples` gives them in
    the network's type, one copy for all who use it at the same time.

    Parameters
    ----------
    rows : sample numbers of training, validation and test
    scaler, answers : fitted on the training part; None: targets are as they are
    """

    def __init__(
        self,
        source: Source,
        rows: tuple[Integers, Integers, Integers],
        scaler: Scaler,
        answers: Scaler | None,
    ) -> None:
        held: weakref.WeakValueDictionary[Any, NDArray[Any]] = weakref.WeakValueDictionary()
        given = {
            "source": source, "rows": dict(zip(PARTS, rows, strict=True)), "held": held,
            "classes": source.classes, "scaler": scaler, "name": source.name,
            "feature_names": source.feature_names, "target_scaler": answers, "form": source.form,
        }  # fmt: skip
        for key, value in given.items():
            object.__setattr__(self, key, value)

    source: Source
    rows: dict[str, Integers]
    held: weakref.WeakValueDictionary[Any, NDArray[Any]]

    @property
    def train(self) -> Part:
        made = self._part("train")
        assert made is not None
        return made

    @property
    def validation(self) -> Part | None:
        return self._part("validation")

    @property
    def test(self) -> Part | None:
        return self._part("test")

    @property
    def sizes(self) -> tuple[int, int, int]:
        train, validation, test = (len(self.rows[part]) for part in PARTS)
        return train, validation, test

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.source.x.shape[1:])

    @property
    def n_classes(self) -> int | None:
        if self.source.t.ndim == 2:
            return None
        if self.classes is not None:
            return len(self.classes)
        return 1 + max(int(self.source.t[rows].max()) for rows in self.rows.values() if rows.size)

    def _part(self, part: str) -> Part | None:
        rows = self.rows[part]
        if not rows.size:
            return None
        x, t = self.scaler.apply(self.source.x[rows]), self.answers(part)  # type: ignore[union-attr]
        made = inputs(f"{part}.x", x), targets(f"{part}.t", t)
        for array in made:
            array.flags.writeable = False
        return made

    def answers(self, part: str) -> NDArray[Any]:
        """Return a part's labels or targets."""
        t = self.source.t[self.rows[part]]
        return t if self.target_scaler is None else self.target_scaler.apply(t)

    def samples(self, part: str, dtype: Any) -> NDArray[Any]:
        """Return a part's samples (n, features) in `dtype`; whoever gets them must not write."""
        key = part, np.dtype(dtype).str
        with _MAKING:
            found = self.held.get(key)
            if found is None:
                found = self.held[key] = self._scaled(part, dtype)
        return found

    def _scaled(self, part: str, dtype: Any) -> NDArray[Any]:
        rows, size = self.rows[part], int(np.prod(self.input_shape))
        made = np.empty((len(rows), size), dtype)
        for block in blocks(len(rows), 8 * size):
            scaled = self.scaler.apply(self.source.x[rows[block]])  # type: ignore[union-attr]
            if not max(-scaled.min(), scaled.max()) <= LARGEST:  # NaN comes through both
                self._part(part)  # says which row and column
            made[block] = scaled.reshape(len(scaled), size)
        return made


class Kept:
    """The data sets last asked for, as many as `room` bytes hold; their arrays are read-only.

    Splitting and scaling a small one takes as long as a hundred steps of training.
    """

    def __init__(self, room: float) -> None:
        self._room, self._taken = room, 0
        self._found: OrderedDict[Any, tuple[Data, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Data]) -> Data:
        """Return what is kept for `key`, or what `make` returns, which is kept from then on."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key][0]
        data = make()
        if isinstance(data, PartedData):  # shares its arrays by itself, for as long as it is used
            return data
        arrays = [array for part in PARTS for array in getattr(data, part) or ()]
        for array in arrays:
            array.flags.writeable = False
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            if key not in self._found:
                self._found[key] = data, size
                self._taken += size
            while self._taken > self._room:
                self._taken -= self._found.popitem(last=False)[1][1]
        return data


def blocks(count: int, bytes_each: int) -> Iterator[slice]:
    """Yield slices of `count` things that take at most BLOCK bytes together, at least two."""
    step = max(2, int(BLOCK / max(bytes_each, 1)))
    ends = [*range(0, max(count - 1, 1), step), count]  # no single one is left at the end
    for start, stop in itertools.pairwise(ends):
        yield slice(start, stop)
