"""What a trial left, as rows: its numbers in one, their names and types once for all; arrays.

A **form** lists the variables of a trial in order: of a number its name, type and attributes, of an
array, which has a row of its own, the name. Trials of a sweep mostly share one, so a trial costs
the bytes of its numbers: half the space and a third of the time of a row for each.
"""

from __future__ import annotations

import functools
import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

# texts of the same few kinds come with every trial: reading one anew takes as long as all the rest
once = functools.lru_cache(maxsize=1024)


class Array(NamedTuple):
    """Values with a name for every dimension, and what xarray calls attributes."""

    values: Any  # ndarray, or Stored
    dims: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = {}


_CODES = {bool: "?", int: "q", float: "d"}


class Number(NamedTuple):
    """One variable of a form; without a type, an array."""

    name: str
    dtype: np.dtype[Any] | None
    attrs: Mapping[str, Any]
    offset: int  # bytes before it


class Numbers(Mapping[str, Array]):
    """Variables that are all numbers, made when they are looked at.

    Thousands of trials are held at once; as arrays in a dict each, they would keep the garbage
    collector busier than reading them does.

    Parameters
    ----------
    form : its text
    packed : the bytes of the numbers, one behind the other
    """

    __slots__ = ("_entries", "bytes", "form")

    def __init__(self, form: str, packed: bytes) -> None:
        self.form, self.bytes, self._entries = form, packed, _entries(form)[0]

    def __getitem__(self, name: str) -> Array:
        _, dtype, attrs, at = self._entries[name]
        return Array(np.ndarray((), dtype, self.bytes, at), (), attrs)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def numbers(values: Mapping[str, float]) -> Numbers:
    """Return truth values, whole numbers and floats as variables."""
    form, layout = _layout(tuple((name, type(value)) for name, value in values.items()))
    return Numbers(form, layout.pack(*values.values()))


def packed(variables: Mapping[str, Array]) -> tuple[str, bytes]:
    """Return the form of these variables, as text, and the bytes of all numbers among them."""
    if isinstance(variables, Numbers):
        return variables.form, variables.bytes
    entries = tuple(
        (name,) if values.ndim else (name, values.dtype.str, attributes(attrs))
        for name, (values, _, attrs) in variables.items()
    )
    return _text(entries), b"".join([a.values.tobytes() for a in variables.values() if not a.dims])


def unpacked(form: str, packed: bytes) -> Mapping[str, Any]:
    """Return the variables of a form in order; None where an array belongs, then in a dict.

    Raises
    ------
    TypeError, ValueError
        If the text is no form, or there are not the bytes of its numbers.
    """
    entries, size = _entries(form)
    if len(packed) != size:
        raise ValueError(f"{len(packed)} bytes of numbers: must be {size}")
    made = Numbers(form, packed)
    if entries and all(number.dtype for number in entries.values()):
        return made
    return {name: made[name] if number.dtype else None for name, number in entries.items()}


def rows_of(
    identity: str, variables: Mapping[str, Array], coordinates: Mapping[str, Array]
) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each array of a trial; its numbers are in the trial's own row."""
    if isinstance(variables, Numbers):
        variables = {}
    for role, arrays in (("variable", variables), ("coordinate", coordinates)):
        for name, (values, dims, attrs) in arrays.items():
            if dims:
                yield (
                    identity, role, name, values.dtype.str, _json(values.shape), _json(dims),
                    attributes(attrs), values.tobytes(),
                )  # fmt: skip


@once
def dtype_of(text: str) -> np.dtype[Any]:
    """Return the type of a row's array."""
    return np.dtype(text)


@once
def shape_of(text: str) -> tuple[int, ...]:
    """Return the shape of a row's array."""
    return tuple(json.loads(text))


@once
def labels_of(dims: str, attrs: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Return the dimensions and the attributes of a row's array."""
    return tuple(json.loads(dims)), json.loads(attrs)


def names(form: str) -> list[tuple[str, bool]]:
    """Return the names of a form's variables, and of each whether it is a number."""
    return [(name, number.dtype is not None) for name, number in _entries(form)[0].items()]


def key_of(form: str) -> str:
    """Return what stands for a form in the rows of its trials."""
    return hashlib.sha256(form.encode()).hexdigest()[:16]


def attributes(attrs: Mapping[str, Any]) -> str:
    """Return attributes as text."""
    return json.dumps(dict(attrs)) if attrs else "{}"


@once
def _json(values: tuple[Any, ...]) -> str:
    return json.dumps(values)


@once
def _text(entries: Sequence[tuple[str, ...]]) -> str:
    return json.dumps([*map(list, entries)])


@once
def _layout(kinds: Sequence[tuple[str, type]]) -> tuple[str, struct.Struct]:
    """Return the form of numbers of Python's own types, and what packs them."""
    entries = tuple((name, np.dtype(kind).str, "{}") for name, kind in kinds)
    return _text(entries), struct.Struct("=" + "".join(_CODES[kind] for _, kind in kinds))


@once
def _entries(form: str) -> tuple[dict[str, Number], int]:
    found: dict[str, Number] = {}
    size = 0
    for name, *rest in json.loads(form):
        dtype = np.dtype(rest[0]) if rest else None
        found[name] = Number(name, dtype, json.loads(rest[1]) if rest else {}, size)
        size += 0 if dtype is None else dtype.itemsize
    return found, size
