"""What does batch normalisation do to gradients, to usable learning rates, and at inference?

Three experiments. At birth: how the gradient changes from layer to layer, by activation and batch
size, next to theory. Training at every learning rate, with and without: which rates are usable, and
why. And inference, which takes running statistics in place of the batch's own: does it give what
training gave?
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import xarray
from pydantic import Field

import simdl
from simdl import scenario
from simdl.plot import panels, style
from simdl.scenario import Claim, judges
from simdl.scenario.normalized import gap, gradient, scale_invariance
from simdl.scenario.tuning import RATE
from simdl.theory import normalization

QUESTION = "batch_normalization.question"

NORM, DEPTH = "network.norm", "network.depth"
NORMS = ["none", "BatchNorm"]
SHOWN = {"relu": "ReLU", "sigmoid": "sigmoid", "identity": "no activation"}
COLOUR = dict(zip(SHOWN, style.COLOURS, strict=False))
MARK = dict(zip(SHOWN, style.MARKERS, strict=False))
LARGE, SMALL = 128, 32  # samples a batch, at birth
GOOD = 0.9  # test accuracy of a usable rate
WIDER = 3.0  # times: the margin of the claim
AGREED, DIFFERED = 0.98, 0.9  # shares of predictions that are the same


class Settings(scenario.Settings):
    """Sizes of the experiments."""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 6, "births": 4, "wide": 256, "survey_seeds": 1, "depths": (2, 8),
        "rates": tuple(2.0**k for k in range(-3, 3)), "steps": 200,
        "batches": (2, 16, 256), "gap_steps": 150,
    }  # fmt: skip
    FULL: ClassVar[dict[str, Any]] = {"seeds": 64, "births": 32, "steps": 1000}

    seeds: Annotated[int, Field(ge=2, description="replicates of every claim on training")] = 32
    births: Annotated[
        int, Field(ge=2, le=10_000, description="replicates of every claim on networks at birth")
    ] = 16  # fmt: skip
    wide: Annotated[int, Field(ge=2, description="units a layer, at birth")] = 512
    survey_seeds: Annotated[
        int, Field(ge=1, description="replicates of the surveys of batch sizes and depth")
    ] = 3  # fmt: skip
    width: Annotated[int, Field(ge=2, description="units a hidden layer, in training")] = 64
    depth: Annotated[
        int, Field(ge=1, description="hidden layers of the nets trained at every rate")
    ] = 8  # fmt: skip
    depths: Annotated[
        tuple[int, ...], Field(description="hidden layers of the survey of depth, rising")
    ] = (2, 4, 8, 12)  # fmt: skip
    steps: Annotated[
        int, Field(ge=1, description="their training steps (SGD), batches of 32")
    ] = 300  # fmt: skip
    rates: Annotated[
        tuple[float, ...], Field(description="learning rates tried, rising")
    ] = tuple(2.0**k for k in range(-5, 3))  # fmt: skip
    batches: Annotated[
        tuple[int, ...], Field(description="batch sizes trained with, for inference")
    ] = (2, 4, 8, 32, 128, 256)  # fmt: skip
    gap_steps: Annotated[int, Field(ge=1, description="training steps (Adam) at each")] = 300


def sweeps(settings: Settings) -> dict[str, simdl.Sweep]:
    """What is measured at birth, and what is trained."""
    s, seeds = settings, settings.replicates
    born = [s.seed + i for i in range(s.births)]
    again = [s.seed + i for i in range(2 * s.births)]  # small batches scatter more
    few = [s.seed + i for i in range(s.survey_seeds)]
    wide = {"width": s.wide, "norm": "batch", "batch": LARGE}
    training = {
        "network": {
            "width": s.width, "depth": s.depth, "activation": "relu", "init": "he_normal",
        },
        "training": {"steps": s.steps},
        "optimizer": {"name": "SGD"},
    }  # fmt: skip
    after = {"norm": "batch", "width": s.width, "steps": s.gap_steps, "lr": 0.01}
    return {
        "birth": simdl.Sweep(wide, {"activation": ["relu", "sigmoid"]}, born, measure=gradient),
        "linear": simdl.Sweep(wide, {"activation": ["identity"]}, few, measure=gradient),
        "small": simdl.Sweep(
            wide | {"batch": SMALL}, {"activation": ["relu", "identity"]}, again, measure=gradient
        ),
        "bare": simdl.Sweep(
            wide | {"norm": "none"}, {"activation": ["relu", "sigmoid"]}, few, measure=gradient
        ),
        "batch": simdl.Sweep(
            wide | {"width": min(s.wide, 256)},
            {"activation": list(SHOWN), "batch": [5, 8, 16, 32, 64, 128]}, few, measure=gradient,
        ),
        "scale": simdl.Sweep({}, {}, born, measure=scale_invariance),
        "rates": simdl.Sweep(
            training, {NORM: NORMS, RATE: list(s.rates)}, seeds
        ),
        "depths": simdl.Sweep(
            training, {DEPTH: list(s.depths), NORM: NORMS, RATE: list(s.rates)}, few
        ),
        "gap": simdl.Sweep(after, {"batch": list(s.batches)}, seeds, measure=gap),
    }  # fmt: skip


def largest(found: xarray.Dataset) -> xarray.DataArray:
    """Largest usable rate of each replicate and arm; half the lowest one tried if none is."""
    rates = found[RATE]
    usable = rates.where(found["test_accuracy"] > GOOD).max(RATE)
    return usable.fillna(float(rates[0]) / 2)


def claims(results: dict[str, xarray.Dataset], settings: Settings) -> list[Claim]:
    """Every claim with its verdict."""
    level, birth, small = settings.level, results["birth"]["growth"], results["small"]["growth"]
    usable, measured, exactly = largest(results["rates"]), results["gap"], results["scale"]
    wider = usable.sel({NORM: "BatchNorm"}) / usable.sel({NORM: "none"})
    batches = measured["batch"].values
    difference = measured["difference"].transpose("seed", "batch").values
    agreement = measured["agreement"]

    def growth(activation: str, found: xarray.DataArray = birth) -> np.ndarray:
        return np.ravel(found.sel(activation=activation))

    def direction(values: Any, margin: float, above: bool = True, log: bool = False) -> Any:
        return judges.direction(np.ravel(values), margin, above=above, log=log, level=level)

    def equals(values: Any, reference: float, tolerance: float) -> Any:
        return judges.equivalence(np.ravel(values), reference, tolerance, level=level)

    theory = normalization.batch_norm_growth
    return [
        Claim("T23c", direction(growth("relu"), 1.1, above=False, log=True)),
        Claim("T28a", direction(wider, WIDER, log=True)),
        Claim("T28b-trend", judges.trend(
            np.log(batches), np.log(difference), margin=-0.25, above=False, level=level)),
        Claim("T28b-large", direction(agreement.sel(batch=batches.max()), AGREED)),
        Claim("T28b-small", direction(agreement.sel(batch=batches.min()), DIFFERED, above=False)),
        Claim("P-bn-relu", equals(growth("relu"), theory("relu"), 0.02)),
        Claim("P-bn-relu-batch", equals(growth("relu", small), theory("relu", SMALL), 0.02)),
        Claim("P-bn-sigmoid", equals(growth("sigmoid"), theory("sigmoid"), 0.03)),
        Claim("P-bn-identity", equals(
            growth("identity", small), theory("identity", SMALL), 0.015)),
        Claim("P-scale-orthogonal", judges.exact(exactly["cosine"], 0.0, 1e-9)),
        Claim("P-scale-inverse", judges.exact(exactly["ratio"], 1.0, 1e-9)),
        Claim("P-scale-norm", judges.exact(exactly["norm"], 1.0, 1e-9)),
    ]  # fmt: skip


def figures(results: dict[str, xarray.Dataset], settings: Settings) -> dict[str, Any]:
    """Gradients at birth, usable rates, and inference against training."""
    return {
        "birth": _birth(results),
        "rates": _rates(results["rates"], results["depths"], settings),
        "inference": _inference(results["gap"]),
    }


def _birth(results: dict[str, xarray.Dataset]) -> Any:
    """Squared gradient by layer, with and without; growth a layer by batch size; theory dashed."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    birth, bare, batch = results["birth"], results["bare"], results["batch"]
    layers = birth["layer"].values
    sizes = np.geomspace(4.5, batch["batch"].values[-1], 60)
    for i, (name, label) in enumerate(SHOWN.items()):
        own = birth if name in birth["activation"] else results["linear"]
        found = own["gradient"].sel(activation=name).transpose("seed", "layer").values
        mark: Any = {"marker": MARK[name], "log": True}
        line = (label, COLOUR[name])
        panels.band(left, layers, found / found[:, -1:], *line, markevery=(i, 3), **mark)
        limit = normalization.batch_norm_growth(name)
        size = LARGE if name != "sigmoid" else math.inf
        factor = normalization.batch_norm_growth(name, size)
        left.plot(layers[1:], factor ** (layers[-1] - layers[1:]), **style.THEORY)
        if name in bare["activation"]:
            plain = bare["gradient"].sel(activation=name).transpose("seed", "layer").values
            middle = np.exp(np.log(plain / plain[:, -1:]).mean(axis=0))
            left.plot(layers, middle, color=COLOUR[name], linestyle=":", linewidth=1.6)
        by_batch = batch["growth"].sel(activation=name).transpose("seed", "batch")
        panels.band(right, batch["batch"], by_batch, *line, **mark)
        if name == "sigmoid":
            right.plot(sizes[[0, -1]], [limit, limit], **style.THEORY)
        else:
            right.plot(
                sizes, [normalization.batch_norm_growth(name, b) for b in sizes], **style.THEORY
            )
    left.annotate("ReLU without", (5, 0.6), color=COLOUR["relu"], fontsize=8.5, va="top")
    beside: Any = {"color": COLOUR["sigmoid"], "fontsize": 8.5, "ha": "right"}
    left.annotate("sigmoid\nwithout", (16.8, 4e-4), **beside)
    left.set(
        xlabel="layer", yscale="log", ylim=(1e-4, 1e4), title=f"batches of {LARGE}",
        ylabel="squared gradient\n(last layer = 1)",
    )  # fmt: skip
    left.set_xticks([1, 5, 10, 15, 20])
    right.set(xlabel="batch size", xscale="log", ylim=(0.9, 2.6), title="growth a layer")
    right.set_ylabel("factor a layer, backwards,\nof the squared gradient")
    right.set_xticks(batch["batch"].values, [str(b) for b in batch["batch"].values])
    right.minorticks_off()
    panels.legend(figure, left, theory=True, bands=birth.sizes["seed"])
    figure.suptitle("With batch normalisation sigmoid keeps its gradient, and ReLU's explodes")
    return figure


