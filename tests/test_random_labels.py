"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import pytest
from scenario_faults import Change, Claims, Results, moved, same

from scenarios.random_labels import Settings
from simdl.errors import InputError

NAME, FIGURES = "random_labels", {"labels"}
SMALL = {"seeds": 24, "samples": 200, "shares": [0.5], "width": 96, "epochs": 80, "looks": 40}

FAULTS: dict[str, tuple[str, Change]] = {
    "P-random-memorized": ("training", moved("training", -0.1)),
    "P-random-chance": ("training", same("share", 0.0, 1.0)),
    "P-random-contrast": ("training", same("share", 1.0, 0.0)),
}
TestClaims = Claims


def test_more_random_labels_are_learned_later_and_tell_less(results: Results) -> None:
    mean = results["training"].mean("seed")
    assert (mean["training"].isel(epoch=slice(2, 5)).mean("epoch").diff("share") < 0).all()
    assert (mean["test"].isel(epoch=-1).diff("share") < 0).all()


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="must divide the epochs"):
        Settings.chosen("quick", {"looks": 7})
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        Settings.chosen("quick", {"shares": [0.5, 1.5]})
