"""`Data`: arrays that are ready for training, checked once, here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.answers import Encoder
from simdl.data.columns import LARGEST, Form
from simdl.data.scaling import Scaler
from simdl.errors import InputError

Part = tuple[NDArray[Any], NDArray[Any]]

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in parts.

    Parameters
    ----------
    train : tuple of arrays
        ``(x, t)``. `x` (N, ...), numbers, becomes C-contiguous float64. `t` is labels (N,)
        from 0 up, integer or bool, which become int64; or targets (N,) or (N, k), float, which
        become float64 (N, k).
    validation, test : tuple of arrays, optional
        The same for the other parts.
    classes : tuple of str, optional
        Names of the classes, in the order of the labels.
    scaler : Scaler, optional
        What was done to `x`: new samples need the same.
    name : str
        Where the data came from.
    feature_names : tuple of str
        Names of the features of a table, in the order of `x`; empty for arrays.
    target_scaler : Scaler, optional
        What was done to `t`, in regression.
    form : Form, optional
        How a table was read: another one is to be read alike.

    Raises
    ------
    InputError
        Where parts do not match each other, are empty, or hold what is no finite number; it names
        part, row (counted from 0) and column.
    """

    train: Part
    validation: Part | None = None
    test: Part | None = None
    classes: tuple[str, ...] | None = None
    scaler: Scaler | None = None
    name: str = "arrays"
    feature_names: tuple[str, ...] = ()
    target_scaler: Scaler | None = None
    form: Form | None = None

    def __post_init__(self) -> None:
        given = {part: getattr(self, part) for part in PARTS}
        if given["train"] is None:
            raise InputError("train: None: the training part is needed, as a pair (x, t)")
        parts = {part: _part(part, pair) for part, pair in given.items() if pair is not None}
        for part, (x, t) in parts.items():
            _same(part, x, t, *parts["train"])
            object.__setattr__(self, part, (x, t))
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(str(name) for name in self.classes))
            self._check_classes(parts)

    def _check_classes(self, parts: dict[str, Part]) -> None:
        assert self.classes is not None
        for part, (_, t) in parts.items():
            if t.ndim == 2:
                raise InputError(f"classes: {self.classes}: {part}.t holds floats; give int labels")
            if t.max() >= len(self.classes):
                row = int(t.argmax())
                raise InputError(
                    f"{part}.t: label {t[row]} in row {row}: must be below {len(self.classes)},"
                    " the number of classes"
                )

    @property
    def n_classes(self) -> int | None:
        """Number of classes (named, else the largest label of any part + 1); None in regression."""
        if self.train[1].ndim == 2:
            return None
        if self.classes is not None:
            return len(self.classes)
        parts = (pair for pair in (self.train, self.validation, self.test) if pair is not None)
        return 1 + max(int(t.max()) for _, t in parts)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Samples of training, validation and test; 0 for a part that is not there."""
        parts = (self.train, self.validation, self.test)
        train, validation, test = (0 if pair is None else len(pair[0]) for pair in parts)
        return train, validation, test

    @property
    def encoder(self) -> Encoder:
        """What new samples and their answers go through."""
        classes = self.classes
        if classes is None and self.n_classes is not None:
            classes = tuple(map(str, range(self.n_classes)))
        return Encoder(self.form, self.scaler, self.target_scaler, classes)

    def samples(self, part: str, dtype: Any) -> NDArray[Any]:
        """Return the samples of a part that is there, (n, features) in `dtype`."""
        x: NDArray[Any] = getattr(self, part)[0]
        return x.reshape(len(x), -1).astype(dtype)

    def answers(self, part: str) -> NDArray[Any]:
        """Return the labels or targets of a part that is there."""
        t: NDArray[Any] = getattr(self, part)[1]
        return t

    def __repr__(self) -> str:
        counts = "/".join(str(size) for size in self.sizes if size)
        kind = f"{self.n_classes} classes" if self.n_classes else "regression"
        return f"Data({self.name}: {counts} samples of {self.input_shape}, {kind})"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train[0].shape[1:])


def inputs(key: str, values: Any, missing: bool = False) -> NDArray[np.float64]:
    """Return `values` as samples (N, ...), C-contiguous float64; messages call them `key`.

    With `missing`, NaN is allowed: a value that is not known.
    """
    x = _array(key, values)
    if x.dtype.kind not in "biuf":
        raise InputError(f"{key}: dtype {x.dtype}: must be real numbers")
    if x.ndim < 2:
        raise InputError(
            f"{key}: shape {x.shape}: must be (N, features...), one sample a row;"
            " for one feature use x.reshape(-1, 1)"
        )
    if x.size == 0:
        raise InputError(f"{key}: shape {x.shape}: holds no numbers; at least one sample is needed")
    x = np.ascontiguousarray(x, dtype=np.float64)
    _finite(key, x, missing)
    return x


def targets(key: str, values: Any) -> NDArray[Any]:
    """Return `values` as labels (N,) int64 or as targets (N, k) float64."""
    t = _array(key, values)
    if t.dtype.kind not in "biuf":
        raise InputError(
            f"{key}: dtype {t.dtype}: must be integer labels from 0 up, or floats for regression"
        )
    if t.size == 0:
        raise InputError(f"{key}: shape {t.shape}: is empty; one target a sample is needed")
    if t.dtype.kind == "f":
        if t.ndim not in (1, 2):
            raise InputError(f"{key}: shape {t.shape}: float targets must be (N,) or (N, k)")
        t = np.ascontiguousarray(t.reshape(len(t), -1), dtype=np.float64)
        _finite(key, t)
        return t
    if t.ndim != 1:
        raise InputError(
            f"{key}: shape {t.shape}: integer labels must be (N,); for regression pass floats"
        )
    if t.min() < 0:
        row = int(t.argmin())
        raise InputError(f"{key}: label {t[row]} in row {row}: labels count from 0 up")
    return np.ascontiguousarray(t, dtype=np.int64)


def _array(key: str, values: Any) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError:  # rows of differing length
        raise InputError(f"{key}: is no array: its rows differ in length") from None


def _finite(key: str, values: NDArray[np.float64], missing: bool = False) -> None:
    """Refuse NaN, inf and what float32 cannot hold, naming the first one's row and column."""
    largest = max(-values.min(), values.max())  # NaN comes through both
    if largest <= LARGEST:
        return
    wrong = ~(np.abs(values) <= LARGEST)
    if missing:
        wrong &= ~np.isnan(values)
        if not wrong.any():
            return
    where = np.argwhere(wrong)[0]
    row, column = int(where[0]), tuple(int(i) for i in where[1:])
    raise InputError(
        f"{key}: {values[tuple(where)]} in row {row}, column"
        f" {column[0] if len(column) == 1 else column}:"
        " must be a finite number that float32 can hold"
    )


def _part(part: str, pair: Any) -> Part:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(f"{part}: {type(pair).__name__}: must be a pair (x, t)")
    x, t = inputs(f"{part}.x", pair[0]), targets(f"{part}.t", pair[1])
    if len(x) != len(t):
        raise InputError(f"{part}: {len(x)} samples in x but {len(t)} in t: must be as many")
    return x, t


def _same(part: str, x: NDArray[Any], t: NDArray[Any], x0: NDArray[Any], t0: NDArray[Any]) -> None:
    """Refuse a part that differs from the training part in kind or shape."""
    if x.shape[1:] != x0.shape[1:]:
        raise InputError(
            f"{part}.x: samples of shape {x.shape[1:]}: must be {x0.shape[1:]} as in train.x"
        )
    if t.dtype != t0.dtype:
        raise InputError(
            f"{part}.t: {_kind(t)} where train.t holds {_kind(t0)}: must be of one kind"
        )
    if t.shape[1:] != t0.shape[1:]:
        raise InputError(f"{part}.t: {t.shape[1]} columns: must be {t0.shape[1]} as in train.t")


def _kind(t: NDArray[Any]) -> str:
    return "float targets" if t.ndim == 2 else "integer labels"