def _rates(found: xarray.Dataset, by_depth: xarray.Dataset, settings: Settings) -> Any:
    """Test accuracy against the rate; the largest usable rate against depth."""
    figure, axes = panels.grid(1, 2, (9, 4.2), sharey=False)
    left, right = axes[0]
    rates, usable, across = found[RATE].values, largest(found), largest(by_depth)
    depths = across[DEPTH].values
    for i, (norm, label) in enumerate(zip(NORMS, ("without", "with"), strict=True)):
        accuracy = found["test_accuracy"].sel({NORM: norm}).transpose("seed", RATE).fillna(0.1)
        colour = style.COLOURS[1 - i]
        line: Any = (f"{label} batch normalisation", colour)
        mark = {"marker": style.MARKERS[i]}
        panels.band(left, rates, accuracy, *line, **mark)
        middle = float(np.exp(np.log(usable.sel({NORM: norm})).mean()))
        left.axvline(middle, color=colour, linestyle=":", linewidth=1.2)
        own = across.sel({NORM: norm}).transpose("seed", DEPTH)
        panels.band(right, depths, own, *line, log=True, **mark)
    panels.level(left, 0.1, "guessing", left=True)
    panels.level(left, GOOD)
    left.annotate("usable", (rates[-1], GOOD + 0.01), fontsize=8, ha="right")
    left.set(xscale="log", xlabel="learning rate (SGD)", ylabel="test accuracy", ylim=(0, 1.04))
    left.minorticks_off()
    left.set_title(f"{settings.depth} hidden layers (dotted: the largest usable rate)")
    right.set(yscale="log", xlabel="hidden layers", ylabel="largest usable rate", title="by depth")
    right.set_xticks(depths)
    right.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    right.minorticks_off()
    panels.legend(figure, left, bands=found.sizes["seed"])
    ratio = usable.sel({NORM: "BatchNorm"}) / usable.sel({NORM: "none"})
    times = float(np.exp(np.log(ratio).mean()))
    figure.suptitle(f"With batch normalisation {times:.0f} times as large a rate still trains")
    return figure


