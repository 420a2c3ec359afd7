"""What the tests of scenarios share: verdicts of results, ways to spoil them, and the same tests.

A scenario's test file says

- `NAME`, and `SMALL`: settings at which every claim comes out as expected within seconds,
- `FAULTS`: of each claim the sweep that is spoilt, and how, so that the opposite comes out,
- `FIGURES`: the names of its figures,
- `WIDE`, if need be: claims that so small a run may leave open,

and `TestClaims = Claims`. `conftest.py` makes the fixtures `run` and `results` of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray

from simdl.plot import style
from simdl.scenario.claims import expected, expected_in
from simdl.scenario.runner import Run

Results = dict[str, xarray.Dataset]
Change = Callable[[xarray.Dataset], xarray.Dataset]
CONTRARY = {"holds": "refuted", "refuted": "holds"}


def verdicts(run: Run, results: Results) -> dict[str, str]:
    return {c.id: c.judgement.verdict for c in run.module.claims(results, run.settings)}


def spoilt(run: Run, results: Results, claim: str, key: str, change: Change) -> str:
    """The verdict of a claim once one of its sweeps is changed."""
    return verdicts(run, results | {key: change(results[key].copy(deep=True))})[claim]


class Claims:
    """What holds of every scenario."""

    def test_come_out_as_expected(
        self, request: pytest.FixtureRequest, run: Run, results: Results
    ) -> None:
        """All rows of the table are judged, all as expected, and every claim has its fault."""
        module, found = request.module, verdicts(run, results)
        assert {c.partition("-")[0] if c[0] == "T" else c for c in found} == set(
            expected_in(run.name)
        )
        for claim, verdict in found.items():
            open_too = {"inconclusive"} if claim in getattr(module, "WIDE", ()) else set()
            assert verdict in {expected(claim)} | open_too, claim
        assert set(module.FAULTS) == set(found)

    def test_planted_fault_is_found(
        self, run: Run, results: Results, claim: str, fault: Any
    ) -> None:
        assert spoilt(run, results, claim, *fault) == CONTRARY[expected(claim)]

    def test_figures_show_the_results(
        self, request: pytest.FixtureRequest, run: Run, results: Results
    ) -> None:
        import matplotlib.pyplot as plt

        with style.style():
            drawn = run.module.figures(results, run.settings)
        assert set(drawn) == request.module.FIGURES
        for figure in drawn.values():
            assert all(panel.has_data() for panel in figure.axes)
            plt.close(figure)

    def test_settings(self, run: Run) -> None:
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
