"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from simdl.plot import style
from simdl.scenario.claims import expected, expected_in
from simdl.scenario.runner import Request, Run

Results = dict[str, xarray.Dataset]
SMALL = {"seeds": 8, "nets": 4, "depths": [2, 20], "survey_seeds": 1, "rates": [3e-3]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run("vanishing_gradients", Request("quick", SMALL, tmp_path_factory.mktemp("figures")))


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return run.results()


def verdicts(run: Run, results: Results) -> dict[str, str]:
    return {c.id: c.judgement.verdict for c in run.module.claims(results, run.settings)}


def changed(
    results: Results, key: str, change: Callable[[xarray.Dataset], xarray.Dataset]
) -> Results:
    return results | {key: change(results[key].copy(deep=True))}


def scaled(name: str, factor: float) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Move a quantity, which moves it against its reference."""
    return lambda found: found.assign({name: found[name] * factor})


def steeper(name: str, factor: float) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Multiply a quantity over layers by `factor` a layer."""
    return lambda found: found.assign({name: found[name] * factor ** found["layer"]})


def swapped(dim: str) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Exchange the arms along a dimension: its labels stay, its values turn round."""

    def swap(found: xarray.Dataset) -> xarray.Dataset:
        return found.isel({dim: slice(None, None, -1)}).assign_coords({dim: found[dim]})

    return swap


def same(dim: str, source: str, target: str) -> Callable[[xarray.Dataset], xarray.Dataset]:
    """Switch a feature off: one arm gets another arm's values."""

    def copy(found: xarray.Dataset) -> xarray.Dataset:
        order = [source if label == target else label for label in found[dim].values]
        return found.sel({dim: order}).assign_coords({dim: found[dim]})

    return copy


ARMS = "network.activation,network.init,network.norm"
FAULTS: dict[str, tuple[str, Callable[[xarray.Dataset], xarray.Dataset]]] = {
    "T03-factor": ("birth", steeper("gradient", 1.18)),
    "T03-training": ("tuned", swapped(ARMS)),
    "T06a": ("curves", same("activation", "relu", "tanh")),
    "T06b": ("large", lambda found: found.assign(back=1 / found["back"])),
    "T07a": ("curves", scaled("derivative", 0.999)),
    "T07b": ("relu", same("network.init", "he_normal", "glorot_normal")),
    "T22a": ("birth", same("network.activation", "tanh", "sigmoid")),
    "T22b": ("by_depth", lambda found: found.assign(gradient=found["gradient"] * 0 + 1)),
    "T22c": ("birth", same("network.init", "glorot_normal", "normal(std=0.01)")),
    "T23a": ("tuned", swapped(ARMS)),
    "T23b-gradient": ("normalized_birth", steeper("gradient", 2.0)),
    "T23b-training": ("tuned", swapped(ARMS)),
    "P-relu-forward": ("relu", scaled("forward", 1.06)),
    "P-relu-backward": ("relu", scaled("back", 1.06)),
    "P-weight-gradient": ("relu", steeper("weight_gradient", 1.12)),
    "P-linear": ("linear", scaled("back", 1.09)),
    "P-sigmoid-lecun": ("sigmoid", steeper("gradient", 1.18)),
    "P-sigmoid-uniform": ("sigmoid", steeper("gradient", 1.18)),
    "P-sigmoid-bound": ("bound", scaled("bound", 4.0)),
}


def test_every_claim_of_the_table_is_judged(run: Run, results: Results) -> None:
    rows = {
        claim.partition("-")[0] if claim[0] == "T" else claim for claim in verdicts(run, results)
    }
    assert rows == set(expected_in("vanishing_gradients"))


def test_every_verdict_is_as_expected(run: Run, results: Results) -> None:
    for claim, verdict in verdicts(run, results).items():
        assert verdict == expected(claim), claim


@pytest.mark.parametrize("claim", FAULTS)
def test_a_planted_fault_is_found(run: Run, results: Results, claim: str) -> None:
    key, fault = FAULTS[claim]
    contrary = {"holds": "refuted", "refuted": "holds"}
    assert verdicts(run, changed(results, key, fault))[claim] == contrary[expected(claim)]


def test_every_claim_has_its_fault(run: Run, results: Results) -> None:
    assert set(FAULTS) == set(verdicts(run, results))


def test_every_figure_is_drawn(run: Run, results: Results) -> None:
    with style.style():
        figures = run.module.figures(results, run.settings)
        for figure in figures.values():
            plt.close(figure)
    assert set(figures) == {"initialization", "training", "depth", "residual"}


def test_measurements_do_not_depend_on_each_other(run: Run) -> None:
    settings = {
        "network": {"activation": "relu", "width": 8, "depth": 7},
        "nets": 1, "batch": 4, "cotangent": "random",
    }  # fmt: skip
    first, other = (run.module.at_birth(settings, seed) for seed in (1, 2))
    again = run.module.at_birth(settings, 1)
    assert np.array_equal(first["gradient"], again["gradient"])
    assert not np.array_equal(first["gradient"], other["gradient"])


def test_a_normalised_network_has_as_many_hidden_layers(run: Run) -> None:
    network = {"activation": "sigmoid", "norm": "BatchNorm", "width": 8, "depth": 7}
    base = {"network": network, "nets": 1, "batch": 16, "cotangent": "random"}
    trained, used = (run.module.at_birth(base | {"training": t}, 1) for t in (True, False))
    assert trained["gradient"].sizes == {"layer": 7}
    assert (
        trained["gradient"][0] > 100 * used["gradient"][0]
    )  # statistics at rest normalise nothing