def _inference(found: xarray.Dataset) -> Any:
    """How far logits differ, and what accuracy training and inference mode have, by batch size."""
    figure, axes = panels.grid(1, 2, (9, 4.0), sharey=False)
    left, right = axes[0]
    sizes = found["batch"].values
    difference = found["difference"].transpose("seed", "batch")
    panels.band(left, sizes, 100 * difference, "", style.BLUE, log=True, marker="o")
    last = float(np.exp(np.log(difference[:, -1]).mean()))
    left.plot(sizes, 100 * last * (sizes / sizes[-1]) ** -0.5, **style.THEORY)
    middle = float(np.sqrt(sizes[0] * sizes[-1]))
    height = 100 * last * (middle / sizes[-1]) ** -0.5
    left.annotate("1 / √batch", (middle, 0.8 * height), ha="right", va="top", fontsize=8.5)
    left.set(yscale="log", title="outputs", ylabel="difference of the outputs (%, RMS)")
    left.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    for i, (name, label) in enumerate(
        {"inference": "inference (running statistics)", "training": "the batch's own statistics"}
        .items()
    ):  # fmt: skip
        across = found[name].transpose("seed", "batch")
        panels.band(right, sizes, across, label, style.COLOURS[i], marker=style.MARKERS[i])
    across = found["agreement"].transpose("seed", "batch")
    panels.band(right, sizes, across, "same prediction", style.GREEN, marker="^")
    right.set(title="predictions", ylabel="share of samples", ylim=(None, 1.01))
    for panel in (left, right):
        panel.set(xscale="log", xlabel="batch size")
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.minorticks_off()
    panels.legend(figure, right, bands=found.sizes["seed"])
    figure.suptitle("Inference gives what training gave in large batches, and not in small ones")
    return figure


if __name__ == "__main__":
    import sys

    from simdl.cli import main

    main(["run", __file__, *sys.argv[1:]])
