"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, moved, scaled, swapped

from scenarios.overfitting import FIRST, Settings
from simdl.errors import InputError
from simdl.scenario.interpolation import mislabelled
from simdl.scenario.overfitted import STOP, has_u_shape, outcome, shifted

NAME, FIGURES = "overfitting", {"curves", "criteria", "remedies", "samples"}
SMALL = {
    "seeds": 24, "clean": 24, "others": 4, "norms": 16, "width": 64, "sizes": [100, 600],
    "epochs": 80, "rates": [0.001],
}  # fmt: skip
WIDE = ("T31", "T32c", "T32d", "T33", "P-criteria-loss")


def all_fall(found: xarray.Dataset) -> xarray.Dataset:
    """A validation loss that goes on falling."""
    return found.assign(validation_loss=1 + found["train_loss"])


def all_rise(found: xarray.Dataset) -> xarray.Dataset:
    """A validation loss that turns, in every course."""
    epoch = found["epoch"]
    return found.assign(
        validation_loss=1 + abs(epoch - 30) / 30 + 0 * found["train_loss"],
        train_loss=1 / (1 + epoch) + 0 * found["train_loss"],
    )


def first_is_best(found: xarray.Dataset) -> xarray.Dataset:
    """The first rise finds losses a fifth lower, and trains as long as all."""
    own = found["rule"] == FIRST
    loss = found["test_loss"].sel(rule=STOP, drop=True) * (1 - 0.2 * own)
    return found.assign(test_loss=loss, epochs=1 + 50.0 * own + 0 * found["epochs"])


FAULTS: dict[str, tuple[str, Change]] = {
    "T31": ("sizes", swapped("samples")),
    "T32a": ("course", all_fall),
    "T32b-loss": ("rules", scaled("test_loss", 2.0)),
    "T32b-accuracy": ("rules", moved("test_accuracy", -0.2)),
    "T32c": ("rules", first_is_best),
    "T32d": ("clean", all_rise),
    "T33": ("norm", swapped("remedies")),
    "P-criteria-time": ("rules", first_is_best),
    "P-criteria-loss": ("rules", first_is_best),
}
TestClaims = Claims


def test_remedies_but_batch_norm_lower_the_loss(results: Results) -> None:
    loss = results["remedies"]["test_loss"].mean("seed")
    helped = [r for r in loss["remedies"].values if r not in ("", "batch norm")]
    assert len(helped) == 10
    assert (loss.sel(remedies=helped) < loss.sel(remedies="")).all()


def test_a_share_of_the_labels_is_wrong_and_all_others_are_right() -> None:
    t = np.arange(10_000) % 10
    new = mislabelled(t, 0.2, 10, np.random.default_rng(0))
    assert abs(np.mean(new != t) - 0.2) < 0.015
    wrong = (new - t)[new != t] % 10
    assert set(wrong) == set(range(1, 10)) and np.bincount(wrong)[1:].min() > 150
    assert (mislabelled(t, 0.0, 10, np.random.default_rng(0)) == t).all()


def test_images_move_by_a_pixel() -> None:
    image = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    up, down, left, right = (moved[0, :, :, 0].tolist() for moved in shifted(image))
    assert up == [[4, 5, 6], [7, 8, 9], [0, 0, 0]]
    assert down == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert left == [[2, 3, 0], [5, 6, 0], [8, 9, 0]]
    assert right == [[0, 1, 2], [0, 4, 5], [0, 7, 8]]


def test_u_shape_needs_a_rise_and_a_training_loss_that_falls() -> None:
    epoch = np.arange(0, 40, 2)
    turned = 1 + np.abs(epoch - 20) / 100

    def shape(training: np.ndarray, validation: np.ndarray) -> bool:
        series = {"train_loss": ("epoch", training), "validation_loss": ("epoch", validation)}
        return bool(has_u_shape(xarray.Dataset(series, {"epoch": epoch}), 0.05))

    assert shape(1.0 / (1 + epoch), turned)
    assert not shape(1.0 + epoch, turned)
    assert not shape(1.0 / (1 + epoch), 1 + (turned - 1) / 5)
    assert not shape(1.0 / (1 + epoch), 1.0 / (1 + epoch))


def test_rules_stop_one_training_at_different_epochs() -> None:
    settings = {
        "samples": 200, "wrong": 0.2, "width": 32, "batch": 32, "epochs": 40,
        "optimizer": {"lr": 0.003},
    }  # fmt: skip
    found = {rule: outcome({**settings, "rule": rule}, 3) for rule in (FIRST, STOP)}
    end = outcome(settings, 3)
    assert found[FIRST]["epochs"] < found[STOP]["epochs"] < end["epochs"] == 40
    assert end["train_loss"] < found[STOP]["train_loss"] <= found[FIRST]["train_loss"]
    assert found[STOP]["validation_loss"] <= found[FIRST]["validation_loss"]
    stopped = outcome({**settings, "remedies": "early stopping"}, 3)
    assert stopped == found[STOP]


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="samples: 5000: "):
        Settings.chosen("quick", {"samples": 5_000})
    with pytest.raises(InputError, match="sizes: "):
        Settings.chosen("quick", {"sizes": [100]})
