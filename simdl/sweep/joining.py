"""From many trials' arrays to one labelled data set: a dimension an axis, seed, own dimensions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.errors import InputError
from simdl.sweep.forms import Array, Numbers
from simdl.sweep.grid import Axis, Cell
from simdl.sweep.outcomes import FAILED, Outcome, Stored

if TYPE_CHECKING:
    import xarray

_PATH = re.compile(r"\d+(\.\d+)*")  # of a layer: "10" comes after "9"
Key = tuple[int, int]  # cell, position of the seed


def join(
    axes: Sequence[Axis],
    cells: Sequence[Cell],
    seeds: Sequence[int],
    outcomes: Mapping[Key, Outcome],
) -> xarray.Dataset:
    """Return all outcomes in one dataset.

    Own dimensions are joined outer, by label where they have labels, else by position. Where a
    trial has no value stands NaN, in text "", and whole numbers and truth values become floats.

    Raises
    ------
    InputError
        If one variable has other dimensions in one trial than in another.
    """
    import xarray

    ordered = {key: outcomes[key] for key in sorted(outcomes)}
    outer = [axis.name for axis in axes] + ["seed"]
    shape = [len(axis.values) for axis in axes] + [len(seeds)]
    labels = _all_labels(ordered.values())
    place = {key: (*cells[key[0]].index, key[1]) for key in ordered}
    everywhere = _together(place, place)

    def spread(role: str, name: str) -> tuple[Array, Any]:
        """One variable over all trials: the first of its arrays, and the joined values."""
        found = {k: getattr(o, role)[name] for k, o in ordered.items() if name in getattr(o, role)}
        first = next(iter(found.values()))
        other = next((a for a in found.values() if a.dims != first.dims), None)
        if other is not None:
            raise InputError(
                f"{name}: has dimensions {first.dims} in one trial and {other.dims} in another:"
                " record it in sweeps of their own"
            )
        sizes = [len(labels[dim]) for dim in first.dims]
        dtype = np.result_type(*{array.values.dtype for array in found.values()})
        whole = len(found) == np.prod(shape) and all(
            list(array.values.shape) == sizes for array in found.values()
        )
        if not whole and dtype.kind in "biu":
            dtype = np.dtype(np.float64)
        if isinstance(first.values, Stored):
            return first, _from_store(found, place, ordered, labels, (*shape, *sizes), dtype)
        joined = np.full((*shape, *sizes), _missing(dtype), dtype)
        if not sizes:  # one number a trial: all at once
            at_once = everywhere if len(found) == len(place) else _together(place, found)
            joined[at_once] = [array.values for array in found.values()]
            return first, joined
        for key, array in found.items():
            at = [labels.positions(dim, ordered[key], size)
                  for dim, size in zip(first.dims, array.values.shape, strict=True)]  # fmt: skip
            where: tuple[Any, ...] = (*place[key], *np.ix_(*at))
            joined[where] = array.values
        return first, joined

    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = _outer(axes, seeds)
    for name in _names(ordered.values(), "variables"):
        first, joined = spread("variables", name)
        variables[name] = ([*outer, *first.dims], joined, dict(first.attrs))
    for name in _names(ordered.values(), "coordinates"):
        if name in labels.known:
            coordinates[name] = (name, labels.known[name])
            continue
        first, joined = spread("coordinates", name)
        flat = joined.reshape(-1, *joined.shape[len(outer) :])
        common = _common(flat)
        if common is None:  # labels that differ between trials, such as a layer's kind
            coordinates[name] = ([*outer, *first.dims], joined)
        else:
            coordinates[name] = (first.dims, common)
    return xarray.Dataset(variables, coordinates)


def _together(place: Mapping[Key, tuple[int, ...]], keys: Iterable[Key]) -> tuple[Any, ...]:
    """Return the places of these trials as one index."""
    return tuple(np.array([place[key] for key in keys]).T)


def _from_store(
    found: Mapping[Key, Array],
    place: Mapping[Key, tuple[int, ...]],
    ordered: Mapping[Key, Outcome],
    labels: _Labels,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Any:
    """Return one variable over all trials as an array that is read from the store later."""
    from simdl.sweep import lazy

    whose = {place[key]: (array, ordered[key]) for key, array in found.items()}
    within = partial(_within, labels, whose)
    stored = {place[key]: array.values for key, array in found.items()}
    source = lazy.Source(next(iter(stored.values())).path, stored, within)
    outer = len(next(iter(stored)))
    return lazy.lazily(lazy.LazyArray(source, shape, outer, dtype, _missing(dtype)))


def _within(
    labels: _Labels, whose: Mapping[tuple[int, ...], tuple[Array, Outcome]], at: tuple[int, ...]
) -> list[Sequence[int]]:
    array, outcome = whose[at]
    sizes = zip(array.dims, array.values.shape, strict=True)
    return [labels.positions(dim, outcome, size) for dim, size in sizes]


def _outer(axes: Sequence[Axis], seeds: Sequence[int]) -> dict[str, Any]:
    coordinates: dict[str, Any] = {"seed": ("seed", np.array(seeds, np.int64))}
    for axis in axes:
        coordinates[axis.name] = (axis.name, axis.labels())
        if len(axis.keys) > 1:
            coordinates |= {key: (axis.name, axis.labels(key)) for key in axis.keys}
    return coordinates


def refuse_clash(outcome: Outcome, taken: set[str]) -> None:
    """Raise InputError where a trial's names are those of axes, or name two things."""
    arrays = () if isinstance(outcome.variables, Numbers) else outcome.variables.values()
    own = {dim for array in arrays for dim in array.dims}
    for name in sorted({*own, *outcome.variables, *outcome.coordinates} & taken):
        raise InputError(f"{name}: is the name of an axis: give the measured quantity another")
    for name in sorted(set(outcome.variables) & (own | set(outcome.coordinates))):
        raise InputError(f"{name}: is the name of a dimension too: give one of them another")


