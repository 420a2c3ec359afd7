"""A training's health: a row a layer, what was found beside, and warnings with their remedies."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

NAN = math.nan


class Row(NamedTuple):
    """One layer; NaN where it has no such quantity.

    Attributes
    ----------
    layer, kind : path ("0", "3.1") and name
    gradient_birth, gradient_end : RMS of a sample's gradient by the pre-activation, on a fixed
        batch of training samples
    update : median RMS of an update over RMS of the weight, in the first steps
    moved : RMS of the weight's whole way over RMS of the weight at birth
    saturated : share of a bounded activation's values where its slope is below 4 % of the largest
    dead : share of units that fire for no training sample
    """

    layer: str
    kind: str
    gradient_birth: float = NAN
    gradient_end: float = NAN
    update: float = NAN
    moved: float = NAN
    saturated: float = NAN
    dead: float = NAN


class Gradient(NamedTuple):
    """First over last layer's gradient: measured at birth and at the end, expected at birth.

    `factor` is the expectation a layer; `why` what stands in the way of one.
    """

    birth: float = NAN
    end: float = NAN
    expected: float = NAN
    factor: float = NAN
    why: str = ""


class Validation(NamedTuple):
    """Validation loss: when it was least, in epochs or steps, and what it is as returned."""

    unit: str
    at: float
    least: float
    end: float


class Fault(NamedTuple):
    """A warning: what is wrong, what helps, and the scenario that shows it."""

    name: str
    found: str
    remedy: str
    scenario: str


@dataclass(frozen=True, repr=False)
class Health:
    """What `Result.health` returns; printed it is a table for people.

    Attributes
    ----------
    rows : one a layer that has something to measure
    gradient : the first layer's against the last's; NaN where there is none
    validation : None without validation losses
    warnings : none where all is well
    """

    rows: tuple[Row, ...]
    gradient: Gradient
    validation: Validation | None
    warnings: tuple[Fault, ...]

    def __repr__(self) -> str:
        return self.told()

    def told(self, known: Collection[str] = ()) -> str:
        """Return the table as text; of scenarios, those among `known` with their command."""
        lines = ["health", *_aligned(_cells(self.rows)), *_LEGEND, "", *self._gradients()]
        lines.append(_validated(self.validation))
        for fault in self.warnings:
            shown = f" (simdl explain {fault.scenario})" if fault.scenario in known else ""
            lines.append(f"WARNING {fault.name}: {fault.found}")
            lines.append(f"  try: {fault.remedy}{shown}")
        return "\n".join([*lines, *(["no warnings"] if not self.warnings else [])])

    def _gradients(self) -> list[str]:
        g = self.gradient
        if sum(not math.isnan(row.gradient_birth) for row in self.rows) < 2:
            return ["gradient, first over last layer: there is one layer"]
        told = f"gradient, first over last layer: {_number(g.birth)} at birth"
        told += f", {_number(g.end)} at the end"
        if g.why:
            return [f"{told}; no closed form: {g.why}"]
        return [
            f"{told}; theory at birth: {_number(g.expected)}, a factor {_number(g.factor)} a layer"
        ]

    def table(self) -> dict[str, Any]:
        """Return what `read` makes the same health of: plain values, None for NaN."""
        return {
            "rows": [_plain(row._asdict()) for row in self.rows],
            "gradient": _plain(self.gradient._asdict()),
            "validation": None if self.validation is None else _plain(self.validation._asdict()),
            "warnings": [fault._asdict() for fault in self.warnings],
        }

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Health:
        """Return the health that `table` made."""
        validation = table["validation"]
        return cls(
            tuple(Row(**_known(row)) for row in table["rows"]),
            Gradient(**_known(table["gradient"])),
            None if validation is None else Validation(**_known(validation)),
            tuple(Fault(**fault) for fault in table["warnings"]),
        )


_LEGEND = (
    "gradient: RMS of a sample's, by the layer's output; update: of one step, over the weights",
    "(median of the first steps); moved: the weights' whole way, over their size at birth",
)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, str) or math.isfinite(v) else None for k, v in values.items()}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: NAN if value is None else value for key, value in values.items()}


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    names = [
        "layer",
        "kind",
        "gradient at birth",
        "at the end",
        "update",
        "moved",
        "saturated",
        "dead",
    ]
    return [names] + [
        [row.layer, row.kind, *map(_number, row[2:6]), _share(row.saturated), _share(row.dead)]
        for row in rows
    ]


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _validated(found: Validation | None) -> str:
    if found is None:
        return "overfitting: cannot be seen without validation losses over the training"
    told = f"validation loss: least {found.least:.4g} at {found.unit} {found.at:g}"
    if math.isnan(found.end) or found.end <= found.least:
        return told if math.isnan(found.end) else f"{told}, as returned"
    rise = f", {found.end / found.least - 1:+.0%}" if found.least > 0 else ""
    return f"{told}; as returned {found.end:.4g}{rise}"
