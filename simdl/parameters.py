"""Parameters of a network: named views of one flat vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from simdl.errors import InputError, suggest

if TYPE_CHECKING:
    from simdl.engine.program import Parameter


class Parameters(Mapping[str, np.ndarray]):
    """Maps "0.weight", "0.bias", ... to writable views of `flat`.

    Attributes
    ----------
    flat : (p,) all parameters, layer by layer, weight before bias, no padding: the vector given,
        or a copy where that is read-only or has gaps (a column of a matrix, a broadcast number)
    buffers : running statistics, likewise; empty where there are none

    Raises
    ------
    InputError
        If the vector is no float32 or float64 (p,), with p what the named arrays need.
    """

    def __init__(
        self, table: Sequence[Parameter], flat: np.ndarray, buffers: Parameters | None = None
    ) -> None:
        self.flat = _dense(flat, sum(entry.size for entry in table))
        self._buffers = buffers
        self._table = tuple(table)

    @cached_property
    def _views(self) -> dict[str, np.ndarray]:
        flat = self.flat
        return {
            entry.name: flat[entry.offset : entry.offset + entry.size].reshape(entry.shape)
            for entry in self._table
        }

    @property
    def buffers(self) -> Parameters:
        """Running statistics, as another such mapping."""
        if self._buffers is None:
            self._buffers = Parameters((), np.zeros(0, self.flat.dtype))
        return self._buffers

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._views:
            raise InputError(f"parameter {name!r}: unknown{suggest(name, self._views)}")
        return self._views[name]

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        view, given = self[name], np.asarray(value)
        if given.shape != view.shape:
            raise InputError(f"parameter {name!r}: shape {given.shape}: must be {view.shape}")
        view[...] = given

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {view.shape}" for name, view in self.items())
        return f"Parameters({shapes}; {self.flat.size} of {self.flat.dtype})"

    def like(self, flat: np.ndarray) -> Parameters:
        """The same names over another flat vector (p,); buffers are copied."""
        own = self._buffers
        return Parameters(self._table, flat, None if own is None else own.like(own.flat.copy()))

    def copy(self) -> Parameters:
        """An independent copy, buffers included."""
        return self.like(self.flat.copy())

    def check_dense(self, key: str) -> None:
        """Raise InputError if `flat` was replaced by what compiled code would read wrongly."""
        flat = self.flat
        if not (isinstance(flat, np.ndarray) and flat.ndim == 1 and flat.flags.carray):
            raise InputError(f"{key}.flat: must be one writable vector without gaps: use like")


def as_parameters(given: Any, key: str) -> Parameters:
    """Return `given`; raise InputError unless it is `Parameters` that compiled code may read."""
    if not isinstance(given, Parameters):
        raise InputError(
            f"{key}: {type(given).__name__}: must be parameters as net.init or net.wrap returns"
        )
    given.check_dense(key)
    return given


def check_variances(buffers: Parameters, key: str = "params.buffers") -> None:
    """Raise InputError where a running variance is below 0, of which no root can be taken."""
    for name, values in buffers.items():
        if name.endswith("running_var") and (values < 0).any():
            raise InputError(f"{key}: {name!r}: {values.min()}: must be 0 or more, a variance")


def check_finite(given: Parameters, key: str) -> None:
    """Raise InputError, naming the first array that holds no finite number."""
    if np.isfinite(given.flat).all():
        return
    for name, values in given.items():
        wrong = values[~np.isfinite(values)]
        if wrong.size:
            raise InputError(f"{key}: {name!r}: {wrong[0]}: must hold finite numbers to start from")


def _dense(flat: Any, size: int) -> np.ndarray:
    """Return `flat`, or a copy where compiled code, which knows no strides, cannot work on it."""
    try:
        flat = np.asarray(flat)
    except ValueError:
        raise InputError(f"flat: {type(flat).__name__}: must be a vector of numbers") from None
    if flat.dtype not in (np.float32, np.float64):
        raise InputError(f"flat: {flat.dtype}: must be float32 or float64")
    if flat.shape != (size,):
        raise InputError(f"flat: shape {flat.shape}: must be ({size},), all parameters in one row")
    if flat.flags.carray:
        return flat
    return np.require(flat, requirements=["C", "ALIGNED", "WRITEABLE"])
