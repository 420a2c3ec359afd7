"""What does layer normalisation do that batch normalisation does not?

Three experiments. A sample in changing company: does its output depend on the batch? Training at
batch sizes from 2 to 256, each at its own learning rate: whose accuracy falls in small batches? And
at birth: how the gradient changes from layer to layer, next to theory; which rates are usable.
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
from simdl.scenario.companions import companions
from simdl.scenario.normalized import gradient
from simdl.scenario.tuning import RATE, Tuned
from simdl.theory import normalization

QUESTION = "layer_normalization.question"

NORM, BATCH = "network.norm", "training.batch_size"
SHOWN = {"LayerNorm": "layer normalisation", "BatchNorm": "batch normalisation", "none": "neither"}
SHORT = {"LayerNorm": "layer", "BatchNorm": "batch", "none": "none"}  # as measurements call them
LOOK = dict(zip(SHOWN, zip(style.COLOURS, style.MARKERS, strict=False), strict=False))
FEW, MANY = 2, 64  # samples a batch, of the claims
EQUAL = 0.03  # of accuracy: what counts as equal, and what as a fall


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "births": 24, "wide": 256, "survey_seeds": 1, "epochs": 6, "batches": (2, 64),
        "rates": (0.01, 0.1, 1.0), "pilot_seeds": 1,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "births": 512, "epochs": 40}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim on training")] = 16
    births: Annotated[
        int, Field(ge=2, le=10_000, description="replicates of every claim on networks at birth")
    ] = 96  # fmt: skip
    wide: Annotated[int, Field(ge=2, description="units a layer, at birth")] = 512
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 64
    depth: Annotated[int, Field(ge=1, description="hidden layers, in training")] = 2
    epochs: Annotated[
        int, Field(ge=1, description="times the data are seen, at every batch size")
    ] = 10  # fmt: skip
    batches: Annotated[
        tuple[int, ...], Field(description="batch sizes trained with, beside 2 and 64")
    ] = (2, 4, 16, 64, 256)  # fmt: skip
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tuned over (SGD)")
    ] = (0.01, 0.03, 0.1, 0.3, 1.0)  # fmt: skip
    pilot_seeds: Annotated[
        int, Field(ge=1, le=4, description="seeds the rates are tuned on")
    ] = 3  # fmt: skip
    deep: Annotated[
        int, Field(ge=1, description="hidden layers in the survey of learning rates")
    ] = 8  # fmt: skip
    survey_seeds: Annotated[
        int, Field(ge=1, le=4, description="replicates of the survey of learning rates")
    ] = 4  # fmt: skip
    survey_rates: Annotated[
        tuple[float, ...], Field(description="learning rates of the survey, rising")
    ] = tuple(2.0**k for k in range(-6, 3))  # fmt: skip


def sweeps(settings: Settings) -> dict[str, simdl.Sweep | Tuned]:
    """What is measured and what is trained."""
    s, seeds = settings, settings.replicates
    born = [s.seed + i for i in range(s.births)]
    few = [s.seed + i for i in range(s.survey_seeds)]
    wide = {"width": s.wide, "activation": "relu"}
    alone = wide | {"norm": "layer", "batch": 2}  # all samples see the same weights: few will do
    training = {
        "network": {
            "width": s.width, "depth": s.depth, "activation": "relu", "init": "he_normal",
        },
        "training": {"epochs": s.epochs},
        "optimizer": {"name": "SGD"},
    }  # fmt: skip
    deep = simdl.with_values(training, {"network.depth": s.deep})
    sizes = sorted({*s.batches, FEW, MANY})
    norms = {"norm": ["layer", "batch"]}
    return {
        "birth": simdl.Sweep(alone, {}, born, measure=gradient),
        "others": simdl.Sweep(
            wide | {"batch": 32}, {"norm": ["batch", "none"]}, few, measure=gradient
        ),
        "companions": simdl.Sweep(
            {"width": s.width}, norms | {"batch": [2, 4, 16, 64, 256]}, seeds[:16],
            measure=companions,
        ),
        "tuned": Tuned(
            training, {NORM: list(SHOWN), BATCH: sizes}, s.rates, s.pilots[: s.pilot_seeds], seeds
        ),
        "survey": simdl.Sweep(
            deep, {NORM: list(SHOWN), RATE: list(s.survey_rates)}, s.pilots[: s.survey_seeds]
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, accuracy = settings.level, results["tuned"]["test_accuracy"].fillna(0.1)
    changed = results["companions"]["largest"].sel(norm="layer")

    def gained(norm: str) -> np.ndarray:
        """Accuracy at the small batch less that at the large one."""
        own = accuracy.sel({NORM: norm})
        return np.ravel(own.sel({BATCH: FEW}) - own.sel({BATCH: MANY}))

    return [
        Claim("T29a", judges.exact(changed, 0.0, 0.0)),
        Claim("T29b-layer", judges.equivalence(
            gained("LayerNorm"), 0.0, EQUAL, absolute=True, level=level)),
        Claim("T29b-batch", judges.direction(
            gained("BatchNorm"), -EQUAL, above=False, level=level)),
        Claim("P-ln-relu", judges.equivalence(
            np.ravel(results["birth"]["growth"]), 1.0, 0.03, level=level)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """A sample's company and accuracy by batch size; gradients at birth and rates."""
    return {
        "batches": _batches(results["tuned"], results["companions"], settings),
        "rates": _rates(results, settings),
    }


