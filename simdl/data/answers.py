"""From raw samples to a network's inputs, and from its outputs to answers in the user's terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdl.data.columns import Column, Form
from simdl.data.scaling import Scaler

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Encoder:
    """What was done to the data of a training, kept so that new samples get the same.

    Attributes
    ----------
    form : how a table was read; None for arrays
    scaler : of the inputs; None where they were given ready
    target_scaler : of a regression's targets; None where they were left alone
    classes : names of the classes, in the order of the labels; None in regression
    """

    form: Form | None = None
    scaler: Scaler | None = None
    target_scaler: Scaler | None = None
    classes: tuple[str, ...] | None = None

    def inputs(self, x: Floats) -> Floats:
        """Return raw samples (N, ...) as the network takes them."""
        return x if self.scaler is None else self.scaler.apply(x)

    def targets(self, y: Floats) -> Floats:
        """Return outputs (N, k) of a regression in the units of its target."""
        y = np.asarray(y, np.float64)
        return y if self.target_scaler is None else self.target_scaler.undo(y)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return scalers and classes as named arrays, for an NPZ file."""
        made: dict[str, NDArray[Any]] = {}
        for name in ("scaler", "target_scaler"):
            scaler = getattr(self, name)
            if scaler is not None:
                parts = dataclasses.asdict(scaler)
                made |= {f"{name}.{k}": np.asarray(v) for k, v in parts.items() if v is not None}
        if self.classes is not None:
            made["classes"] = np.array(self.classes, dtype=np.str_)
        return made

    def table(self) -> dict[str, Any] | None:
        """Return the form as plain tables, for a JSON file."""
        return None if self.form is None else dataclasses.asdict(self.form)

    @classmethod
    def read(cls, table: Any, arrays: Mapping[str, NDArray[Any]]) -> Encoder:
        """Return the encoder that `table` and `arrays` wrote down."""
        form = None
        if table is not None:
            columns = (Column(c["name"], tuple(c["values"])) for c in table["columns"])
            form = Form(**(dict(table) | {"columns": tuple(columns)}))
        classes = tuple(map(str, arrays["classes"])) if "classes" in arrays else None
        return cls(form, _scaler("scaler", arrays), _scaler("target_scaler", arrays), classes)


def _scaler(name: str, arrays: Mapping[str, NDArray[Any]]) -> Scaler | None:
    if f"{name}.kind" not in arrays:
        return None
    shift, scale = arrays[f"{name}.shift"], arrays[f"{name}.scale"]
    fill = arrays.get(f"{name}.fill")
    return Scaler(str(arrays[f"{name}.kind"]), shift, scale, float(arrays[f"{name}.clip"]), fill)
