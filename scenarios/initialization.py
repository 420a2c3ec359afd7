"""Which initial weights suit which network, and what does it matter to training?

In work: sweeps and claims; figures and texts are not written yet.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import scenario
from simdl.scenario import Claim, judges
from simdl.scenario.birth import at_birth
from simdl.scenario.clipping import NEVER, trained
from simdl.scenario.initial import deep_linear, spectrum
from simdl.scenario.tuning import CAP, Tuned
from simdl.theory import propagation

QUESTION = "initialization.question"

INIT, DEPTH, ACTIVATION = "network.init", "network.depth", "network.activation"
ARM = "gain,clip"
INITS: dict[str, Any] = {
    "small": {"name": "normal", "std": 0.01}, "LeCun": "lecun_normal", "Glorot": "glorot_normal",
    "He": "he_normal", "orthogonal": "orthogonal", "large": {"name": "scaled", "gain": 6.0},
}  # fmt: skip
SHOWN = ("sigmoid", "tanh", "relu")
SPECTRA = (("identity", "lecun_normal"), ("identity", "orthogonal"),
           ("relu", "he_normal"), ("relu", "orthogonal"))  # fmt: skip
MARGIN = 0.1


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "width": 128, "depths": (2, 5), "steps": 300, "pilot_seeds": 2,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 32
    width: Annotated[int, Field(ge=16, description="units a layer of the spectra")] = 300
    depths: Annotated[tuple[int, ...], Field(description="layers of the spectra")] = (2, 5, 10)
    deep: Annotated[int, Field(ge=3, description="hidden layers of the ReLU nets trained")] = 30
    steps: Annotated[int, Field(ge=10, description="training steps, batches of 32")] = 500
    pilot_seeds: Annotated[int, Field(ge=1, description="seeds the rates are tuned on")] = 4

    @property
    def pilots(self) -> list[int]:
        return [2**31 + self.seed + i for i in range(self.pilot_seeds)]


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured at birth, and what is trained."""
    s, seeds = settings, settings.replicates
    born = {"network": {"width": 64, "depth": 20}, "nets": 1, "batch": 32, "cotangent": "loss"}
    deep = {"network": {"width": 64, "depth": s.deep, "activation": "relu"}}
    deep["training"] = {"steps": s.steps}
    rates = {"SGD": (1e-3, 1e-2, 3e-2, 0.1), "Adam": (1e-4, 3e-4, 1e-3, 3e-3)}
    arms = {INIT: ["he_normal", "glorot_normal"]}
    scaled = {"width": 64, "depth": 8, "steps": 500}
    return {
        "first_pass": simdl.Sweep(
            born, {ACTIVATION: list(SHOWN), INIT: list(INITS.values())}, seeds[:4], measure=at_birth
        ),
        "spectra": simdl.Sweep(
            {"width": s.width}, {"activation,init": [list(p) for p in SPECTRA],
                                 "depth": list(s.depths)}, seeds, measure=spectrum,
        ),
        "linear": simdl.Sweep({"points": 60}, {}, seeds[:1], measure=deep_linear),
        "scaled": Tuned(
            scaled, {ARM: [[6.0, NEVER], [6.0, 1.0], [2.0, NEVER]]},
            (1e-3, 2e-3, 5e-3, 0.05, 0.1, 0.2, 0.5), s.pilots, seeds, measure=trained,
            score="error",
        ),
    } | {
        name: Tuned(deep | {"optimizer": {"name": name}}, arms, grid, s.pilots, seeds)
        for name, grid in rates.items()
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level = settings.level
    plain, clipped, fitting = (results["scaled"]["accuracy"].isel({ARM: i}) for i in range(3))

    def direction(values: Any, margin: float, above: bool = True) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, level=level)

    def loss(name: str, arm: int) -> np.ndarray:
        found = results[name]["train_loss"].isel({INIT: arm})
        return np.ravel(found.where(np.isfinite(found), CAP).clip(max=CAP))

    def ratio(pair: int) -> np.ndarray:
        """Measured over theoretical spread, its mean over depths, a value a replicate."""
        act, init = SPECTRA[pair]
        found = results["spectra"]["spread"].isel({"activation,init": pair})
        exact = [propagation.jacobian_spread(act, d, init == "orthogonal") for d in settings.depths]
        return np.asarray((found.transpose("seed", "depth").values / exact).mean(axis=1))

    def spread(pair: int) -> Any:
        return judges.equivalence(ratio(pair), 1.0, 0.07, level=level)

    flat = results["spectra"]["spread"].isel({"activation,init": 1})
    learnt = results["linear"]["strength"] / results["linear"]["theory"]
    return [
        Claim("T25a", direction(fitting - plain, MARGIN)),
        Claim("T25b", direction(clipped - plain, MARGIN)),
        Claim("P-he-sgd", direction(loss("SGD", 0), 0.8 * np.log(10), above=False)),
        Claim("P-glorot-sgd", direction(loss("SGD", 1), 0.95 * np.log(10))),
        Claim("P-glorot-adam", direction(loss("Adam", 1), 0.8 * np.log(10), above=False)),
        Claim("P-spectrum-linear", spread(0)),
        Claim("P-spectrum-linear-orthogonal", judges.bound(flat, upper=0.001)),
        Claim("P-spectrum-relu", spread(2)),
        Claim("P-spectrum-relu-orthogonal", spread(3)),
        Claim("P-deep-linear", judges.exact(learnt, 1.0, 0.01)),
    ]


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Not drawn yet."""
    return {}
