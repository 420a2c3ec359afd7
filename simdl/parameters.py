"""Parameters of a network: named views of one flat vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simdl.errors import InputError, suggest

if TYPE_CHECKING:
    from simdl.engine.program import Parameter


class Parameters(Mapping[str, np.ndarray]):
    """Maps "0.weight", "0.bias", ... to writable views of `flat`.

    Attributes
    ----------
    flat : (p,) all parameters, layer by layer, weight before bias, no padding
    buffers : running statistics, likewise; None where this mapping holds buffers itself
    """

    def __init__(
        self, table: Sequence[Parameter], flat: np.ndarray, buffers: Parameters | None = None
    ) -> None:
        self.flat = flat
        self.buffers = buffers
        self._table = tuple(table)
        self._views = {
            entry.name: flat[entry.offset : entry.offset + entry.size].reshape(entry.shape)
            for entry in table
        }

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
        """The same names over another flat vector; buffers are copied."""
        copied = self.buffers.like(self.buffers.flat.copy()) if self.buffers is not None else None
        return Parameters(self._table, flat, copied)

    def copy(self) -> Parameters:
        """An independent copy, buffers included."""
        return self.like(self.flat.copy())
