"""`Source`: one data set, whole, before it is split and scaled."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.arrays import Data, inputs, targets
from simdl.data.columns import Form
from simdl.data.parted import LARGE, PartedData, blocks
from simdl.data.scaling import Scaler, check_scale, fit
from simdl.data.splitting import Integers, check_fractions, check_seed, split_indices
from simdl.errors import InputError

SPLIT = (0.6, 0.2, 0.2)
_PARTING = threading.Lock()
FEW = 10  # classes, which may be numbers however few the rows


def _are_numbers(classes: tuple[str, ...] | None, rows: int) -> bool:
    """Whether classes are numbers, and so many that nearly every row has one of its own."""
    if classes is None or len(classes) <= max(FEW, rows / 2):
        return False
    try:
        return bool(np.isfinite([float(name) for name in classes]).all())
    except ValueError:
        return False


@dataclass(frozen=True, eq=False)
class Source:
    """A data set before splitting; its arrays are read-only.

    Parameters
    ----------
    x : ndarray of float64 (N, ...)
    t : ndarray of int64 (N,) or of float64 (N, k)
        Labels or targets.
    classes : tuple of str or None
        Names of the classes, in the order of the labels; None in regression.
    feature_names : tuple of str
        Names of the columns; empty where they have none.
    name : str
        What the data set is called, or the path it was read from.
    tested : int
        How many samples, the last ones, are a published test set; 0 where there is none.
    missing : bool
        Whether `x` may hold NaN: a missing value, which becomes the training part's mean.
    form : Form or None
        How a table was read.
    rows : ndarray of int64 (N,) or None
        Where each sample stands in its file, from 0; None: one after the other.
    left_out : int
        Rows of the file that were left out for their missing values.
    """

    x: NDArray[Any]
    t: NDArray[Any]
    classes: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] = ()
    name: str = "arrays"
    tested: int = 0
    missing: bool = False
    form: Form | None = None
    rows: NDArray[np.int64] | None = None
    left_out: int = 0

    def __post_init__(self) -> None:
        x, t = inputs("x", self.x, self.missing), targets("t", self.t)
        if len(x) != len(t):
            raise InputError(f"{self.name}: {len(x)} samples in x but {len(t)} in t: must be equal")
        for key, array in (("x", x), ("t", t)):
            view = array.view()  # one source may serve many callers; the caller's own array stays
            view.flags.writeable = False
            object.__setattr__(self, key, view)

    def __reduce__(self) -> Any:
        """Copies are read-only, too; who shares the parts of this one does not travel with it."""
        return Source, tuple(getattr(self, field.name) for field in fields(self))

    def __repr__(self) -> str:
        kind = f"{len(self.classes)} classes" if self.classes else "regression"
        return f"Source({self.name}: {len(self.x)} samples of {self.x.shape[1:]}, {kind})"

    def indices(self, split: Sequence[float], seed: int) -> tuple[Integers, Integers, Integers]:
        """Return which samples train, which validate, which test."""
        if _are_numbers(self.classes, len(self.t)):
            count = len(self.classes or ())
            raise InputError(
                f"data.task: 'classification': {count} classes in {len(self.t)} rows: the target"
                " looks like numbers: task='regression'"
            )
        labels, n = (self.t if self.t.ndim == 1 else None), len(self.x)
        if not self.tested:
            return split_indices(labels, n, split, seed)
        published = self.tested / n
        if split[2] > 0 and abs(split[2] - published) > 1e-9:
            raise InputError(
                f"data.split: {tuple(split)!r}: {self.name} has a published test set: the test"
                f" fraction must be {published:g}, or 0 to leave it unused"
            )
        rest = n - self.tested
        shares = (split[0] / (split[0] + split[1]), split[1] / (split[0] + split[1]), 0)
        inner = labels if labels is None else labels[:rest]
        train, validation, _ = split_indices(inner, rest, shares, seed)
        return train, validation, np.arange(rest, n if split[2] > 0 else rest)

    def split(
        self,
        split: Sequence[float] = SPLIT,
        scale: str = "standard",
        seed: int = 0,
        target_scale: str = "none",
    ) -> Data:
        """Return the data in parts, scaled by what the training part shows.

        Parameters
        ----------
        split : three floats
            Fractions of training, validation and test; a part of fraction 0 is None. Labels are
            stratified: each part holds its fraction of each class to within one sample. A
            published test set stays the test part, whatever the seed: its fraction must be the
            published one, or 0 to leave it unused.
        scale : str
            ``"standard"``, ``"minmax"`` or ``"none"``.
        seed : int
            0 to 2**32 - 1; draws which sample goes where.
        target_scale : str
            The same for the targets of a regression, without clipping.

        Raises
        ------
        InputError
        """
        (train, validation, test), scaler, answers = self._prepared(
            split, scale, seed, target_scale
        )

        def part(rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]] | None:
            t = self.t[rows] if answers is None else answers.apply(self.t[rows])
            return (scaler.apply(self.x[rows]), t) if rows.size else None

        trained = part(train)
        assert trained is not None
        return Data(
            train=trained,
            validation=part(validation),
            test=part(test),
            classes=self.classes,
            scaler=scaler,
            name=self.name,
            feature_names=self.feature_names,
            target_scaler=answers,
            form=self.form,
        )

    def parted(
        self,
        split: Sequence[float] = SPLIT,
        scale: str = "standard",
        seed: int = 0,
        target_scale: str = "none",
    ) -> Data:
        """Return what `split` does; parts of a large source share its arrays.

        While one is in use, whoever asks for the same gets the same.
        """
        if self.x.nbytes < LARGE:
            return self.split(split, scale, seed, target_scale)
        key = (*split, scale, seed, target_scale)
        with _PARTING:
            found = self._parted.get(key)
            if found is None:
                prepared = self._prepared(split, scale, seed, target_scale)
                found = self._parted[key] = PartedData(self, *prepared)
        return found

    @cached_property
    def _parted(self) -> weakref.WeakValueDictionary[Any, PartedData]:
        return weakref.WeakValueDictionary()

    def _prepared(
        self, split: Sequence[float], scale: str, seed: int, target_scale: str
    ) -> tuple[tuple[Integers, Integers, Integers], Scaler, Scaler | None]:
        """Return sample numbers of the parts, and the scalers that fit the training part."""
        problems = check_fractions(split) + check_scale(scale) + check_seed(seed)
        problems += check_scale(target_scale, "target_scale")
        if problems:
            raise InputError(*problems)
        if target_scale != "none" and self.t.ndim == 1:
            raise InputError(f"data.target_scale: {target_scale!r}: classes have no scale")
        rows = self.indices(split, seed)
        scaler = fit_rows(scale, self.x, rows[0], fill=self.missing)
        answers = None
        if target_scale != "none":
            answers = fit(target_scale, self.t[rows[0]], clip=np.inf)
        return rows, scaler, answers

    @cached_property
    def digest(self) -> str:
        """Hex sha256 over type, shape and bytes of `x` and `t`."""
        total = hashlib.sha256()
        for array in (self.x, self.t):
            total.update(f"{array.dtype.str} {array.shape} ".encode())
            total.update(array.data)
        return total.hexdigest()


def fit_rows(kind: str, x: NDArray[Any], rows: Integers, *, fill: bool = False) -> Scaler:
    """Return the scaler of samples `x[rows]`, a few features at a time: `x` may be large.

    Features are fitted each for itself: the bits are those of `fit`.
    """
    if x.nbytes < LARGE:
        return fit(kind, x[rows], fill=fill)
    flat = x.reshape(len(x), -1)
    # four times a block of samples: less would leave most of each cache line unread
    features = blocks(flat.shape[1], 2 * len(rows))
    made = [fit(kind, flat[rows, some], fill=fill) for some in features]

    def joined(key: str) -> NDArray[Any]:
        return np.concatenate([getattr(one, key) for one in made]).reshape(x.shape[1:])

    means = joined("fill") if fill else None
    return Scaler(kind, joined("shift"), joined("scale"), made[0].clip, means)
