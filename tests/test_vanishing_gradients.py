"""The scenario's claims come out as expected, and do not once their results are spoilt."""

from __future__ import annotations

import numpy as np
from scenario_faults import Change, Claims, same, scaled, swapped

from simdl.scenario.runner import Run

NAME, FIGURES = "vanishing_gradients", {"initialization", "training", "depth", "residual"}
SMALL = {"seeds": 8, "nets": 4, "depths": [2, 20], "survey_seeds": 1, "rates": [3e-3]}


def steeper(name: str, factor: float) -> Change:
    """Multiply a quantity over layers by `factor` a layer."""
    return lambda found: found.assign({name: found[name] * factor ** found["layer"]})


ARMS = "network.activation,network.init,network.norm"
FAULTS: dict[str, tuple[str, Change]] = {
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
TestClaims = Claims


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
