"""Why do networks learn faster from normalised inputs, and which scaling is the best?

Two experiments. Real tables whose columns differ in scale by a factor of 10^5: steps to a
validation loss, raw, scaled to [0, 1] and standardised, each at its own learning rate. And a linear
neuron, where all can be computed: the condition number of its inputs, and the steps it costs.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.inputs import TABLES, TARGETS, reach, real, slow, uniform
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import conditioning

QUESTION = "input_normalization.question"

SHOWN = {"none": "raw", "minmax": "min-max", "standard": "standardised"}
LOOK = dict(zip(SHOWN, zip(style.COLOURS, style.MARKERS, strict=False), strict=False))
JUDGED = ("breast cancer", "digits")
DATA = (*TABLES, "digits")
WIDTH = 32  # of the hidden layer
FEW, TIMES = 10, 1600  # features whose condition is judged, and samples for each of them
MANY, SCARCE = 150, 10  # of the standardised ones
ERROR = 1e-3  # share of the distance from the solution that is left


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "steps": 400, "rates": (3e-3, 3e-2, 0.3), "pilot_seeds": 1, "survey_seeds": 1,
        "features": (5, 20),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "steps": 5000, "survey_seeds": 4}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim")] = 24
    steps: Annotated[int, Field(ge=10, description="most training steps, batches of 32")] = 1000
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (SGD)")
    ] = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)  # fmt: skip
    pilot_seeds: Annotated[
        int, Field(ge=1, le=4, description="seeds the rates are tuned on")
    ] = 3  # fmt: skip
    survey_seeds: Annotated[
        int, Field(ge=1, le=4, description="replicates of the survey of rates and data sets")
    ] = 3  # fmt: skip
    features: Annotated[
        tuple[int, ...], Field(description="features of the linear neuron, beside 10")
    ] = (2, 5, 20)  # fmt: skip
    conditions: Annotated[
        tuple[float, ...], Field(description="condition numbers at which steps are counted")
    ] = (10.0, 30.0, 100.0, 300.0, 1000.0)  # fmt: skip


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured and what is trained."""
    s, seeds = settings, settings.replicates
    pilots, survey = s.pilots[: s.pilot_seeds], s.pilots[: s.survey_seeds]
    budget = {"width": WIDTH, "steps": s.steps}
    scales = {"scale": list(SHOWN)}
    features = sorted({*s.features, FEW})
    return {
        "tuned": Tuned(
            budget, {"data": list(JUDGED)} | scales, s.rates, pilots, seeds, measure=reach,
            score="score",
        ),
        "survey": simdl.Sweep(
            budget, {"data": list(DATA)} | scales | {RATE: list(s.rates)}, survey, measure=reach
        ),
        "uniform": simdl.Sweep(
            {"samples": TIMES}, {"features": features}, seeds[:16], measure=uniform
        ),
        "finite": simdl.Sweep({"features": MANY, "samples": SCARCE}, {}, seeds, measure=uniform),
        "real": simdl.Sweep({}, {"data": list(TABLES)} | scales, pilots, measure=real),
        "slow": simdl.Sweep(
            {"error": ERROR}, {"condition": list(s.conditions)}, seeds[:16], measure=slow
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, cost = settings.level, results["tuned"]["cost"]
    drawn, slow = results["uniform"].sel(features=FEW), results["slow"]

    def faster(scale: str, other: str, data: str) -> Any:
        """Steps of one scaling over those of another, each at its own rate: below 1?"""
        own = cost.sel(data=data)
        ratio = np.exp(np.ravel(own.sel(scale=scale) - own.sel(scale=other)))
        return judges.direction(ratio, 1.0, above=False, log=True, level=level)

    def equals(values: Any, reference: float, tolerance: float = 0.1) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, level=level)

    return [
        Claim("T26-table", faster("standard", "none", "breast cancer")),
        Claim("T26-digits", faster("standard", "none", "digits")),
        Claim("T27a-table", faster("minmax", "none", "breast cancer")),
        Claim("T27a-digits", faster("minmax", "none", "digits")),
        Claim("T27b-table", faster("standard", "minmax", "breast cancer")),
        Claim("T27b-digits", faster("standard", "minmax", "digits")),
        Claim("P-condition-plain", equals(
            drawn["plain"], conditioning.uniform_condition(FEW))),
        Claim("P-condition-bias", equals(
            drawn["bias"], conditioning.uniform_condition(FEW, bias=True))),
        Claim("P-condition-standard", equals(
            results["finite"]["standard"], conditioning.sampled_condition(1 / SCARCE))),
        Claim("P-steps-condition", judges.trend(
            np.log(slow["condition"].values),
            np.log(slow["steps"].transpose("seed", "condition").values),
            reference=1.0, tolerance=0.1, level=level)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Steps against the rate, and condition numbers."""
    return {
        "convergence": _convergence(results["survey"], results["tuned"], settings),
        "condition": _condition(results),
    }


def _line(scale: str, **more: Any) -> dict[str, Any]:
    """Arguments of `panels.band` that every panel gives a scaling."""
    colour, marker = LOOK[scale]
    return {"label": SHOWN[scale], "colour": colour, "marker": marker, "log": True} | more


def _convergence(survey: xarray.Dataset, tuned: xarray.Dataset, settings: Settings) -> Any:
    """Steps to the target against the rate, a panel a data set; rings at own rates."""
    figure, axes = panels.grid(1, len(DATA), (10, 4))
    for panel, name in zip(axes[0], DATA, strict=True):
        for scale in SHOWN:
            found = survey["steps"].sel(data=name, scale=scale).transpose("seed", RATE)
            panels.band(panel, survey[RATE], found, **_line(scale))
            if name in JUDGED:
                own = tuned.sel(data=name, scale=scale)
                ring = {"markerfacecolor": "white", "markersize": 9, "markeredgewidth": 2}
                steps = float(np.exp(own["cost"].mean()))
                if steps < 0.99 * settings.steps:  # else it did not arrive
                    panel.plot(float(own[RATE]), steps, "o", color=LOOK[scale][0], zorder=6, **ring)
        panels.level(panel, settings.steps)
        panel.set(xscale="log", yscale="log", xlabel="learning rate (SGD)")
        panel.set_title(f"{name}, to {TARGETS[name]:g} nats")
        panel.set_ylim(2, 1.7 * settings.steps)
        panel.minorticks_off()
    at: Any = {"xycoords": ("axes fraction", "data"), "fontsize": 8.5, "ha": "right"}
    axes[0, 0].annotate("not reached", (0.98, settings.steps * 1.08), **at)
    axes[0, 0].set_ylabel("steps to a validation loss")
    panels.legend(figure, axes[0, 0], bands=survey.sizes["seed"])
    figure.suptitle("Standardised inputs are learnt fastest, at any rate that suits them")
    return figure


def _condition(results: dict[str, xarray.Dataset]) -> Any:
    """Condition numbers by features and of real tables, and the steps they cost."""
    figure, axes = panels.grid(1, 3, (10.5, 4), sharey=False)
    left, middle, right = axes[0]
    drawn, slow, real = (results[key] for key in ("uniform", "slow", "real"))
    features = drawn["features"].values
    across = np.geomspace(features[0], features[-1], 40)
    for i, (name, label) in enumerate(
        {"bias": "[0, 1], with bias", "plain": "[0, 1]", "standard": "standardised"}.items()
    ):
        found = drawn[name].transpose("seed", "features")
        colour, marker = (style.RED, style.PURPLE, style.GREEN)[i], style.MARKERS[i]
        panels.band(left, features, found, label, colour, log=True, marker=marker)
        theory = {
            "bias": [conditioning.uniform_condition(d, bias=True) for d in across],
            "plain": [conditioning.uniform_condition(d) for d in across],
            "standard": np.ones(len(across)),
        }[name]
        left.plot(across, theory, **style.THEORY)
    left.set(
        xscale="log", yscale="log", xlabel="features", ylabel="condition number",
        title="uniform features",
    )  # fmt: skip
    left.set_xticks(features, [str(d) for d in features])
    kappa = slow["condition"].values
    panels.band(
        middle, kappa, slow["steps"].transpose("seed", "condition"), "", style.BLUE, log=True,
        marker="o",
    )  # fmt: skip
    middle.plot(kappa, [conditioning.steps_needed(k, ERROR) for k in kappa], **style.THEORY)
    middle.set(
        xscale="log", yscale="log", xlabel="condition number", title="what it costs",
        ylabel=f"steps until {ERROR:g} of the\ndistance is left",
    )  # fmt: skip
    for i, scale in enumerate(SHOWN):
        found = real["bias"].sel(scale=scale)
        middles = np.exp(np.log(found).mean("seed")).sel(data=list(TABLES)).values
        places = np.arange(len(TABLES)) + 0.27 * (i - 1)
        right.bar(places, middles, 0.25, color=LOOK[scale][0], label=SHOWN[scale])
        for place, height in zip(places, middles, strict=True):
            digit, _, power = f"{height:.0e}".partition("e")
            large = f"{digit}·10$^{{{int(power)}}}$"
            digits = large if int(power) > 2 else f"{height:.0f}"
            right.annotate(digits, (place, height * 1.2), ha="center", fontsize=7.5)
    right.set(yscale="log", title="real tables, with bias", ylabel="condition number")
    right.set_ylim(1, right.get_ylim()[1] * 100)
    right.set_xticks(range(len(TABLES)), list(TABLES))
    right.grid(False, axis="x")
    right.legend()
    for panel in (left, middle, right):
        panel.minorticks_off()
    panels.legend(figure, left, theory=True, bands=drawn.sizes["seed"])
    figure.suptitle(
        "Shifted and unequal inputs are badly conditioned, and steps grow in proportion"
    )
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