def _line(norm: str, **more: Any) -> dict[str, Any]:
    """Arguments of `panels.band` that every panel gives a normalisation."""
    colour, marker = LOOK[norm]
    return {"label": SHOWN[norm], "colour": colour, "marker": marker} | more


def _batches(tuned: xarray.Dataset, company: xarray.Dataset, settings: Settings) -> Any:
    """Accuracy by batch size at own rates; how far company changes a sample's output."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    sizes = tuned[BATCH].values
    for norm in SHOWN:
        found = tuned["test_accuracy"].sel({NORM: norm}).transpose("seed", BATCH)
        panels.band(left, sizes, found, **_line(norm))
    for norm in ("LayerNorm", "BatchNorm"):
        change = company["change"].sel(norm=SHORT[norm]).transpose("seed", "batch")
        panels.band(right, company["batch"], 100 * change, **_line(norm))
    largest = float(company["largest"].sel(norm="layer").max())
    right.annotate(
        f"layer normalisation: {largest:g}", (256, 4), ha="right", color=LOOK["LayerNorm"][0]
    )
    left.set(
        ylabel="test accuracy", ylim=(None, 1.0), title=f"digits, {settings.epochs} epochs each"
    )
    right.set(
        ylabel="change of a sample's output (%, RMS)", title="in other company", ylim=(-5, None)
    )
    for panel, shown in ((left, sizes), (right, company["batch"].values)):
        panel.set(xscale="log", xlabel="batch size")
        panel.set_xticks(shown, [str(size) for size in shown])
        panel.minorticks_off()
    panels.legend(figure, left, bands=tuned.sizes["seed"])
    figure.suptitle("Layer normalisation knows no batch: small ones do it no harm")
    return figure


def _rates(results: dict[str, xarray.Dataset], settings: Settings) -> Any:
    """Squared gradient by layer at birth, with theory; accuracy against the learning rate."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    birth, others, survey = (results[key] for key in ("birth", "others", "survey"))
    layers = birth["layer"].values
    for i, norm in enumerate(SHOWN):
        born = birth if norm == "LayerNorm" else others.sel(norm=SHORT[norm])
        born = born.isel(seed=slice(settings.survey_seeds))
        found = born["gradient"].transpose("seed", "layer").values
        panels.band(left, layers, found / found[:, -1:], **_line(norm, log=True, markevery=(i, 3)))
        factor = normalization.batch_norm_growth("relu", 32) if norm == "BatchNorm" else 1.0
        left.plot(layers[1:], factor ** (layers[-1] - layers[1:]), **style.THEORY)
        accuracy = survey["test_accuracy"].sel({NORM: norm}).transpose("seed", RATE)
        panels.band(right, survey[RATE], accuracy.fillna(0.1), **_line(norm))
    panels.level(right, 0.1, "guessing", left=True)
    left.set(
        xlabel="layer", yscale="log", title="at birth, ReLU",
        ylabel="squared gradient\n(last layer = 1)",
    )  # fmt: skip
    left.set_xticks([1, 5, 10, 15, 20])
    right.set(
        xscale="log", xlabel="learning rate (SGD)", ylabel="test accuracy", ylim=(0, 1.02),
        title=f"digits, {settings.deep} hidden layers",
    )  # fmt: skip
    panels.legend(figure, left, theory=True, bands=survey.sizes["seed"])
    figure.suptitle(
        "Layer normalisation leaves ReLU's gradient even, but gains little in learning rate"
    )
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
