"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scenario_faults import Change, Claims, Results, moved, same, swapped

from scenarios.fully_connected import HIDDEN, Settings
from simdl.errors import InputError
from simdl.scenario.probed import probe, separation

NAME, FIGURES = "fully_connected", {"layers", "heads", "parameters"}
SMALL = {
    "seeds": 4, "width": 80, "steps": 400, "published_steps": 800, "rates": [0.01], "tuning": 1,
    "channels": 12, "depth": 2,
}  # fmt: skip
WIDE = (
    "T36-input", "T36-untrained", "T37a-scrambled", "T37a-again", "T37b",
    "P-mnist1d-logistic", "P-mnist1d-mlp", "P-mnist1d-cnn",
)  # fmt: skip


def hidden_ahead(found: xarray.Dataset) -> xarray.Dataset:
    """The head with a hidden layer is right a fifth more often."""
    ahead = found["head"] == HIDDEN
    return found.assign(accuracy=found["accuracy"] + 0.25 * ahead)


def worse_again(found: xarray.Dataset) -> xarray.Dataset:
    """A head that is trained again on the same map does not recover."""
    again = found["head"] == "retrained"
    return found.assign(accuracy=found["accuracy"] - 0.25 * again)


FAULTS: dict[str, tuple[str, Change]] = {
    "T36-input": ("layers", same("layer", 0, 2)),
    "T36-untrained": ("layers", swapped("state")),
    "T37a-scrambled": ("replaced", same("head", "trained", "scrambled")),
    "T37a-trained": ("replaced", same("head", "scrambled", "trained")),
    "T37a-again": ("replaced", worse_again),
    "T37b": ("heads", hidden_ahead),
    "P-mnist1d-logistic": ("models", moved("accuracy", 0.2)),
    "P-mnist1d-mlp": ("models", moved("accuracy", 0.3)),
    "P-mnist1d-cnn": ("models", moved("accuracy", 0.3)),
    "P-mnist1d-parameters": ("models", moved("parameters", 1)),
    "P-vgg-parameters": ("vgg", moved("total", 1)),
    "P-vgg-first-dense": ("vgg", moved("first", 1)),
}
TestClaims = Claims


def test_vgg_counts_add_up(results: Results) -> None:
    vgg = {name: int(v) for name, v in results["vgg"].isel(seed=0).data_vars.items()}
    assert vgg["total"] == vgg["convolutions"] + vgg["dense"]
    assert vgg["dense"] - vgg["first"] == (4096 + 1) * 4096 + (4096 + 1) * 1000


def test_probe_reads_what_a_line_can_read() -> None:
    rng = np.random.default_rng(0)
    t, true = np.arange(2_000) % 10, np.arange(500) % 10
    centres = rng.normal(size=(10, 12))
    x, new = (centres[c] + 0.1 * rng.normal(size=(len(c), 12)) for c in (t, true))
    assert probe(x, t, new, true) > 0.99
    assert probe(rng.permutation(x), t, new, true) < 0.25
    constant = np.c_[x, np.ones(len(x))], np.c_[new, np.zeros(len(new))]
    assert probe(constant[0], t, constant[1], true) > 0.9


def test_separation_is_the_share_of_the_variance_between_classes() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(50_000) % 10
    centres = rng.normal(size=(10, 3))
    x = centres[t] + 0.5 * rng.normal(size=(len(t), 3))
    between = np.sum((centres - centres.mean(axis=0)) ** 2) / 10
    assert separation(x, t) == pytest.approx(between / (3 * 0.25), rel=0.02)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="width: 1: "):
        Settings.chosen("quick", {"width": 1})
    with pytest.raises(InputError, match="tuning: 9: "):
        Settings.chosen("quick", {"tuning": 9})