def checked(outcome: Outcome, taken: set[str]) -> Outcome:
    """Return the outcome, as a failure where its names cannot stand beside the axes'."""
    try:
        refuse_clash(outcome, taken)
    except InputError as error:
        return replace(outcome, status=FAILED, message=str(error), variables={}, coordinates={})
    return outcome


class _Labels:
    """Labels of every own dimension, joined over trials; plain positions where it has none."""

    def __init__(self, known: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
        self.known = known
        self._sizes = sizes
        self._where = {
            dim: {label: i for i, label in enumerate(labels.tolist())}
            for dim, labels in known.items()
        }

    def __getitem__(self, dim: str) -> range | np.ndarray:
        return self.known[dim] if dim in self.known else range(self._sizes[dim])

    def positions(self, dim: str, outcome: Outcome, size: int) -> Sequence[int]:
        """Where one trial's labels stand among all."""
        if dim not in self.known:
            return range(size)
        where = self._where[dim]
        return [where[label] for label in outcome.coordinates[dim].values.tolist()]


def _all_labels(outcomes: Any) -> _Labels:
    known: dict[str, list[np.ndarray]] = {}
    sizes: dict[str, int] = {}
    for outcome in outcomes:
        if isinstance(outcome.variables, Numbers):
            continue  # they have no dimensions
        for array in [*outcome.variables.values(), *outcome.coordinates.values()]:
            for dim, size in zip(array.dims, array.values.shape, strict=True):
                sizes[dim] = max(size, sizes.get(dim, 0))
                if dim in outcome.coordinates:
                    known.setdefault(dim, []).append(outcome.coordinates[dim].values)
                elif dim in known:
                    raise InputError(f"{dim}: has labels in one trial and none in another")
    return _Labels({dim: _union(dim, all_of) for dim, all_of in known.items()}, sizes)


def _union(dim: str, all_of: Sequence[np.ndarray]) -> np.ndarray:
    """Join labels: numbers ascending, paths of layers in their order, other text as it came."""
    distinct = {array.tobytes() + array.dtype.str.encode(): array for array in all_of}.values()
    for array in distinct:
        if len(set(array.tolist())) < len(array):
            raise InputError(f"{dim}: has a label twice")
    seen = list(dict.fromkeys(label for array in distinct for label in array.tolist()))
    dtype = np.result_type(*{array.dtype for array in distinct})
    if dtype.kind != "U":
        seen.sort()
    elif all(_PATH.fullmatch(label) for label in seen):
        seen.sort(key=lambda label: [int(part) for part in label.split(".")])
    return np.array(seen, dtype)


def _names(outcomes: Any, role: str) -> list[str]:
    return list(dict.fromkeys(name for outcome in outcomes for name in getattr(outcome, role)))


def _missing(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "fc":
        return np.nan
    return "" if dtype.kind == "U" else 0


def _common(flat: np.ndarray) -> np.ndarray | None:
    """Return the values that all rows (trials, ...) share where they have any, else None."""
    missing = flat == "" if flat.dtype.kind == "U" else flat != flat
    common = flat[0].copy()
    for row, absent in zip(flat, missing, strict=True):
        gap = (common == "") if flat.dtype.kind == "U" else (common != common)
        common[gap] = row[gap]
        if (~absent & (row != common)).any():
            return None
    return common
