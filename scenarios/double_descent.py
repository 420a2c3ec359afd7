"""Does a model with more parameters than samples predict worse?

The textbook's curve ends at overfitting: past the best size, more parameters fit the noise. Here it
goes on. Least squares, where all can be computed: the error grows without bound as the number of
features nears the number of samples, and falls again behind it. A network on MNIST-1D, a part of
whose labels is random, shows the same hump where it becomes able to reproduce its training set.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field, ValidationInfo, field_validator

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.interpolation import least_squares, mlp
from simdl.theory import least_squares as theory

QUESTION = "double_descent.question"

SAMPLES, FEATURES, NOISE = 40, 100, 0.04  # of least squares; a signal of 1
OWN = (10, 20, 30, 50, 80, 160, 320)  # features, all of them fitted
CHOSEN = (1, 10, 20, 30, 35, 45, 50, 60, 80, 100)  # of FEATURES, the others left out
CLOSE = 0.05  # relative: what counts as equal to the formula
BELOW = 0.8  # times the best fit on fewer features than samples
# How far the hump stands above the widest network, in error: the published settings' margin, and
# that of fewer samples, where all errors are closer to guessing.
HUMP, SMALL_HUMP, PUBLISHED = 0.05, 0.01, 4_000
ERRORS = {9: 49.0, 21: 50.8, 47: 54.1, 104: 50.2, 300: 45.5}  # %, published


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "draws": 80, "trained": 8, "widths": (9, 21, 200),
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {
        "draws": 1_000, "samples": 4_000, "widths": (9, 21, 47, 104, 300), "peak": 47,
        "epochs": 500,
    }  # fmt: skip

    seeds: Annotated[
        int, Field(ge=2, description="replicates of every claim on least squares")
    ] = 16  # fmt: skip
    draws: Annotated[
        int, Field(ge=1, description="draws of samples and targets in each replicate")
    ] = 300  # fmt: skip
    trained: Annotated[
        int, Field(ge=2, le=10_000, description="replicates of the claim on networks")
    ] = 32  # fmt: skip
    samples: Annotated[
        int, Field(ge=100, le=4_000, description="MNIST-1D samples trained on")
    ] = 1_000  # fmt: skip
    share: Annotated[
        float, Field(ge=0, le=1, description="share of the labels that is drawn anew")
    ] = 0.15  # fmt: skip
    widths: Annotated[
        tuple[int, ...], Field(min_length=2, description="units of both hidden layers, rising")
    ] = (9, 21, 47, 200)  # fmt: skip
    peak: Annotated[
        int, Field(ge=1, description="units where the network nearly reproduces its training set")
    ] = 21  # fmt: skip
    epochs: Annotated[int, Field(ge=1, description="times the samples are seen")] = 400

    @field_validator("widths")
    @classmethod
    def _rise(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if list(widths) != sorted(set(widths)):
            raise ValueError("must rise")
        return widths

    @field_validator("peak")
    @classmethod
    def _is_inside(cls, peak: int, given: ValidationInfo) -> int:
        widths = given.data.get("widths", (peak, peak + 1))
        if peak not in widths[:-1]:
            raise ValueError(f"must be one of the widths but the last: {list(widths)}")
        return peak


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """Least squares on all features and on some of them; networks of several widths."""
    s = settings
    fit = {"samples": SAMPLES, "noise": NOISE, "draws": s.draws}
    net = {"samples": s.samples, "share": s.share, "lr": 0.01, "epochs": s.epochs}
    own = {"chosen,features": [[p, p] for p in OWN]}
    return {
        "all": simdl.Sweep(fit, own, s.replicates, measure=least_squares),
        "chosen": simdl.Sweep(
            fit | {"features": FEATURES}, {"chosen": list(CHOSEN)}, s.replicates,
            measure=least_squares,
        ),
        "networks": simdl.Sweep(
            net, {"width": list(s.widths)}, [s.seed + i for i in range(s.trained)], measure=mlp
        ),
    }  # fmt: skip


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, error = settings.level, results["networks"]["error"]
    some = results["chosen"]["risk"]
    # The best number below that of the samples is chosen by the formula, not by what is measured.
    best = min((p for p in CHOSEN if p < SAMPLES), key=chosen_risk)
    again = np.ravel(some.sel(chosen=FEATURES) / some.sel(chosen=best))
    hump = error.sel(width=settings.peak) - error.sel(width=settings.widths[-1])

    def own(p: int) -> judges.Judgement:
        measured = results["all"]["risk"].isel({"chosen,features": OWN.index(p)})
        return judges.equivalence(np.ravel(measured), own_risk(p), CLOSE, level=level)

    def part(p: int) -> judges.Judgement:
        return judges.equivalence(np.ravel(some.sel(chosen=p)), chosen_risk(p), CLOSE, level=level)

    return [
        Claim("P-ridgeless-under", own(20)),
        Claim("P-ridgeless-before", own(30)),
        Claim("P-ridgeless-behind", own(50)),
        Claim("P-ridgeless-over", own(160)),
        Claim("P-chosen-under", part(20)),
        Claim("P-chosen-over", part(80)),
        Claim("P-second-descent", judges.direction(
            again, BELOW, above=False, log=True, level=level)),
        Claim("P-hump-networks", judges.direction(
            np.ravel(hump), HUMP if settings.samples == PUBLISHED else SMALL_HUMP, level=level)),
    ]  # fmt: skip


def own_risk(features: int) -> float:
    """Theory's error of a fit on all features."""
    return theory.excess_risk(SAMPLES, features, 1.0, NOISE)


