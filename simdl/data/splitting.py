"""Which samples train, which validate and which test: drawn by seed, stratified by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.errors import InputError

Integers = NDArray[np.int64]

PARTS = ("training", "validation", "test")
ADVICE = "must be three fractions (train, validation, test) from 0 to 1 that add up to 1"


def check_fractions(split: Any) -> list[str]:
    """Return what is wrong with the fractions of a split, if anything."""
    if isinstance(split, str) or not isinstance(split, (Sequence, np.ndarray)) or len(split) != 3:
        return [f"data.split: {split!r}: {ADVICE}, such as (0.6, 0.2, 0.2)"]
    if not all(_is_fraction(f) for f in split):
        return [f"data.split: {split!r}: {ADVICE}"]
    if abs(sum(split) - 1) > 1e-9:
        return [f"data.split: {split!r}: adds up to {float(sum(split)):.6g}; {ADVICE}"]
    if split[0] == 0:
        return [f"data.split: {split!r}: leaves no training part; its first number must exceed 0"]
    return []


def _is_fraction(value: Any) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating))
    return number and not isinstance(value, bool) and bool(0 <= value <= 1)


def check_seed(seed: Any, key: str = "seed") -> list[str]:
    """Return what is wrong with a seed, if anything."""
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if whole and 0 <= seed < 2**32:
        return []
    return [f"{key}: {seed!r}: must be an integer from 0 to 4294967295 (2**32 - 1)"]


def allocate(sizes: Sequence[int] | Integers, split: Sequence[float]) -> Integers:
    """Return how many samples of each class go to each part: (classes, 3).

    Each number is the class's share rounded down or up, so off by less than one sample; a unit
    that rounding leaves goes to the part that earlier classes left shortest, so the parts' totals
    keep to their fractions too. A class's first sample trains. No seed enters: the parts of all
    seeds are of one size.
    """
    share = np.round(np.multiply.outer(np.asarray(sizes), np.asarray(split, dtype=float)), 9)
    counts: Integers = np.floor(share).astype(np.int64)
    owed = np.zeros(len(PARTS))
    for size, wanted, given in zip(sizes, share, counts, strict=True):
        if size and given[0] == 0:
            given[0] = 1
        owed += wanted - given
        shortest = np.lexsort((-owed, given >= wanted))[: int(size) - int(given.sum())]
        given[shortest] += 1
        owed[shortest] -= 1
    return counts


def split_indices(
    labels: Integers | None, n: int, split: Sequence[float], seed: int
) -> tuple[Integers, Integers, Integers]:
    """Return the sorted sample numbers of training, validation and test: disjoint, exhaustive.

    Parameters
    ----------
    labels : ndarray of int64 (n,) or None
        Classes to stratify by; None: none.
    n : int
        Number of samples.
    split : three floats
        Fractions of training, validation and test.
    seed : int
        0 to 2**32 - 1.

    Raises
    ------
    InputError
        For wrong fractions or seed, or where a part that has a fraction would stay empty.
    """
    problems = check_fractions(split) + check_seed(seed)
    if problems:
        raise InputError(*problems)
    labels = np.zeros(n, dtype=np.int64) if labels is None else labels
    counts = allocate(np.bincount(labels), split)
    for name, fraction, size in zip(PARTS, split, counts.sum(axis=0), strict=True):
        if fraction > 0 and size == 0:
            raise InputError(
                f"data.split: {tuple(split)!r}: the {name} part of {n} samples would be empty;"
                " give more samples, a larger fraction, or 0 to do without"
            )
    shuffled = _permutation(n, seed)
    grouped = shuffled[np.argsort(labels[shuffled], kind="stable")]
    part = np.empty(n, dtype=np.int64)
    part[grouped] = np.repeat(np.tile(np.arange(len(PARTS)), len(counts)), counts.ravel())
    train, validation, test = (np.flatnonzero(part == i) for i in range(len(PARTS)))
    return train, validation, test


def _permutation(n: int, seed: int) -> Integers:
    from simdl.kernels import philox  # late: `import simdl` must not import numba

    order = np.empty(n, dtype=np.int64)
    philox.permutation(order, int(seed), philox.STREAM_SPLIT, 0)
    return order
