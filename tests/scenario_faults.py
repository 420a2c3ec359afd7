"""What the tests of scenarios share: verdicts of results, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from simdl.scenario.claims import expected, expected_in
from simdl.scenario.runner import Request, Run

Results = dict[str, xarray.Dataset]
Change = Callable[[xarray.Dataset], xarray.Dataset]
CONTRARY = {"holds": "refuted", "refuted": "holds"}


def small_run(name: str, settings: dict[str, Any], out: Path) -> Run:
    """A quick run of a scenario with settings of its own."""
    return Run(name, Request("quick", settings, out))


def verdicts(run: Run, results: Results) -> dict[str, str]:
    return {c.id: c.judgement.verdict for c in run.module.claims(results, run.settings)}


def spoilt(run: Run, results: Results, claim: str, key: str, change: Change) -> str:
    """The verdict of a claim once one of its sweeps is changed."""
    return verdicts(run, results | {key: change(results[key].copy(deep=True))})[claim]


def check_claims(run: Run, results: Results, faults: dict[str, Any]) -> None:
    """All rows of the table are judged, all as expected, and every claim has its fault."""
    found = verdicts(run, results)
    assert {c.partition("-")[0] if c[0] == "T" else c for c in found} == set(expected_in(run.name))
    for claim, verdict in found.items():
        assert verdict == expected(claim), claim
    assert set(faults) == set(found)


def check_settings(run: Run) -> None:
    """Every setting is explained, is in its modes' range, and reaches the run through --set."""
    kind = type(run.settings)
    for mode in ("default", "quick", "full"):
        for name, value in kind.chosen(mode, {}).model_dump(mode="json").items():
            assert kind.model_fields[name].description, name
            assert kind.chosen(mode, {name: value}) == kind.chosen(mode, {}), name


def scaled(name: str, factor: float) -> Change:
    """Move a quantity, which moves it against its reference."""
    return lambda found: found.assign({name: found[name] * factor})


def moved(name: str, distance: Any) -> Change:
    return lambda found: found.assign({name: found[name] + distance})


def swapped(dim: str) -> Change:
    """Exchange the arms along a dimension: its labels stay, its values turn round."""

    def swap(found: xarray.Dataset) -> xarray.Dataset:
        return found.isel({dim: slice(None, None, -1)}).assign_coords({dim: found[dim]})

    return swap


def same(dim: str, source: Any, target: Any) -> Change:
    """Switch a feature off: one arm gets another arm's values."""

    def copy(found: xarray.Dataset) -> xarray.Dataset:
        labels = list(found[dim].values)
        order = [labels.index(source) if label == target else i for i, label in enumerate(labels)]
        return found.isel({dim: order}).assign_coords({dim: found[dim]})

    return copy


def not_a_number(name: str) -> Change:
    return lambda found: found.assign({name: found[name] * np.nan})