def chosen_risk(chosen: int) -> float:
    """Theory's error of a fit on some of the features."""
    return theory.chosen_risk(SAMPLES, chosen, FEATURES, 1.0, NOISE)


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Errors of least squares by the number of features; of networks by width."""
    return {
        "least_squares": _least_squares(results["all"], results["chosen"]),
        "networks": _networks(results["networks"], settings),
    }


def _least_squares(own: xarray.Dataset, some: xarray.Dataset) -> Any:
    """Mean squared error against the number of features fitted, with theory."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    dots: dict[str, Any] = {"log": True, "marker": "o", "linestyle": "none"}
    for panel, found, sizes in ((left, own, OWN), (right, some, CHOSEN)):
        risk, at = found["risk"].transpose("seed", ...).values, np.array(sizes)
        for label, side in (("measured", at < SAMPLES), ("", at > SAMPLES)):
            panels.band(panel, at[side], risk[:, side], label, style.BLUE, **dots)
    for panel, formula, first, last in (
        (left, own_risk, 8, OWN[-1]), (right, chosen_risk, 1, FEATURES),
    ):  # fmt: skip
        for side in (range(first, SAMPLES - 1), range(SAMPLES + 2, last + 1)):
            panel.plot(side, [formula(p) for p in side], **style.THEORY)
        panel.axvline(
            SAMPLES, color=style.BLACK, linewidth=0.8, linestyle=":", label="as many as samples"
        )
        panel.set(yscale="log", xlabel="features fitted")
    right.plot(0, 1, marker="s", color=style.RED, label="no fit at all", linestyle="none")
    left.set(xscale="log", ylabel="squared error on new samples", title="all features that matter")
    left.set_xticks([10, 20, 40, 80, 160, 320], ["10", "20", "40", "80", "160", "320"])
    left.minorticks_off()
    right.set_title(f"some of {FEATURES} features that matter")
    panels.legend(figure, right, theory=True, bands=own.sizes["seed"])
    figure.suptitle(f"{SAMPLES} samples: the error soars at {SAMPLES} features, and falls again")
    return figure


def _networks(found: xarray.Dataset, settings: Settings) -> Any:
    """Test and training error against width."""
    figure, axes = panels.grid(1, 2, (9, 4), sharey=False)
    widths = found["width"].values
    for panel, name, title, colour, marker in (
        (axes[0][0], "error", "test", style.RED, "s"),
        (axes[0][1], "left", "training, with its random labels", style.BLUE, "o"),
    ):
        values = 100 * found[name].transpose("seed", "width")
        panels.band(panel, widths, values, "mean", colour, marker=marker)
        panel.set(xscale="log", xlabel="units of each hidden layer", title=title)
        panel.set_xticks(widths, [str(width) for width in widths])
        panel.minorticks_off()
    if published := settings.samples == PUBLISHED:
        axes[0][0].plot([*ERRORS], [*ERRORS.values()], **style.THEORY)
    axes[0][0].set_ylabel("error (%)")
    handles = "published (dashed); " if published else ""
    noise = f"{100 * settings.share:g} % of the labels drawn anew"
    figure.supxlabel(
        f"{handles}MNIST-1D, {settings.samples:,} samples, {noise}; bands: lowest to highest of "
        f"{found.sizes['seed']} seeds", fontsize=8.5,
    )  # fmt: skip
    figure.suptitle("The wider network fits the same noise, and errs less")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
